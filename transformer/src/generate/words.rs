//! Texts measured in words: how many there are, whether one is among them, where a text may end.
//!
//! A word is what stands between spaces and holds a letter or a digit; each Chinese character and each
//! kana is a word of its own, for they are written without spaces.

/// How many words a text has.
///
/// ```
/// assert_eq!(transformer::generate::words::count("A 45 cm lamp – red."), 5);
/// assert_eq!(transformer::generate::words::count("红色台灯"), 4);
/// ```
pub fn count(text: &str) -> usize {
    starts(text).len()
}

/// Whether a word, or several, stand in a text, in whatever case: whole words, but of Chinese
/// characters and kana any that follow one another. A run of spaces is one space.
///
/// ```
/// use transformer::generate::words::contains;
/// assert!(contains("Our Cheapest offer, cheap!", "cheap"));
/// assert!(!contains("Our cheapest offer", "cheap") && contains("便宜的灯", "便宜"));
/// ```
pub fn contains(text: &str, word: &str) -> bool {
    stands(text, word, false)
}

/// [`contains`]; where `is_cut`, the text begins in the middle of another, and what stands at its very
/// beginning may be the end of a longer word: it does not count.
pub(super) fn stands(text: &str, word: &str, is_cut: bool) -> bool {
    let (text, word) = (folded(text), folded(word));
    text.char_indices().any(|(start, _)| {
        let Some(after) = text[start..].strip_prefix(&word) else { return false };
        let before = text[..start].chars().next_back();
        let is_torn = is_cut && before.is_none_or(|c| c == char::REPLACEMENT_CHARACTER);
        let begins = !joined(before, word.chars().next());
        begins && !is_torn && !joined(word.chars().next_back(), after.chars().next())
    })
}

fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether two characters in a row belong to one word.
fn joined(a: Option<char>, b: Option<char>) -> bool {
    let in_word = |c: char| (c.is_alphanumeric() || c == '_') && !stands_alone(c);
    a.is_some_and(in_word) && b.is_some_and(in_word)
}

/// Whether a character is of a script that is written without spaces: Thai and its neighbours,
/// kana, Chinese characters.
pub fn stands_alone(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Where words begin, in bytes.
fn starts(text: &str) -> Vec<usize> {
    let (mut starts, mut is_open) = (Vec::new(), false);
    for (at, c) in text.char_indices() {
        let alone = stands_alone(c) && c.is_alphanumeric();
        if alone || (c.is_alphanumeric() && !is_open) {
            starts.push(at);
        }
        // A comma or a hyphen inside does not part a word.
        is_open = !alone && !c.is_whitespace() && (is_open || c.is_alphanumeric());
    }
    starts
}

/// The beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut<'a> {
    /// What is left.
    pub text: &'a str,
    /// Whether it ends where a sentence does.
    pub is_sentence: bool,
}

/// The beginning of a text of more than `most` words: up to the last end of a sentence that leaves
/// `least` to `most` words; where there is none, up to the word `most`. `None` where the text is
/// not longer.
///
/// A sentence ends at `.`, `!`, `?` or `…` before a space, unless a small letter follows, at `。`, `！`
/// or `？`, with the quotes and brackets it closes, and at the end of a line.
///
/// ```
/// let cut = transformer::generate::words::cut("A lamp. It is red, of 4.5 kg.", 1, 5).unwrap();
/// assert_eq!((cut.text, cut.is_sentence), ("A lamp.", true));
/// ```
pub fn cut(text: &str, least: usize, most: usize) -> Option<Cut<'_>> {
    let end = *starts(text).get(most)?;
    let whole = sentence_ends(text).into_iter().take_while(|&at| at <= end);
    let fits = |at: &usize| count(&text[..*at]) >= least.max(1);
    Some(match whole.filter(fits).last() {
        Some(at) => Cut { text: &text[..at], is_sentence: true },
        None => Cut { text: without_opening(&text[..end]), is_sentence: false },
    })
}

/// Whether a text ends where a sentence does.
pub fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end();
    sentence_ends(text).last() == Some(&text.len())
}

/// The sentences of a text, without the space around them.
///
/// ```
/// use transformer::generate::words::sentences;
/// assert_eq!(sentences("Wool. Costs 9.90 euros! 很软。不贵"), ["Wool.", "Costs 9.90 euros!", "很软。", "不贵"]);
/// ```
pub fn sentences(text: &str) -> Vec<&str> {
    let mut ends = sentence_ends(text);
    ends.push(text.len());
    let mut start = 0;
    let parts = ends.into_iter().map(|end| {
        let part = text[start.min(end)..end].trim();
        start = start.max(end);
        part
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn sentence_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    for (at, c) in text.char_indices() {
        let closed = text[at + c.len_utf8()..].trim_start_matches(CLOSING);
        let next = closed.chars().next();
        let is_end = match c {
            '\n' | '。' | '！' | '？' => true,
            '.' => next.is_none_or(char::is_whitespace) && !goes_on(closed),
            '!' | '?' | '…' => next.is_none_or(char::is_whitespace),
            _ => false,
        };
        match (is_end, c) {
            (false, _) => {}
            (true, '\n') => ends.push(text[..at].trim_end().len()),
            (true, _) => ends.push(text.len() - closed.len()),
        }
    }
    ends
}

fn goes_on(after: &str) -> bool {
    after.trim_start().chars().next().is_some_and(char::is_lowercase)
}

const CLOSING: [char; 11] = ['"', '\'', ')', ']', '”', '’', '»', '」', '』', '）', '》'];
const OPENING: [char; 13] = ['(', '[', '“', '‘', '„', '«', '「', '『', '（', '《', '【', '–', '—'];

/// A beginning without the space, dash, bracket or quote that opens what followed.
fn without_opening(text: &str) -> &str {
    let mut text = text;
    loop {
        let shorter = text.trim_end().trim_end_matches(OPENING);
        let shorter = [" \"", " '"]
            .iter()
            .fold(shorter, |rest, quote| rest.strip_suffix(quote).unwrap_or(rest));
        if shorter == text {
            return text;
        }
        text = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        for (text, words) in [
            ("", 0),
            (" – … ! ", 0),
            ("one", 1),
            (" a wi-fi 6 lamp, 4.5 kg ", 6),
            ("A\nb\t\"c\" (d)", 4),
            ("这款LED灯，3瓦。", 6), // 这 款 LED 灯 3 瓦
            ("ランプ", 3),
            ("des Größe", 2),
        ] {
            assert_eq!(count(text), words, "{text}");
        }
    }

    #[test]
    fn whole_words_are_found_in_any_case() {
        for (text, word) in [
            ("CHEAP", "cheap"),
            ("not-cheap", "Cheap"),
            ("free  \n shipping!", "Free shipping"),
            ("atom tom tom", "tom tom"),
            ("die GRÖSSE", "Grösse"),
            ("超便宜灯", "便宜"),
            ("in C++.", "c++"),
            ("50% off", "50%"),
            ("women's", "women"),
        ] {
            assert!(contains(text, word), "{word} in {text}");
        }
        for (text, word) in
            [("cheaper", "cheap"), ("custom", "tom"), ("a_b", "a"), ("", "x"), ("free", "free of")]
        {
            assert!(!contains(text, word), "{word} in {text}");
        }
        assert!(stands("a tom", "tom", true) && stands("tom", "tom", false));
        assert!(!stands("tom", "tom", true) && !stands("\u{fffd}tom", "tom", true));
    }

    #[track_caller]
    fn assert_cut(text: &str, least: usize, most: usize, expected: &str, is_sentence: bool) {
        assert_eq!(cut(text, least, most), Some(Cut { text: expected, is_sentence }));
    }

    #[test]
    fn a_long_text_ends_with_a_sentence() {
        let text = "It weighs 4.5 kg. \"Light!\" A lamp, e.g. for you? Yes";
        assert_eq!(cut(text, 0, 11), None);
        assert_cut(text, 0, 10, "It weighs 4.5 kg. \"Light!\" A lamp, e.g. for you?", true);
        assert_cut(text, 0, 9, "It weighs 4.5 kg. \"Light!\"", true);
        assert_cut(text, 0, 4, "It weighs 4.5 kg.", true);
        assert_cut("灯很好。（真的！）我买了", 0, 6, "灯很好。（真的！）", true);
        assert_cut("- red\n- blue lamp", 0, 2, "- red", true);
    }

    #[test]
    fn where_no_sentence_ends_a_word_does() {
        assert_cut("A (red) lamp", 0, 1, "A", false);
        assert_cut("the \"old\" \"new\" lamp", 0, 2, "the \"old\"", false);
        assert_cut("A lamp. It is – red", 4, 4, "A lamp. It is", false);
        assert_cut("灯很（好）", 0, 2, "灯很", false);
    }

    #[test]
    fn ends_of_sentences() {
        assert!(ends_sentence("A lamp.\" ") && ends_sentence("灯。") && ends_sentence("Why?"));
        assert!(!ends_sentence("A lamp") && !ends_sentence("A. b") && !ends_sentence(""));
    }
}
