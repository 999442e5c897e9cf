//! What a model was measured to be worth, as the template shows it.

use super::axis::Axis;
use super::charts::{Chart, Line};
use super::evaluation::{Evaluation, Shown};
use super::scores::{Table, places, title};
use crate::saliency::fragment;
use serde::Serialize;
use serde_json::{Map, Value};

/// Classes up to which a confusion matrix is drawn.
const CLASSES: usize = 12;
/// Pairs of classes that are listed as mixed up.
const PAIRS: usize = 12;

/// The part of the page on scores.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    what: String,
    command: String,
    table: Table,
    details: Vec<(String, String)>,
    categories: Grid,
    matrix: Vec<MatrixRow>,
    labels: Vec<String>,
    mixed_up: Grid,
    reliability: Option<Chart>,
    groups: Vec<ShownGroup>,
    /// Whether words are tinted.
    is_tinted: bool,
}

/// Rows of cells under names.
#[derive(Clone, Debug, Default, Serialize)]
struct Grid {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// How often each class was told where this one was wanted.
#[derive(Clone, Debug, Serialize)]
struct MatrixRow {
    label: String,
    /// Rows, and their percentage of all where this class was wanted.
    told: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, Serialize)]
struct ShownGroup {
    title: String,
    rows: Vec<ShownRow>,
}

/// A row of the data, as it is shown.
#[derive(Clone, Debug, Serialize)]
struct ShownRow {
    line: usize,
    /// What was given, its telling words tinted, as HTML.
    given: String,
    wanted: String,
    written: String,
    note: String,
}

impl Judged {
    pub fn of(evaluation: &Evaluation) -> Judged {
        let result = &evaluation.result;
        let confusion = counts(result);
        let groups = evaluation.groups.iter().map(|group| ShownGroup {
            title: group.title.clone(),
            rows: group.rows.iter().map(ShownRow::of).collect(),
        });
        Judged {
            what: evaluation.what(),
            command: evaluation.command.clone(),
            table: Table::of(result),
            details: details(result),
            categories: categories(result),
            matrix: matrix(&confusion),
            mixed_up: mixed_up(&confusion),
            labels: confusion.into_iter().map(|(label, _)| label).collect(),
            reliability: result.get("calibration").and_then(reliability),
            groups: groups.collect(),
            is_tinted: evaluation.rows().any(|row| row.given.iter().any(|word| word.1 != 0.0)),
        }
    }
}

impl ShownRow {
    fn of(row: &Shown) -> ShownRow {
        ShownRow {
            line: row.line,
            given: fragment(&row.given),
            wanted: row.wanted.clone(),
            written: row.written.clone(),
            note: format!("{} {}", title(&row.score_name), places(row.score)),
        }
    }
}

/// Numbers that stand alone, and those of the calibration.
pub(super) fn details(result: &Map<String, Value>) -> Vec<(String, String)> {
    let number = |(name, value): (&String, &Value)| match value.as_u64() {
        Some(count) => Some((title(name), count.to_string())),
        None => Some((title(name), places(value.as_f64()?))),
    };
    let mut details: Vec<_> = result.iter().filter_map(number).collect();
    for (name, title) in [("ece", "expected calibration error"), ("brier", "Brier score")] {
        let value = result.get("calibration").and_then(|calibration| calibration[name].as_f64());
        details.extend(value.map(|value| (title.to_string(), places(value))));
    }
    details
}

/// The scores of each category's rows.
fn categories(result: &Map<String, Value>) -> Grid {
    let categories = result.get("categories").and_then(Value::as_object);
    let mut grid = Grid::default();
    for (category, figures) in categories.into_iter().flatten() {
        let figures: Vec<_> = figures.as_object().into_iter().flatten().collect();
        let cell = |figure: &Value| match figure["value"].as_f64() {
            Some(value) => places(value),
            None => figure.to_string(),
        };
        grid.names = figures.iter().map(|(name, _)| title(name)).collect();
        let cells = figures.iter().map(|(_, figure)| cell(figure));
        grid.rows.push([category.clone()].into_iter().chain(cells).collect());
    }
    grid
}

/// Each label, and the rows told as each where it was wanted.
fn counts(result: &Map<String, Value>) -> Vec<(String, Vec<u64>)> {
    let Some(confusion) = result.get("confusion") else { return Vec::new() };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let counts = list(&confusion["counts"]).into_iter();
    let counts = counts.map(|row| list(&row).iter().filter_map(Value::as_u64).collect());
    let labels = list(&confusion["labels"]).into_iter();
    labels.map(|label| label.as_str().unwrap_or_default().to_string()).zip(counts).collect()
}

fn matrix(confusion: &[(String, Vec<u64>)]) -> Vec<MatrixRow> {
    if confusion.len() > CLASSES {
        return Vec::new();
    }
    let row = |(label, counts): &(String, Vec<u64>)| {
        let all = counts.iter().sum::<u64>().max(1);
        let told = counts.iter().map(|&count| (count, count * 100 / all)).collect();
        MatrixRow { label: label.clone(), told }
    };
    confusion.iter().map(row).collect()
}

/// Of many classes the pairs that are mixed up most.
fn mixed_up(confusion: &[(String, Vec<u64>)]) -> Grid {
    if confusion.len() <= CLASSES {
        return Grid::default();
    }
    let mut pairs = Vec::new();
    for (wanted, (label, counts)) in confusion.iter().enumerate() {
        for (told, &count) in counts.iter().enumerate() {
            if told != wanted && count > 0 {
                pairs.push((count, label, &confusion[told].0));
            }
        }
    }
    pairs.sort_by_key(|&(count, ..)| std::cmp::Reverse(count));
    let row = |(count, wanted, told): &(u64, &String, &String)| {
        vec![wanted.to_string(), told.to_string(), count.to_string()]
    };
    Grid {
        names: ["wanted", "told", "rows"].map(String::from).into(),
        rows: pairs.iter().take(PAIRS).map(row).collect(),
    }
}

/// The reliability diagram: how often the model was right where it was so sure.
fn reliability(calibration: &Value) -> Option<Chart> {
    let bins = calibration["bins"].as_array()?.iter();
    let bins = bins.filter(|bin| bin["count"].as_u64().is_some_and(|count| count > 0));
    let points: Vec<(f64, f64)> = bins
        .filter_map(|bin| Some((bin["confidence"].as_f64()?, bin["accuracy"].as_f64()?)))
        .collect();
    let axis = Axis::over([0.0, 1.0].into_iter());
    let at = |&(x, y): &(f64, f64)| Some(format!("{} {}", axis.x(x)?, axis.y(y)?));
    let places: Vec<String> = points.iter().filter_map(at).collect();
    let dots = places.iter().map(|place| format!("M{place}h0")).collect();
    let line = |style, path, name: &str| Line { style, path, name: Some(name.into()) };
    Some(Chart {
        title: "Reliability".into(),
        unit: "share told right".into(),
        x_name: "confidence",
        description: format!(
            "how often the model is right at {} levels of confidence",
            points.len()
        ),
        lines: vec![
            line("raw", "M0 1000L1000 0".into(), "as often as it says"),
            line("smooth", format!("M{}", places.join("L")), "as it is"),
            Line { style: "dots", path: dots, name: None },
        ],
        x_ticks: axis.ticks(4),
        y_ticks: axis.ticks(5),
    })
}
