//! `attendant classify`

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use crate::data::{given_text, read_rows};
use crate::evaluation::likeliest;
use crate::retrieval::tokenized;
use crate::saliency::{Explained, Word, most_telling, page, words, written};
use autograd::no_grad;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tensor::{Float, Tensor};
use transformer::{HeadKind, Input, Padded};

/// Texts that are computed side by side.
const BATCH_SIZE: usize = 32;

/// Tell the class of each text.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant classify --model sentiment \
                        --text 'It broke after two days.' --text 'Just what I wanted.'\n  \
                        attendant classify --model sentiment --data reviews.csv --html words.html")]
pub struct Arguments {
    /// The model: a folder with config.json and model.safetensors
    #[arg(long)]
    model: PathBuf,
    /// A text; repeat for several
    #[arg(long, required_unless_present = "data", conflicts_with = "data")]
    text: Vec<String>,
    /// A file with a `text` in each row: JSON Lines, CSV or plain text
    #[arg(long)]
    data: Option<PathBuf>,
    /// Tell what each word has to do with the class that was told: gradient × input
    #[arg(long)]
    explain: bool,
    /// Write a page of the texts with their words tinted; implies --explain
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Arguments {
    fn texts(&self) -> Result<Vec<String>, Error> {
        let Some(path) = &self.data else { return Ok(self.text.clone()) };
        read_rows(path)?.rows.iter().map(|row| Ok(given_text(row)?.to_string())).collect()
    }
}

/// What was told of each text.
struct Told {
    classes: Vec<usize>,
    probabilities: Vec<Vec<Float>>,
}

/// How many words are printed of each text.
const WORDS: usize = 5;

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let texts = arguments.texts()?;
    let loaded = Loaded::open(&arguments.model)?;
    if loaded.model.head_kind() != HeadKind::Classification {
        return Err(Error::settings(format!(
            "{}: is no classifier; config.json names no architecture for sequence classification",
            arguments.model.display()
        )));
    }
    let told = tell(&loaded, &texts)?;
    let explained = match arguments.explain || arguments.html.is_some() {
        true => Some(explain(&loaded, &texts, &told)?),
        false => None,
    };
    if let (Some(path), Some(explained)) = (&arguments.html, &explained) {
        std::fs::write(path, page(explained)).map_err(Error::io(path, "write"))?;
    }
    let labels = loaded.model.labels();
    match common.json {
        true => print_json(labels, &told, explained.as_deref()),
        false => print_lines(labels, &told, explained.as_deref()),
    }
}

fn tell(loaded: &Loaded, texts: &[String]) -> Result<Told, Error> {
    let problem = loaded.model.problem();
    let mut told = Told { classes: Vec::new(), probabilities: Vec::new() };
    in_batches(loaded, texts, |input| {
        let logits = loaded.model.outputs(input)?.logits.expect("a classifier has logits");
        for row in rows_of(&problem.probabilities(&logits).value().contiguous()) {
            if row.iter().any(|p| p.is_nan()) {
                let text = "the model's scores are not numbers; its weights are broken";
                return Err(Error::settings(text));
            }
            told.classes.push(likeliest(&row));
            told.probabilities.push(row);
        }
        Ok(())
    })?;
    Ok(told)
}

/// The words of each text, with the class and its probability above them.
fn explain(loaded: &Loaded, texts: &[String], told: &Told) -> Result<Vec<Explained>, Error> {
    let (tokenizer, longest) = (loaded.tokenizer()?, loaded.longest_text()?);
    let all = texts.iter().zip(&told.classes).zip(&told.probabilities);
    all.map(|((text, &class), row)| {
        let title = format!("{} {:.4}", loaded.model.labels()[class], row[class]);
        let words = words(&loaded.model, tokenizer, text, longest, Some(class))?;
        Ok(Explained { title, words })
    })
    .collect()
}

fn print_json(
    labels: &[String],
    told: &Told,
    explained: Option<&[Explained]>,
) -> Result<(), Error> {
    let of_texts: Vec<&String> = told.classes.iter().map(|&class| &labels[class]).collect();
    let mut result =
        json!({ "labels": of_texts, "probabilities": told.probabilities, "classes": labels });
    if let Some(explained) = explained {
        let words: Vec<&[Word]> = explained.iter().map(|text| &text.words[..]).collect();
        result["saliency"] = json!(words);
    }
    print(result)
}

fn print_lines(
    labels: &[String],
    told: &Told,
    explained: Option<&[Explained]>,
) -> Result<(), Error> {
    for (index, (&class, row)) in told.classes.iter().zip(&told.probabilities).enumerate() {
        let each = labels.iter().zip(row).map(|(label, p)| format!("{label} {p:.4}"));
        print(format!("{}\t{}", labels[class], each.collect::<Vec<_>>().join("\t")))?;
        if let Some(explained) = explained {
            let telling = most_telling(&explained[index].words, WORDS).into_iter().map(written);
            print(format!("    {}", telling.collect::<Vec<_>>().join("   ")))?;
        }
    }
    Ok(())
}

/// Calls `each` with the tokens of some texts at a time, in order, as the model's tokenizer makes them
/// with its special tokens, cut to the context. Nothing is recorded.
///
/// # Errors
/// Those of `each`, and if a text cannot be tokenized or has no token.
fn in_batches(
    loaded: &Loaded,
    texts: &[String],
    mut each: impl FnMut(&Input) -> Result<(), Error>,
) -> Result<(), Error> {
    let rows = tokenized(loaded.tokenizer()?, texts, loaded.longest_text()?)?;
    for rows in rows.chunks(BATCH_SIZE) {
        let text = Padded::right(rows, loaded.model.vocab_size())?;
        no_grad(|| each(&Input { text, token_types: None, target: None }))?;
    }
    Ok(())
}

/// `[rows, width]`
fn rows_of(x: &Tensor) -> Vec<Vec<Float>> {
    x.data().chunks(x.size(-1).max(1)).map(<[_]>::to_vec).collect()
}
