//! The commonest label, told of every row.

use crate::data::Example;
use std::collections::BTreeMap;

/// Tells of each row the label that most training rows have.
///
/// ```math
/// \hat y = \arg\max_c |\{\, i : y_i = c \,\}|
/// ```
/// Of equals it is the first in order. It reads no text, so what is not above it has learned
/// nothing but how common the classes are.
#[derive(Clone, Debug)]
pub struct Majority<'a> {
    label: &'a str,
}

impl<'a> Majority<'a> {
    /// The baseline of these training rows.
    pub fn new(training: &'a [Example]) -> Majority<'a> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        training.iter().for_each(|row| *counts.entry(&row.target).or_default() += 1);
        let commonest = counts.iter().rev().max_by_key(|(_, count)| **count);
        Majority { label: commonest.map_or("", |(label, _)| label) }
    }

    /// The label; empty without training rows.
    pub fn predict(&self) -> &'a str {
        self.label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_and_of_equals_the_first_in_order() {
        for (labels, commonest) in
            [("cabbc", "b"), ("ccba", "c"), ("ba", "a"), ("z", "z"), ("", "")]
        {
            let row = |label: char| Example { target: label.to_string(), ..Example::default() };
            let rows: Vec<Example> = labels.chars().map(row).collect();
            assert_eq!(Majority::new(&rows).predict(), commonest, "{labels}");
        }
    }
}
