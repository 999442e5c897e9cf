//! `attendant train`

mod arguments;
pub mod config_file;
mod data;
mod prepare;
mod start;
mod tokenizer;

pub use arguments::Arguments;

use super::Common;
use super::output::{check_is_free, lines, print};
use crate::Error;
use crate::checkpoint::{self, Checkpoints};
use crate::report;
use crate::run::{self, Learning, Outcome, Plan};
use config_file::Options;
use data::Data;
use start::{Start, is_quantized};
use std::path::Path;

pub fn run(arguments: &Arguments, common: &Common, options: &Options) -> Result<(), Error> {
    arguments.check()?;
    if let Some(path) = &arguments.prepare {
        return prepare::run(arguments, path, common);
    }
    let result = arguments.output().join("result.json");
    let mut checkpoint = None;
    let own_file = arguments.output().join(config_file::NAME);
    if arguments.resume {
        options.check_same(&own_file)?;
        if let Some(outcome) = read_outcome(&result)? {
            if !arguments.output().join("report.html").exists() {
                report::write(arguments.output())?; // the run was killed just before it
            }
            return print_outcome(&outcome, common);
        }
        checkpoint = Checkpoints::new(arguments.output(), arguments.keep).latest()?;
        if let Some((step, folder)) = &checkpoint {
            eprintln!("going on after step {step}, from {}", folder.display());
        }
    } else {
        check_is_free(arguments.output(), "--output")?;
    }
    let data = Data::read(&arguments.data, arguments.task())?;
    let valid = arguments.valid.as_ref().map(|path| Data::read(path, arguments.task()));
    let valid = valid.transpose()?;
    let mut fingerprint = fingerprint(&arguments.data)?;
    if let Some(path) = &arguments.valid {
        fingerprint += &format!("; {}", self::fingerprint(path)?);
    }
    let folder = checkpoint.as_ref().map(|(_, folder)| folder.as_path());
    let start = arguments.start(&data, folder, common.seed)?;
    for data in [&data].into_iter().chain(&valid) {
        data.check_ids(start.model.vocab_size())?;
    }
    if let Some(valid) = &valid {
        warn_of_overlap(&data, valid);
    }
    let sequences = arguments.sequences(data, &start, common.seed)?;
    let valid = valid.map(|valid| arguments.sequences(valid, &start, common.seed)).transpose()?;
    let mut settings = arguments.settings(sequences.count(), common.seed);
    settings.recompute |= arguments.recomputes_itself() && is_quantized(&start.model);
    settings.check()?;

    let Start { mut model, tokenizer, end, base } = start;
    let learning =
        Learning { model: &mut model, tokenizer: tokenizer.as_ref(), end, base: base.as_deref() };
    let data = run::Data { training: &*sequences, valid: valid.as_deref(), fingerprint };
    let plan = Plan { options: options.to_toml(), ..arguments.plan() };
    let outcome = run::run(learning, &data, &settings, &plan, checkpoint)?;
    let text = serde_json::to_string(&outcome).expect("numbers and texts");
    checkpoint::write_file(&result, &(text + "\n"))?;
    report::write(arguments.output())?;
    print_outcome(&outcome, common)
}

fn print_outcome(outcome: &Outcome, common: &Common) -> Result<(), Error> {
    let result = serde_json::to_value(outcome).expect("numbers and texts");
    print(if common.json { result.to_string() } else { lines(&result) })
}

/// The outcome of a run that is finished.
fn read_outcome(path: &Path) -> Result<Option<Outcome>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Error::settings(format!("{}: {error}", path.display())))
}

/// What tells the rows of a file from those of others: its length and, of a file that is not too large
/// to be read once more, its SHA-256.
fn fingerprint(path: &Path) -> Result<String, Error> {
    const LARGE: u64 = 1 << 30;
    let bytes = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
    match bytes > LARGE {
        true => Ok(format!("{bytes} bytes")),
        false => Ok(format!("{bytes} bytes, {}", run::sha256(path)?)),
    }
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
