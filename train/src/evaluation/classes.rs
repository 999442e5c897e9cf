//! Classes: what a model tells, how often it is right, and how sure it may be.

use super::Scores;
use crate::baselines::{Majority, TfidfLogisticRegression};
use crate::data::Example;
use crate::metrics::{Calibration, Confidence, Confusion, macro_f1};
use crate::sequence::Sequence;
use crate::{Error, Learner};
use autograd::no_grad;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tensor::Float;

/// Rows that are computed side by side.
const BATCH_SIZE: usize = 32;
/// Bins of the reliability diagram.
const BINS: usize = 10;

/// What a classifier told of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The likeliest class, the first of equals.
    pub class: usize,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    fn of(scores: &[Float]) -> Prediction {
        let highest = scores.iter().copied().fold(Float::NEG_INFINITY, Float::max) as f64;
        let exps: Vec<f64> = scores.iter().map(|&score| (score as f64 - highest).exp()).collect();
        let total: f64 = exps.iter().sum();
        let probabilities = exps.into_iter().map(|exp| exp / total).collect();
        Prediction { class: likeliest(scores), probabilities }
    }

    /// The probability of the class told.
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.class]
    }
}

/// The class of each text, those of similar length side by side.
///
/// # Errors
/// If an id is not in the model's vocabulary, the model is no classifier, or its scores are not
/// numbers.
pub fn classify(model: &impl Learner, sequences: &[Sequence]) -> Result<Vec<Prediction>, Error> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&index| sequences[index].input_len());
    let mut told = vec![Prediction { class: 0, probabilities: Vec::new() }; sequences.len()];
    for indices in order.chunks(BATCH_SIZE) {
        let rows: Vec<&Sequence> = indices.iter().map(|&index| &sequences[index]).collect();
        let (scores, _) = no_grad(|| model.scores(&rows))?;
        let scores = scores.value().contiguous();
        for (&index, row) in indices.iter().zip(scores.data().chunks(scores.size(-1))) {
            if row.iter().any(|score| score.is_nan()) {
                let text = "the model's scores are not numbers; its weights are broken";
                return Err(Error::settings(text));
            }
            told[index] = Prediction::of(row);
        }
    }
    Ok(told)
}

/// The index of the highest score, the first of equals.
pub fn likeliest(scores: &[Float]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// `accuracy` and `macro_f1` of one label for each example.
pub fn classes(examples: &[Example], labels: &[impl AsRef<str>]) -> Scores<'static> {
    let known = examples.iter().map(|row| &row.target[..]).chain(labels.iter().map(AsRef::as_ref));
    let names: Vec<&str> = known.collect::<BTreeSet<_>>().into_iter().collect();
    let number = |label: &str| names.partition_point(|name| *name < label);
    let pairs = examples.iter().zip(labels);
    let rows: Vec<(usize, usize)> =
        pairs.map(|(row, label)| (number(&row.target), number(label.as_ref()))).collect();
    let right = rows.iter().map(|(wanted, told)| f64::from(wanted == told)).collect();
    Scores::new(rows.len())
        .with_mean("accuracy", right)
        .with("macro_f1", move |drawn| macro_f1(drawn.iter().map(|&row| rows[row])))
}

/// What is told of a classifier besides its scores: `categories`, `confusion` and `calibration`.
pub fn class_details(
    examples: &[Example],
    names: &[String],
    told: &[Prediction],
) -> Map<String, Value> {
    let labels: Vec<&str> = told.iter().map(|told| &names[told.class][..]).collect();
    let scores = classes(examples, &labels);
    let pairs = || examples.iter().zip(&labels);
    let confusion = Confusion::new(names, pairs().map(|(row, label)| (&row.target[..], *label)));
    let class = |row: &Example| names.iter().position(|name| *name == row.target);
    let sure = told.iter().zip(examples);
    let sure = sure.map(|(told, row)| Confidence::new(&told.probabilities, class(row)));
    let mut details = Map::new();
    let categories = by_category(examples, &scores);
    if !categories.is_empty() {
        details.insert("categories".into(), categories.into());
    }
    details.insert("confusion".into(), json!(confusion));
    details.insert("calibration".into(), json!(Calibration::new(sure, BINS)));
    details
}

/// The scores of the rows of each category, with their number.
pub(super) fn by_category(examples: &[Example], scores: &Scores) -> Map<String, Value> {
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, example) in examples.iter().enumerate() {
        if let Some(category) = &example.category {
            rows.entry(category).or_default().push(index);
        }
    }
    let measured = |rows: &[usize]| {
        let mut figures = Map::from_iter([("rows".to_string(), json!(rows.len()))]);
        figures.append(&mut scores.of_rows(rows));
        Value::from(figures)
    };
    rows.into_iter().map(|(category, rows)| (category.into(), measured(&rows))).collect()
}

/// The baselines of `classify`: the class that most training rows have, told of every row, and
/// logistic regression on TF-IDF; each beside `ours`.
///
/// # Errors
/// If the regression cannot be fitted.
pub fn classify_baselines(
    training: &[Example],
    rows: &[Example],
    ours: &Scores,
) -> Result<Value, Error> {
    let majority = Majority::new(training);
    let regression = TfidfLogisticRegression::fit(training)?;
    let told: Vec<&str> = rows.iter().map(|row| regression.predict(&row.prompt)).collect();
    Ok(json!({
        "majority": classes(rows, &vec![majority.predict(); rows.len()]).beside(ours),
        "tfidf_logistic_regression": classes(rows, &told).beside(ours),
    }))
}
