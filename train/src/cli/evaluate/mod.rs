//! `attendant evaluate`

mod measure;

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use crate::data::{Example, Rows, Task, count_in, read_rows};
use crate::report::{self, Evaluation};
use clap::Args;
use measure::{Measured, Outcome, too_long};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Measure a model on a file, beside baselines.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant evaluate --task describe --model run \
                        --data test.jsonl --train train.jsonl --predictions written.jsonl")]
pub struct Arguments {
    /// What is measured
    #[arg(long, value_enum)]
    task: Task,
    /// The model: a folder with config.json and model.safetensors
    #[arg(long)]
    model: PathBuf,
    /// The rows: JSON Lines, CSV or plain text
    #[arg(long)]
    data: PathBuf,
    /// The rows it was trained on, which fit the baselines
    #[arg(long)]
    train: Option<PathBuf>,
    /// Cut texts of --task classify that are longer than N tokens, or than the model's context where
    /// no N is given
    #[arg(long, value_name = "N")]
    cut: Option<Option<usize>>,
    /// Rows of --task answer on which the confidence is chosen below which no answer is better
    #[arg(long)]
    valid: Option<PathBuf>,
    /// An encoder for --task answer: the answer to the nearest training question by its vectors is
    /// a baseline, too
    #[arg(long, value_name = "MODEL", requires = "train")]
    retriever: Option<PathBuf>,
    /// Where to write each row with its `prediction`
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// Write the scores, and rows that went well and badly, into the model's folder: evaluation.json,
    /// report.html, and README.md, the model card
    #[arg(long)]
    report: bool,
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    if arguments.predictions.is_some() && arguments.task == Task::LanguageModel {
        return Err(Error::Usage(
            "--predictions needs a task that writes a text or tells a class; leave it out, or \
             measure another --task"
                .into(),
        ));
    }
    for (option, given) in [("--valid", &arguments.valid), ("--retriever", &arguments.retriever)] {
        if given.is_some() && arguments.task != Task::Answer {
            return Err(Error::Usage(format!("{option} is for --task answer; leave it out")));
        }
    }
    if arguments.cut.is_some() && arguments.task != Task::Classify {
        return Err(Error::Usage("--cut is for --task classify; leave it out".into()));
    }
    if arguments.cut == Some(Some(0)) {
        return Err(Error::Usage("--cut is 0; it must be at least 1".into()));
    }
    if arguments.predictions.as_ref() == Some(&arguments.data) {
        return Err(Error::Usage("--predictions is the file of --data; name another".into()));
    }
    let mut rows = read_rows(&arguments.data)?;
    let mut examples = rows.examples(arguments.task)?;
    let read = |path: &Option<PathBuf>| -> Result<Option<Vec<Example>>, Error> {
        let Some(path) = path else { return Ok(None) };
        let rows = read_rows(path)?.examples(arguments.task)?;
        match rows.iter().find(|row| row.ids.is_some()) {
            None => Ok(Some(rows)),
            Some(row) => Err(Error::settings(format!(
                "{}, line {}: holds ids; baselines and thresholds need rows of text",
                path.display(),
                row.line
            ))),
        }
    };
    let (training, valid) = (read(&arguments.train)?, read(&arguments.valid)?);
    let loaded = Loaded::open(&arguments.model)?;
    let long = too_long(arguments.task, &loaded, &arguments.data, &examples)?;
    rows.rows.retain(|row| !long.contains(&row.line));
    examples.retain(|example| !long.contains(&example.line));
    let rows_in_train = training.as_deref().map(|training| count_in(&examples, training));
    if let (Some(count @ 1..), Some(path)) = (rows_in_train, &arguments.train) {
        let (data, train) = (arguments.data.display(), path.display());
        eprintln!("warning: {data}: {count} rows stand in {train} too");
    }
    if arguments.report && !loaded.source().is_dir() {
        let model = loaded.source().display();
        let text = format!("{model}: --report writes into the model's folder, and this is a file");
        return Err(Error::Usage(text));
    }
    let encoder = arguments.retriever.as_deref().map(Loaded::open).transpose()?;
    let measured = Measured {
        task: arguments.task,
        loaded: &loaded,
        file: &arguments.data,
        examples: &examples,
        training: training.as_deref(),
        valid: arguments.valid.as_deref().zip(valid.as_deref()),
        encoder: encoder.as_ref(),
        cut: arguments.cut.map(|longest| longest.unwrap_or(usize::MAX)),
    };
    let Outcome { mut result, texts, mut groups } = measured.outcome()?;
    result.extend(rows_in_train.map(|count| ("rows_in_train".to_string(), count.into())));
    if let Some(path) = &arguments.predictions {
        if texts.is_empty() {
            return Err(Error::settings("rows of ids have no text; leave out --predictions"));
        }
        write_predictions(path, &rows, &texts)?;
    }
    if arguments.report {
        measured.tint(&mut groups)?;
        let evaluation = Evaluation {
            task: arguments.task.name().into(),
            command: common.command.clone(),
            data: arguments.data.display().to_string(),
            train: arguments.train.as_ref().map(|path| path.display().to_string()),
            rows: examples.len(),
            rows_in_train,
            result: result.clone(),
            groups,
        };
        evaluation.write(loaded.source())?;
        report::write(loaded.source())?;
    }
    match common.json {
        true => print(Value::from(result)),
        false => print(report::text(&result)),
    }
}

/// Writes each row as it stood, with its prediction.
fn write_predictions(path: &Path, rows: &Rows, texts: &[String]) -> Result<(), Error> {
    let mut lines = String::new();
    for (row, text) in rows.rows.iter().zip(texts) {
        let _ = writeln!(lines, "{}", row.to_json(&[("prediction", text)]));
    }
    std::fs::write(path, lines).map_err(Error::io(path, "write"))
}
