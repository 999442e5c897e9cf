//! The kit for reviews: tell whether a customer is content, in English or Chinese.
//!
//! `cargo run --release --example review_sentiment -- --language zh`
//!
//! Runs commands of `attendant` that it prints, on the embedded reviews (synthetic: see
//! `data/README.md`) or on rows of your own with a `text` and a `label`: a small encoder first
//! learns to fill in hidden words of the reviews, then to tell their labels; with `--model` a
//! pretrained encoder is trained on instead. It ends in scores beside baselines, in `report.html`
//! with the most telling words of reviews, and in a model card.

use clap::Parser;
use examples::catalogue::Split;
use examples::kit::{Kit, exit_code, rows_of, warmup};
use examples::reviews::Language;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tell whether a customer is content, from the text of a review alone.
#[derive(Parser)]
struct Arguments {
    /// The language of the embedded reviews: en or zh
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    language: String,
    /// Rows of your own to learn from, with `text` and `label`: JSON Lines or CSV
    #[arg(long, requires = "test")]
    train: Option<PathBuf>,
    /// Rows of your own to measure on
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
    /// A pretrained encoder to train on: a folder, e.g. target/models/minilm
    #[arg(long)]
    model: Option<String>,
    /// Where to write everything: a new or empty folder
    #[arg(long)]
    output: Option<PathBuf>,
    /// Times to go through the rows, for the hidden words (not with --model) and for the labels
    #[arg(long, num_args = 2, value_names = ["WORDS", "LABELS"])]
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
    let kit = Kit::new("review_sentiment", arguments.output.as_deref())?;
    let (train, test) = rows(arguments, &kit)?;
    let seed = arguments.seed.to_string();
    let (words, labels) = match arguments.epochs.as_deref() {
        Some(&[words, labels]) => (words, labels),
        _ => (12, 6),
    };
    let (pretrained, model) = (kit.output("words")?, kit.output("model")?);
    let start = match &arguments.model {
        Some(model) => model.clone(),
        None => {
            // Chinese has no spaces between words: a token is a character.
            let tokenizer = if arguments.language == "zh" { "characters" } else { "bpe" };
            let command = format!(
                "train --task masked-language-model --model encoder-tiny --tokenizer {tokenizer} \
                 --epochs {words} --batch-size 32 --lr 1e-3 --warmup {} --weight-decay 0.01 --clip 1 \
                 --cut --seed {seed}",
                warmup(&train, words, 32)?
            );
            kit.run(&command, &[("--data", &train), ("--output", &pretrained)])?;
            pretrained
        }
    };
    let command = format!(
        "train --task classify --epochs {labels} --batch-size 32 --lr 3e-4 --warmup {} \
         --weight-decay 0.01 --clip 1 --dropout 0.1 --cut --seed {seed}",
        warmup(&train, labels, 32)?
    );
    kit.run(&command, &[("--model", &start), ("--data", &train), ("--output", &model)])?;
    let files = [("--model", &model[..]), ("--data", &test), ("--train", &train)];
    kit.run("evaluate --task classify --cut --report", &files)?;
    println!("\nthe whole of it: {}", kit.path("model/report.html"));
    Ok(())
}

/// The files of rows to learn from and to measure on.
fn rows(arguments: &Arguments, kit: &Kit) -> Result<(String, String), Box<dyn Error>> {
    if let (Some(train), Some(test)) = (&arguments.train, &arguments.test) {
        return Ok((train.display().to_string(), test.display().to_string()));
    }
    let language = if arguments.language == "zh" { Language::Chinese } else { Language::English };
    let part = |split| rows_of(language.embedded(), split);
    let train = kit.write("train.jsonl", &part(Split::Train)?)?;
    Ok((train, kit.write("test.jsonl", &(part(Split::Valid)? + &part(Split::Test)?))?))
}
