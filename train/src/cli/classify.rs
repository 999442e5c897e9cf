//! `attendant classify`

use super::Common;
use super::embed::in_batches;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use crate::data::{Task, read_rows};
use crate::evaluation::likeliest;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tensor::Tensor;
use transformer::HeadKind;

/// Tell the class of each text.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant classify --model sentiment \
                        --text 'It broke after two days.' --text 'Just what I wanted.'")]
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
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let texts = match &arguments.data {
        Some(path) => read_rows(path)?
            .examples(Task::LanguageModel)?
            .into_iter()
            .map(|example| example.target)
            .collect(),
        None => arguments.text.clone(),
    };
    let loaded = Loaded::open(&arguments.model)?;
    if loaded.model.head_kind() != HeadKind::Classification {
        return Err(Error::settings(format!(
            "{}: is no classifier; config.json names no architecture for sequence classification",
            arguments.model.display()
        )));
    }
    let (classes, problem) = (loaded.model.labels(), loaded.model.problem());
    let (mut labels, mut probabilities) = (Vec::new(), Vec::new());
    in_batches(&loaded, &texts, |input| {
        let logits = loaded.model.outputs(input)?.logits.expect("a classifier has logits");
        for row in rows_of(&problem.probabilities(&logits).value().contiguous()) {
            let best = likeliest(&row);
            if row.iter().any(|p| p.is_nan()) {
                let text = "the model's scores are not numbers; its weights are broken";
                return Err(Error::settings(text));
            }
            labels.push(classes[best].clone());
            probabilities.push(row);
        }
        Ok(())
    })?;
    if common.json {
        let result =
            json!({ "labels": labels, "probabilities": probabilities, "classes": classes });
        return print(result);
    }
    for (label, row) in labels.iter().zip(&probabilities) {
        let each = classes.iter().zip(row).map(|(class, p)| format!("{class} {p:.4}"));
        print(format!("{label}\t{}", each.collect::<Vec<_>>().join("\t")))?;
    }
    Ok(())
}

/// `[rows, width]`
pub fn rows_of(x: &Tensor) -> Vec<Vec<tensor::Float>> {
    x.data().chunks(x.size(-1).max(1)).map(<[_]>::to_vec).collect()
}
