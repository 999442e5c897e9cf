//! (P3) Relative positions as a bias of the scores. Raffel et al. 2020, section 2.1; the buckets are
//! those of its published code.

use crate::init::Init;
use crate::{Embedding, parameters_of};
use autograd::Var;
use tensor::{Rng, Tokens};

/// A learned number for each head and distance, added to the scores of attention.
///
/// ```math
/// e_{h,q,k} = \frac{q \cdot k}{\sqrt{d_k}} + B_{\mathrm{bucket}(k - q),\,h} \qquad (P3)
/// ```
/// Distances near 0 have a bucket each, larger ones share buckets that grow with the logarithm of
/// the distance, and all beyond `max_distance` share the last.
#[derive(Clone, Debug)]
pub struct RelativePositionBias {
    /// B, `[n_buckets, n_heads]`.
    pub table: Embedding,
    /// Distances from this one on share the last bucket.
    pub max_distance: usize,
    /// Whether keys after the query have buckets of their own (encoders), or are not seen.
    pub bidirectional: bool,
}
parameters_of!(RelativePositionBias { table });

impl RelativePositionBias {
    /// T5's sizes are 32 buckets and a largest distance of 128.
    ///
    /// # Panics
    /// If the buckets are too few, or the largest distance is within those of one bucket each.
    #[track_caller]
    pub fn new(
        rng: &mut Rng,
        (n_buckets, max_distance): (usize, usize),
        n_heads: usize,
        bidirectional: bool,
        init: Init,
    ) -> RelativePositionBias {
        let exact = if bidirectional { n_buckets / 4 } else { n_buckets / 2 };
        assert!(
            exact > 0 && max_distance > exact,
            "relative positions: {n_buckets} buckets do not reach to a distance of {max_distance}"
        );
        let table = Embedding::new(rng, n_buckets, n_heads, init);
        RelativePositionBias { table, max_distance, bidirectional }
    }

    /// The bias of each score, the last query being aligned with the last key:
    /// `[n_heads, n_queries, n_keys]`.
    pub fn forward(&self, n_queries: usize, n_keys: usize) -> Var {
        let past = n_keys.saturating_sub(n_queries);
        let n_buckets = self.table.weight.size(0);
        let bucket = |q: usize, k: usize| {
            let distance = k as i64 - (q + past) as i64;
            self.bucket(distance, n_buckets) as u32
        };
        let ids: Vec<u32> = (0..n_queries)
            .flat_map(|q| (0..n_keys).map(move |k| (q, k)))
            .map(|(q, k)| bucket(q, k))
            .collect();
        let ids = Tokens::new(ids, n_buckets).expect("a bucket is below n_buckets");
        let bias = self.table.forward(&ids.reshape(&[n_queries, n_keys]));
        bias.permute(&[2, 0, 1])
    }

    /// The bucket of a key `distance` positions after its query.
    fn bucket(&self, distance: i64, n_buckets: usize) -> usize {
        let (n, first) = match (self.bidirectional, distance > 0) {
            (true, true) => (n_buckets / 2, n_buckets / 2),
            (true, false) => (n_buckets / 2, 0),
            (false, true) => return 0,
            (false, false) => (n_buckets, 0),
        };
        let (distance, exact) = (distance.unsigned_abs() as usize, n / 2);
        if distance < exact {
            return first + distance;
        }
        let ratio = |x: usize| (x as f32 / exact as f32).ln();
        let step = ratio(distance) / ratio(self.max_distance) * (n - exact) as f32;
        first + (exact + step as usize).min(n - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bias(bidirectional: bool) -> RelativePositionBias {
        let init = Init::Normal(1.0);
        RelativePositionBias::new(&mut Rng::seeded(1), (32, 128), 2, bidirectional, init)
    }

    #[test]
    fn buckets_by_hand_p3() {
        let buckets = |bias: &RelativePositionBias, distances: &[i64]| {
            distances.iter().map(|&d| bias.bucket(d, 32)).collect::<Vec<_>>()
        };
        let distances = [0, -1, -7, -8, -16, -127, -1000, 1, 8, 1000];
        let encoder = buckets(&bias(true), &distances);
        assert_eq!(encoder, [0, 1, 7, 8, 10, 15, 15, 17, 24, 31]);
        let decoder = buckets(&bias(false), &distances);
        assert_eq!(decoder, [0, 1, 7, 8, 16, 31, 31, 0, 0, 0]);
    }

    #[test]
    fn the_last_query_is_aligned_with_the_last_key() {
        let bias = bias(true);
        let whole = bias.forward(5, 5);
        let last = bias.forward(2, 5);
        assert_eq!(whole.value().narrow(1, 3, 2).to_vec(), last.value().to_vec());
        assert_eq!(last.shape(), [2, 2, 5]);
    }

    #[test]
    #[should_panic(expected = "relative positions: 32 buckets do not reach to a distance of 8")]
    fn buckets_must_reach_beyond_those_of_one_distance() {
        let init = Init::Normal(1.0);
        RelativePositionBias::new(&mut Rng::seeded(1), (32, 8), 2, true, init);
    }

    #[test]
    fn an_extreme_no_query() {
        assert_eq!(bias(false).forward(0, 3).shape(), [2, 0, 3]);
    }
}
