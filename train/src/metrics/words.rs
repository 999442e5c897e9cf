//! Words: how a text is cut where words are counted or compared.

use transformer::generate::words::stands_alone;

use std::mem;

/// A text's words in lower case, in order, for what counts or compares words.
///
/// A word is a run of letters, digits and `_`, a stop or comma between two digits being part of it
/// (`24.90` is one word); a character of a script without spaces is a word of its own. All other
/// signs part words and are none.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let is_word = |piece: &&[char]| piece[0].is_alphanumeric() || piece[0] == '_';
    cut(&text).filter(is_word).map(|word| word.iter().collect()).collect()
}

/// All that a text is made of, in lower case: its [`words`], each other sign, and whitespace, as
/// one space, where it stands between two of these.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let text: Vec<char> = text.trim().to_lowercase().chars().collect();
    let piece = |piece: &[char]| {
        if piece[0].is_whitespace() { " ".into() } else { piece.iter().collect() }
    };
    cut(&text).map(piece).collect()
}

/// The text's characters, cut wherever one does not go on with the word of the one before it.
fn cut(text: &[char]) -> impl Iterator<Item = &[char]> {
    let mut start = 0;
    let ends = (1..=text.len()).filter(|&end| end == text.len() || !joined(text, end));
    ends.map(move |end| &text[mem::replace(&mut start, end)..end])
}

/// Whether the character at `place` goes on with the word of the one before it.
fn joined(text: &[char], place: usize) -> bool {
    let in_word = |c: char| (c.is_alphanumeric() || c == '_') && !stands_alone(c);
    let digit = |place: usize| text.get(place).is_some_and(char::is_ascii_digit);
    let stop = |place: usize| {
        matches!(text[place], '.' | ',') && place > 0 && digit(place - 1) && digit(place + 1)
    };
    let (a, b) = (text[place - 1], text[place]);
    let both_space = a.is_whitespace() && b.is_whitespace();
    both_space || (in_word(a) && in_word(b)) || stop(place) || stop(place - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_or_single_characters_without_spaces() {
        assert_eq!(words("The Wi-Fi 6, 24.90 EUR!"), ["the", "wi", "fi", "6", "24.90", "eur"]);
        assert_eq!(words("黑色手机，5G"), ["黑", "色", "手", "机", "5g"]);
        assert_eq!(words(" \n?! "), [""; 0]);
        assert_eq!(pieces(" It's 5.  "), ["it", "'", "s", " ", "5", "."]);
    }

    #[test]
    fn the_pieces_are_the_whole_text() {
        let text = "größe: 45 x 30 cm, c++ — 手机。3.5.";
        assert_eq!(pieces(text).concat(), text);
    }
}
