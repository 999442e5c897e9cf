//! Rows of which tokens are left out, each step others.

use crate::Error;
use crate::sequence::{Sequence, Sequences};
use crate::settings::stream;
use std::borrow::Cow;
use tensor::Rng;

/// Texts that a classifier never reads whole while it learns, so that no one word decides alone: word
/// dropout.
///
/// ```math
/// \tilde x = (x_i : m_i = 1), \quad m_i \sim \mathrm{Bernoulli}(1 - p)
/// ```
/// The first and the last token, which are the special ones of an encoder, always stay. What is left
/// out is drawn from the seed, the step and the row's place, and from nothing else: a run that goes on
/// leaves out what it would have left out. Outside of steps, rows are whole.
///
/// Source: Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for Text Classification"
/// (2015), section 2.2.
#[derive(Clone, Debug)]
pub struct WordDropout {
    rows: Vec<Sequence>,
    /// p: the share that is left out.
    share: f64,
    seed: u64,
}

impl WordDropout {
    /// Rows of which each token is left out with probability `share`.
    ///
    /// # Panics
    /// If `share` is not in [0, 1).
    #[track_caller]
    pub fn new(rows: Vec<Sequence>, share: f64, seed: u64) -> WordDropout {
        assert!((0.0..1.0).contains(&share), "WordDropout::new: {share} is not in [0, 1)");
        WordDropout { rows, share, seed }
    }
}

impl Sequences for WordDropout {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error> {
        Ok(Cow::Borrowed(&self.rows[index]))
    }

    fn of_step(&self, index: usize, step: usize) -> Result<Cow<'_, Sequence>, Error> {
        let row = &self.rows[index];
        let mut rng = Rng::derived(self.seed, &[stream::TOKENS, step as u64, index as u64]);
        let last = row.ids.len().saturating_sub(1);
        let stays = |&(place, _): &(usize, &u32)| {
            let is_drawn = rng.uniform() >= self.share;
            is_drawn || place == 0 || place == last
        };
        let ids = row.ids.iter().enumerate().filter(stays).map(|(_, &id)| id).collect();
        Ok(Cow::Owned(Sequence { ids, ..row.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Target;

    fn row(len: u32) -> Sequence {
        Sequence { ids: (0..len).collect(), target: Target::Class(1), line: 7 }
    }

    #[test]
    fn its_share_is_left_out_in_order_and_the_ends_stay() {
        let rows = WordDropout::new(vec![row(10_000)], 0.3, 1);
        let dropped = rows.of_step(0, 1).unwrap();
        assert!((6_850..7_150).contains(&dropped.ids.len()), "{}", dropped.ids.len());
        assert!(dropped.ids.is_sorted());
        assert_eq!((dropped.ids[0], dropped.ids.last()), (0, Some(&9_999)));
        assert_eq!((&dropped.target, dropped.line), (&Target::Class(1), 7));
    }

    #[test]
    fn each_step_leaves_out_others_and_a_step_always_the_same() {
        let rows = WordDropout::new(vec![row(50), row(50)], 0.5, 1);
        assert_eq!(rows.of_step(0, 1).unwrap(), rows.of_step(0, 1).unwrap());
        assert_ne!(rows.of_step(0, 1).unwrap(), rows.of_step(0, 2).unwrap());
        assert_ne!(rows.of_step(0, 1).unwrap().ids, rows.of_step(1, 1).unwrap().ids);
        assert_eq!(*rows.get(0).unwrap(), row(50));
    }

    #[test]
    fn short_rows_and_a_share_of_nothing_stay_whole() {
        for len in 0..3 {
            let rows = WordDropout::new(vec![row(len)], 0.99, 1);
            assert_eq!(*rows.of_step(0, 3).unwrap(), row(len));
        }
        assert_eq!(*WordDropout::new(vec![row(9)], 0.0, 1).of_step(0, 1).unwrap(), row(9));
    }
}
