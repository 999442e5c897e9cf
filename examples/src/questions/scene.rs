//! A product and the values that hold in one row: sentences, questions and answers filled with them.

use super::fact::{Fact, Rule, number};
use crate::catalogue::{Kind, Product, capitalize};
use crate::phrases::{choose, fill, tidy};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Who a row is about and what holds of it.
pub(super) struct Scene<'a> {
    kind: &'a Kind,
    product: &'a Product,
    noun: String,
    /// The values of names that `let` lines introduce.
    lets: HashMap<String, String>,
}

impl<'a> Scene<'a> {
    /// A scene about `product`, with a value drawn for each name that one of `facts` lets vary.
    pub fn new(
        kind: &'a Kind,
        product: &'a Product,
        facts: &[&Fact],
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let noun = kind.nouns.choose(rng).expect("a category has nouns").clone();
        let mut lets = HashMap::new();
        for (name, values) in facts.iter().flat_map(|fact| &fact.lets) {
            let value = values.choose(rng).expect("a name has values");
            lets.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Scene { kind, product, noun, lets }
    }

    /// The sentences that state `fact`, and whether they mention the product, which `it` does only
    /// if it was `known` before.
    pub fn say(&self, fact: &Fact, known: bool, rng: &mut ChaCha8Rng) -> (String, bool) {
        let it = match (!known, rng.random_range(0..10)) {
            (true, 0..7) => format!("the {}", self.product.name()),
            (true, _) | (false, 0..3) => format!("[the|this] {}", self.noun),
            (false, _) => "it".to_string(),
        };
        let say = fact.says.choose(rng).expect("a fact is said");
        (self.render(say, &choose(&it, rng), None, rng), names(say))
    }

    /// The same about a product that the question will not be about, so by its name.
    pub fn say_by_name(&self, fact: &Fact, rng: &mut ChaCha8Rng) -> String {
        let says: Vec<&String> = fact.says.iter().filter(|say| names(say)).collect();
        let say = says.choose(rng).expect("a fact is said of a product");
        self.render(say, &format!("the {}", self.product.name()), None, rng)
    }

    /// One of `questions`, about the product by its name or by a word for it.
    pub fn question(
        &self,
        questions: &[String],
        by_name: bool,
        other: Option<&str>,
        rng: &mut ChaCha8Rng,
    ) -> String {
        let it = match rng.random_range(0..10) {
            0..4 if !by_name => "it".to_string(),
            4..6 if !by_name => format!("this {}", self.noun),
            6 if !by_name => format!("the {}", self.noun),
            _ => format!("the {}", self.product.name()),
        };
        let by_name = by_name.then(|| questions.iter().filter(|q| q.contains("{it}")));
        let usable: Vec<&String> =
            by_name.map_or_else(|| questions.iter().collect(), Iterator::collect);
        let question = usable.choose(rng).expect("there is a question");
        self.render(question, &it, other, rng)
    }

    /// One of `answers`.
    pub fn answer(&self, answers: &[String], other: Option<&str>, rng: &mut ChaCha8Rng) -> String {
        let answer = self.render(answers.choose(rng).expect("an answer"), "it", other, rng);
        let ends = answer.ends_with(['.', '!']);
        if ends { answer } else { answer + "." }
    }

    /// A value that `fact` may have: its own where `same`, else another.
    pub fn other(&self, fact: &Fact, same: bool, rng: &mut ChaCha8Rng) -> Option<String> {
        let own = self.value(&fact.id)?;
        if same {
            return Some(own);
        }
        let attribute = self.kind.attributes.iter().find(|a| a.field == fact.id);
        let values = fact.lets.iter().find(|(name, _)| *name == fact.id).map(|(_, values)| values);
        let values = values.or(attribute.map(|a| &a.values))?;
        let others: Vec<&String> = values.iter().filter(|value| **value != own).collect();
        others.choose(rng).map(|value| value.to_string())
    }

    /// Whether `rule` holds of the fact's value beside `other`.
    pub fn holds(&self, rule: Rule, fact: &Fact, other: &str) -> bool {
        let own = self.value(&fact.id).expect("a fact that is compared has a value");
        let order = || number(&own).partial_cmp(&number(other));
        match rule {
            Rule::Open => true,
            Rule::Same => own == other,
            Rule::Below => order() == Some(Ordering::Less),
            Rule::Above => order() == Some(Ordering::Greater),
        }
    }

    fn value(&self, slot: &str) -> Option<String> {
        let own = self.product.attributes.iter().find(|(field, _)| field == slot);
        own.map(|(_, value)| value).or_else(|| self.lets.get(slot)).cloned()
    }

    fn render(&self, text: &str, it: &str, other: Option<&str>, rng: &mut ChaCha8Rng) -> String {
        let named = format!("the {}", self.noun); // "the light of it" is not English
        let it = if it == "it" && text.contains("of {it}") { &named } else { it };
        let value = |slot: &str| match (slot, slot.strip_suffix(":why")) {
            ("it", _) => Some(it.to_string()),
            ("It", _) => Some(capitalize(it)),
            ("noun", _) => Some(self.noun.clone()),
            ("other", _) => other.map(str::to_string),
            (_, Some(field)) => self.kind.why(field, &self.value(field)?).map(str::to_string),
            _ => self.value(slot),
        };
        tidy(&fill(&choose(text, rng), value))
    }
}

/// Whether the product is named in `text`.
pub(super) fn names(text: &str) -> bool {
    text.contains("{It}") || text.contains("{it}")
}
