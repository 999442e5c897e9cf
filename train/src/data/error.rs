//! What can be wrong with a data file: each error is one line naming file, line and field.

use thiserror::Error;

/// Why a data file was refused: where, what is wrong, and what to do.
#[derive(Debug, Error)]
pub enum DataError {
    /// Nothing stands at the path.
    #[error("{file}: no such file; check the path")]
    NotFound {
        /// The file as it was named.
        file: String,
    },
    /// The path is a folder's.
    #[error("{file}: is a folder, not a file; name a .jsonl, .csv or .txt file")]
    Folder {
        /// The file as it was named.
        file: String,
    },
    /// The path is a device's, a pipe's or a socket's: its length is unknown and may be endless.
    #[error("{file}: is not a regular file; copy what it holds to a .jsonl, .csv or .txt file")]
    NotRegular {
        /// The file as it was named.
        file: String,
    },
    /// The operating system would not let the file be read.
    #[error("{file}: cannot be read; check its permissions")]
    Io {
        /// The file as it was named.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file and its rows do not fit in memory together.
    #[error("{file}: {bytes} bytes and their rows do not fit in memory; split the file")]
    TooLarge {
        /// The file as it was named.
        file: String,
        /// The file's size.
        bytes: u64,
    },
    /// A byte that is no UTF-8.
    #[error("{file}, line {line}: not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The file as it was named.
        file: String,
        /// The line of the first such byte, from 1.
        line: usize,
    },
    /// The file is empty, or holds blank lines or a CSV header only.
    #[error("{file}: holds no rows; at least one is needed")]
    NoRows {
        /// The file as it was named.
        file: String,
    },
    /// A line of JSON Lines that does not parse.
    #[error("{file}, line {line}: not valid JSON: {message}; write one object a line")]
    Json {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the parser found, with its column.
        message: String,
    },
    /// A line of JSON Lines that is no object.
    #[error("{file}, line {line}: {found}, not an object; write one object a line")]
    NotObject {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What stands there.
        found: &'static str,
    },
    /// A CSV header or record that does not parse.
    #[error("{file}, line {line}: not valid CSV: {message}")]
    Csv {
        /// The file as it was named.
        file: String,
        /// The line the record begins on, from 1.
        line: usize,
        /// What was found, and what to do.
        message: String,
    },
    /// A field that stands twice in one row.
    #[error("{file}, line {line}: field {field:?} stands twice; keep one")]
    DuplicateField {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: String,
    },
    /// A field that the task needs.
    #[error("{file}, line {line}: field {field:?} is missing; {rule}")]
    MissingField {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What a row of the task holds.
        rule: &'static str,
    },
    /// A field whose value is of the wrong type.
    #[error("{file}, line {line}: field {field:?} is {found}; {rule}")]
    WrongType {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What stands there.
        found: &'static str,
        /// What should stand there.
        rule: &'static str,
    },
    /// A field whose value is none of those it may have.
    #[error("{file}, line {line}: field {field:?} is {found:?}; {rule}")]
    WrongValue {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What stands there.
        found: String,
        /// What should stand there.
        rule: &'static str,
    },
    /// A field that may not be empty.
    #[error("{file}, line {line}: field {field:?} is empty; fill it in or remove the row")]
    EmptyField {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: String,
    },
    /// A token id that the model does not have.
    #[error(
        "{file}, line {line}: field {field:?}: token id {id} is beyond the vocabulary of \
         {vocab_size} tokens"
    )]
    BeyondVocabulary {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// The id.
        id: u32,
        /// The size of the vocabulary.
        vocab_size: usize,
    },
}
