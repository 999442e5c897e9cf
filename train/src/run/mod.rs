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

mod failure;
mod logs;
mod measure;
mod saving;

pub use measure::mean_loss;
pub use saving::{Saved, save_model, sha256};

use crate::checkpoint::{self, Checkpoints, State};
use crate::interrupt::Interrupt;
use crate::sequence::Sequences;
use crate::training::{Settings, Trainer};
use crate::{Error, peak_rss_bytes};
use logs::Logs;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use transformer::{Model, Tokenizer};

/// A checkpoint is written this often where no number of steps is asked for.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

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
    let Learning { model, tokenizer, end, base } = learning;
    let saved = Saved { tokenizer, base };
    let interrupt = Interrupt::install()?;
    let checkpoints = Checkpoints::new(&plan.output, plan.keep);
    let mut trainer = Trainer::new(model, data.training, settings)?;
    let mut state = match &from {
        Some((_, folder)) => saving::load(&mut trainer, folder, &data.fingerprint)?,
        None => State::new(&data.fingerprint),
    };
    // Only now: a run that was refused leaves nothing.
    create_folder(&plan.output)?;
    checkpoint::remove_leftovers(&plan.output)?;
    checkpoint::write_file(&plan.output.join("run.toml"), &plan.options)?;
    let unwritten = |what: &str, error| checkpoints.incomplete(what.into(), error);
    let mut logs = Logs::open(&plan.output, state.step, &trainer, data.training)?;
    let mut last_checkpoint = Instant::now();
    loop {
        let is_measured = |step: usize| {
            data.valid.is_some() && plan.evaluate_every.is_some_and(|n| step.is_multiple_of(n))
        };
        // Before the step: a run may go on from the checkpoint that was written after the last one.
        if plan.patience.is_some_and(|most| state.without_improvement >= most) {
            logs.tell(&format!(
                "step {}: {} measurements brought nothing better than {:.4}; stopping early",
                state.step,
                state.without_improvement,
                state.best_loss.unwrap_or(f64::NAN)
            ));
            break;
        }
        trainer.keeps_gradients = is_measured(state.step + 1);
        let report = match trainer.step() {
            Ok(report) => report,
            Err(error @ Error::Step { .. }) => {
                logs.finish()?;
                return Err(failure::leave(error, &mut trainer, &saved, plan));
            }
            Err(error) => return Err(error),
        };
        let Some(mut report) = report else { break };
        state.step = report.step;
        if let Some(valid) = data.valid.filter(|_| is_measured(report.step)) {
            let loss = trainer.with_average(|model| mean_loss(model, valid))?;
            report.valid_loss = Some(loss);
            if state.measured(loss) {
                checkpoints.write_best(|folder| {
                    trainer.with_average(|model| save_model(model, &saved, folder))
                })?;
            }
            let step = report.step;
            let samples = trainer
                .with_average(|model| measure::samples(model, tokenizer, end, valid, step))?;
            logs.measured(step, &samples, &trainer)
                .map_err(|error| unwritten("samples.jsonl", error))?;
        }
        logs.step(&report).map_err(|error| unwritten("metrics.jsonl", error))?;
        let is_due = match plan.checkpoint_every {
            Some(n) => report.step.is_multiple_of(n),
            None => last_checkpoint.elapsed() >= CHECKPOINT_EVERY,
        };
        let is_last = report.step == settings.steps;
        let is_interrupted = interrupt.requested() && !is_last;
        if is_interrupted || (is_due && !is_last) {
            logs.sync().map_err(|error| unwritten("metrics.jsonl", error))?;
            checkpoints
                .write(report.step, |folder| saving::save(&trainer, &saved, &state, folder))?;
            last_checkpoint = Instant::now();
        }
        if is_interrupted {
            logs.finish()?;
            return Err(Error::settings(format!(
                "interrupted after step {} of {}, and a checkpoint was written; go on with: {}",
                report.step, settings.steps, plan.how_to_resume
            )));
        }
    }
    logs.finish()?;
    let best = plan.leaves_best.then(|| checkpoints.best()).flatten();
    let outcome = |valid_loss| outcome(&plan.output, &saved, valid_loss);
    let of_model = |error| unwritten("the model", error);
    let result = match best {
        Some(folder) => {
            saving::copy_model(&folder, &plan.output).map_err(of_model)?;
            outcome(state.best_loss)?
        }
        None => {
            trainer.finish()?;
            trainer.with_average(|model| {
                save_model(model, &saved, &plan.output).map_err(of_model)?;
                outcome(data.valid.map(|valid| mean_loss(model, valid)).transpose()?)
            })?
        }
    };
    checkpoint::sync(&plan.output).map_err(of_model)?;
    Ok(result)
}

fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|source| Error::Io {
        path: path.into(),
        action: "create",
        source,
    })
}

/// Adds up the metrics of all steps, also of those before an interruption.
fn outcome(output: &Path, saved: &Saved<'_>, valid_loss: Option<f64>) -> Result<Outcome, Error> {
    let reports = logs::read_metrics(output)?;
    let (tokens, seconds) = (
        reports.iter().map(|report| report.tokens).sum::<usize>(),
        reports.iter().map(|report| report.seconds).sum::<f64>(),
    );
    Ok(Outcome {
        steps: reports.len(),
        tokens,
        train_loss: reports.last().map_or(f64::NAN, |report| report.loss),
        valid_loss,
        seconds,
        tokens_per_second: tokens as f64 / seconds,
        peak_rss_bytes: peak_rss_bytes(),
        weights_sha256: saving::sha256(&output.join(saved.weights_file()))?,
    })
}
