//! Which attribute values does a text mention?

use std::collections::{BTreeSet, HashMap};

/// Finds the values that stand in a text word for word, case aside, bounded by non-word
/// characters: `"1 litre"` is not in `"11 litres"`.
///
/// Values are looked up by their first word, so a search costs a few look-ups a word, however
/// many values there are.
pub struct Mentions {
    by_first_word: HashMap<String, Vec<String>>,
}

impl Mentions {
    /// Collects `values`; duplicates are kept once.
    ///
    /// # Panics
    ///
    /// If a value is empty or begins or ends with anything but a letter or digit: a `$` at the end
    /// of a value has no word boundary of its own, and checkers would disagree about it.
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut by_first_word: HashMap<String, Vec<String>> = HashMap::new();
        for value in values {
            let value = value.as_ref().to_lowercase();
            let ends_well = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            assert!(
                ends_well(value.chars().next()) && ends_well(value.chars().last()),
                "value {value:?} must begin and end with a letter or digit"
            );
            let bucket = by_first_word.entry(first_word(&value).to_string()).or_default();
            if !bucket.contains(&value) {
                bucket.push(value);
            }
        }
        Mentions { by_first_word }
    }

    /// The values mentioned in `text`, in lower case.
    pub fn find(&self, text: &str) -> BTreeSet<String> {
        let text = text.to_lowercase();
        let mut found = BTreeSet::new();
        let mut previous = ' ';
        for (start, c) in text.char_indices() {
            if is_word(c) && !is_word(previous) {
                let rest = &text[start..];
                let bucket = self.by_first_word.get(first_word(rest)).into_iter().flatten();
                found.extend(bucket.filter(|value| begins_with(rest, value)).cloned());
            }
            previous = c;
        }
        found
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or("")
}

fn begins_with(text: &str, value: &str) -> bool {
    text.strip_prefix(value).is_some_and(|rest| !rest.starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_only_case_aside() {
        let mentions = Mentions::new(["Oak Ridge", "49 euros", "two-way zip"]);
        let found = mentions.find("OAK RIDGE costs 149 euros; its two-way zips run well.");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["oak ridge"]);
        let found = mentions.find("A two-way zip, for 49 euros.");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["49 euros", "two-way zip"]);
    }

    #[test]
    #[should_panic(expected = "must begin and end with a letter or digit")]
    fn a_value_without_word_boundaries_is_refused() {
        Mentions::new(["$49"]);
    }
}
