//! The words of a text and the runs of them, for a classifier that counts.

use transformer::generate::words::stands_alone;

/// The longest run of units of which some are words.
const LONGEST_OF_WORDS: usize = 2;
/// The longest run of signs and characters of scripts without spaces.
const LONGEST_OF_SIGNS: usize = 3;

/// Calls `found` with each unit of the text and each run of neighbours, a space between two.
///
/// In lower case, a unit is a word (a run of letters, digits and `_`, with the apostrophe of
/// `don't`), a character of a script without spaces, or any other sign. A run is of at most two
/// units, of three where all are characters or signs. Whitespace only parts units.
pub(super) fn each_run(text: &str, mut found: impl FnMut(&str)) {
    let text = text.to_lowercase();
    let units = units(&text);
    let mut run = String::new();
    for first in 0..units.len() {
        run.clear();
        let mut all_signs = true;
        for (length, (unit, is_word)) in (1..=LONGEST_OF_SIGNS).zip(&units[first..]) {
            all_signs &= !is_word;
            if length > LONGEST_OF_WORDS && !all_signs {
                break;
            }
            if length > 1 {
                run.push(' ');
            }
            run.push_str(unit);
            found(&run);
        }
    }
}

/// The units of a text in lower case, and whether each is a word.
fn units(text: &str) -> Vec<(&str, bool)> {
    let mut units = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = in_word(first);
        let end = if is_word { word_end(rest) } else { first.len_utf8() };
        units.push((&rest[..end], is_word));
        rest = rest[end..].trim_start();
    }
    units
}

/// Where the word ends that the text begins with.
fn word_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        let before_letter = chars.peek().is_some_and(|(_, c)| c.is_alphabetic() && in_word(*c));
        let goes_on = in_word(c) || (matches!(c, '\'' | '’') && before_letter);
        if !goes_on {
            return place;
        }
    }
    text.len()
}

fn in_word(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && !stands_alone(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> Vec<String> {
        let mut runs = Vec::new();
        each_run(text, |run| runs.push(run.to_string()));
        runs
    }

    #[test]
    fn words_in_pairs_and_characters_in_threes() {
        assert_eq!(runs("I don't  LIKE"), ["i", "i don't", "don't", "don't like", "like"]);
        assert_eq!(runs("很不好"), ["很", "很 不", "很 不 好", "不", "不 好", "好"]);
        let mixed = ["用", "用 usb", "usb", "usb 很", "很", "很 好", "好"];
        assert_eq!(runs("用USB很好"), mixed);
        assert_eq!(runs("so so!!"), ["so", "so so", "so", "so !", "!", "! !", "!"]);
    }

    #[test]
    fn an_apostrophe_joins_letters_only() {
        let units = |text| units(text).into_iter().map(|(unit, _)| unit).collect::<Vec<_>>();
        assert_eq!(
            units("'tis the dogs' l’été o''k"),
            ["'", "tis", "the", "dogs", "'", "l’été", "o", "'", "'", "k"]
        );
        assert_eq!(units("a'好 b_2.5"), ["a", "'", "好", "b_2", ".", "5"]);
    }

    #[test]
    fn nothing_stands_in_nothing() {
        assert!(runs("").is_empty() && runs(" \n\u{3000}").is_empty());
        assert_eq!(runs("x"), ["x"]);
    }
}
