//! What can go wrong with models, checkpoints, texts and settings that come from outside.

use std::path::PathBuf;

/// An error of a model's folder, its configuration, or a request to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor file or token ids.
    #[error(transparent)]
    Tensor(#[from] tensor::Error),
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read" or "write".
        action: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A configuration that can't be used.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and what to do.
        reason: String,
    },
    /// Weights that do not fit the configuration.
    #[error("{}: the weights do not fit config.json: {report}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Missing, unexpected and mis-shaped tensors.
        report: String,
    },
    /// A tokenizer that can't be used.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A request that can't be carried out: settings that contradict each other, a prompt that
    /// does not fit.
    #[error("{0}")]
    Request(String),
}
