//! The forward pass: each tile of queries goes over its keys once. Dao et al. 2022, algorithm 1; the
//! sums are divided at the end as in Dao 2023, section 3.1.

use super::heads::{Heads, KEYS, QUERIES, Rows, STRIDE, by_head, gather, padded, transpose};
use tensor::vmath::{self, LANES};
use tensor::{Float, Tensor, par, simd, tile};

/// What the forward pass gives, and what the backward pass needs of it.
#[derive(Clone)]
pub(super) struct Outcome {
    /// `[batch_size, n_heads, n_queries, d_v]`, a view of `[batch_size, n_queries, n_heads, d_v]`.
    pub y: Tensor,
    /// Each query's largest score, `[batch_size, n_heads, n_queries]`; 0 where it sees no key.
    pub max: Tensor,
    /// Its Σ exp(score − max), of the same shape.
    pub sum: Tensor,
}

/// A tile of queries of one head.
struct Piece<'a> {
    batch: usize,
    head: usize,
    first: usize,
    y: &'a mut [&'a mut [Float]],
    max: &'a mut [Float],
    sum: &'a mut [Float],
}

/// For any number of queries.
pub(super) fn forward(heads: &Heads) -> Outcome {
    let &[batch_size, n_heads, n_queries, _] = heads.q.shape() else { unreachable!() };
    let stats = [batch_size, n_heads, n_queries];
    let [mut max, mut sum] = [Tensor::zeros(&stats), Tensor::zeros(&stats)];
    let d_v = heads.v.size(3);
    let y = Tensor::build(&[batch_size, n_queries, n_heads, d_v], |y| {
        let mut rows = by_head(y, [batch_size, n_queries, n_heads], d_v);
        let pieces = pieces(&mut rows, n_heads, max.data_mut(), sum.data_mut());
        par::for_each(pieces, |piece| attend(heads, piece));
    });
    Outcome { y: y.transpose(1, 2), max, sum }
}

fn pieces<'a>(
    rows: &'a mut [Rows<'a>],
    n_heads: usize,
    max: &'a mut [Float],
    sum: &'a mut [Float],
) -> Vec<Piece<'a>> {
    let n_queries = rows.first().map_or(0, Vec::len).max(1);
    let stats = max.chunks_mut(n_queries).zip(sum.chunks_mut(n_queries));
    let mut pieces = Vec::new();
    for (index, (rows, (max, sum))) in rows.iter_mut().zip(stats).enumerate() {
        let (batch, head) = (index / n_heads, index % n_heads);
        let stats = max.chunks_mut(QUERIES).zip(sum.chunks_mut(QUERIES));
        for (tile, (y, (max, sum))) in rows.chunks_mut(QUERIES).zip(stats).enumerate() {
            pieces.push(Piece { batch, head, first: tile * QUERIES, y, max, sum });
        }
    }
    pieces
}

/// The outputs of a tile of queries.
fn attend(heads: &Heads, piece: Piece<'_>) {
    let Piece { batch, head, first, y, max, sum } = piece;
    let (n_queries, d_k, d_v) = (y.len(), heads.q.size(3), heads.v.size(3));
    let kv_head = head / (heads.q.size(1) / heads.k.size(1));
    let [q, k] = [heads.q.tile(&[batch, head]), heads.k.tile(&[batch, kv_head])];
    let v = heads.v.tile(&[batch, kv_head]);
    let mut q_columns = Tensor::build(&[d_k, QUERIES], |_| {});
    let q_row = (q.from_row(first).numbers(), q.row_stride());
    transpose(q_row, n_queries, heads.scale, q_columns.data_mut());
    let mut scores = Tensor::zeros(&[KEYS, STRIDE]);
    let mut out = Tensor::zeros(&[QUERIES, d_v]);
    let mut v_rows = Tensor::build(&[KEYS, d_v], |_| {});
    let (scores, out, v_rows) = (scores.data_mut(), out.data_mut(), v_rows.data_mut());
    let mut running = Running { max: [Float::NEG_INFINITY; QUERIES], sum: [0.0; QUERIES] };
    let (columns, seen) = (padded(n_queries), heads.keys_of(batch, first, n_queries));
    for start in seen.clone().step_by(KEYS) {
        let keys = start..seen.end.min(start + KEYS);
        let n_keys = keys.len();
        let (k, q) = (k.from_row(start), (q_columns.data(), QUERIES));
        tile::multiply([n_keys, d_k, columns], k, q, (scores, STRIDE), false); // s K Qᵀ
        heads.hide(batch, first, keys, scores);
        running.weigh(&mut scores[..n_keys * STRIDE], columns, out, d_v);
        let weights = tile::Tile::new(scores, [1, STRIDE]);
        let v_rows = &mut v_rows[..n_keys * d_v];
        gather((v.from_row(start).numbers(), v.row_stride()), d_v, v_rows);
        tile::multiply([n_queries, n_keys, d_v], weights, (v_rows, d_v), (out, d_v), true);
    }
    running.finish(n_queries, out, y);
    max.copy_from_slice(&running.max[..n_queries]);
    sum.copy_from_slice(&running.sum[..n_queries]);
}

/// Each query's largest score so far and its Σ exp(score − max).
struct Running {
    max: [Float; QUERIES],
    sum: [Float; QUERIES],
}

impl Running {
    /// Scores become weights, not yet divided by their sum; what came before shrinks as the maximum
    /// grows.
    fn weigh(&mut self, scores: &mut [Float], columns: usize, out: &mut [Float], d_v: usize) {
        let mut shrink = [0.0; QUERIES];
        weigh(scores, columns, &mut self.max, &mut self.sum, &mut shrink);
        for (out, &shrink) in out.chunks_exact_mut(d_v.max(1)).zip(&shrink[..columns]) {
            if shrink != 1.0 {
                out.iter_mut().for_each(|out| *out *= shrink);
            }
        }
    }

    /// Divides by the sums. A query that sees no key gets zeros.
    fn finish(&mut self, n_queries: usize, out: &[Float], y: &mut [&mut [Float]]) {
        for (q, y) in y.iter_mut().enumerate().take(n_queries) {
            let sum = self.sum[q];
            let scale = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            let out = &out[q * y.len()..];
            for (y, &out) in y.iter_mut().zip(out) {
                *y = out * scale;
            }
            if self.max[q] == Float::NEG_INFINITY {
                self.max[q] = 0.0;
            }
        }
    }
}

simd! {
    /// Of `scores [keys, STRIDE]` the first `columns`, a register of queries at a time.
    fn weigh(
        scores: &mut [Float],
        columns: usize,
        max: &mut [Float; QUERIES],
        sum: &mut [Float; QUERIES],
        shrink: &mut [Float; QUERIES],
    ) {
        for first in (0..columns).step_by(LANES) {
            let mut top = [Float::NEG_INFINITY; LANES];
            for row in scores.chunks_exact(STRIDE) {
                for (top, &score) in top.iter_mut().zip(&row[first..first + LANES]) {
                    *top = if score > *top { score } else { *top };
                }
            }
            let mut base = [0.0; LANES];
            for lane in 0..LANES {
                let before = max[first + lane];
                let now = if top[lane] > before { top[lane] } else { before };
                // Where no key is seen yet, e^(−∞ − 0) is the 0 that is wanted.
                base[lane] = if now == Float::NEG_INFINITY { 0.0 } else { now };
                max[first + lane] = now;
                shrink[first + lane] = vmath::exp(before - base[lane]);
            }
            let mut sums = [0.0; LANES];
            for row in scores.chunks_exact_mut(STRIDE) {
                let row = &mut row[first..first + LANES];
                for lane in 0..LANES {
                    let weight = vmath::exp(row[lane] - base[lane]);
                    sums[lane] += weight;
                    row[lane] = weight;
                }
            }
            for lane in 0..LANES {
                sum[first + lane] = sum[first + lane] * shrink[first + lane] + sums[lane];
            }
        }
    }
}
