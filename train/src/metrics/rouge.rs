//! ROUGE-L: the longest common subsequence of prediction and reference.

/// ROUGE-L F1 of a prediction, from 0 to 1, as Google's `rouge-score` has it without a stemmer.
///
/// ```math
/// P = \frac{\mathrm{LCS}(r, p)}{|p|}, \quad R = \frac{\mathrm{LCS}(r, p)}{|r|}, \quad
/// F_1 = \frac{2 P R}{P + R}
/// ```
///
/// The texts are taken whole, not sentence by sentence (`rougeL`, not `rougeLsum`). Tokens are
/// runs of `a`–`z` and `0`–`9` of the lower-cased text; a text without any scores 0.
///
/// Source: Lin, "ROUGE" (2004), section 3.1, with β = 1; `rouge-score` 0.1.2.
pub fn rouge_l(reference: &str, prediction: &str) -> f64 {
    let (reference, prediction) = (reference.to_lowercase(), prediction.to_lowercase());
    let (reference, prediction) = (words(&reference), words(&prediction));
    let common = longest_common_subsequence(&reference, &prediction) as f64;
    if common == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (common / prediction.len() as f64, common / reference.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

fn words(lower_case: &str) -> Vec<&str> {
    let parts = lower_case.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9'));
    parts.filter(|word| !word.is_empty()).collect()
}

/// The table's rows one by one: `row[j]` is the length for `a` so far and the first `j` of `b`.
fn longest_common_subsequence(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for j in 0..b.len() {
            let above = row[j + 1];
            row[j + 1] = if *word == b[j] { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_example() {
        // Lin (2004), section 3.1: "police the gunman" is 3 of 4 words, "the gunman" 2 of 4.
        let reference = "police killed the gunman";
        assert_eq!(rouge_l(reference, "police kill the gunman"), 0.75);
        assert_eq!(rouge_l(reference, "the gunman kill police"), 0.5);
    }

    #[test]
    fn punctuation_and_case_do_not_count() {
        assert_eq!(rouge_l("The Wi-Fi, 6!", "the wi fi 6"), 1.0);
        assert_eq!(rouge_l("", "word"), 0.0);
        assert_eq!(rouge_l("!?", "é"), 0.0);
    }

    #[test]
    fn unequal_lengths_weigh_precision_and_recall() {
        // LCS 2, precision 2/2, recall 2/4
        approx::assert_relative_eq!(rouge_l("a b c d", "b d"), 2.0 / 3.0, epsilon = 1e-12);
    }
}
