//! How people type: without capitals, with short forms, with slips of the finger.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Words and what some make of them.
const SHORT_FORMS: [(&str, &str); 9] = [
    ("please", "pls"),
    ("thanks", "thx"),
    ("you", "u"),
    ("your", "ur"),
    ("because", "cause"),
    ("tomorrow", "tmrw"),
    ("people", "ppl"),
    ("password", "pw"),
    ("address", "adress"),
];
/// Rows of a keyboard: a slip hits the next key.
const KEYS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// The message as somebody in a hurry, or not, may have typed it.
pub(super) fn typed(message: &str, rng: &mut ChaCha8Rng) -> String {
    let mut text = message.to_string();
    if rng.random_bool(0.12) {
        text = text.replace('\'', "");
    }
    if rng.random_bool(0.15) {
        text = each_word(&text, short_form);
    }
    if rng.random_bool(0.3) {
        for _ in 0..rng.random_range(1..=2) {
            text = slip(&text, rng);
        }
    }
    match rng.random_range(0..100) {
        0..25 => text.to_lowercase(),
        25..35 => text.to_lowercase().trim_end_matches(['.', '?', '!']).replace([',', ';'], ""),
        35..38 => text.to_uppercase(),
        38..42 => text.trim_end_matches(['.', '?']).to_string() + "!!",
        _ => text,
    }
}

fn each_word(text: &str, change: impl Fn(&str) -> String) -> String {
    text.split(' ').map(change).collect::<Vec<_>>().join(" ")
}

/// The word in its short form, if it has one, with the marks after it.
fn short_form(word: &str) -> String {
    let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let found = SHORT_FORMS.iter().find(|(long, _)| *long == bare.to_lowercase());
    found.map_or(word.to_string(), |(_, short)| short.to_string() + &word[bare.len()..])
}

/// The text with a slip in one of its longer words: two letters change places, one is left out,
/// doubled, or replaced by its neighbour on the keyboard. Words with digits stay as they are.
fn slip(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_string).collect();
    let long = |word: &&mut String| word.len() > 4 && word.chars().all(|c| c.is_ascii_lowercase());
    let mut candidates: Vec<&mut String> = words.iter_mut().filter(long).collect();
    if candidates.is_empty() {
        return text.to_string();
    }
    let index = rng.random_range(0..candidates.len());
    let word = &mut *candidates[index];
    let mut letters: Vec<char> = word.chars().collect();
    let at = rng.random_range(1..letters.len() - 1);
    match rng.random_range(0..4) {
        0 => letters.swap(at, at + 1),
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, letters[at]),
        _ => letters[at] = neighbour(letters[at]),
    }
    *word = letters.into_iter().collect();
    words.join(" ")
}

/// The key to the right, or, at the end of a row, to the left.
fn neighbour(letter: char) -> char {
    let row = KEYS.iter().find(|row| row.contains(letter)).expect("a letter is on the keyboard");
    let at = row.find(letter).expect("it is in this row");
    let next = if at + 1 < row.len() { at + 1 } else { at - 1 };
    row.as_bytes()[next] as char
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn slips_leave_short_words_and_numbers_alone() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let text = slip("my order #48213 is KX-20415", &mut rng);
            assert!(text.starts_with("my o") && text.ends_with("#48213 is KX-20415"), "{text}");
        }
        assert_eq!(slip("is it so?", &mut rng), "is it so?");
    }

    #[test]
    fn short_forms_keep_their_marks() {
        assert_eq!(each_word("Thanks, you!", short_form), "thx, u!");
        assert_eq!(neighbour('p'), 'o');
    }
}
