//! What can be said, asked and answered about one thing, read from `data/phrases/questions/*.txt`.
//!
//! A line is `key: parts`, parts divided by ` | `:
//! - `fact` begins a fact and names it: an attribute of a product, or a name of its own;
//! - `only`: the categories of products that the fact is for; without it, all;
//! - `let NAME`: the values that `{NAME}` may take in this fact;
//! - `say`: sentences that state the fact;
//! - `ask`: questions that these sentences answer, and `answer`: the answers to them;
//! - `below`, `above`, `same`: questions whether the fact's value is below, above or the same as
//!   `{other}`, another of its values; `yes` and `no` are the answers to them;
//! - `near`: questions about a related thing, which no sentence of any fact answers.
//!
//! `{it}` and `{It}` become the product, `{field:why}` what a value is good for.

use crate::phrases::{lines, parts};

/// A fact and what people ask about it.
pub(super) struct Fact {
    pub id: String,
    /// Categories; empty for all.
    pub only: Vec<String>,
    /// Names and the values they may take.
    pub lets: Vec<(String, Vec<String>)>,
    pub says: Vec<String>,
    pub asks: Vec<Ask>,
    pub nears: Vec<String>,
}

/// Questions with the same answers.
pub(super) struct Ask {
    pub rule: Rule,
    pub questions: Vec<String>,
    pub answers: Vec<String>,
    /// Where the rule does not hold.
    pub noes: Vec<String>,
}

/// How the answer depends on `{other}`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Not at all.
    Open,
    /// Yes if the fact's value is less.
    Below,
    /// Yes if the fact's value is more.
    Above,
    /// Yes if it is the fact's value.
    Same,
}

impl Fact {
    /// Reads the facts of a file.
    ///
    /// # Panics
    ///
    /// If a line is not `key: parts` or stands where it means nothing.
    pub fn parse(text: &str) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        for (key, rest) in lines(text) {
            if key == "fact" {
                facts.push(Fact::new(rest));
                continue;
            }
            let fact = facts.last_mut().unwrap_or_else(|| panic!("{key} before a fact"));
            let rule = match key {
                "ask" => Some(Rule::Open),
                "below" => Some(Rule::Below),
                "above" => Some(Rule::Above),
                "same" => Some(Rule::Same),
                _ => None,
            };
            let parts = parts(rest);
            if let Some(rule) = rule {
                let (answers, noes) = (Vec::new(), Vec::new());
                fact.asks.push(Ask { rule, questions: parts, answers, noes });
            } else if let Some(name) = key.strip_prefix("let ") {
                fact.lets.push((name.to_string(), parts));
            } else {
                fact.add(key, parts);
            }
        }
        facts
    }

    /// Whether the fact may hold of a product of `category`.
    pub fn is_for(&self, category: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == category)
    }

    fn new(id: &str) -> Self {
        let (only, lets, says) = (vec![], vec![], vec![]);
        let (asks, nears) = (vec![], vec![]);
        Fact { id: id.to_string(), only, lets, says, asks, nears }
    }

    fn add(&mut self, key: &str, parts: Vec<String>) {
        let ask = self.asks.last_mut();
        let list = match (key, ask) {
            ("only", _) => &mut self.only,
            ("say", _) => &mut self.says,
            ("near", _) => &mut self.nears,
            ("answer" | "yes", Some(ask)) => &mut ask.answers,
            ("no", Some(ask)) => &mut ask.noes,
            _ => panic!("{key:?} in fact {:?}", self.id),
        };
        list.extend(parts);
    }
}

/// The number that a value begins with, in digits or, up to twelve, in letters.
pub(super) fn number(value: &str) -> Option<f64> {
    const WORDS: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let word = value.trim_start_matches("EU ").split(' ').next()?.replace(',', "");
    let spelled = WORDS.iter().position(|w| *w == word).map(|n| n as f64);
    spelled.or_else(|| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_facts() {
        let text = "fact: fee\nlet fee: 3 euros | 4 euros\nsay: It costs {fee}.\n\
                    ask: How much? | Is it dear?\nanswer: {fee}.\n\
                    below: Less than {other}?\nyes: Yes, {fee}.\nno: No, {fee}.\nnear: And gold?";
        let facts = Fact::parse(text);
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[0].lets[0].1, ["3 euros", "4 euros"]);
        assert_eq!(facts[0].asks[0].questions.len(), 2);
        assert!(facts[0].asks[1].rule == Rule::Below);
        assert_eq!(facts[0].asks[1].noes, ["No, {fee}."]);
        assert_eq!(facts[0].nears, ["And gold?"]);
    }

    #[test]
    fn numbers_are_read_in_digits_and_letters() {
        let read = ["EU 42", "1.4 kg", "10,000 mm", "two sleepers", "oak"].map(number);
        assert_eq!(read, [Some(42.0), Some(1.4), Some(10_000.0), Some(2.0), None]);
    }
}
