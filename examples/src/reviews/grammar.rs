//! From rules to a review.
//!
//! A review begins as a *shape*, a text of the rule `easy+`, `mixed+`, `hard+` (or with `-`, for a
//! negative one), and then
//! - `[this|that]` becomes one of its parts;
//! - `{rule}` becomes one of that rule's texts, and `{noun}` one of the item's names;
//! - `{good}` and `{bad}` become a clause about an aspect not mentioned yet, `{good:same}` and
//!   `{bad:same}` one about the aspect mentioned last, `{good:own}`, `{bad:own}`, `{good:past}` and
//!   `{bad:past}` one about the item alone, not the parcel it came in;
//! - in a clause, `gets/got` becomes its first word, or its last in `{good:past}` and `{bad:past}`;
//! - `it~they` becomes its first word, or its last where the item is a plural; `_` is a space.

use super::item::{Category, Clause, Item};
use super::row::Label;
use crate::phrases::choose;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// How hard a review is to tell by its words, and how many of a hundred are.
const SHAPES: [(&str, u32); 3] = [("easy", 57), ("mixed", 29), ("hard", 14)];

/// Of a hundred reviews, how many may say something of the parcel, the price or the seller.
const PARCEL: u32 = 45;

/// Makes reviews one after the other; each rule's texts are used up before one comes again.
pub(super) struct Maker {
    rng: ChaCha8Rng,
    /// The texts not used yet, of each category, item and rule, in random order.
    decks: BTreeMap<(String, usize, String), Vec<usize>>,
}

/// A review in the making.
struct Draft<'a> {
    maker: &'a mut Maker,
    category: &'a Category,
    /// The item's index in its category.
    index: usize,
    /// The aspects mentioned so far.
    aspects: Vec<String>,
    /// Whether something may still be said of the parcel, the price or the seller.
    parcel: bool,
}

impl Maker {
    pub(super) fn new(seed: u64) -> Self {
        Maker { rng: ChaCha8Rng::seed_from_u64(seed), decks: BTreeMap::new() }
    }

    pub(super) fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    /// The next review of an item of `category`.
    pub(super) fn review(&mut self, category: &Category, label: Label) -> String {
        let index = self.rng.random_range(0..category.items.len());
        let mut lot = self.rng.random_range(0..SHAPES.iter().map(|(_, share)| share).sum());
        let drawn = SHAPES.iter().find(|(_, share)| {
            let here = lot < *share;
            lot = lot.saturating_sub(*share);
            here
        });
        let sign = if label == Label::Positive { '+' } else { '-' };
        let rule = format!("{}{sign}", drawn.expect("the shares cover every lot").0);
        let parcel = self.rng.random_range(0..100) < PARCEL;
        let mut draft = Draft { maker: self, category, index, aspects: Vec::new(), parcel };
        let text = draft.rule(&rule);
        capitalize(&words(&text, '~', category.items[index].plural).replace('_', " "))
    }

    /// The next of `count` texts of a deck that `fits`.
    fn draw(
        &mut self,
        deck: (String, usize, String),
        count: usize,
        fits: impl Fn(usize) -> bool,
    ) -> usize {
        let deck = self.decks.entry(deck).or_default();
        if !deck.iter().any(|&i| fits(i)) {
            let mut more: Vec<usize> = (0..count).filter(|i| !deck.contains(i)).collect();
            more.shuffle(&mut self.rng);
            deck.splice(0..0, more);
        }
        let at = deck.iter().rposition(|&i| fits(i)).expect("one of the texts fits");
        deck.remove(at)
    }
}

impl Draft<'_> {
    fn item(&self) -> &Item {
        &self.category.items[self.index]
    }

    fn rule(&mut self, rule: &str) -> String {
        let texts = self.item().rules.get(rule);
        let texts = texts.unwrap_or_else(|| panic!("{}: no rule {rule}", self.category.name));
        let texts = texts.clone();
        let deck = (self.category.name.clone(), self.index, rule.to_string());
        let text = &texts[self.maker.draw(deck, texts.len(), |_| true)];
        self.expand(text)
    }

    /// The text with its choices made and its rules applied, from left to right.
    fn expand(&mut self, text: &str) -> String {
        let text = choose(text, &mut self.maker.rng);
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}').expect("a { has its }");
            done += before;
            done += &match slot.split_once(':').unwrap_or((slot, "")) {
                ("good", how) => self.clause(true, how),
                ("bad", how) => self.clause(false, how),
                (rule, _) => self.rule(rule),
            };
            rest = after;
        }
        done + rest
    }

    fn clause(&mut self, good: bool, how: &str) -> String {
        let last = self.aspects.last().cloned();
        let clauses = self.item().clauses.clone();
        let fits = |i: usize| {
            let Clause { aspect, good: praise, own, .. } = &clauses[i];
            let at_hand = match how {
                "same" => Some(aspect) == last.as_ref(),
                "own" | "past" => *own && !self.aspects.contains(aspect),
                _ => (*own || self.parcel) && !self.aspects.contains(aspect),
            };
            *praise == good && at_hand
        };
        let deck = (self.category.name.clone(), self.index, format!("clause {good}"));
        let clause = &clauses[self.maker.draw(deck, clauses.len(), fits)];
        self.aspects.push(clause.aspect.clone());
        self.parcel &= clause.own;
        let text = self.expand(&clause.text);
        words(&text, '/', how == "past")
    }
}

/// Replaces each pair of words that `mark` joins by its first, or its `second`.
fn words(text: &str, mark: char, second: bool) -> String {
    let pick = |word: &str| -> String {
        let Some((a, b)) = word.split_once(mark) else { return word.to_string() };
        let begin = a.find(|c: char| c.is_alphabetic()).unwrap_or(0);
        let end = b.rfind(|c: char| c.is_alphabetic()).map_or(0, |i| i + 1);
        let pick = if second { &b[..end] } else { &a[begin..] };
        format!("{}{pick}{}", &a[..begin], &b[end..])
    };
    text.split(' ').map(pick).collect::<Vec<_>>().join(" ")
}

/// Begins each sentence with a capital.
fn capitalize(text: &str) -> String {
    let mut capital = true;
    let mut previous = ' ';
    let mut done = String::new();
    for c in text.chars() {
        capital |= c == ' ' && matches!(previous, '.' | '!' | '?');
        if capital && c.is_alphanumeric() {
            done.extend(c.to_uppercase());
            capital = false;
        } else {
            done.push(c);
        }
        previous = c;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_follows_its_rules() {
        let category = Category::parse(
            "category: kites\nitems: kites\naspect: tail\ngood: the tail is/was long\n\
             bad: the tail tears/tore\naspect: string\ngood: the string holds/held\n\
             bad: the string knots/knotted\neasy+: {end}\nmixed+: {end}\nhard+: {end}\n\
             end: once {bad:past}, now {good:same}. [this~these {noun} is~are|it_is~they_are] fun!",
            &[],
        );
        let mut maker = Maker::new(1);
        let right = [
            "Once the tail tore, now the tail is long. These kites are fun!",
            "Once the tail tore, now the tail is long. They are fun!",
            "Once the string knotted, now the string holds. These kites are fun!",
            "Once the string knotted, now the string holds. They are fun!",
        ];
        let made: Vec<String> = (0..50).map(|_| maker.review(&category, Label::Positive)).collect();
        assert!(made.iter().all(|text| right.contains(&text.as_str())), "{made:?}");
        assert!(right.iter().all(|text| made.iter().any(|m| m == text)), "{made:?}");
    }

    #[test]
    fn a_deck_is_used_up_before_it_starts_again() {
        let mut maker = Maker::new(2);
        let deck = || ("kites".to_string(), 0, "end".to_string());
        let mut drawn: Vec<usize> = (0..5).map(|_| maker.draw(deck(), 5, |_| true)).collect();
        drawn.sort_unstable();
        assert_eq!(drawn, [0, 1, 2, 3, 4]);
    }
}
