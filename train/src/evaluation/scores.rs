//! The figures of one system, and how they differ from another's on the same rows.

use crate::metrics::{Estimate, bootstrap, paired_difference, ratio};
use serde_json::{Map, Value, json};

/// Fixes the rows drawn for intervals, so that two systems are measured on the same draws.
pub const BOOTSTRAP_SEED: u64 = 95;

/// What a figure is for the rows drawn, which are given by their numbers.
type Figure<'a> = Box<dyn Fn(&[usize]) -> f64 + 'a>;

/// The named figures of one system: a model, or a baseline.
#[derive(Default)]
pub struct Scores<'a> {
    n_rows: usize,
    figures: Vec<(&'static str, Figure<'a>)>,
}

impl<'a> Scores<'a> {
    /// No figure yet, of this many rows.
    pub fn new(n_rows: usize) -> Scores<'a> {
        Scores { n_rows, figures: Vec::new() }
    }

    /// With a figure that is a function of the rows drawn.
    pub fn with(mut self, name: &'static str, figure: impl Fn(&[usize]) -> f64 + 'a) -> Scores<'a> {
        self.figures.push((name, Box::new(figure)));
        self
    }

    /// With the ratio of two sums over rows: `(numerator, denominator)` of each.
    pub fn with_ratio(self, name: &'static str, rows: Vec<(f64, f64)>) -> Scores<'a> {
        self.with(name, move |drawn| ratio(&rows, drawn))
    }

    /// With the mean of one number a row.
    pub fn with_mean(self, name: &'static str, rows: Vec<f64>) -> Scores<'a> {
        self.with_ratio(name, rows.into_iter().map(|value| (value, 1.0)).collect())
    }

    /// With all figures of `other` behind its own.
    pub fn and(mut self, other: Scores<'a>) -> Scores<'a> {
        self.figures.extend(other.figures);
        self
    }

    /// With no figure but the one of this name.
    pub fn only(mut self, name: &str) -> Scores<'a> {
        self.figures.retain(|(known, _)| *known == name);
        self
    }

    /// The estimate of a figure, if there is one of that name.
    pub fn estimate(&self, name: &str) -> Option<Estimate> {
        let figure = self.figure(name)?;
        Some(bootstrap(self.n_rows, BOOTSTRAP_SEED, figure))
    }

    /// Each figure with its interval: `{"accuracy": {"value": …, "ci95": […]}, …}`.
    pub fn estimates(&self) -> Map<String, Value> {
        let names = self.figures.iter().map(|&(name, _)| name);
        names.map(|name| (name.into(), json!(self.estimate(name)))).collect()
    }

    /// The estimates on some of the rows.
    pub fn of_rows(&self, rows: &[usize]) -> Map<String, Value> {
        let estimate = |figure: &Figure| {
            bootstrap(rows.len(), BOOTSTRAP_SEED, |drawn| {
                figure(&drawn.iter().map(|&row| rows[row]).collect::<Vec<_>>())
            })
        };
        let figures = self.figures.iter();
        figures.map(|(name, figure)| (name.to_string(), json!(estimate(figure)))).collect()
    }

    /// Each figure with its interval and, where `ours` has it too, with the `difference` ours −
    /// this: a paired bootstrap, both on the same rows.
    pub fn beside(&self, ours: &Scores) -> Map<String, Value> {
        let mut figures = self.estimates();
        for (name, theirs) in &self.figures {
            let Some(our_figure) = ours.figure(name) else { continue };
            let difference = paired_difference(self.n_rows, BOOTSTRAP_SEED, our_figure, theirs);
            figures[*name]["difference"] = json!(difference);
        }
        figures
    }

    fn figure(&self, name: &str) -> Option<&Figure<'a>> {
        self.figures.iter().find(|(known, _)| *known == name).map(|(_, figure)| figure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(rows: &[f64]) -> Scores<'static> {
        Scores::new(rows.len()).with_mean("accuracy", rows.to_vec())
    }

    #[test]
    fn a_system_beside_itself_differs_by_nothing() {
        let scores = right(&[1.0, 0.0, 1.0, 1.0]);
        let beside = scores.beside(&right(&[1.0, 0.0, 1.0, 1.0]));
        assert_eq!(beside["accuracy"]["value"], 0.75);
        assert_eq!(beside["accuracy"]["difference"], json!({ "value": 0.0, "ci95": [0.0, 0.0] }));
    }

    #[test]
    fn the_difference_is_ours_less_theirs_and_only_of_what_both_have() {
        let theirs = right(&[0.0; 4]).with("other", |rows| rows.len() as f64);
        let beside = theirs.beside(&right(&[1.0; 4]));
        assert_eq!(beside["accuracy"]["difference"]["value"], 1.0);
        assert_eq!(beside["other"], json!({ "value": 4.0, "ci95": [4.0, 4.0] }));
    }

    #[test]
    fn some_rows_are_measured_apart() {
        let scores = right(&[1.0, 0.0, 1.0, 0.0]);
        assert_eq!(
            scores.of_rows(&[0, 2])["accuracy"],
            json!({ "value": 1.0, "ci95": [1.0, 1.0] })
        );
        assert_eq!(scores.of_rows(&[])["accuracy"]["value"], 0.0);
        assert_eq!(scores.estimate("loss"), None);
    }
}
