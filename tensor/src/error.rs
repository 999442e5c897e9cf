//! What can go wrong with what comes from outside.

use std::path::PathBuf;

/// An error of a file or of token ids.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read" or "write".
        action: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A file is not what it claims to be.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// A token id does not exist in the vocabulary.
    #[error(
        "token id {id} at position {position} is beyond the vocabulary of {vocab_size} tokens \
         (ids 0 to {})", vocab_size.saturating_sub(1)
    )]
    TokenBeyondVocabulary {
        /// The id.
        id: u32,
        /// Its place in the list given.
        position: usize,
        /// The size of the vocabulary.
        vocab_size: usize,
    },
    /// Rows of one batch have different lengths.
    #[error("row {row} of the batch has {found} tokens, the first has {expected}; pad them first")]
    UnequalRows {
        /// The row that differs, counted from 0.
        row: usize,
        /// Its length in tokens.
        found: usize,
        /// The first row's length in tokens.
        expected: usize,
    },
}
