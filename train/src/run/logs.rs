//! What a run writes down as it goes.

use crate::Error;
use crate::flops::{flops_per_token, peak_flops};
use crate::histogram::{Histogram, HistogramLine, Kind};
use crate::progress::Progress;
use crate::samples::Sample;
use crate::sequence::Sequences;
use crate::step_log::{self, StepLog};
use crate::tensorboard::EventWriter;
use crate::training::{StepReport, Trainer};
use std::path::Path;
use tensor::with_precision;
use transformer::{Model, Module};

/// The file of a line a step.
const METRICS: &str = "metrics.jsonl";
/// Parameters whose numbers are counted, at most: of larger models every second, third, ….
const MOST_COUNTED: usize = 48;

/// Everything that a run writes down.
pub(super) struct Logs {
    metrics: StepLog,
    samples: StepLog,
    histograms: StepLog,
    events: EventWriter,
    progress: Progress,
}

impl Logs {
    /// Goes on after `step`: what tells of later steps goes.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn open(
        output: &Path,
        step: usize,
        trainer: &Trainer<'_, Model>,
        sequences: &dyn Sequences,
    ) -> Result<Logs, Error> {
        let file = |name| StepLog::open_after(&output.join(name), step);
        let settings = trainer.settings();
        let seq_len = sequences.get(0)?.input_len();
        let flops = flops_per_token(trainer.model(), seq_len);
        let peak = with_precision(settings.precision, peak_flops);
        Ok(Logs {
            metrics: file(METRICS)?,
            samples: file("samples.jsonl")?,
            histograms: file("histograms.jsonl")?,
            events: EventWriter::create(output, step + 1)?,
            progress: Progress::new(settings.steps, step + 1, flops, Some(peak)),
        })
    }

    /// Writes what a measurement brought, and how the numbers of the model and of its last gradients
    /// lie.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn measured(
        &mut self,
        step: usize,
        samples: &[Sample],
        trainer: &Trainer<'_, Model>,
    ) -> Result<(), Error> {
        for (number, sample) in samples.iter().enumerate() {
            self.samples.write(sample)?;
            self.events.sample(number + 1, sample)?;
        }
        let parameters = trainer.model().parameters();
        let trained: Vec<_> =
            parameters.into_iter().filter(|(_, parameter)| parameter.is_trainable()).collect();
        let stride = trained.len().div_ceil(MOST_COUNTED).max(1);
        for (name, parameter) in trained.into_iter().step_by(stride) {
            let gradient = trainer.last_gradients().and_then(|gradients| gradients.get(parameter));
            let weights = Some((Kind::Weights, parameter.value()));
            for (kind, tensor) in weights.into_iter().chain(gradient.map(|g| (Kind::Gradients, g)))
            {
                let (name, histogram) = (name.clone(), Histogram::of(tensor));
                let line = HistogramLine { step, name, kind, histogram };
                self.histograms.write(&line)?;
                self.events.histogram(step, &line.tag(), &line.histogram)?;
            }
        }
        Ok(())
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn step(&mut self, report: &StepReport) -> Result<(), Error> {
        self.progress.step(report);
        self.events.step(report)?;
        self.metrics.write(report)
    }

    /// Writes a line for people, where it does not tear the progress bar.
    pub fn tell(&self, line: &str) {
        self.progress.warn(line);
    }

    /// Brings all to the disk, before a checkpoint says that it is there.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.samples.sync()?;
        self.histograms.sync()?;
        self.events.flush()?;
        self.metrics.sync()
    }

    /// Leaves the last state on the screen, and all in the files.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.progress.finish();
        self.sync()
    }
}

/// The steps of a run, also of those before an interruption.
///
/// # Errors
/// If the file can't be read.
pub(super) fn read_metrics(output: &Path) -> Result<Vec<StepReport>, Error> {
    step_log::read(&output.join(METRICS))
}
