//! (A1) Scaled dot-product attention that never holds the weights of all queries and keys.
//!
//! Memory grows with the length, not with its square: a tile of scores at a time lies in a cache,
//! and the backward pass computes it again (Dao et al. 2022, "FlashAttention"). Tiles that a causal
//! mask or padding hides as a whole are skipped. The equation as it stands is in [`textbook`].

mod backward;
mod forward;
mod heads;
mod one_query;
pub mod textbook;

use super::masked::Mask;
use crate::{Gradient, Var};
use backward::{Gradients, backward};
use forward::Outcome;
use heads::{Heads, by_head};
use tensor::{Float, Tensor};

/// Each query's mean of the values, weighed by how well their keys match it.
///
/// ```math
/// Y = P V, \quad P = \mathrm{softmax}(S), \quad S = s\, Q K^T + M
/// ```
/// ```math
/// \bar V = P^T \bar Y, \quad \bar S_{qk} = P_{qk} \big( (\bar Y V^T)_{qk} - Y_q \cdot \bar Y_q \big),
/// \quad \bar Q = s\, \bar S K, \quad \bar K = s\, \bar S^T Q
/// ```
/// `q [batch_size, n_heads, n_queries, d_k]`, `k [batch_size, n_kv_heads, n_keys, d_k]`,
/// `v [batch_size, n_kv_heads, n_keys, d_v]` → `[batch_size, n_heads, n_queries, d_v]`, which lies in
/// memory as `[batch_size, n_queries, n_heads, d_v]`, so that heads are joined without a copy. Each
/// head of keys and values serves a group of query heads that lie side by side. `scale` is s,
/// 1 / √d_k in the paper. A query that may attend to nothing gets zeros.
///
/// Products are of [`Float`] whatever [`tensor::Precision`] says: they are a small part of a model's,
/// and the ones that rounding hurts most.
///
/// Source: Vaswani et al. 2017, section 3.2.1; Dao et al. 2022, algorithms 1 and 4; groups: Ainslie
/// et al. 2023, section 2.2.
///
/// ```
/// use autograd::{Mask, Var, ops::attention::attention};
/// let x = Var::leaf(tensor::Tensor::ones(&[1, 2, 5, 8])); // 2 heads
/// let y = attention(&x, &x, &x, 1.0, &Mask::causal());
/// assert!((&y - &x).value().to_vec().iter().all(|difference| difference.abs() < 1e-6));
/// ```
///
/// # Panics
/// If the shapes or the mask's padding do not fit.
#[track_caller]
pub fn attention(q: &Var, k: &Var, v: &Var, scale: Float, mask: &Mask) -> Var {
    let heads = Heads::new([q.value(), k.value(), v.value()], scale, mask);
    let outcome = computed(&heads);
    let y = outcome.y.clone();
    let kept = [&heads.q, &heads.k, &heads.v, &outcome.y, &outcome.max, &outcome.sum];
    let bytes = kept.iter().map(|x| x.bytes()).sum();
    Var::record_all("attention", &[q, k, v], y, bytes, move |dy| {
        let [dq, dk, dv] = gradients(&heads, &outcome, &dy);
        vec![dq.into(), dk.into(), dv.into()]
    })
}

fn computed(heads: &Heads) -> Outcome {
    one_query::forward(heads).unwrap_or_else(|| forward::forward(heads))
}

/// The gradients of q, k and v, which lie in memory as heads that are joined.
fn gradients(heads: &Heads, outcome: &Outcome, dy: &Tensor) -> [Tensor; 3] {
    let inputs = [&heads.q, &heads.k, &heads.v];
    let mut gradients = inputs.map(|x| {
        let &[batch_size, n_heads, len, width] = x.shape() else { unreachable!() };
        Tensor::build(&[batch_size, len, n_heads, width], |_| {})
    });
    let [q, k, v] = gradients.each_mut().map(|x| {
        let &[batch_size, len, n_heads, width] = x.shape() else { unreachable!() };
        by_head(x.data_mut(), [batch_size, len, n_heads], width)
    });
    backward(heads, outcome, dy, Gradients { q, k, v });
    gradients.map(|x| x.transpose(1, 2))
}

/// [`attention`] over one sequence, its queries, keys and values side by side in one tensor, as one
/// matrix gives them; so is their gradient.
///
/// `qkv [batch_size, seq_len, (n_heads + 2 n_kv_heads) · d_k]` →
/// `[batch_size, seq_len, n_heads · d_k]`; `heads` are `[n_heads, n_kv_heads]`.
///
/// # Panics
/// If the shapes or the mask's padding do not fit.
#[track_caller]
pub fn self_attention(qkv: &Var, heads: [usize; 2], scale: Float, mask: &Mask) -> Var {
    let [n_heads, n_kv_heads] = heads;
    let all = n_heads + 2 * n_kv_heads;
    if qkv.value().rank() != 3 || qkv.size(-1).checked_rem(all) != Some(0) {
        let rule = format!("{all} heads of queries, keys and values do not share the last axis");
        tensor::shape::wrong("self_attention", &rule, &[qkv.shape()], "");
    }
    let [batch_size, seq_len] = [qkv.size(0), qkv.size(1)];
    let d_k = qkv.size(-1) / all;
    let apart = qkv.value().reshape(&[batch_size, seq_len, all, d_k]).transpose(1, 2);
    let part = |start, len| apart.narrow(1, start, len);
    let [q, k, v] = [(0, n_heads), (n_heads, n_kv_heads), (n_heads + n_kv_heads, n_kv_heads)]
        .map(|(start, len)| part(start, len));
    let heads = Heads::new([&q, &k, &v], scale, mask);
    let outcome = computed(&heads);
    let y = outcome.y.transpose(1, 2).reshape(&[batch_size, seq_len, n_heads * d_k]);
    let kept = [qkv.value(), &outcome.y, &outcome.max, &outcome.sum];
    let bytes = kept.iter().map(|x| x.bytes()).sum();
    Var::record_all("self_attention", &[qkv], y, bytes, move |dy| {
        let dy = dy.reshape(&[batch_size, seq_len, n_heads, d_k]).transpose(1, 2);
        let dqkv = Tensor::build(&[batch_size, seq_len, all * d_k], |dqkv| {
            let rows = by_head(dqkv, [batch_size, seq_len, all], d_k);
            backward(&heads, &outcome, &dy, parts(rows, n_heads, n_kv_heads));
        });
        vec![Gradient::Dense(dqkv)]
    })
}

/// Rows of each row of the batch's heads, sorted into those of queries, keys and values.
fn parts(rows: Vec<heads::Rows<'_>>, n_heads: usize, n_kv_heads: usize) -> Gradients<'_> {
    let mut parts = Gradients { q: Vec::new(), k: Vec::new(), v: Vec::new() };
    for (index, rows) in rows.into_iter().enumerate() {
        let head = index % (n_heads + 2 * n_kv_heads);
        let part = match head.checked_sub(n_heads) {
            None => &mut parts.q,
            Some(head) if head < n_kv_heads => &mut parts.k,
            Some(_) => &mut parts.v,
        };
        part.push(rows);
    }
    parts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use proptest::prelude::*;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes: [&[usize]; 3], mask: Mask| {
            Case::new(shapes, move |x| attention(&x[0], &x[1], &x[2], 0.5, &mask))
        };
        let padded = Mask::causal().with_padding([true, true, true, true, false, true]);
        vec![
            of([&[1, 1, 3, 2], &[1, 1, 4, 2], &[1, 1, 4, 3]], Mask::none()),
            of([&[2, 4, 3, 2], &[2, 2, 3, 2], &[2, 2, 3, 1]], padded),
            of([&[1, 2, 1, 3], &[1, 2, 5, 3], &[1, 2, 5, 3]], Mask::causal()),
            Case::new([&[2, 3, 8]], |x| self_attention(&x[0], [2, 1], 0.5, &Mask::causal())),
            of([&[2, 4, 200, 16], &[2, 2, 200, 16], &[2, 2, 200, 16]], Mask::causal()),
            of([&[2, 6, 1, 32], &[2, 2, 700, 32], &[2, 2, 700, 32]], Mask::causal()),
            Case::new([&[2, 150, 192]], |x| self_attention(&x[0], [2, 2], 0.2, &Mask::causal())),
        ]
    }

    /// The value and the gradients of all inputs.
    fn values(inputs: &[Tensor; 3], attend: impl Fn(&Var, &Var, &Var) -> Var) -> Vec<Vec<Float>> {
        let leaves = inputs.clone().map(Var::leaf);
        let [q, k, v] = &leaves;
        let y = attend(q, k, v);
        let weights = Var::constant(Rng::seeded(1).normal(y.shape(), 1.0));
        let gradients = (&y * &weights).sum().backward().unwrap();
        let of = |leaf: &Var| gradients.get(leaf).unwrap().to_vec();
        std::iter::once(y.value().to_vec()).chain(leaves.iter().map(of)).collect()
    }

    fn assert_close(found: &[Vec<Float>], expected: &[Vec<Float>], tolerance: Float) {
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{a} {b}");
            }
        }
    }

    const TOLERANCE: Float = if size_of::<Float>() == 8 { 1e-10 } else { 1e-4 };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_textbook_for_any_shape_mask_and_group(
            batch_size in 0usize..3, n_kv_heads in 1usize..3, group in 1usize..4,
            n_queries in 0usize..300, n_keys in 0usize..280,
            d_k in 1usize..20, d_v in 1usize..20,
            causal in any::<bool>(), padding in 0usize..4, strided in any::<bool>(),
        ) {
            let mut rng = Rng::seeded((n_queries * 280 + n_keys) as u64);
            let mut draw = |n_heads: usize, len: usize, width: usize| {
                if strided {
                    rng.normal(&[batch_size, width, len, n_heads], 1.0).transpose(1, 3)
                } else {
                    rng.normal(&[batch_size, len, n_heads, width], 1.0).transpose(1, 2)
                }
            };
            let q = draw(n_kv_heads * group, n_queries, d_k);
            let inputs = [q, draw(n_kv_heads, n_keys, d_k), draw(n_kv_heads, n_keys, d_v)];
            let mask = if causal { Mask::causal() } else { Mask::none() };
            // Padding on the left, on the right, or anywhere.
            let is_token: Vec<bool> = (0..batch_size * n_keys)
                .map(|i| match padding {
                    1 => i % n_keys > 150,
                    2 => i % n_keys < 140,
                    _ => rng.uniform() < 0.7,
                })
                .collect();
            let mask = if padding == 0 { mask } else { mask.with_padding(is_token) };
            let expected = values(&inputs, |q, k, v| textbook::attention(q, k, v, 0.4, &mask));
            assert_close(&values(&inputs, |q, k, v| attention(q, k, v, 0.4, &mask)), &expected, TOLERANCE);
        }
    }

    #[test]
    fn joined_heads_equal_heads_apart() {
        let mut rng = Rng::seeded(3);
        let (qkv, mask) = (Var::leaf(rng.normal(&[2, 9, 8 * 3], 1.0)), Mask::causal());
        let weights = Var::constant(rng.normal(&[2, 9, 12], 1.0));
        let apart = |start: usize, n_heads: usize| {
            let part = qkv.narrow(-1, 3 * start, 3 * n_heads);
            part.reshape(&[2, 9, n_heads, 3]).transpose(1, 2)
        };
        let [q, k, v] = [apart(0, 4), apart(4, 2), apart(6, 2)];
        let y = attention(&q, &k, &v, 0.7, &mask).transpose(1, 2).reshape(&[2, 9, 12]);
        let joined = self_attention(&qkv, [4, 2], 0.7, &mask);
        assert_eq!(joined.value().to_vec(), y.value().to_vec());
        let [a, b] = [joined, y].map(|y| (y * &weights).sum().backward().unwrap());
        assert_eq!(a.get(&qkv).unwrap().to_vec(), b.get(&qkv).unwrap().to_vec());
    }

    #[test]
    fn extreme_scores_pick_one_value_and_no_keys_give_zeros() {
        let [q, k, v] = [&[1e4][..], &[1.0, -1.0], &[3.0, 5.0]]
            .map(|x| Var::leaf(Tensor::new(x, &[1, 1, x.len(), 1])));
        let attend = |mask| attention(&q, &k, &v, 1.0, &mask);
        assert_eq!(attend(Mask::none()).item(), 3.0);
        let gradients = attend(Mask::none()).backward().unwrap();
        assert_eq!(gradients.get(&v).unwrap().to_vec(), [1.0, 0.0]);
        let nothing = attend(Mask::none().with_padding([false, false]));
        assert_eq!(nothing.item(), 0.0);
        let gradients = nothing.backward().unwrap();
        assert_eq!(gradients.get(&k).unwrap().to_vec(), [0.0, 0.0]);
        let nan = Var::leaf(Tensor::full(&[1, 1, 1, 1], Float::NAN));
        assert!(attention(&nan, &k, &v, 1.0, &Mask::none()).item().is_nan());
    }

    #[test]
    fn what_is_kept_grows_with_the_length_and_not_with_its_square() {
        let saved = |len: usize| {
            let x = Var::leaf(Tensor::ones(&[1, 1, len, 8]));
            attention(&x, &x, &x, 1.0, &Mask::causal()).saved_bytes()
        };
        assert_eq!(saved(600), 2 * saved(300));
    }

    #[test]
    #[should_panic(expected = "attention: q [batch, heads, n_queries, d_k], k and v \
                               [batch, kv heads, n_keys, ..] do not fit: [1, 3, 2, 4] and \
                               [1, 2, 2, 4] and [1, 2, 2, 4]; kv heads divide heads")]
    fn heads_must_be_shared_out() {
        let [q, k] = [3, 2].map(|heads| Var::leaf(Tensor::ones(&[1, heads, 2, 4])));
        attention(&q, &k, &k, 1.0, &Mask::none());
    }

    #[test]
    #[should_panic(expected = "attention: the padding mask is not [batch_size, n_keys] of these \
                               scores: [1, 2]")]
    fn padding_must_fit() {
        let x = Var::leaf(Tensor::ones(&[1, 1, 2, 4]));
        attention(&x, &x, &x, 1.0, &Mask::none().with_padding([true; 3]));
    }

    #[test]
    #[should_panic(expected = "self_attention: 4 heads of queries, keys and values do not share \
                               the last axis: [1, 2, 6]")]
    fn joined_heads_must_share_the_last_axis() {
        self_attention(&Var::leaf(Tensor::ones(&[1, 2, 6])), [2, 1], 1.0, &Mask::none());
    }
}
