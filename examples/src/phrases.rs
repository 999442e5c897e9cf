//! Phrases with choices and gaps: `[this|that]` becomes one of its parts, `{slot}` a value.

use crate::catalogue::{articles, capitalize};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The `key: rest` lines of a file. Empty lines and those that begin with `#` are left out.
pub fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no `key: ` in {line:?}")))
}

/// The parts of a line, divided by ` | ` outside of brackets.
pub fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if depth == 0 && rest.starts_with(" | ") {
            parts.push(String::new());
            rest = &rest[3..];
            continue;
        }
        depth += i32::from(c == '[') - i32::from(c == ']');
        parts.last_mut().expect("there is a part").push(c);
        rest = &rest[c.len_utf8()..];
    }
    assert_eq!(depth, 0, "brackets of {text:?}");
    parts
}

/// Replaces each `[this|that]` by one of its parts; brackets may stand in brackets.
pub fn choose(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = text.to_string();
    while let Some(end) = text.find(']') {
        let start = text[..end].rfind('[').unwrap_or_else(|| panic!("no [ in {text:?}"));
        let parts: Vec<&str> = text[start + 1..end].split('|').collect();
        let part = parts[rng.random_range(0..parts.len())].to_string();
        text.replace_range(start..=end, &part);
    }
    text
}

/// Replaces each `{slot}` by its value.
///
/// # Panics
///
/// If a slot has no value: the phrases are part of the program.
pub fn fill(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, after) = after.split_once('}').expect("a { has its }");
        filled += before;
        filled += &value(slot).unwrap_or_else(|| panic!("no {slot:?} for {text:?}"));
        rest = after;
    }
    filled + rest
}

/// A capital to begin with, `a` or `an` by the sound, single spaces.
pub fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    capitalize(&articles(&words.join(" ")))
}

/// The words of a text in lower case, without its marks: texts with the same words count as one.
pub fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn parts_are_divided_outside_of_brackets() {
        assert_eq!(parts("a | [b | c] d | e"), ["a", "[b | c] d", "e"]);
    }

    #[test]
    fn choices_may_stand_in_choices() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen: Vec<String> = (0..50).map(|_| choose("[a[b|c]|d]!", &mut rng)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["ab!", "ac!", "d!"]);
    }

    #[test]
    fn gaps_are_filled_and_tidied() {
        let value = |slot: &str| (slot == "it").then(|| "old hat".to_string());
        assert_eq!(tidy(&fill("a {it}  is {it}.", value)), "An old hat is old hat.");
    }

    #[test]
    fn words_are_bare() {
        assert_eq!(words("Where's #12, please?"), "where s 12 please");
    }
}
