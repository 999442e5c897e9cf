//! The kit for customers' questions: tell what a message wants, and answer what can be answered.
//!
//! `cargo run --release --example customer_qa`
//!
//! Runs commands of `attendant` that it prints, on the embedded rows (synthetic: see
//! `data/README.md`) or on your own. First a small encoder learns which of 27 intents a message
//! has. Then a model learns to answer questions from their contexts, by the loss on the answers
//! alone: a small GPT from random weights, or with `--model` a pretrained one with low-rank adapters.
//! Below a confidence that is chosen on rows held back it says that it does not know. It ends in
//! scores beside baselines, in `report.html`, and in a model card.

use clap::Parser;
use examples::catalogue::Split;
use examples::kit::{Kit, exit_code, rows_of, warmup};
use examples::{intents, questions};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tell what customers want, and answer their questions.
#[derive(Parser)]
struct Arguments {
    /// Questions of your own to learn from, with `question`, `answer` and perhaps `context` and
    /// `answerable`: JSON Lines or CSV
    #[arg(long, requires = "test")]
    train: Option<PathBuf>,
    /// Rows of your own to measure on
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
    /// Rows of your own on which the confidence is chosen below which no answer is better
    #[arg(long, requires = "train")]
    valid: Option<PathBuf>,
    /// A pretrained language model to train adapters on, e.g. a GGUF file
    #[arg(long)]
    model: Option<String>,
    /// A pretrained encoder for the embedded intents: a folder, e.g. target/models/minilm
    #[arg(long, conflicts_with = "train")]
    encoder: Option<String>,
    /// Where to write everything: a new or empty folder
    #[arg(long)]
    output: Option<PathBuf>,
    /// Times to go through the rows of the embedded intents, and of the questions
    #[arg(long, num_args = 2, value_names = ["INTENTS", "QUESTIONS"])]
    epochs: Option<Vec<usize>>,
    /// Fixes everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    let kit = Kit::new("customer_qa", arguments.output.as_deref())?;
    let (intents, questions) = match arguments.epochs.as_deref() {
        Some(&[intents, questions]) => (Some(intents), Some(questions)),
        _ => (None, None),
    };
    if arguments.train.is_none() {
        route(arguments, &kit, intents)?;
    }
    answer(arguments, &kit, questions)
}

/// Learns what a message wants.
fn route(arguments: &Arguments, kit: &Kit, epochs: Option<usize>) -> Result<(), Box<dyn Error>> {
    let part = |split| rows_of(intents::EMBEDDED, split);
    let train = kit.write("intents-train.jsonl", &part(Split::Train)?)?;
    let test = kit.write("intents-test.jsonl", &(part(Split::Valid)? + &part(Split::Test)?))?;
    let model = kit.output("intents")?;
    let (start, sizes, usual) = match &arguments.encoder {
        Some(encoder) => (&encoder[..], "", 4),
        None => ("encoder-tiny", "--vocab-size 2048", 20),
    };
    let (epochs, seed) = (epochs.unwrap_or(usual), arguments.seed);
    let warmup = warmup(&train, epochs, 32)?;
    let command = format!(
        "train --task classify {sizes} --epochs {epochs} --batch-size 32 --lr 3e-4 --warmup {warmup} \
         --weight-decay 0.01 --clip 1 --seed {seed}"
    );
    kit.run(&command, &[("--model", start), ("--data", &train), ("--output", &model)])?;
    let files = [("--model", &model[..]), ("--data", &test), ("--train", &train)];
    kit.run("evaluate --task classify --report", &files)?;
    println!("\nthe whole of it: {}", kit.path("intents/report.html"));
    Ok(())
}

/// Learns to answer.
fn answer(arguments: &Arguments, kit: &Kit, epochs: Option<usize>) -> Result<(), Box<dyn Error>> {
    let (train, valid, test) = rows(arguments, kit)?;
    let model = kit.output("answers")?;
    let (start, recipe, usual) = match &arguments.model {
        Some(model) => (&model[..], "--lora r=16,alpha=32 --lr 5e-4 --precision bf16", 1),
        None => ("tiny", "--vocab-size 4096 --lr 2e-3 --weight-decay 0.1", 30),
    };
    let (epochs, seed) = (epochs.unwrap_or(usual), arguments.seed);
    let warmup = warmup(&train, epochs, 8)?;
    let command = format!(
        "train --task answer {recipe} --epochs {epochs} --batch-size 8 --warmup {warmup} --clip 1 \
         --seq-len 256 --cut --seed {seed}"
    );
    kit.run(&command, &[("--model", start), ("--data", &train), ("--output", &model)])?;
    let mut files = vec![("--model", &model[..]), ("--data", &test), ("--train", &train)];
    files.extend(valid.iter().map(|valid| ("--valid", &valid[..])));
    kit.run("evaluate --task answer --report", &files)?;
    println!("\nthe whole of it: {}", kit.path("answers/report.html"));
    Ok(())
}

/// The files of rows to learn from, to choose the confidence on, and to measure on.
fn rows(
    arguments: &Arguments,
    kit: &Kit,
) -> Result<(String, Option<String>, String), Box<dyn Error>> {
    if let (Some(train), Some(test)) = (&arguments.train, &arguments.test) {
        let valid = arguments.valid.as_ref().map(|path| path.display().to_string());
        return Ok((train.display().to_string(), valid, test.display().to_string()));
    }
    let part = |split| rows_of(questions::EMBEDDED, split);
    let train = kit.write("questions-train.jsonl", &part(Split::Train)?)?;
    let valid = kit.write("questions-valid.jsonl", &part(Split::Valid)?)?;
    let test = kit.write("questions-test.jsonl", &part(Split::Test)?)?;
    Ok((train, Some(valid), test))
}
