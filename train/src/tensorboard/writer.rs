//! The writer of an event file.

use super::message::{
    Dimension, Event, FILE_VERSION, HistogramProto, Metadata, PluginData, START, STRING,
    SessionLog, Summary, SummaryValue, TensorProto, TensorShape, Value, What,
};
use super::record::record;
use crate::Error;
use crate::histogram::Histogram;
use crate::samples::Sample;
use crate::training::StepReport;
use prost::Message;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the names of event files begin with; TensorBoard reads them in the order of their names.
const PREFIX: &str = "events.out.tfevents.";

/// Writes what a run does to a file that TensorBoard shows: `tensorboard --logdir FOLDER`.
///
/// A run that goes on opens a new file, which tells TensorBoard to forget what earlier files say
/// of this step and those after it. Only the wall time of events comes from the clock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let mut events = train::tensorboard::EventWriter::create(folder.path(), 1)?;
/// events.scalar(1, "loss", 2.5)?;
/// events.flush()?;
/// # Ok(()) }
/// ```
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// A new file in a folder, which is made if it does not exist, for steps from `first_step` on.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create(folder: &Path, first_step: usize) -> Result<EventWriter, Error> {
        let (path, file) = new_file(folder).map_err(|source| Error::Io {
            path: folder.join(PREFIX.to_owned() + "…"),
            action: "write",
            source,
        })?;
        let mut writer = EventWriter { path, file: BufWriter::new(file) };
        writer.event(0, What::FileVersion(FILE_VERSION.into()))?;
        writer.event(first_step, What::SessionLog(SessionLog { status: START }))?;
        writer.flush()?;
        Ok(writer)
    }

    /// A number that changes from step to step.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn scalar(&mut self, step: usize, tag: &str, value: f64) -> Result<(), Error> {
        self.summary(step, vec![scalar(tag, value)])
    }

    /// A step's numbers: `loss/train`, `loss/valid` where it was measured, `learning_rate`,
    /// `gradient_norm`, `tokens_per_second`.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn step(&mut self, report: &StepReport) -> Result<(), Error> {
        let mut values = vec![
            scalar("loss/train", report.loss),
            scalar("learning_rate", report.lr),
            scalar("gradient_norm", report.grad_norm),
            scalar("tokens_per_second", report.tokens as f64 / report.seconds),
        ];
        values.extend(report.valid_loss.map(|loss| scalar("loss/valid", loss)));
        self.summary(report.step, values)
    }

    /// How the numbers of a tensor are spread.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn histogram(
        &mut self,
        step: usize,
        tag: &str,
        histogram: &Histogram,
    ) -> Result<(), Error> {
        let value = Value::Histogram(HistogramProto {
            min: histogram.low,
            max: histogram.high,
            num: histogram.total() as f64,
            bucket_limit: histogram.edges().collect(),
            bucket: histogram.counts.iter().map(|&count| count as f64).collect(),
        });
        self.summary(
            step,
            vec![SummaryValue { tag: tag.into(), metadata: None, value: Some(value) }],
        )
    }

    /// A text, which TensorBoard shows as Markdown.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn text(&mut self, step: usize, tag: &str, text: &str) -> Result<(), Error> {
        let tensor = TensorProto {
            dtype: STRING,
            tensor_shape: Some(TensorShape { dim: vec![Dimension { size: 1 }] }),
            string_val: vec![text.into()],
        };
        let plugin_data = Some(PluginData { plugin_name: "text".into() });
        let value = SummaryValue {
            tag: tag.into(),
            metadata: Some(Metadata { plugin_data }),
            value: Some(Value::Tensor(tensor)),
        };
        self.summary(step, vec![value])
    }

    /// What the model wrote, as `samples/NUMBER`: the first sample of each step has the number 1.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn sample(&mut self, number: usize, sample: &Sample) -> Result<(), Error> {
        // Indented lines are shown as they are.
        let block = |name: &str, text: &str| {
            format!("**{name}**\n\n    {}\n", text.replace('\n', "\n    "))
        };
        let mut text = block("prompt", &sample.prompt) + "\n" + &block("written", &sample.text);
        if let Some(target) = &sample.target {
            text = text + "\n" + &block("right", target);
        }
        self.text(sample.step, &format!("samples/{number}"), &text)
    }

    /// Hands everything to the operating system, so that TensorBoard sees it and a killed run
    /// leaves it behind.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.file.flush();
        flushed.map_err(|source| self.failed(source))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn summary(&mut self, step: usize, value: Vec<SummaryValue>) -> Result<(), Error> {
        self.event(step, What::Summary(Summary { value }))
    }

    fn event(&mut self, step: usize, what: What) -> Result<(), Error> {
        let event = Event { wall_time: now(), step: step as i64, what: Some(what) };
        let written = self.file.write_all(&record(&event.encode_to_vec()));
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), action: "write", source }
    }
}

fn scalar(tag: &str, value: f64) -> SummaryValue {
    SummaryValue { tag: tag.into(), metadata: None, value: Some(Value::Scalar(value as f32)) }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A file whose name stands after those of all event files in the folder, also where two are made
/// in one second or the clock was set back.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)?;
    let mut seconds = now() as u64;
    for entry in fs::read_dir(folder)? {
        seconds = seconds.max(seconds_of(&entry?.file_name().to_string_lossy()).unwrap_or(0));
    }
    for number in 0.. {
        // The word in the place of the host's name tells nothing of the machine.
        let path = folder.join(format!("{PREFIX}{seconds:010}.attendant.{number:04}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (path, file)),
        }
    }
    unreachable!("some number is free")
}

/// The seconds in the name of an event file.
fn seconds_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
