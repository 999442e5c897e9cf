//! What a run writes down as it goes.

use super::measure::Sample;
use crate::Error;
use crate::progress::Progress;
use crate::step_log::{self, StepLog};
use crate::training::StepReport;
use std::path::Path;

/// The file of a line a step.
const METRICS: &str = "metrics.jsonl";

/// Everything that a run writes down.
pub(super) struct Logs {
    metrics: StepLog,
    samples: StepLog,
    progress: Progress,
}

impl Logs {
    /// Goes on after `step` of `steps`: what tells of later steps goes.
    ///
    /// # Errors
    /// If a file can't be read or cut.
    pub fn open(output: &Path, step: usize, steps: usize) -> Result<Logs, Error> {
        let file = |name| StepLog::open_after(&output.join(name), step);
        Ok(Logs {
            metrics: file(METRICS)?,
            samples: file("samples.jsonl")?,
            progress: Progress::new(steps, step + 1, None, None),
        })
    }

    /// Writes what a measurement brought.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn measured(&mut self, samples: &[Sample]) -> Result<(), Error> {
        samples.iter().try_for_each(|sample| self.samples.write(sample))
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn step(&mut self, report: &StepReport) -> Result<(), Error> {
        self.progress.step(report);
        self.metrics.write(report)
    }

    /// Brings all to the disk, before a checkpoint says that it is there.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.samples.sync()?;
        self.metrics.sync()
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self) {
        self.progress.finish();
    }
}

/// The steps of a run, also of those before an interruption.
///
/// # Errors
/// If the file can't be read.
pub(super) fn read_metrics(output: &Path) -> Result<Vec<StepReport>, Error> {
    step_log::read(&output.join(METRICS))
}
