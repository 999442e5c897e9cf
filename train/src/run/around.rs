//! The loop around the trainer's steps.

use super::logs::Logs;
use super::{
    Data, Learning, Outcome, Plan, Saved, failure, mean_loss, measure, save_model, saving,
};
use crate::Error;
use crate::checkpoint::{self, Checkpoints, State};
use crate::interrupt::Interrupt;
use crate::peak_rss_bytes;
use crate::sequence::Sequences;
use crate::training::{Settings, StepReport, Trainer};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use transformer::Model;

/// A checkpoint is written this often where no number of steps is asked for.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(600);

/// A run that has begun.
pub(super) struct Run<'a> {
    trainer: Trainer<'a, Model>,
    valid: Option<&'a dyn Sequences>,
    plan: &'a Plan,
    saved: Saved<'a>,
    end: Option<u32>,
    state: State,
    checkpoints: Checkpoints,
    logs: Logs,
    interrupt: Interrupt,
    last_checkpoint: Instant,
}

impl<'a> Run<'a> {
    /// Begins a run, or goes on from a checkpoint.
    pub fn begin(
        learning: Learning<'a>,
        data: &Data<'a>,
        settings: &'a Settings,
        plan: &'a Plan,
        from: Option<(usize, PathBuf)>,
    ) -> Result<Run<'a>, Error> {
        let Learning { model, tokenizer, end, base } = learning;
        let interrupt = Interrupt::install()?;
        let mut trainer = Trainer::new(model, data.training, settings)?;
        let state = match &from {
            Some((_, folder)) => saving::load(&mut trainer, folder, &data.fingerprint)?,
            None => State::new(&data.fingerprint),
        };
        // Only now: a run that was refused leaves nothing.
        let output = &plan.output;
        std::fs::create_dir_all(output).map_err(Error::io(output, "create"))?;
        checkpoint::remove_leftovers(output)?;
        checkpoint::write_file(&output.join("run.toml"), &plan.options)?;
        let checkpoints = Checkpoints::new(output, plan.keep);
        if from.is_some() {
            checkpoints.trim();
        }
        Ok(Run {
            logs: Logs::open(output, state.step, &trainer, data.training)?,
            trainer,
            valid: data.valid,
            plan,
            saved: Saved { tokenizer, base },
            end,
            state,
            checkpoints,
            interrupt,
            last_checkpoint: Instant::now(),
        })
    }

    /// Takes all steps that are left.
    pub fn take_steps(&mut self) -> Result<(), Error> {
        // Before each step: a run may go on from the checkpoint that was written after the last one.
        while !self.stops_early() {
            let Some(mut report) = self.step()? else { break };
            self.state.step = report.step;
            if let Some(valid) = self.valid.filter(|_| self.is_measured(report.step)) {
                report.valid_loss = Some(self.measure(report.step, valid)?);
            }
            let written = self.logs.step(&report);
            written.map_err(|error| self.unwritten("metrics.jsonl", error))?;
            self.keep(report.step)?;
        }
        self.logs.finish()
    }

    fn stops_early(&self) -> bool {
        let State { step, without_improvement: count, best_loss, .. } = self.state;
        let stops = self.plan.patience.is_some_and(|most| count >= most);
        if stops {
            let best = best_loss.unwrap_or(f64::NAN);
            self.logs.tell(&format!(
                "step {step}: {count} measurements brought nothing better than {best:.4}; stopping \
                 early"
            ));
        }
        stops
    }

    fn step(&mut self) -> Result<Option<StepReport>, Error> {
        self.trainer.keeps_gradients = self.is_measured(self.state.step + 1);
        let error = match self.trainer.step() {
            Err(error @ Error::Step { .. }) => error,
            done => return done,
        };
        self.logs.finish()?;
        Err(failure::leave(error, &mut self.trainer, &self.saved, self.plan))
    }

    fn is_measured(&self, step: usize) -> bool {
        self.valid.is_some() && self.plan.evaluate_every.is_some_and(|n| step.is_multiple_of(n))
    }

    /// The loss on the rows held back; the best model is kept, and what it writes is noted.
    fn measure(&mut self, step: usize, valid: &dyn Sequences) -> Result<f64, Error> {
        self.trainer.finish()?; // weights that are broken name themselves
        let loss = self.trainer.with_average(|model| mean_loss(model, valid));
        let loss = loss.map_err(|error| match error {
            Error::Settings(reason) => {
                let reason = format!("on the rows held back, {reason}");
                Error::Step { step, lines: Vec::new(), reason }
            }
            error => error,
        })?;
        let Run { trainer, saved, checkpoints, .. } = self;
        if self.state.measured(loss) {
            checkpoints.write_best(|folder| {
                trainer.with_average(|model| save_model(model, saved, folder))
            })?;
        }
        let (tokenizer, end) = (saved.tokenizer, self.end);
        let samples =
            trainer.with_average(|model| measure::samples(model, tokenizer, end, valid, step))?;
        let written = self.logs.measured(step, &samples, trainer);
        written.map_err(|error| self.unwritten("samples.jsonl", error))?;
        Ok(loss)
    }

    /// Writes a checkpoint where one is due, or someone wants the run to end.
    ///
    /// # Errors
    /// If it can't be written, or the run is to end.
    fn keep(&mut self, step: usize) -> Result<(), Error> {
        let steps = self.trainer.settings().steps;
        let is_due = match self.plan.checkpoint_every {
            Some(n) => step.is_multiple_of(n),
            None => self.last_checkpoint.elapsed() >= CHECKPOINT_EVERY,
        };
        let is_interrupted = self.interrupt.requested();
        if step == steps || !(is_due || is_interrupted) {
            return Ok(());
        }
        let synced = self.logs.sync();
        synced.map_err(|error| self.unwritten("metrics.jsonl", error))?;
        let fill = |folder: &Path| saving::save(&self.trainer, &self.saved, &self.state, folder);
        self.checkpoints.write(step, fill)?;
        self.last_checkpoint = Instant::now();
        if !is_interrupted {
            return Ok(());
        }
        self.logs.finish()?;
        Err(Error::Interrupted { step, steps, how: self.plan.how_to_resume.clone() })
    }

    /// Leaves the model, the last or the best, and tells what came of the run.
    pub fn leave(mut self) -> Result<Outcome, Error> {
        let best = self.plan.leaves_best.then(|| self.checkpoints.best()).flatten();
        let output = &self.plan.output;
        let (valid, saved, checkpoints) = (self.valid, &self.saved, &self.checkpoints);
        let unwritten = |error| checkpoints.incomplete("the model".into(), error);
        let valid_loss = match best {
            Some(folder) => {
                saving::copy_model(&folder, output).map_err(unwritten)?;
                self.state.best_loss
            }
            None => {
                self.trainer.finish()?;
                self.trainer.with_average(|model| {
                    save_model(model, saved, output).map_err(unwritten)?;
                    valid.map(|valid| mean_loss(model, valid)).transpose()
                })?
            }
        };
        checkpoint::sync(output).map_err(unwritten)?;
        outcome(output, saved, valid_loss)
    }

    /// The error of a file that could not be written, with what to do about it.
    fn unwritten(&self, what: &str, error: Error) -> Error {
        self.checkpoints.incomplete(what.into(), error)
    }
}

/// Adds up the metrics of all steps, also of those before an interruption.
fn outcome(output: &Path, saved: &Saved<'_>, valid_loss: Option<f64>) -> Result<Outcome, Error> {
    let reports = super::logs::read_metrics(output)?;
    let tokens = reports.iter().map(|report| report.tokens).sum::<usize>();
    let seconds = reports.iter().map(|report| report.seconds).sum::<f64>();
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
