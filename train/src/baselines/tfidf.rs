//! Texts as rows of weighted words.

use super::words::each_run;
use std::collections::{BTreeMap, HashMap};
use tensor::Float;

/// A word in fewer training texts than this is left out.
const MIN_TEXTS: u32 = 2;

/// The weights of the words of a text and their runs: often in it, and seldom in others.
///
/// ```math
/// x_j = \frac{w_j}{\lVert w \rVert_2}, \quad
/// w_j = (1 + \ln \mathrm{tf}_j) \Big( 1 + \ln \frac{1 + n}{1 + \mathrm{df}_j} \Big)
/// \text{ where } \mathrm{tf}_j > 0
/// ```
/// `` $`\mathrm{tf}_j`$ `` counts word j in the text, `` $`\mathrm{df}_j`$ `` the training texts
/// that hold it, `` $`n`$ `` all of them. Words in only one training text are left out.
///
/// Source: Salton & Buckley, "Term-Weighting Approaches in Automatic Text Retrieval" (1988),
/// section 2; with the idf and norm of scikit-learn's
/// `TfidfVectorizer(sublinear_tf=True, min_df=2)`.
#[derive(Clone, Debug)]
pub(super) struct Tfidf {
    /// The column of each word and its idf.
    words: HashMap<String, (u32, f64)>,
}

impl Tfidf {
    /// Counts the words of the training texts; columns are in the order of the words.
    pub fn fit(texts: &[&str]) -> Tfidf {
        let mut counts: HashMap<String, (usize, u32)> = HashMap::new(); // last text, texts
        for (place, text) in texts.iter().enumerate() {
            each_run(text, |word| match counts.get_mut(word) {
                Some((last, _)) if *last == place => {}
                Some(count) => *count = (place, count.1 + 1),
                None => _ = counts.insert(word.to_string(), (place, 1)),
            });
        }
        let mut kept: Vec<(String, u32)> = counts
            .into_iter()
            .filter(|(_, (_, n_texts))| *n_texts >= MIN_TEXTS)
            .map(|(word, (_, n_texts))| (word, n_texts))
            .collect();
        kept.sort_unstable();
        let n = texts.len() as f64;
        let idf = |n_texts: u32| 1.0 + ((1.0 + n) / (1.0 + f64::from(n_texts))).ln();
        let words = (0..).zip(kept).map(|(column, (word, n))| (word, (column, idf(n)))).collect();
        Tfidf { words }
    }

    /// Words that have a column.
    pub fn n_columns(&self) -> usize {
        self.words.len()
    }

    /// The `(column, weight)`s of a text, rising; without a known word there are none.
    pub fn row(&self, text: &str) -> Vec<(u32, Float)> {
        let mut counts: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        each_run(text, |word| {
            if let Some(&(column, idf)) = self.words.get(word) {
                counts.entry(column).or_insert((0.0, idf)).0 += 1.0;
            }
        });
        let weights = counts.values().map(|(count, idf)| (1.0 + count.ln()) * idf);
        let weights: Vec<f64> = weights.collect();
        let norm = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        counts.into_keys().zip(weights).map(|(column, w)| (column, (w / norm) as Float)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_texts_by_hand() {
        let tfidf = Tfidf::fit(&["red lamp", "Red red rug", "a lamp red lamp"]);
        // in two texts or more: lamp (2), red (3); of pairs only "red lamp" is (texts 1 and 3)
        let mut words: Vec<_> =
            tfidf.words.iter().map(|(word, (column, _))| (column, word)).collect();
        words.sort_unstable();
        assert!(words.iter().map(|(_, word)| &word[..]).eq(["lamp", "red", "red lamp"]));
        let (seldom, always) = (1.0 + (4.0f64 / 3.0).ln(), 1.0);
        let twice = 1.0 + 2.0f64.ln();
        let [lamp, red, pair] = [twice * seldom, always, seldom];
        let norm = (lamp * lamp + red * red + pair * pair).sqrt();
        let row = tfidf.row("a lamp red lamp, blue");
        for ((column, found), (place, expected)) in
            row.iter().zip([lamp, red, pair].iter().enumerate())
        {
            assert_eq!(*column as usize, place);
            assert!((f64::from(*found) - expected / norm).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(row.len(), 3);
    }

    #[test]
    fn a_row_has_length_one_or_no_word_that_is_known() {
        let tfidf = Tfidf::fit(&["红 灯 好", "好 灯", "b b", "b c"]);
        for text in ["红灯好 b", "b", "好好好好"] {
            let square: Float = tfidf.row(text).iter().map(|(_, weight)| weight * weight).sum();
            assert!((square - 1.0).abs() < 1e-6, "{text}: {square}");
        }
        assert!(tfidf.row("c").is_empty() && tfidf.row("").is_empty());
        assert_eq!(Tfidf::fit(&[]).n_columns(), 0);
    }
}
