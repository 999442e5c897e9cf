//! The forward pass for one query a head: a token of decoding.
//!
//! Each number of the keys and values is used once for each query that its head serves, so that the
//! work takes as long as memory needs to give them. Each head of keys and values is cut into ranges of
//! keys, and a range serves all its queries while it lies in the first cache. A range gives each query
//! Σ wᵢ vᵢ with wᵢ = exp(scoreᵢ − m), the largest score m and Σ wᵢ; ranges are then added in order, each
//! times exp(m − the largest m), as in Dao et al. 2023, "Flash-Decoding for long-context inference".

use super::forward::Outcome;
use super::heads::Heads;
use std::ops::Range;
use tensor::{Float, Tensor, par, simd, tile, vmath};

/// Keys of a range.
const KEYS: usize = 128;
/// Multiplications that are not worth a second thread.
const SMALL: usize = 64 * 1024;

/// The outcome where there is one query a head, and something to attend to; `None` elsewhere.
pub(super) fn forward(heads: &Heads) -> Option<Outcome> {
    let &[batch_size, n_heads, n_queries, d_k] = heads.q.shape() else { unreachable!() };
    let (n_kv_heads, n_keys, d_v) = (heads.k.size(1), heads.k.size(2), heads.v.size(3));
    if n_queries != 1 || batch_size * n_heads * n_keys * d_k * d_v == 0 {
        return None;
    }
    let (group, ranges) = (n_heads / n_kv_heads, n_keys.div_ceil(KEYS));
    let width = d_v + 2; // the sum of the values, the largest score, the sum of the weights
    let work = batch_size * n_heads * n_keys * (d_k + d_v);
    let parts = Tensor::build(&[batch_size * n_kv_heads, ranges, group, width], |parts| {
        let part = |index: usize, part: &mut [Float]| {
            let (head, start) = (index / ranges, index % ranges * KEYS);
            let keys = start..n_keys.min(start + KEYS);
            attend(heads, [head / n_kv_heads, head % n_kv_heads], keys, part);
        };
        let len = group * width;
        if work < SMALL {
            parts
                .chunks_exact_mut(len)
                .enumerate()
                .for_each(|(index, numbers)| part(index, numbers));
        } else {
            par::for_parts(parts, len, |first, numbers| part(first / len, numbers));
        }
    });
    Some(added(&parts, [batch_size, n_heads, d_v]))
}

/// What a range of one head's keys gives each of its queries: `part [group, d_v + 2]`.
fn attend(heads: &Heads, [batch, kv_head]: [usize; 2], keys: Range<usize>, part: &mut [Float]) {
    let (d_k, d_v) = (heads.q.size(3), heads.v.size(3));
    let [k, v] = [&heads.k, &heads.v].map(|x| x.tile(&[batch, kv_head]));
    let group = heads.q.size(1) / heads.k.size(1);
    let seen = heads.keys_of(batch, 0, 1);
    let keys = keys.start.max(seen.start).min(keys.end)..keys.end.min(seen.end).max(keys.start);
    let tokens = heads.mask.tokens(batch, heads.k.size(2)).map(|tokens| &tokens[keys.clone()]);
    let (k, v) = (k.from_row(keys.start), v.from_row(keys.start));
    let mut scores = [0.0; KEYS];
    let scores = &mut scores[..keys.len()];
    for (member, part) in part.chunks_exact_mut(d_v + 2).enumerate() {
        let q = heads.q.tile(&[batch, kv_head * group + member]).numbers();
        score(&q[..d_k], (k.numbers(), k.row_stride()), heads.scale, scores);
        if let Some(tokens) = tokens {
            let hidden = scores.iter_mut().zip(tokens).filter(|(_, is_token)| !**is_token);
            hidden.for_each(|(score, _)| *score = Float::NEG_INFINITY);
        }
        let (sums, stats) = part.split_at_mut(d_v);
        weigh(scores, stats);
        sums.fill(0.0);
        tile::add_rows(scores, v.numbers(), v.row_stride(), sums);
    }
}

simd! {
    /// Each key's product with the query, times `scale`.
    fn score(q: &[Float], k: (&[Float], usize), scale: Float, scores: &mut [Float]) {
        let (k, stride) = k;
        for (key, score) in scores.iter_mut().enumerate() {
            *score = scale * vmath::dot(q, &k[key * stride..][..q.len()]);
        }
    }
}

simd! {
    /// Scores become weights; their largest and the weights' sum are put in `stats`.
    fn weigh(scores: &mut [Float], stats: &mut [Float]) {
        let max = vmath::max(scores);
        // Where no key is seen, e^(−∞ − 0) is the 0 that is wanted.
        let base = if max == Float::NEG_INFINITY { 0.0 } else { max };
        for score in scores.iter_mut() {
            *score = vmath::exp(*score - base);
        }
        stats[0] = max;
        stats[1] = vmath::sum(scores);
    }
}

/// The ranges' parts `[kv heads of all rows, ranges, group, d_v + 2]` added up and divided by the sum of
/// all weights.
fn added(parts: &Tensor, [batch_size, n_heads, d_v]: [usize; 3]) -> Outcome {
    let (ranges, group, width) = (parts.size(1), parts.size(2), d_v + 2);
    let stats = [batch_size, n_heads, 1];
    let [mut max, mut sum] = [Tensor::zeros(&stats), Tensor::zeros(&stats)];
    let y = Tensor::build(&[batch_size, 1, n_heads, d_v], |y| {
        let stats = max.data_mut().iter_mut().zip(sum.data_mut());
        for (index, (y, (max, sum))) in y.chunks_exact_mut(d_v).zip(stats).enumerate() {
            let (head, member) = (index / group, index % group);
            let part = |range: usize| {
                let start = ((head * ranges + range) * group + member) * width;
                parts.data()[start..][..width].split_at(d_v)
            };
            let largest = (0..ranges).map(|range| part(range).1[0]);
            let largest = largest.fold(Float::NEG_INFINITY, Float::max);
            *max = if largest == Float::NEG_INFINITY { 0.0 } else { largest };
            y.fill(0.0);
            for (values, stats) in (0..ranges).map(part) {
                add_range(values, stats, *max, y, sum);
            }
            let scale = if *sum == 0.0 { 0.0 } else { 1.0 / *sum };
            y.iter_mut().for_each(|y| *y *= scale);
        }
    });
    Outcome { y: y.transpose(1, 2), max, sum }
}

simd! {
    /// Adds a range's values and sum, as much smaller as its largest score is below that of all.
    fn add_range(values: &[Float], stats: &[Float], max: Float, y: &mut [Float], sum: &mut Float) {
        let shrink = vmath::exp(stats[0] - max);
        *sum += shrink * stats[1];
        y.iter_mut().zip(values).for_each(|(y, value)| *y += shrink * value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::masked::Mask;
    use super::super::forward;
    use super::*;
    use proptest::prelude::*;
    use tensor::Rng;

    const TOLERANCE: Float = if size_of::<Float>() == 8 { 1e-12 } else { 2e-5 };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_form_for_any_number_of_queries(
            batch_size in 1usize..3, n_kv_heads in 1usize..4, group in 1usize..4,
            n_keys in 1usize..600, d_k in 1usize..70, d_v in 1usize..70,
            causal in any::<bool>(), padding in 0usize..4,
        ) {
            let mut rng = Rng::seeded(n_keys as u64);
            let mut draw = |heads: usize, len: usize, width: usize| {
                rng.normal(&[batch_size, len, heads, width], 1.0).transpose(1, 2)
            };
            let q = draw(n_kv_heads * group, 1, d_k);
            let (k, v) = (draw(n_kv_heads, n_keys, d_k), draw(n_kv_heads, n_keys, d_v));
            let is_token: Vec<bool> = (0..batch_size * n_keys)
                .map(|i| match padding {
                    1 => i % n_keys > 150,
                    2 => i % n_keys < 140,
                    _ => rng.uniform() < 0.7,
                })
                .collect();
            let mask = if causal { Mask::causal() } else { Mask::none() };
            let mask = if padding == 0 { mask } else { mask.with_padding(is_token) };
            let heads = Heads::new([&q, &k, &v], 0.3, &mask);
            let (found, expected) = (forward(&heads).unwrap(), forward::forward(&heads));
            let near = |a: &Tensor, b: &Tensor| {
                let (a, b) = (a.to_vec(), b.to_vec());
                a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= TOLERANCE * (1.0 + b.abs()))
            };
            prop_assert!(near(&found.y, &expected.y) && near(&found.sum, &expected.sum));
            prop_assert!(near(&found.max, &expected.max));
        }
    }

    #[test]
    fn several_queries_or_nothing_to_attend_to_are_not_its_work() {
        let [x, none] = [2, 0].map(|len| Tensor::ones(&[1, 1, len, 4]));
        let one = Tensor::ones(&[1, 1, 1, 4]);
        assert!(forward(&Heads::new([&x, &x, &x], 1.0, &Mask::none())).is_none());
        assert!(forward(&Heads::new([&one, &none, &none], 1.0, &Mask::none())).is_none());
    }
}
