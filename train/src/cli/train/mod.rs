//! `attendant train`

mod arguments;
mod data;
mod prepare;
mod start;

pub use arguments::Arguments;

use super::Common;
use super::output::{Output, lines, print};
use crate::progress::Progress;
use crate::sequence::{Sequence, Sequences};
use crate::training::{self, StepReport};
use crate::{Error, Learner, batch, peak_rss_bytes};
use data::Data;
use serde_json::json;
use start::{Start, is_quantized};
use std::path::Path;

/// Sequences that are in memory together when the loss on --valid is measured.
const SEQUENCES_AT_ONCE: usize = 1024;

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    arguments.check()?;
    if let Some(path) = &arguments.prepare {
        return prepare::run(arguments, path, common);
    }
    let output = Output::check(arguments.output(), "--output")?;
    let data = Data::read(&arguments.data, arguments.task())?;
    let valid = arguments.valid.as_ref().map(|path| Data::read(path, arguments.task()));
    let valid = valid.transpose()?;
    let mut start = arguments.start(&data, common.seed)?;
    for data in [&data].into_iter().chain(&valid) {
        data.check_ids(start.model.vocab_size())?;
    }
    if let Some(valid) = &valid {
        warn_of_overlap(&data, valid);
    }
    let sequences = arguments.sequences(data, &start)?;
    let valid = valid.map(|valid| arguments.sequences(valid, &start)).transpose()?;
    let mut settings = arguments.settings(sequences.count(), common.seed);
    settings.recompute |= arguments.recomputes_itself() && is_quantized(&start.model);
    settings.check()?;

    let mut metrics = output.metrics();
    let mut progress = Progress::new(settings.steps);
    let mut totals = Totals::default();
    training::train(&mut start.model, &*sequences, &settings, |report| {
        progress.step(report);
        totals.add(report);
        metrics.write(report)
    })?;
    progress.finish();
    save(&start, output.folder())?;
    let valid_loss = valid.map(|valid| mean_loss(&start.model, &*valid)).transpose()?;
    let result = json!({
        "steps": settings.steps,
        "tokens": totals.tokens,
        "train_loss": totals.last_loss,
        "valid_loss": valid_loss,
        "seconds": totals.seconds,
        "tokens_per_second": totals.tokens as f64 / totals.seconds,
        "peak_rss_bytes": peak_rss_bytes(),
        "weights_sha256": output.weights_sha256()?,
    });
    print(if common.json { result.to_string() } else { lines(&result) })
}

fn warn_of_overlap(data: &Data, valid: &Data) {
    let (shared, count) = (valid.rows_in(data), valid.examples().len());
    if shared > 0 {
        eprintln!(
            "warning: {shared} of {count} rows of {} stand in {} too; a loss on them tells less",
            valid.path.display(),
            data.path.display()
        );
    }
}

#[derive(Default)]
struct Totals {
    tokens: usize,
    seconds: f64,
    last_loss: f64,
}

impl Totals {
    fn add(&mut self, report: &StepReport) {
        self.tokens += report.tokens;
        self.seconds += report.seconds;
        self.last_loss = report.loss;
    }
}

fn save(start: &Start, folder: &Path) -> Result<(), Error> {
    start.model.save(folder)?;
    if let Some(tokenizer) = &start.tokenizer {
        tokenizer.save(folder)?;
    }
    Ok(())
}

/// The loss of all target tokens, in nats.
fn mean_loss(model: &impl Learner, sequences: &dyn Sequences) -> Result<f64, Error> {
    let (mut nats, mut targets) = (0.0, 0);
    for start in (0..sequences.count()).step_by(SEQUENCES_AT_ONCE) {
        let end = sequences.count().min(start + SEQUENCES_AT_ONCE);
        let some = (start..end).map(|index| Ok(sequences.get(index)?.into_owned()));
        let some = some.collect::<Result<Vec<Sequence>, Error>>()?;
        for (loss, count) in batch::sequence_losses(model, &some, 16)? {
            nats += loss;
            targets += count;
        }
    }
    Ok(nats / targets as f64)
}
