//! The model card: what a model is for, what it learned from and how, its scores and its limits.

use super::evaluation::Evaluation;
use super::page::{Fact, Page};
use super::run::Run;
use super::scores::places;
use crate::Error;
use minijinja::Environment;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs;
use std::io;
use std::path::Path;

/// The file's name, as Hugging Face has it.
const NAME: &str = "README.md";
/// By this a card of ours is known from one that somebody wrote, which is left alone.
const MARK: &str =
    "<!-- Written by attendant; remove this line to keep it from being written anew. -->";

/// What the template is given.
#[derive(Serialize)]
struct Card<'a> {
    mark: &'static str,
    name: &'a str,
    pipeline: Option<&'static str>,
    purpose: &'static str,
    command: String,
    base: Option<String>,
    data: Option<String>,
    valid: Option<String>,
    recipe: Vec<String>,
    facts: &'a [Fact],
    judged: &'a Value,
    limits: Vec<String>,
}

/// Writes the card of a run's folder, unless a card stands there that is not ours.
///
/// # Errors
/// If the file can't be written.
pub(super) fn write(folder: &Path, run: &Run, page: &Page) -> Result<(), Error> {
    let path = folder.join(NAME);
    let is_ours = match fs::read(&path) {
        Ok(text) => String::from_utf8_lossy(&text).contains(MARK),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    match is_ours {
        false => Ok(()),
        true => fs::write(&path, render(run, page)).map_err(Error::io(&path, "write")),
    }
}

fn render(run: &Run, page: &Page) -> String {
    let options: Map<String, Value> =
        run.config.as_deref().and_then(|text| toml::from_str(text).ok()).unwrap_or_default();
    let option = |name: &str| options.get(name).and_then(Value::as_str).map(String::from);
    let task = run.evaluation.as_ref().map(|evaluation| evaluation.task.clone());
    let task = task.or_else(|| option("task")).unwrap_or_default();
    let recipe = run.config.iter().flat_map(|text| text.lines());
    let card = Card {
        mark: MARK,
        name: &run.name,
        pipeline: pipeline(&task),
        purpose: purpose(&task),
        command: command(&task, &run.name),
        base: option("model"),
        data: option("data"),
        valid: option("valid"),
        recipe: recipe.filter(|line| !line.starts_with('#')).map(String::from).collect(),
        facts: page.headline(),
        judged: &serde_json::to_value(page.judged()).unwrap_or_default(),
        limits: limits(&task, run.evaluation.as_ref()),
    };
    let mut templates = Environment::new();
    templates.add_template(NAME, include_str!("card.md")).expect("a fixed template");
    let template = templates.get_template(NAME).expect("it was added");
    template.render(card).expect("the template's fields are the card's")
}

/// The task's name at Hugging Face.
fn pipeline(task: &str) -> Option<&'static str> {
    match task {
        "classify" => Some("text-classification"),
        "language-model" | "describe" | "answer" => Some("text-generation"),
        "seq2seq" => Some("text2text-generation"),
        "masked-language-model" => Some("fill-mask"),
        _ => None,
    }
}

fn purpose(task: &str) -> &'static str {
    match task {
        "classify" => "Tells the class of a text.",
        "describe" => "Writes the description of a product from its attributes.",
        "answer" => "Answers a question, with its context if there is one.",
        "seq2seq" => "Writes a text that answers another.",
        "masked-language-model" => "Finds hidden words: a start for other tasks.",
        _ => "Writes on after a text.",
    }
}

fn command(task: &str, name: &str) -> String {
    match task {
        "classify" => format!("attendant classify --model {name} --text 'A text.'"),
        "describe" => format!(
            "attendant generate --model {name} --task describe --attribute 'name=…' --attribute 'price=…'"
        ),
        "answer" => {
            format!("attendant generate --model {name} --task answer --question '…?' --context '…'")
        }
        "masked-language-model" => {
            format!("attendant train --task classify --model {name} --data rows.jsonl --output run")
        }
        _ => format!("attendant generate --model {name} --prompt 'A text'"),
    }
}

/// What a reader should know before it is used.
fn limits(task: &str, evaluation: Option<&Evaluation>) -> Vec<String> {
    let mut limits = vec![
        "It knows what its training rows showed; on other text, of other times, shops or languages, \
         it is worse than the scores say."
            .to_string(),
    ];
    if matches!(task, "describe" | "answer" | "seq2seq" | "language-model") {
        let text =
            "It writes what is likely, not what is true: read its texts before customers do.";
        limits.push(text.into());
    }
    let result = evaluation.map(|evaluation| &evaluation.result);
    limits.extend(result.and_then(hallucinated));
    limits.extend(result.and_then(weakest_category));
    limits.extend(result.and_then(calibration));
    limits
}

fn hallucinated(result: &Map<String, Value>) -> Option<String> {
    let share = result.get("hallucinated_attributes")?["value"].as_f64()?;
    Some(format!(
        "Of the attribute values in its texts, a share of {} belongs to other products.",
        places(share)
    ))
}

fn weakest_category(result: &Map<String, Value>) -> Option<String> {
    let categories = result.get("categories")?.as_object()?;
    let accuracy = |figures: &Value| figures["accuracy"]["value"].as_f64();
    let known = categories.iter().filter_map(|(name, figures)| Some((name, accuracy(figures)?)));
    let (name, accuracy) = known.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!("It is weakest on `{name}`: accuracy {}.", places(accuracy)))
}

fn calibration(result: &Map<String, Value>) -> Option<String> {
    let error = result.get("calibration")?["ece"].as_f64()?;
    Some(format!(
        "Its probabilities are off by {} on average (expected calibration error).",
        places(error)
    ))
}
