//! Distinct runs of words: how much the texts of a model repeat one another.

use std::collections::{BTreeSet, HashMap};

use super::words;

/// The share of the texts' runs of `order` words that are different ones, from 0 to 1.
///
/// ```math
/// \mathrm{distinct}_n = \frac{|\{\,g : g \in G_n\,\}|}{|G_n|}
/// ```
///
/// `` $`G_n`$ `` are the runs of `` $`n`$ `` words of all texts, as often as they stand there; none
/// reaches over the end of a text. Words are lower-cased runs of letters and digits, and single
/// characters of scripts without spaces. Without a run it is 0.
///
/// It falls with the number of texts: only sets of as many texts of like length compare, and rows
/// drawn twice for an interval would count as repeated.
///
/// Departs from the paper in the denominator, there the number of words for any n: so that all
/// runs different is 1.
///
/// Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models"
/// (2016), section 5.
pub fn distinct(texts: &[impl AsRef<str>], order: usize) -> f64 {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let (mut all, mut different) = (0, BTreeSet::new());
    for text in texts {
        let next = |word| {
            let new = numbers.len();
            *numbers.entry(word).or_insert(new)
        };
        let words: Vec<usize> = words(text.as_ref()).into_iter().map(next).collect();
        for run in words.windows(order.max(1)) {
            all += 1;
            different.insert(run.to_vec());
        }
    }
    if all == 0 { 0.0 } else { different.len() as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        // the red lamp the | lamp: 3 of 5 words, runs of two: the-red red-lamp lamp-the
        let texts = ["The red lamp, the", "lamp"];
        assert_eq!([distinct(&texts, 1), distinct(&texts, 2)], [0.6, 1.0]);
        // twice the same: half of each
        let twice = ["a red lamp", "A red lamp."];
        assert_eq!([distinct(&twice, 1), distinct(&twice, 2)], [0.5, 0.5]);
        // 好 twice among four characters
        assert_eq!(distinct(&["很好，好的"], 1), 0.75);
    }

    #[test]
    fn the_ends_are_one_and_zero() {
        assert_eq!(distinct(&["a b c d"], 2), 1.0);
        assert_eq!(distinct(&[""; 2], 1), 0.0);
        assert_eq!(distinct(&["one", "word"], 2), 0.0);
        approx::assert_relative_eq!(distinct(&[&"a ".repeat(1000)], 1), 1e-3, epsilon = 1e-12);
    }
}
