//! Attributes mentioned: how many of a product's values its description holds, and how many of
//! other products'.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::words::pieces;

/// The attribute values of all products, found in a text in one pass over it.
///
/// A value is mentioned when it stands in the text word for word, case aside. A word is a run of
/// letters, digits and `_`; a stop or comma between two digits is part of it (`24.90` does not
/// mention `24`); a character of a script without spaces is a word of its own, and so is every
/// other sign. Whitespace parts words, and how much of it does not matter: `Wi-Fi 6` stands
/// neither in `Wi-Fi6` nor in `Wi - Fi 6`.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    words: HashMap<String, u32>,
    /// A tree of the values' words: from a node by a word to the next.
    edges: HashMap<(u32, u32), u32>,
    /// The nodes that end a value.
    ends: BTreeSet<u32>,
    n_nodes: u32,
}

/// What one text mentions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The row's own values, those without a word aside; a value in two fields counts twice.
    pub values: usize,
    /// How many of these are mentioned.
    pub mentioned: usize,
    /// The row's own values that are mentioned, each once.
    pub own: usize,
    /// Other products' values that are mentioned, each once.
    pub foreign: usize,
}

impl Mentions {
    /// Numerator and denominator of the attribute coverage.
    ///
    /// ```math
    /// \mathrm{coverage} = \frac{|\{\,v \in \mathrm{row} : v \text{ mentioned}\,\}|}
    /// {|\mathrm{row}|}
    /// ```
    pub fn coverage(&self) -> (f64, f64) {
        (self.mentioned as f64, self.values as f64)
    }

    /// Numerator and denominator of the share of hallucinated attributes.
    ///
    /// ```math
    /// \mathrm{hallucinated} = \frac{|\{\,v \notin \mathrm{row} : v \text{ mentioned}\,\}|}
    /// {|\{\,v : v \text{ mentioned}\,\}|}
    /// ```
    pub fn hallucinated(&self) -> (f64, f64) {
        (self.foreign as f64, (self.own + self.foreign) as f64)
    }
}

impl Vocabulary {
    /// The vocabulary of all products' values; the category is none of them.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Vocabulary {
        let mut vocabulary = Vocabulary { n_nodes: 1, ..Vocabulary::default() };
        values.into_iter().for_each(|value| vocabulary.insert(value));
        vocabulary
    }

    fn insert(&mut self, value: &str) {
        let value = pieces(value);
        if value.is_empty() {
            return;
        }
        let mut node = 0;
        for word in value {
            let next_word = self.words.len() as u32;
            let word = *self.words.entry(word).or_insert(next_word);
            let next_node = self.edges.entry((node, word)).or_insert(self.n_nodes);
            self.n_nodes = self.n_nodes.max(*next_node + 1);
            node = *next_node;
        }
        self.ends.insert(node);
    }

    /// What a text mentions, for a row with these values and this category.
    ///
    /// A value of another product counts as foreign only where it stands by itself: not where it
    /// is, or is part of, one of the row's own values or its category. So `Galaxy S7` is not
    /// hallucinated in a text on the row's `Galaxy S7 edge`.
    pub fn mentions<'a>(
        &self,
        text: &str,
        values: impl IntoIterator<Item = &'a str>,
        category: Option<&str>,
    ) -> Mentions {
        let text = pieces(text);
        let values: Vec<_> = values.into_iter().map(pieces).filter(|v| !v.is_empty()).collect();
        let stands = |value: &&Vec<String>| !places(&text, value).is_empty();
        let mentioned: Vec<_> = values.iter().filter(stands).collect();
        let category = category.map(pieces).unwrap_or_default();
        let own_places: Vec<_> =
            values.iter().chain([&category]).flat_map(|value| places(&text, value)).collect();
        Mentions {
            values: values.len(),
            mentioned: mentioned.len(),
            own: mentioned.into_iter().collect::<BTreeSet<_>>().len(),
            foreign: self.foreign(&text, &own_places),
        }
    }

    /// How many values stand in the text at a place that is not inside one of `own_places`.
    fn foreign(&self, text: &[String], own_places: &[Range<usize>]) -> usize {
        let text: Vec<_> = text.iter().map(|word| self.words.get(word).copied()).collect();
        let mut found = BTreeSet::new();
        for start in 0..text.len() {
            let mut node = 0;
            for (end, word) in (start + 1..).zip(&text[start..]) {
                let next = word.and_then(|word| self.edges.get(&(node, word)));
                let Some(&next) = next else { break };
                node = next;
                let inside = |own: &Range<usize>| own.start <= start && end <= own.end;
                if self.ends.contains(&node) && !own_places.iter().any(inside) {
                    found.insert(node);
                }
            }
        }
        found.len()
    }
}

/// Where a value's words stand in the text's.
fn places(text: &[String], value: &[String]) -> Vec<Range<usize>> {
    if value.is_empty() {
        return Vec::new();
    }
    let starts = text.windows(value.len()).enumerate().filter(|(_, window)| *window == value);
    starts.map(|(start, _)| start..start + value.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(value: &str, text: &str) -> bool {
        Vocabulary::default().mentions(text, [value], None).mentioned == 1
    }

    #[test]
    fn a_value_stands_word_for_word() {
        for (value, text) in [
            ("24.90 EUR", "for 24.90 eur."),
            ("45 x 30 cm", "It is 45 X 30\n cm wide"),
            ("Wi-Fi 6", "(WI-FI 6)"),
            ("women", "women's"),
            ("C++", "in C++."),
            ("24", "24, 90"),
            ("黑色", "这款黑色手机"),
            ("Größe", "GRÖSSE größe"),
        ] {
            assert!(stands(value, text), "{value} in {text}");
        }
        for (value, text) in [
            ("24", "24.90"),
            ("90", "24.90 and 1,90"),
            ("4.90", "24.90"),
            ("Wi-Fi 6", "Wi-Fi 6E, Wi - Fi 6, Wi-Fi6"),
            ("man", "woman, human_man, manly"),
            ("", "anything"),
            (" ", "a b"),
        ] {
            assert!(!stands(value, text), "{value} in {text}");
        }
    }

    #[test]
    fn counts_by_hand() {
        let vocabulary = Vocabulary::new(["Lamp", "red", "blue", "Galaxy S7", "S7", "EUR", "red"]);
        let text = "A red Galaxy S7 edge, not blue; a lamp. Blue!";
        let own = ["red", "Galaxy S7 edge", "24.90", "Red", ""];
        let mentions = vocabulary.mentions(text, own, Some("Lamp"));
        assert_eq!(mentions, Mentions { values: 4, mentioned: 3, own: 2, foreign: 1 });
        assert_eq!(mentions.coverage(), (3.0, 4.0));
        assert_eq!(mentions.hallucinated(), (1.0, 3.0));
        // by itself, the part of an own value is another product's
        let twice = vocabulary.mentions("Galaxy S7 edge or Galaxy S7", own, None);
        assert_eq!([twice.own, twice.foreign], [1, 2]);
    }

    #[test]
    fn a_large_vocabulary_is_as_a_scan_of_it() {
        let names = (0..20_000).map(|i| format!("Brand {} - {} case", i % 97, i % 1009));
        let values: Vec<String> = names.collect();
        let vocabulary = Vocabulary::new(values.iter().map(String::as_str));
        let text = format!("{}, {} and Brand 5 - 99999 case", values[3], values[500]);
        let distinct: BTreeSet<_> = values.iter().filter(|v| stands(v, &text)).collect();
        let mentions = vocabulary.mentions(&text, [values[3].as_str()], None);
        assert_eq!(mentions.own + mentions.foreign, distinct.len());
        assert_eq!([mentions.own, mentions.foreign], [1, 1]);
    }
}
