//! Texts: what was written beside what was wanted.

use super::Scores;
use super::descriptions::copies;
use crate::baselines::{NearestText, copy};
use crate::data::{Example, Task};
use crate::metrics::{BleuCounts, exact_match, rouge_l, token_f1};
use serde_json::{Value, json};

/// `exact_match`, `token_f1`, `rouge_l` and `bleu` of one text for each example.
pub fn texts(examples: &[Example], texts: &[String]) -> Scores<'static> {
    let rows = |figure: fn(&str, &str) -> f64| {
        let pairs = examples.iter().zip(texts);
        pairs.map(|(example, text)| figure(example.target_text(), text)).collect()
    };
    Scores::new(examples.len())
        .with_mean("exact_match", rows(exact_match))
        .with_mean("token_f1", rows(token_f1))
        .with_mean("rouge_l", rows(rouge_l))
        .and(corpus_bleu(examples, texts))
}

/// `bleu` of one text for each example, all together.
pub(super) fn corpus_bleu(examples: &[Example], texts: &[String]) -> Scores<'static> {
    let pairs = examples.iter().zip(texts);
    let counts: Vec<BleuCounts> =
        pairs.map(|(example, text)| BleuCounts::new(example.target_text(), text)).collect();
    Scores::new(counts.len()).with("bleu", move |rows| {
        let mut corpus = BleuCounts::default();
        rows.iter().for_each(|&row| corpus += counts[row]);
        corpus.score()
    })
}

/// The baselines of tasks that answer a text, each beside `ours`: the answer of the training row
/// with the nearest prompt, and what was given, unchanged. `found` are answers of training rows that
/// were found in another way, if they were: `nearest_question`.
pub fn text_baselines(
    task: Task,
    training: &[Example],
    examples: &[Example],
    found: Option<&[String]>,
    ours: &Scores,
) -> Value {
    let nearest = NearestText::new(training);
    let measured =
        |written: &[String]| texts(examples, written).and(copies(training, written)).beside(ours);
    let each = |write: &dyn Fn(&Example) -> String| {
        measured(&examples.iter().map(write).collect::<Vec<String>>())
    };
    let mut baselines = json!({
        "nearest_text": each(&|example| nearest.predict(example).to_string()),
        "copy": each(&|example| copy(task, example).to_string()),
    });
    if let Some(found) = found {
        baselines["nearest_question"] = measured(found).into();
    }
    baselines
}
