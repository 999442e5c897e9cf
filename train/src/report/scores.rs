//! The table of scores: the model beside the baselines, each figure with its interval and with what
//! a paired test says.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// The table, as the templates show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Table {
    /// The baselines' names.
    pub systems: Vec<String>,
    pub rows: Vec<Row>,
}

/// A figure of all systems.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub name: String,
    /// Whether less is better.
    pub less_is_better: bool,
    pub ours: Cell,
    /// In the order of the systems; `None` of one without the figure.
    pub theirs: Vec<Option<Cell>>,
}

/// A figure of one system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Cell {
    pub value: String,
    pub interval: String,
    /// What the paired interval says of ours against it; `None` of ours.
    pub verdict: Option<Verdict>,
}

/// Where the 95 % interval of the difference lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Ours is better.
    Better,
    /// Ours is worse.
    Worse,
    /// The interval holds 0.
    Even,
}

/// Figures of which less is better.
const LESS_IS_BETTER: [&str; 5] =
    ["loss", "perplexity", "bits_per_byte", "hallucinated_attributes", "copied_share"];

impl Table {
    /// The table of what `attendant evaluate --json` prints.
    pub fn of(result: &Map<String, Value>) -> Table {
        let baselines = result.get("baselines").and_then(Value::as_object);
        let baselines: Vec<(&String, &Value)> = baselines.into_iter().flatten().collect();
        let row = |(name, value): (&String, &Value)| {
            let less_is_better = LESS_IS_BETTER.contains(&name.as_str());
            let cell = |value: &Value| Cell::of(value, less_is_better);
            let theirs = baselines.iter().map(|(_, figures)| cell(&figures[name])).collect();
            Some(Row { name: title(name), less_is_better, ours: cell(value)?, theirs })
        };
        Table {
            systems: baselines.iter().map(|(name, _)| title(name)).collect(),
            rows: result.iter().filter_map(row).collect(),
        }
    }
}

impl fmt::Display for Table {
    /// A line a figure; under it a line a baseline that has it, `+` where the model is better, `-`
    /// where it is worse, and `=` where they are not told apart.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.systems.iter().map(|name| name.len() + 4);
        let width = width.chain(self.rows.iter().map(|row| row.name.len())).max().unwrap_or(0);
        for (index, row) in self.rows.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{:width$}  {}", row.name, row.ours)?;
            for (system, cell) in self.systems.iter().zip(&row.theirs) {
                let Some(cell) = cell else { continue };
                let sign = match cell.verdict {
                    Some(Verdict::Better) => '+',
                    Some(Verdict::Worse) => '-',
                    Some(Verdict::Even) => '=',
                    None => ' ',
                };
                write!(f, "\n  {sign} {system:0$}  {cell}", width - 4)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} [{}]", self.value, self.interval)
    }
}

impl Cell {
    fn of(figure: &Value, less_is_better: bool) -> Option<Cell> {
        let value = figure["value"].as_f64()?;
        let interval =
            |figure: &Value| Some((figure["ci95"][0].as_f64()?, figure["ci95"][1].as_f64()?));
        let (low, high) = interval(figure)?;
        let verdict =
            interval(&figure["difference"]).map(|(low, high)| match (low > 0.0, high < 0.0) {
                (false, false) => Verdict::Even,
                (above, _) if above != less_is_better => Verdict::Better,
                _ => Verdict::Worse,
            });
        let interval = format!("{} to {}", places(low), places(high));
        Some(Cell { value: places(value), interval, verdict })
    }
}

/// Three places after the point, fewer of large numbers.
pub(super) fn places(x: f64) -> String {
    match x.abs() {
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        _ => format!("{x:.3}"),
    }
}

/// The name of a figure or a system, as people write it.
pub(super) fn title(name: &str) -> String {
    match name {
        "rouge_l" => "ROUGE-L".into(),
        "bleu" => "BLEU".into(),
        "macro_f1" => "macro F1".into(),
        "token_f1" => "token F1".into(),
        "answerability_f1" => "answerability F1".into(),
        "distinct_1" => "distinct-1".into(),
        "distinct_2" => "distinct-2".into(),
        "tfidf_logistic_regression" => "TF-IDF + logistic regression".into(),
        "byte_ngram" => "byte n-gram".into(),
        _ => name.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figure(value: f64, difference: Option<[f64; 2]>) -> Value {
        let difference = difference.map(|ci95| json!({ "value": 0.0, "ci95": ci95 }));
        json!({ "value": value, "ci95": [value, value], "difference": difference })
    }

    fn table(result: Value) -> Table {
        Table::of(result.as_object().unwrap())
    }

    #[test]
    fn each_figure_stands_beside_the_baselines() {
        let table = table(json!({
            "loss": figure(0.25, None),
            "accuracy": figure(0.9, None),
            "confusion": { "labels": [] },
            "baselines": { "majority": { "accuracy": figure(0.5, Some([0.3, 0.5])) } },
        }));
        assert_eq!(table.systems, ["majority"]);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[0].theirs, [None]);
        let cell = table.rows[1].theirs[0].as_ref().unwrap();
        assert_eq!((&cell.value[..], cell.verdict), ("0.500", Some(Verdict::Better)));
        assert_eq!(table.rows[1].ours.verdict, None);
    }

    #[test]
    fn the_verdict_knows_of_which_figures_less_is_better() {
        let verdict = |name: &str, difference| {
            let theirs = figure(0.5, Some(difference));
            let table =
                table(json!({ name: figure(0.5, None), "baselines": { "x": { name: theirs } } }));
            table.rows[0].theirs[0].as_ref().unwrap().verdict.unwrap()
        };
        assert_eq!(verdict("accuracy", [0.1, 0.2]), Verdict::Better);
        assert_eq!(verdict("accuracy", [-0.2, -0.1]), Verdict::Worse);
        assert_eq!(verdict("bits_per_byte", [0.1, 0.2]), Verdict::Worse);
        assert_eq!(verdict("bits_per_byte", [-0.2, -0.1]), Verdict::Better);
        assert_eq!(verdict("accuracy", [-0.1, 0.2]), Verdict::Even);
        assert_eq!(verdict("loss", [0.0, 0.0]), Verdict::Even);
    }

    #[test]
    fn names_are_written_as_people_write_them() {
        assert_eq!(title("attribute_coverage"), "attribute coverage");
        assert_eq!(title("rouge_l"), "ROUGE-L");
    }
}
