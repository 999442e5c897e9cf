//! BLEU: matching runs of one to four words, counted over all rows.

use std::collections::HashMap;
use std::ops::AddAssign;

use super::{is_space, split_words};

/// The longest run of words that is counted.
const MAX_ORDER: usize = 4;

/// What BLEU counts in one row, or in the sum of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuCounts {
    prediction_len: usize,
    reference_len: usize,
    correct: [usize; MAX_ORDER],
    total: [usize; MAX_ORDER],
}

impl BleuCounts {
    /// Counts one row's words and matches.
    pub fn new(reference: &str, prediction: &str) -> BleuCounts {
        let (reference, prediction) = (tokenize_13a(reference), tokenize_13a(prediction));
        let (reference, prediction) = (split_words(&reference), split_words(&prediction));
        let mut counts = BleuCounts {
            prediction_len: prediction.len(),
            reference_len: reference.len(),
            ..BleuCounts::default()
        };
        for order in 1..=MAX_ORDER {
            let allowed = runs(&reference, order);
            for (run, count) in runs(&prediction, order) {
                counts.total[order - 1] += count;
                counts.correct[order - 1] += count.min(*allowed.get(run).unwrap_or(&0));
            }
        }
        counts
    }

    /// Corpus BLEU of these counts, from 0 to 1, as sacreBLEU has it with its default smoothing.
    ///
    /// ```math
    /// \mathrm{BLEU} = \min(1, e^{1 - r/c}) \cdot \Big( \prod_{n=1}^{4} p_n \Big)^{1/4}
    /// ```
    ///
    /// `` $`r`$ `` and `` $`c`$ `` are the words of the references and predictions,
    /// `` $`p_n`$ `` the share of runs of `` $`n`$ `` words that match. The k-th share without
    /// a match counts as `` $`1 / (2^k \cdot \mathrm{total})`$ ``, sacreBLEU's `exp`. No match
    /// at all, or no run of four words, is 0.
    ///
    /// Source: Papineni et al., "BLEU" (2002), section 2.3; smoothing: Chen and Cherry, "A
    /// Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU" (2014), method 3.
    pub fn score(&self) -> f64 {
        if self.correct == [0; MAX_ORDER] || self.total.contains(&0) {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let shares = self.correct.iter().zip(self.total).map(|(&correct, total)| {
            if correct > 0 {
                return correct as f64 / total as f64;
            }
            smoothing *= 2.0;
            1.0 / (smoothing * total as f64)
        });
        let mean = shares.map(f64::ln).sum::<f64>() / MAX_ORDER as f64;
        let ratio = self.reference_len as f64 / self.prediction_len as f64;
        (mean + (1.0 - ratio).min(0.0)).exp()
    }
}

impl AddAssign for BleuCounts {
    fn add_assign(&mut self, row: BleuCounts) {
        self.prediction_len += row.prediction_len;
        self.reference_len += row.reference_len;
        for n in 0..MAX_ORDER {
            self.correct[n] += row.correct[n];
            self.total[n] += row.total[n];
        }
    }
}

/// Corpus BLEU of `(reference, prediction)` pairs: their [`BleuCounts`], summed and scored.
pub fn bleu<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> f64 {
    let mut sum = BleuCounts::default();
    for (reference, prediction) in pairs {
        sum += BleuCounts::new(reference, prediction);
    }
    sum.score()
}

fn runs<'a>(words: &'a [&'a str], order: usize) -> HashMap<&'a [&'a str], usize> {
    let mut counts = HashMap::new();
    for run in words.windows(order) {
        *counts.entry(run).or_insert(0) += 1;
    }
    counts
}

/// The tokenizer 13a of the WMT evaluation (`mteval-v13a.pl`), as sacreBLEU has it.
fn tokenize_13a(text: &str) -> String {
    let text = text.trim_end_matches(is_space).replace("<skipped>", "").replace("-\n", "");
    let text = text.replace('\n', " ").replace("&quot;", "\"").replace("&amp;", "&");
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let mut spaced = String::from(" ");
    for c in text.chars() {
        if matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.push(' ');
    let is_stop = |c: char| matches!(c, '.' | ',');
    let is_digit = |c: char| c.is_ascii_digit();
    // A stop or comma stays only between two digits; a dash leaves the digit before it.
    let spaced = rewrite(&spaced, |a, b| !is_digit(a) && is_stop(b), [false, true, true]);
    let spaced = rewrite(&spaced, |a, b| is_stop(a) && !is_digit(b), [true, true, false]);
    rewrite(&spaced, |a, b| is_digit(a) && b == '-', [false, true, true])
}

/// Puts spaces before, between and after each pair that `matches`; pairs are taken from the left
/// and do not overlap, as a regular expression's matches.
fn rewrite(text: &str, matches: impl Fn(char, char) -> bool, spaces: [bool; 3]) -> String {
    let mut result = String::new();
    let mut chars = text.chars().peekable();
    let space = |wanted: bool| wanted.then_some(' ');
    while let Some(first) = chars.next() {
        match chars.next_if(|&second| matches(first, second)) {
            None => result.push(first),
            Some(second) => {
                result.extend(space(spaces[0]));
                result.push(first);
                result.extend(space(spaces[1]));
                result.push(second);
                result.extend(space(spaces[2]));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_13a() {
        let tokens = |text| split_words(&tokenize_13a(text)).join(" ");
        assert_eq!(tokens("Wi-Fi, 24.90 EUR (1,000-2)."), "Wi-Fi , 24.90 EUR ( 1,000 - 2 ) .");
        assert_eq!(tokens("a.,b &amp; it's 5.\n"), "a . , b & it's 5 .");
    }

    #[test]
    fn a_score_by_hand() {
        // shares 4/5, 3/4, 2/3, 1/2; equal lengths
        let score = bleu([("the red lamp is warm", "the red lamp is cold")]);
        approx::assert_relative_eq!(score, 0.2f64.powf(0.25), epsilon = 1e-12);
        // the same shares cut short: shares 1, 1, 1, 1 and penalty exp(1 - 5/4)
        let short = bleu([("the red lamp is warm", "the red lamp is")]);
        approx::assert_relative_eq!(short, (-0.25f64).exp(), epsilon = 1e-12);
        // shares 1/4 and none of 3, 2, 1 runs: halved, quartered, divided by eight
        let smoothed = bleu([("a b c d", "a x y z")]);
        let product: f64 = 1.0 / 4.0 / 6.0 / 8.0 / 8.0;
        approx::assert_relative_eq!(smoothed, product.powf(0.25), epsilon = 1e-12);
    }

    #[test]
    fn nothing_in_common_is_zero_and_the_same_is_one() {
        assert_eq!(bleu([("a b c d", "w x y z")]), 0.0);
        assert_eq!(bleu([("", "")]), 0.0);
        assert_eq!(bleu([("a b c", "a b c")]), 0.0);
        approx::assert_relative_eq!(bleu([("a b c d", "a b c d"), ("", "")]), 1.0);
    }
}
