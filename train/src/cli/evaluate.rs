//! `attendant evaluate`

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use crate::data::{Example, Rows, Task, read_rows};
use crate::evaluation::{self, likelihood};
use crate::sequence::{Sequence, fitting, labelled, packed, pairs, prompted};
use clap::Args;
use serde_json::{Map, Value};
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
    /// Where to write each row with its `prediction`
    #[arg(long)]
    predictions: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    if arguments.predictions.is_some() && arguments.task == Task::LanguageModel {
        return Err(Error::Usage(
            "--predictions needs a task that writes a text or tells a class; leave it out, or \
             measure another --task"
                .into(),
        ));
    }
    let rows = read_rows(&arguments.data)?;
    let examples = rows.examples(arguments.task)?;
    let training = match &arguments.train {
        Some(path) => Some(read_rows(path)?.examples(arguments.task)?),
        None => None,
    };
    let loaded = Loaded::open(&arguments.model)?;
    let measured = Measured {
        loaded: &loaded,
        file: &arguments.data,
        examples: &examples,
        training: training.as_deref(),
    };
    let (result, texts) = measured.task(arguments.task)?;
    if let Some(path) = &arguments.predictions {
        if texts.is_empty() {
            return Err(Error::settings("rows of ids have no text; leave out --predictions"));
        }
        write_predictions(path, &rows, &texts)?;
    }
    match common.json {
        true => print(result),
        false => print(table(&result).trim_end()),
    }
}

/// What a model is measured on, and what fits the baselines.
struct Measured<'a> {
    loaded: &'a Loaded,
    /// The file of the examples.
    file: &'a Path,
    examples: &'a [Example],
    training: Option<&'a [Example]>,
}

impl Measured<'_> {
    /// The figures of a task, and the texts that were written or the classes that were told.
    fn task(&self, task: Task) -> Result<(Value, Vec<String>), Error> {
        match task {
            Task::Classify => self.classify(),
            Task::LanguageModel => Ok((self.language_model()?, Vec::new())),
            Task::Describe | Task::Answer | Task::Seq2seq => self.written(task),
        }
    }

    fn language_model(&self) -> Result<Value, Error> {
        let Measured { loaded, file, examples, training } = *self;
        loaded.require_language_model()?;
        let Some(seq_len) = loaded.model.max_seq_len() else {
            return Err(Error::settings(format!(
                "{}: is a {}, which does not write on; measure --task seq2seq",
                loaded.source().display(),
                loaded.model.model_type()
            )));
        };
        let has_text = examples.iter().all(|example| example.ids.is_none());
        let tokenizer = match has_text {
            true => Some((loaded.tokenizer()?, loaded.required_end_token()?)),
            false => loaded.tokenizer.as_ref().zip(loaded.end_tokens().first().copied()),
        };
        let blocks = packed(examples, tokenizer, seq_len).or_else(|_| short(examples, tokenizer));
        let blocks = blocks.map_err(|error| error.in_file(file))?;
        let bytes = match loaded.tokenizer.as_ref() {
            Some(tokenizer) => Some(block_bytes(&blocks, tokenizer)?),
            None => None,
        };
        let mut result = object(likelihood(&loaded.model, &blocks, bytes.as_deref())?);
        if let (Some(training), true) = (training, has_text) {
            let baselines = evaluation::language_model_baselines(training, examples);
            result.insert("baselines".into(), baselines);
        }
        Ok(result.into())
    }

    fn classify(&self) -> Result<(Value, Vec<String>), Error> {
        let Measured { loaded, file, examples, training } = *self;
        let classes = loaded.model.labels();
        let sequences = labelled(examples, loaded.tokenizer.as_ref(), classes);
        let sequences = sequences.map_err(|error| error.in_file(file))?;
        self.refuse_long(&sequences)?;
        let likelihood = likelihood(&loaded.model, &sequences, None)?;
        let told = evaluation::classify(&loaded.model, &sequences)?;
        let labels: Vec<String> = told.into_iter().map(|class| classes[class].clone()).collect();
        let mut result = Map::new();
        result.insert("loss".into(), serde_json::to_value(likelihood.loss).unwrap_or_default());
        result.append(&mut object(evaluation::classes(examples, &labels)));
        if let Some(training) = training {
            let baselines = evaluation::classify_baselines(training, examples);
            result.insert("baselines".into(), baselines);
        }
        Ok((result.into(), labels))
    }

    fn written(&self, task: Task) -> Result<(Value, Vec<String>), Error> {
        let Measured { loaded, file, examples, training } = *self;
        loaded.require_language_model()?;
        let sequences = |with_end| {
            let sequences = match loaded.model.is_encoder_decoder() {
                true => pairs(examples, with_end),
                false => prompted(examples, with_end),
            };
            sequences.map_err(|error| error.in_file(file))
        };
        if examples.iter().any(|example| example.ids.is_some()) {
            // Ids have no text whose bytes and words could be measured.
            let end = loaded.end_tokens().first().copied();
            let sequences = sequences(loaded.tokenizer.as_ref().zip(end))?;
            self.refuse_long(&sequences)?;
            let result = object(likelihood(&loaded.model, &sequences, None)?);
            return Ok((result.into(), Vec::new()));
        }
        let (tokenizer, end) = (loaded.tokenizer()?, loaded.required_end_token()?);
        let sequences = sequences(Some((tokenizer, end)))?;
        self.refuse_long(&sequences)?;
        let bytes = evaluation::target_bytes(examples);
        let mut result = object(likelihood(&loaded.model, &sequences, Some(&bytes))?);
        let texts = evaluation::write(&loaded.model, tokenizer, &sequences, end)?;
        if task != Task::Describe {
            result.append(&mut object(evaluation::texts(examples, &texts)));
            return Ok((result.into(), texts));
        }
        let shop = evaluation::shop_vocabulary(examples.iter().chain(training.unwrap_or_default()));
        result.append(&mut object(evaluation::descriptions(examples, &texts, &shop)));
        if let Some(training) = training {
            let baselines = evaluation::describe_baselines(training, examples, &shop);
            result.insert("baselines".into(), baselines);
        }
        Ok((result.into(), texts))
    }

    fn refuse_long(&self, sequences: &[Sequence]) -> Result<(), Error> {
        let Some(context) = self.loaded.model.max_seq_len() else { return Ok(()) };
        let (_, long) = fitting(sequences.to_vec(), context);
        match long.first() {
            None => Ok(()),
            Some(line) => Err(Error::settings(format!(
                "{} rows are longer than the model's context of {context} tokens, the first is \
                 line {line}; leave them out",
                long.len(),
            ))),
        }
    }
}

/// Data that does not fill one block of the model's context, as one shorter block.
fn short(
    examples: &[Example],
    tokenizer: Option<(&transformer::Tokenizer, u32)>,
) -> Result<Vec<Sequence>, Error> {
    let mut all = packed(examples, tokenizer, 1)?;
    let first = all.remove(0);
    let rest = all.into_iter().map(|block| block.ids[1]);
    Ok(vec![Sequence { ids: first.ids.into_iter().chain(rest).collect(), ..first }])
}

/// Bytes of the text of each block's targets; end tokens have none.
fn block_bytes(
    blocks: &[Sequence],
    tokenizer: &transformer::Tokenizer,
) -> Result<Vec<usize>, Error> {
    let bytes = |block: &Sequence| Ok(tokenizer.decode(&block.ids[1..])?.len());
    blocks.iter().map(bytes).collect()
}

fn object(value: impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
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

/// A line a figure, baselines indented, for people.
fn table(result: &Value) -> String {
    let mut lines = String::new();
    for (name, value) in result.as_object().into_iter().flatten() {
        match (value["value"].as_f64(), value["ci95"].as_array()) {
            (Some(figure), Some(interval)) => {
                let end = |i: usize| interval[i].as_f64().unwrap_or(f64::NAN);
                let _ = writeln!(lines, "{name:24} {figure:.4} [{:.4}, {:.4}]", end(0), end(1));
            }
            _ if value.is_object() => {
                let inner = table(value).replace('\n', "\n  ");
                let _ = writeln!(lines, "{name}\n  {}", inner.trim_end());
            }
            _ => {
                let _ = writeln!(lines, "{name:24} {value}");
            }
        }
    }
    lines
}
