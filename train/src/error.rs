//! What can go wrong in a run.

use std::path::PathBuf;

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
    /// A step that could not be taken.
    #[error("step {step}: {reason}")]
    Step {
        /// The step, from 1.
        step: usize,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// A request that can't be carried out.
    pub fn settings(text: impl Into<String>) -> Error {
        Error::Settings(text.into())
    }
}
