//! The page, as the template shows it.

use super::axis::{grouped, number};
use super::charts::{Chart, charts};
use super::judged::Judged;
use super::machine::facts;
use super::run::{Run, Step};
use super::spread::{Group, evenly, groups};
use crate::progress::duration;
use serde::Serialize;
use serde_json::Value;

/// Moments of one prompt that are shown.
const TEXTS: usize = 12;

/// Rows of the table of numbers.
const ROWS: usize = 25;

/// What the template is given.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Page {
    name: String,
    is_finished: bool,
    headline: Vec<Fact>,
    sha256: Option<String>,
    judged: Option<Judged>,
    charts: Vec<Chart>,
    rows: Vec<Vec<String>>,
    histograms: Vec<Group>,
    prompts: Vec<Prompt>,
    config: Option<String>,
    machine: Vec<Fact>,
}

/// A name and its value.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fact {
    name: String,
    value: String,
}

/// What was written to a prompt over time.
#[derive(Clone, Debug, Serialize)]
struct Prompt {
    prompt: String,
    target: Option<String>,
    texts: Vec<Text>,
    /// How many there are, shown or not.
    count: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Text {
    step: String,
    text: String,
}

impl Page {
    /// The numbers that the run is judged by.
    pub fn headline(&self) -> &[Fact] {
        &self.headline
    }

    /// What the model was measured to be worth.
    pub fn judged(&self) -> Option<&Judged> {
        self.judged.as_ref()
    }

    pub fn of(run: &Run) -> Page {
        let machine = facts().into_iter().map(|(name, value)| fact(name, value));
        let sha256 = run.result.as_ref().and_then(|result| result.get("weights_sha256"));
        Page {
            name: run.name.clone(),
            is_finished: run.result.is_some(),
            headline: headline(run),
            sha256: sha256.and_then(Value::as_str).map(String::from),
            judged: run.evaluation.as_ref().map(Judged::of),
            charts: charts(run),
            rows: evenly(&run.steps, ROWS).iter().map(row).collect(),
            histograms: groups(&run.histograms),
            prompts: prompts(run),
            config: run.config.clone(),
            machine: machine.collect(),
        }
    }
}

fn fact(name: &str, value: String) -> Fact {
    Fact { name: name.into(), value }
}

/// The numbers that a run is judged by: those of `result.json`, or else of its steps.
fn headline(run: &Run) -> Vec<Fact> {
    let told = |name: &str| run.result.as_ref()?.get(name)?.as_f64();
    let last = run.steps.last();
    let measured = || run.steps.iter().filter_map(|step| step.valid_loss);
    let tokens = run.steps.iter().map(|step| step.tokens as f64).sum();
    let seconds = run.steps.iter().map(|step| step.seconds).sum::<f64>();
    let valid = told("valid_loss").or_else(|| measured().next_back());
    let best = measured().chain(valid).reduce(f64::min);
    let facts = [
        ("training loss", told("train_loss").or_else(|| last?.loss), loss as fn(f64) -> String),
        ("validation loss", valid, loss),
        ("best validation loss", best.filter(|best| Some(*best) < valid), loss),
        ("perplexity", valid.map(f64::exp), |x| number(x, 0.01)),
        ("steps", told("steps").or_else(|| Some(last?.step as f64)), whole),
        ("tokens", told("tokens").or_else(|| last.map(|_| tokens)), whole),
        (
            "tokens/s",
            told("tokens_per_second").or_else(|| (seconds > 0.0).then_some(tokens / seconds)),
            whole,
        ),
        ("time", told("seconds").or_else(|| last.map(|_| seconds)), duration),
        ("peak memory", told("peak_rss_bytes"), bytes),
    ];
    let known = facts.into_iter().filter_map(|(name, value, text)| Some((name, value?, text)));
    known.map(|(name, value, text)| fact(name, text(value))).collect()
}

fn loss(x: f64) -> String {
    format!("{x:.4}")
}

fn whole(x: f64) -> String {
    grouped(&format!("{:.0}", x.max(0.0)))
}

fn bytes(x: f64) -> String {
    match x {
        1e9.. => format!("{:.2} GB", x / 1e9),
        _ => format!("{:.0} MB", x / 1e6),
    }
}

fn row(step: &Step) -> Vec<String> {
    let text = |x: Option<f64>, write: fn(f64) -> String| x.map_or("–".into(), write);
    vec![
        whole(step.step as f64),
        text(step.loss, loss),
        text(step.valid_loss, loss),
        text(step.lr, |lr| format!("{lr:.2e}")),
        text(step.grad_norm, |norm| format!("{norm:.3}")),
        text(step.tokens_per_second(), whole),
    ]
}

/// The prompts in the order in which the run named them, with what was written to each.
fn prompts(run: &Run) -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = Vec::new();
    for sample in &run.samples {
        let known = prompts
            .iter_mut()
            .rev()
            .find(|known| known.prompt == sample.prompt && known.target == sample.target);
        let text = Text { step: whole(sample.step as f64), text: sample.text.clone() };
        match known {
            Some(known) => known.texts.push(text),
            None => prompts.push(Prompt {
                prompt: sample.prompt.clone(),
                target: sample.target.clone(),
                texts: vec![text],
                count: 0,
            }),
        }
    }
    for prompt in &mut prompts {
        prompt.count = prompt.texts.len();
        prompt.texts = evenly(&prompt.texts, TEXTS);
    }
    prompts
}
