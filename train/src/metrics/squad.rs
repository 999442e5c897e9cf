//! SQuAD's scores of a short answer: exact match and token F1.

use std::collections::HashMap;

use super::split_words;

/// 1 when the normalized texts are equal, else 0.
///
/// ```math
/// \mathrm{EM} = [\,\mathrm{norm}(r) = \mathrm{norm}(p)\,]
/// ```
///
/// Normalization: lower case, without ASCII punctuation, without the words `a`, `an` and `the`,
/// words parted by one space.
///
/// Source: Rajpurkar et al., "SQuAD" (2016), section 6.1; the official `evaluate-v2.0.py`.
pub fn exact_match(reference: &str, prediction: &str) -> f64 {
    f64::from(normalize(reference) == normalize(prediction))
}

/// F1 of the normalized words as bags, from 0 to 1; see [`exact_match`] for the normalization.
///
/// ```math
/// P = \frac{|r \cap p|}{|p|}, \quad R = \frac{|r \cap p|}{|r|}, \quad F_1 = \frac{2 P R}{P + R}
/// ```
///
/// Two texts without words score 1, one without words 0.
///
/// Source: Rajpurkar et al., "SQuAD" (2016), section 6.1; the official `evaluate-v2.0.py`.
pub fn token_f1(reference: &str, prediction: &str) -> f64 {
    let (reference, prediction) = (normalize(reference), normalize(prediction));
    if reference.is_empty() || prediction.is_empty() {
        return f64::from(reference == prediction);
    }
    let mut left = HashMap::new();
    for word in &reference {
        *left.entry(word).or_insert(0) += 1;
    }
    let mut common = 0.0;
    for word in &prediction {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1.0;
        }
    }
    if common == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (common / prediction.len() as f64, common / reference.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

fn normalize(text: &str) -> Vec<String> {
    let bare: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    split_words(&without_articles(&bare)).into_iter().map(str::to_string).collect()
}

/// The text with each `a`, `an` and `the` that is a whole run of letters and digits made a space.
fn without_articles(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside = first.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != inside).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        result.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_case_and_punctuation_do_not_count() {
        assert_eq!(exact_match("The red lamp.", " red  Lamp"), 1.0);
        assert_eq!(exact_match("another lamp", "other lamp"), 0.0);
        assert_eq!(normalize("A lamp—the e-book's"), ["lamp—", "ebooks"]);
    }

    #[test]
    fn f1_by_hand() {
        // common {red, lamp}: precision 2/3, recall 2/2
        approx::assert_relative_eq!(token_f1("a red lamp", "red red lamp"), 0.8, epsilon = 1e-12);
        assert_eq!(token_f1("yes", "no"), 0.0);
        assert_eq!([token_f1("the", "!"), token_f1("", "no")], [1.0, 0.0]);
    }
}
