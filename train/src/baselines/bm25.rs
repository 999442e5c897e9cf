//! BM25: how well documents fit a query by the words they share.

use crate::metrics::words;
use std::collections::{BTreeMap, HashMap};

/// How soon more of the same word stops to count.
const K1: f64 = 1.2;
/// How much a document's length counts.
const B: f64 = 0.75;

/// Okapi BM25 over documents, with an index from each word to the documents it stands in.
///
/// ```math
/// s(q, d) = \sum_{t \in q} \ln\Big(1 + \frac{N - n_t + ½}{n_t + ½}\Big)
///   \cdot \frac{f_{t,d} \, (k_1 + 1)}
///   {f_{t,d} + k_1 \big(1 - b + b \, |d| / \overline{|d|}\big)}
/// ```
///
/// `` $`N`$ `` is the number of documents, `` $`n_t`$ `` that of documents with the word
/// `` $`t`$ ``, `` $`f_{t,d}`$ `` how often it stands in `` $`d`$ ``, `` $`|d|`$ `` the
/// document's length in words and `` $`\overline{|d|}`$ `` the mean length;
/// `` $`k_1 = 1.2`$ ``, `` $`b = 0.75`$ ``. A word that stands twice in the query counts twice.
/// Words are lower-cased runs of letters and digits, and single characters of scripts without
/// spaces.
///
/// Departs from the paper in the 1 added inside the logarithm: without it a word that stands in
/// more than half of the documents would count against them, as in a small shop many do.
///
/// Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
/// (2009), section 3.4.
#[derive(Clone, Debug)]
pub struct Bm25 {
    index: HashMap<String, Vec<Occurrence>>,
    /// `` $`k_1 (1 - b + b |d| / \overline{|d|})`$ `` of each document.
    norms: Vec<f64>,
}

/// A word in a document.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    document: u32,
    count: u32,
}

impl Bm25 {
    /// The index of these documents.
    pub fn new<'a>(documents: impl IntoIterator<Item = &'a str>) -> Bm25 {
        let mut index: HashMap<String, Vec<Occurrence>> = HashMap::new();
        let mut lengths = Vec::new();
        for (document, text) in (0..).zip(documents) {
            let words = words(text);
            lengths.push(words.len() as f64);
            for (word, count) in counts(words) {
                index.entry(word).or_default().push(Occurrence { document, count });
            }
        }
        let mean = (lengths.iter().sum::<f64>() / lengths.len().max(1) as f64).max(1.0);
        let norms = lengths.iter().map(|length| K1 * (1.0 - B + B * length / mean)).collect();
        Bm25 { index, norms }
    }

    /// The score of each document, in their order; 0 where no word is shared.
    pub fn scores(&self, query: &str) -> Vec<f64> {
        let mut scores = vec![0.0; self.norms.len()];
        for (word, times) in counts(words(query)) {
            let Some(occurrences) = self.index.get(&word) else { continue };
            let (all, with) = (self.norms.len() as f64, occurrences.len() as f64);
            let weight = f64::from(times) * (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for &Occurrence { document, count } in occurrences {
                let (count, document) = (f64::from(count), document as usize);
                scores[document] += weight * count * (K1 + 1.0) / (count + self.norms[document]);
            }
        }
        scores
    }

    /// The `n` documents that fit the query best, with their scores, the best first; of equals
    /// the first in their order.
    pub fn nearest(&self, query: &str, n: usize) -> Vec<(usize, f64)> {
        let mut found: Vec<(usize, f64)> = self.scores(query).into_iter().enumerate().collect();
        let better = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n < found.len() {
            found.select_nth_unstable_by(n, better);
            found.truncate(n);
        }
        found.sort_unstable_by(better);
        found
    }
}

/// How often each word stands there, in an order that is always the same.
fn counts(words: Vec<String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The equation as it stands, document by document.
    fn by_definition(documents: &[String], query: &str) -> Vec<f64> {
        let documents: Vec<Vec<String>> = documents.iter().map(|text| words(text)).collect();
        let total: usize = documents.iter().map(Vec::len).sum();
        let mean = (total as f64 / documents.len() as f64).max(1.0);
        let score = |document: &Vec<String>| {
            let of_word = |word: &String| {
                let with = documents.iter().filter(|d| d.contains(word)).count() as f64;
                let idf = (1.0 + (documents.len() as f64 - with + 0.5) / (with + 0.5)).ln();
                let f = document.iter().filter(|w| *w == word).count() as f64;
                idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * document.len() as f64 / mean))
            };
            words(query).iter().map(of_word).sum()
        };
        documents.iter().map(score).collect()
    }

    #[test]
    fn a_score_by_hand() {
        let search = Bm25::new(["red lamp", "red red cup", "Desk"]);
        // two words of a mean of two; `lamp` in one document of three: ln(1 + 2.5 / 1.5)
        let lamp = (1.0 + 2.5 / 1.5f64).ln() * 2.2 / 2.2;
        approx::assert_relative_eq!(search.scores("LAMP?")[0], lamp, epsilon = 1e-12);
        // `red` in two of three, twice in three words: ln(1 + 1.5 / 2.5)
        let red = (1.0 + 1.5 / 2.5f64).ln() * 2.0 * 2.2 / (2.0 + 1.2 * (0.25 + 0.75 * 1.5));
        approx::assert_relative_eq!(search.scores("red")[1], red, epsilon = 1e-12);
        approx::assert_relative_eq!(search.scores("red red")[1], 2.0 * red, epsilon = 1e-12);
        assert_eq!(search.scores("blue"), [0.0; 3]);
    }

    #[test]
    fn the_nearest_come_first_and_of_equals_the_first() {
        let search = Bm25::new(["a chair", "a lamp", "the lamp", "手机很好", "a lamp"]);
        let order = |query: &str, n| -> Vec<usize> {
            search.nearest(query, n).into_iter().map(|(document, _)| document).collect()
        };
        assert_eq!(order("lamp", 3), [1, 2, 4]);
        assert_eq!(order("a lamp", 2), [1, 4]);
        assert_eq!(order("这个手机", 1), [3]);
        assert_eq!(order("nothing", 9), [0, 1, 2, 3, 4]);
        assert_eq!(order("lamp", 0), [0; 0]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(Bm25::new([]).nearest("lamp", 3).is_empty());
        assert_eq!(Bm25::new(["", "?!"]).nearest("lamp", 1), [(0, 0.0)]);
    }

    proptest! {
        #[test]
        fn the_index_gives_what_the_definition_does(
            documents in proptest::collection::vec("[abc ]{0,12}", 1..8),
            query in "[abcd ]{0,8}",
        ) {
            let found = Bm25::new(documents.iter().map(String::as_str)).scores(&query);
            for (a, b) in found.iter().zip(by_definition(&documents, &query)) {
                prop_assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
    }
}
