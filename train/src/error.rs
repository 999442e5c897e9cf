//! What can go wrong in a run.

use std::io;
use std::path::{Path, PathBuf};

/// An error of data, settings, a model or a training step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data file.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// A model, checkpoint or tokenizer.
    #[error(transparent)]
    Model(#[from] transformer::Error),
    /// Token ids or a tensor file.
    #[error(transparent)]
    Tensor(#[from] tensor::Error),
    /// A request that can't be carried out with this data or model.
    #[error("{0}")]
    Settings(String),
    /// Options that contradict each other or are out of range: bad usage.
    #[error("{0}")]
    Usage(String),
    /// A file of the run's own could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A part of a run's folder could not be written; the checkpoints in it are whole.
    #[error(
        "{what} could not be written: {source}; {last}; {remedy}, then repeat the command with \
         --resume"
    )]
    Checkpoint {
        /// What was written.
        what: String,
        /// The step of the last whole checkpoint, in words.
        last: String,
        /// What to do first.
        remedy: &'static str,
        /// Why.
        source: Box<Error>,
    },
    /// A run that was asked to end, after a checkpoint was written.
    #[error(
        "interrupted after step {step} of {steps}, and a checkpoint was written; go on with: {how}"
    )]
    Interrupted {
        /// Steps taken.
        step: usize,
        /// Steps of the whole run.
        steps: usize,
        /// How to go on: a command.
        how: String,
    },
    /// A step that could not be taken.
    #[error("step {step}: {reason}{}", of_lines(lines))]
    Step {
        /// The step, from 1.
        step: usize,
        /// The lines of its rows in their file.
        lines: Vec<usize>,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// What a failed `action` on a file is.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { path: path.clone(), action, source }
    }

    /// The same error of a row, with its file.
    pub(crate) fn in_file(self, path: &Path) -> Error {
        match self {
            Error::Settings(text) => Error::Settings(format!("{}, {text}", path.display())),
            error => error,
        }
    }

    /// A request that can't be carried out.
    pub fn settings(text: impl Into<String>) -> Error {
        Error::Settings(text.into())
    }
}

/// The rows of a step, in words.
fn of_lines(lines: &[usize]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<String> = lines.iter().take(SHOWN).map(usize::to_string).collect();
    match lines.len() {
        0 => String::new(),
        1 => format!(" (the row of line {})", shown[0]),
        2..=SHOWN => format!(" (the rows of lines {})", shown.join(", ")),
        more => format!(" (the rows of lines {} and {} more)", shown.join(", "), more - SHOWN),
    }
}
