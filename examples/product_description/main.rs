//! The main job, end to end: learn from a catalogue to write product descriptions, from scratch.
//!
//! `cargo run --release --example product_description -- --output run`
//!
//! Trains a tokenizer and a small GPT on the shop's catalogue (synthetic: see `data/README.md`),
//! writes descriptions of products it has not seen, and measures them beside baselines. What
//! it saves, `attendant generate` and `attendant evaluate` load.
//!
//! With `--train` and `--test` it learns from rows of your own, by commands of `attendant` that it
//! prints: from random weights, or with `--model` by low-rank adapters on a pretrained model.

mod own_rows;
mod printed;

use clap::Parser;
use examples::catalogue::{self, Product, Split};
use examples::kit::exit_code;
use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use tensor::Rng;
use train::bpe::train_bpe;
use train::cli::command_line;
use train::data::{Example, Rows, Task, count_in, parse_rows};
use train::evaluation;
use train::optimizer::Numbers;
use train::optimizer::Schedule;
use train::progress::Progress;
use train::report::{self, Evaluation};
use train::sequence::{fitting, prompted};
use train::step_log::StepLog;
use train::training::{Settings, train};
use transformer::{Gpt2, Gpt2Config, Pretrained, Tokenizer};

/// Learn from a catalogue to write product descriptions, from scratch, or from rows of your own.
#[derive(Parser)]
struct Arguments {
    /// Rows of your own to learn from, with attributes and a `description`: JSON Lines or CSV
    #[arg(long, requires = "test", conflicts_with_all = ["steps", "products", "json"])]
    train: Option<PathBuf>,
    /// Rows of your own to measure on
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
    /// A pretrained language model to train adapters on with rows of your own, e.g. a GGUF file
    #[arg(long, requires = "train")]
    model: Option<String>,
    /// Times to go through rows of your own
    #[arg(long, requires = "train")]
    epochs: Option<usize>,
    /// Where to write the model, the rows and predictions.jsonl, or the folder `model` of rows of your
    /// own: a new or empty folder
    #[arg(long)]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Training steps
    #[arg(long, default_value_t = 3700)]
    steps: usize,
    /// Test products to describe; all where absent
    #[arg(long)]
    products: Option<usize>,
    /// Fixes everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
}

/// The model and how it is trained, chosen by measuring: see docs/product_description.md.
const VOCAB_SIZE: usize = 5000;
const BATCH_SIZE: usize = 8;

fn model_config(tokenizer: &Tokenizer, end: u32) -> Gpt2Config {
    Gpt2Config {
        vocab_size: tokenizer.vocab_size(),
        max_seq_len: 256,
        d_model: 128,
        n_layers: 4,
        n_heads: 4,
        initializer_range: 0.06,
        eos_token_id: Some(end),
        ..Gpt2Config::default().with_dropout(0.0)
    }
}

fn settings(arguments: &Arguments) -> Settings {
    Settings {
        steps: arguments.steps,
        batch_size: BATCH_SIZE,
        lr: 4e-3,
        warmup: 50.min(arguments.steps / 10),
        schedule: Schedule::Cosine,
        weight_decay: 0.1,
        numbers: Numbers { beta2: Some(0.99), ..Numbers::default() },
        clip: Some(1.0),
        seed: arguments.seed,
        ..Settings::default()
    }
}

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    if let (Some(train), Some(test)) = (&arguments.train, &arguments.test) {
        return own_rows::run(arguments, train, test);
    }
    let output = output_folder(arguments.output.as_deref())?;
    let catalogue = catalogue::parse_lines(catalogue::EMBEDDED)?;
    let part = |split| catalogue.iter().filter(move |product| product.split == split);
    let (training_rows, training) = rows(part(Split::Train))?;
    let test_count = arguments.products.unwrap_or(usize::MAX);
    let (test_rows, test) = rows(part(Split::Test).take(test_count))?;
    let (_, everything) = rows(catalogue.iter())?;
    fs::write(output.join("train.jsonl"), lines(&training_rows))?;
    fs::write(output.join("test.jsonl"), lines(&test_rows))?;
    eprintln!("{} products to learn from, {} to describe", training.len(), test.len());

    let start = Instant::now();
    let settings = settings(arguments);
    let seen = with_fresh_rows(&training, &settings)?;
    let (model, tokenizer) = learn(&seen, &settings, &output)?;
    let end = tokenizer.end_of_text().ok_or("the tokenizer has no end token")?;
    let train_seconds = start.elapsed().as_secs_f64();
    model.save(&output)?;
    tokenizer.save(&output)?;

    eprintln!("writing {} descriptions", test.len());
    let sequences = prompted(&test, Some((&tokenizer, end)))?;
    let bytes = evaluation::target_bytes(&test);
    let likelihood = evaluation::likelihood(&model, &sequences, Some(&bytes))?;
    let texts = evaluation::write(&model, &tokenizer, &sequences, end)?.into_iter();
    let texts: Vec<String> = texts.map(|answer| answer.text).collect();
    let shop = evaluation::shop_vocabulary(&everything);
    let scores = likelihood
        .and(evaluation::descriptions(&test, &texts, &shop))
        .and(evaluation::copies(&seen, &texts));
    let baselines = evaluation::describe_baselines(&seen, &test, &shop, &scores);
    let predictions: String = test_rows
        .rows
        .iter()
        .zip(&texts)
        .map(|(row, text)| row.to_json(&[("prediction", text)]) + "\n")
        .collect();
    fs::write(output.join("predictions.jsonl"), predictions)?;

    let mut figures = scores.estimates();
    figures.append(&mut evaluation::variety(&texts));
    figures.insert("baselines".into(), baselines);
    let evaluation = Evaluation {
        task: Task::Describe.name().into(),
        command: command(),
        data: "test.jsonl".into(),
        train: Some("train.jsonl and fresh rows".into()),
        rows: test.len(),
        rows_in_train: Some(count_in(&test, &seen)),
        result: figures.clone(),
        groups: report::shown_texts(&test, &texts),
    };
    evaluation.write(&output)?;
    let result = json!({ "steps": settings.steps, "seconds": train_seconds });
    fs::write(output.join("result.json"), result.to_string())?;
    report::write(&output)?;
    match arguments.json {
        true => println!("{}", printed::json(figures, &test, &texts, train_seconds)),
        false => printed::print(&figures, &test, &texts, train_seconds, &output),
    }
    Ok(())
}

/// The command of this process.
fn command() -> String {
    let line = command_line(&std::env::args_os().collect::<Vec<_>>());
    let options = line.strip_prefix("attendant ").map(|options| format!(" -- {options}"));
    format!("cargo run --release --example product_description{}", options.unwrap_or_default())
}

/// The catalogue's rows and fresh ones made by its generator, as many as the steps take.
fn with_fresh_rows(
    catalogue_rows: &[Example],
    settings: &Settings,
) -> Result<Vec<Example>, Box<dyn Error>> {
    let wanted = settings.steps * settings.rows_per_step();
    let fresh = catalogue::fresh(settings.seed, wanted.saturating_sub(catalogue_rows.len()));
    let mut examples = catalogue_rows.to_vec();
    if !fresh.is_empty() {
        examples.extend(rows(fresh.iter())?.1);
    }
    Ok(examples)
}

/// Trains a tokenizer and a model on the examples, each seen once, and writes down each step.
fn learn(
    examples: &[Example],
    settings: &Settings,
    output: &Path,
) -> Result<(Gpt2, Tokenizer), Box<dyn Error>> {
    let texts: Vec<&str> =
        examples.iter().flat_map(|example| [&example.prompt[..], &example.target[..]]).collect();
    let tokenizer = train_bpe(&texts, VOCAB_SIZE)?;
    let end = tokenizer.end_of_text().ok_or("the tokenizer has no end token")?;
    let config = model_config(&tokenizer, end);
    let mut model = Gpt2::new(config, &mut Rng::derived(settings.seed, &[0]))?;

    let sequences = prompted(examples, Some((&tokenizer, end)))?;
    let (sequences, long) = fitting(sequences, model.config.max_seq_len);
    if !long.is_empty() {
        eprintln!("{} rows are longer than the context and were left out", long.len());
    }
    let mut progress = Progress::new(settings.steps, 1, None, None);
    let mut metrics = StepLog::open_after(&output.join("metrics.jsonl"), 0)?;
    train(&mut model, &sequences, settings, |report| {
        progress.step(report);
        metrics.write(report)
    })?;
    progress.finish();
    Ok((model, tokenizer))
}

/// Products as rows, and as examples of the task.
fn rows<'a>(
    products: impl Iterator<Item = &'a Product>,
) -> Result<(Rows, Vec<Example>), Box<dyn Error>> {
    let text: String = products.map(|product| product.to_line() + "\n").collect();
    let rows = parse_rows("catalogue.jsonl", text.as_bytes())?;
    let examples = rows.examples(Task::Describe)?;
    Ok((rows, examples))
}

fn lines(rows: &Rows) -> String {
    rows.rows.iter().map(|row| row.to_json(&[]) + "\n").collect()
}

/// The folder given, which must be new or empty, or one of our own that is written over.
fn output_folder(given: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let Some(folder) = given else {
        let folder = PathBuf::from("target/product_description");
        fs::create_dir_all(&folder)?;
        return Ok(folder);
    };
    if folder.exists() && fs::read_dir(folder)?.next().is_some() {
        return Err(format!("{}: is not empty; name a new folder", folder.display()).into());
    }
    fs::create_dir_all(folder)?;
    Ok(folder.into())
}
