//! Attention as its equation stands, with every weight in memory: for reading, for looking at the
//! weights, and for what the fused form is held to.

use crate::{Mask, Var};
use tensor::Float;

/// The weights with which each query attends to the keys, a bias added to the scores.
///
/// ```math
/// \mathrm{softmax}(s\, Q K^T + B + M)
/// ```
/// `q [.., n_queries, d_k]`, `k [.., n_keys, d_k]`, B broadcast to `[.., n_queries, n_keys]`, which is
/// the result's shape. `scale` is s, 1 / √d_k in (A1), 1 in T5.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn attention_weights(q: &Var, k: &Var, scale: Float, bias: Option<&Var>, mask: &Mask) -> Var {
    let scores = q.matmul(&k.transpose(-2, -1)) * scale; // [.., n_queries, n_keys]
    let biased = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    biased.masked(mask).softmax(-1)
}

/// What [`attention`](super::attention) computes.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn attention(q: &Var, k: &Var, v: &Var, scale: Float, mask: &Mask) -> Var {
    let (n_heads, n_kv_heads) = (q.size(1), k.size(1));
    // A head of keys broadcasts over its group of queries.
    let by_group = |x: &Var| {
        let heads = [n_kv_heads, x.size(1) / n_kv_heads];
        x.reshape(&[&x.shape()[..1], &heads, &x.shape()[2..]].concat())
    };
    let [q_grouped, k, v] = [q, k, v].map(by_group);
    let y = attention_weights(&q_grouped, &k, scale, None, mask).matmul(&v);
    y.reshape(&[q.size(0), n_heads, q.size(2), v.size(-1)])
}
