//! Categories and their items, read from `data/phrases/reviews_*/*.txt`.
//!
//! A line is `key: text`; lines that begin with `#` are comments.
//! - `category`: the name.
//! - `item` (or `items`, if its name is a plural): what the thing may be called, divided by ` | `.
//!   Lines that follow are about this item, lines before the first item about every one.
//! - `aspect`: something of the item that the following `good` and `bad` lines are about. Each of
//!   those is a clause without its full stop.
//! - Any other key names a rule, and the line is one of the texts it may become.
//!
//! What the texts may hold is said in `grammar.rs`.

use std::collections::BTreeMap;

/// A category and the things it has.
pub struct Category {
    /// Its name, in its language.
    pub name: String,
    pub(super) items: Vec<Item>,
}

/// A thing that is reviewed, and all that may be said of it.
#[derive(Clone, Default)]
pub(super) struct Item {
    pub(super) plural: bool,
    pub(super) rules: BTreeMap<String, Vec<String>>,
    pub(super) clauses: Vec<Clause>,
}

/// A judgement of one aspect.
#[derive(Clone)]
pub(super) struct Clause {
    pub(super) aspect: String,
    pub(super) good: bool,
    /// Whether it is said of this item alone, not of the parcel it came in.
    pub(super) own: bool,
    pub(super) text: String,
}

impl Category {
    /// Reads a category from the text of its file, and adds what is said of `every` item.
    ///
    /// # Panics
    ///
    /// If a line is not `key: text`, or the file has no item: the files are part of the program.
    pub fn parse(text: &str, every: &[&str]) -> Self {
        let mut name = String::new();
        let mut items = Vec::new();
        let mut common = Item::default();
        let mut aspect = String::new();
        let mut others = Item::default();
        for (key, rest) in lines(text) {
            match key {
                "category" => name = rest.to_string(),
                "item" | "items" => {
                    let nouns = rest.split(" | ").map(str::to_string).collect();
                    let rules = BTreeMap::from([("noun".to_string(), nouns)]);
                    items.push(Item { plural: key == "items", rules, clauses: Vec::new() });
                }
                _ => items.last_mut().unwrap_or(&mut common).read(key, rest, &mut aspect),
            }
        }
        for (key, rest) in every.iter().flat_map(|text| lines(text)) {
            others.read(key, rest, &mut aspect);
        }
        others.clauses.iter_mut().for_each(|clause| clause.own = false);
        assert!(!items.is_empty(), "{name}: no item");
        for item in &mut items {
            item.add(&common);
            item.add(&others);
        }
        Category { name, items }
    }
}

impl Item {
    fn read(&mut self, key: &str, rest: &str, aspect: &mut String) {
        let text = rest.to_string();
        match key {
            "aspect" => *aspect = text,
            "good" | "bad" => {
                let (aspect, good) = (aspect.clone(), key == "good");
                self.clauses.push(Clause { aspect, good, own: true, text });
            }
            _ => self.rules.entry(key.to_string()).or_default().push(text),
        }
    }

    fn add(&mut self, common: &Item) {
        self.clauses.extend_from_slice(&common.clauses);
        for (key, texts) in &common.rules {
            self.rules.entry(key.clone()).or_default().extend_from_slice(texts);
        }
    }
}

/// The `key: text` lines of a file.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no `key: ` in {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_its_own_lines_and_those_of_all() {
        let category = Category::parse(
            "category: kites\nold: my last one\nitem: kite\naspect: tail\ngood: it is long\n\
             bad: it is torn\nitems: strings | lines\naspect: knots\nbad: they hold too well",
            &["# of all\naspect: price\ngood: it is cheap\nold: the one before"],
        );
        assert_eq!(category.name, "kites");
        let [kite, strings] = &category.items[..] else { panic!("two items") };
        assert!(!kite.plural && strings.plural);
        assert_eq!(strings.rules["noun"], ["strings", "lines"]);
        assert_eq!(kite.rules["old"], ["my last one", "the one before"]);
        let aspects = |item: &Item| -> Vec<(String, bool)> {
            item.clauses.iter().map(|c| (c.aspect.clone(), c.good)).collect()
        };
        let pair = |aspect: &str, good| (aspect.to_string(), good);
        assert_eq!(aspects(kite), [pair("tail", true), pair("tail", false), pair("price", true)]);
        assert_eq!(aspects(strings), [pair("knots", false), pair("price", true)]);
    }
}
