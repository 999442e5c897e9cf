//! A whole run: the trainer's steps, and around them measuring, checkpoints, logs and a report.
//!
//! ```text
//! OUTPUT/run.toml            every option, as it held
//!        metrics.jsonl       a line a step
//!        samples.jsonl       what the model wrote when it was measured
//!        histograms.jsonl    how its weights and gradients lay then
//!        checkpoints/        the last ones, and the best
//!        failure/            the step that could not be taken
//!        model.safetensors … the model, at the end
//!        result.json         what the command prints: the run is finished
//!        report.html         the run as one page
//! ```

mod around;
mod failure;
mod logs;
mod measure;
mod saving;

pub use measure::mean_loss;
pub use saving::{Saved, save_model, sha256};

use crate::Error;
use crate::sequence::Sequences;
use crate::training::Settings;
use around::Run;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use transformer::{Model, Tokenizer};

/// What is done around the steps.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder that is written.
    pub output: PathBuf,
    /// What its `run.toml` says.
    pub options: String,
    /// Steps from one measurement on the rows held back to the next.
    pub evaluate_every: Option<usize>,
    /// Measurements without anything better after which the run stops.
    pub patience: Option<usize>,
    /// Whether the best model is left, not the last.
    pub leaves_best: bool,
    /// Steps from one checkpoint to the next; by the clock where absent.
    pub checkpoint_every: Option<usize>,
    /// Checkpoints that are kept.
    pub keep: usize,
    /// How the run is gone on with: a command.
    pub how_to_resume: String,
    /// The task, as the command line names it.
    pub task: &'static str,
}

/// What a run came to: the JSON object that the command prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Steps taken.
    pub steps: usize,
    /// Tokens read.
    pub tokens: usize,
    /// The loss of the last step.
    pub train_loss: f64,
    /// The loss on the rows held back.
    pub valid_loss: Option<f64>,
    /// The time of all steps.
    pub seconds: f64,
    /// Tokens read a second.
    pub tokens_per_second: f64,
    /// The most memory that was held.
    pub peak_rss_bytes: Option<u64>,
    /// Of the weights' file, in hexadecimal.
    pub weights_sha256: String,
}

/// The rows of a run.
pub struct Data<'a> {
    /// Those that are learned.
    pub training: &'a dyn Sequences,
    /// Those that are held back.
    pub valid: Option<&'a dyn Sequences>,
    /// What tells the same rows from others.
    pub fingerprint: String,
}

/// What a run trains, and how texts become ids.
pub struct Learning<'a> {
    /// The model.
    pub model: &'a mut Model,
    /// Its tokenizer, if it has one.
    pub tokenizer: Option<&'a Tokenizer>,
    /// What ends a text.
    pub end: Option<u32>,
    /// How an adapter names the model it is for; `None` where the whole model is trained.
    pub base: Option<&'a Path>,
}

/// Trains a model, from the start or on from the checkpoint `from`, and leaves all in the plan's folder.
///
/// # Errors
/// Those of a step, whose rows are then left in `failure/`; if a file can't be written; or if the
/// run was interrupted, after a checkpoint was written.
pub fn run(
    learning: Learning<'_>,
    data: &Data<'_>,
    settings: &Settings,
    plan: &Plan,
    from: Option<(usize, PathBuf)>,
) -> Result<Outcome, Error> {
    let mut run = Run::begin(learning, data, settings, plan, from)?;
    run.take_steps()?;
    run.leave()
}
