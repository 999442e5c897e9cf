//! The forward pass: each tile of queries goes over its keys once. Dao et al. 2022, algorithm 1; the
//! sums are divided at the end as in Dao 2023, section 3.1.

use super::heads::{
    Heads, KEYS, QUERIES, Rows, STRIDE, TOGETHER, by_head, gather, padded, transpose,
};
use std::ops::Range;
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

/// Queries of one head that go over the keys together.
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
        let len = TOGETHER * QUERIES;
        let stats = max.chunks_mut(len).zip(sum.chunks_mut(len));
        for (piece, (y, (max, sum))) in rows.chunks_mut(len).zip(stats).enumerate() {
            pieces.push(Piece { batch, head, first: piece * len, y, max, sum });
        }
    }
    pieces
}

/// The outputs of a piece's queries.
fn attend(heads: &Heads, piece: Piece<'_>) {
    let Piece { batch, head, first, y, max, sum } = piece;
    let (n_queries, d_v) = (y.len(), heads.v.size(3));
    let kv_head = head / (heads.q.size(1) / heads.k.size(1));
    let [k, v] = [&heads.k, &heads.v].map(|x| x.tile(&[batch, kv_head]));
    let tile =
        |start| Queries::new(heads, [batch, head], first + start, QUERIES.min(n_queries - start));
    let mut tiles: Vec<Queries> = (0..n_queries).step_by(QUERIES).map(tile).collect();
    let mut scores = Tensor::zeros(&[KEYS, STRIDE]);
    let mut v_rows = Tensor::build(&[KEYS, d_v], |_| {});
    for keys in heads.tiles_of_keys(batch, first, n_queries) {
        let v = v.from_row(keys.start);
        let v_rows = &mut v_rows.data_mut()[..keys.len() * d_v];
        gather((v.numbers(), v.row_stride()), d_v, v_rows);
        for queries in &mut tiles {
            queries.attend(heads, keys.clone(), (k, &*v_rows), scores.data_mut());
        }
    }
    let stats = max.chunks_mut(QUERIES).zip(sum.chunks_mut(QUERIES));
    for (queries, (y, (max, sum))) in tiles.into_iter().zip(y.chunks_mut(QUERIES).zip(stats)) {
        queries.finish(y, max, sum);
    }
}

/// A tile of queries, and the sums over the keys that it has seen.
struct Queries {
    batch: usize,
    first: usize,
    count: usize,
    /// s Qᵀ, `[d_k, QUERIES]`.
    columns: Tensor,
    /// The keys that one of them may attend to lie in this range.
    seen: Range<usize>,
    running: Running,
    /// Σ exp(score − max) v of each query, `[QUERIES, d_v]`.
    out: Tensor,
}

impl Queries {
    fn new(heads: &Heads, [batch, head]: [usize; 2], first: usize, count: usize) -> Queries {
        let q = heads.q.tile(&[batch, head]).from_row(first);
        let mut columns = Tensor::build(&[heads.q.size(3), QUERIES], |_| {});
        transpose((q.numbers(), q.row_stride()), count, heads.scale, columns.data_mut());
        let seen = heads.keys_of(batch, first, count);
        let running = Running { max: [Float::NEG_INFINITY; QUERIES], sum: [0.0; QUERIES] };
        let out = Tensor::zeros(&[QUERIES, heads.v.size(3)]);
        Queries { batch, first, count, columns, seen, running, out }
    }

    /// Adds what a tile of keys gives, of which `v_rows` are the values.
    fn attend(
        &mut self,
        heads: &Heads,
        keys: Range<usize>,
        (k, v_rows): (tile::Tile<'_>, &[Float]),
        scores: &mut [Float],
    ) {
        let keys = keys.start..keys.end.min(self.seen.end);
        if keys.is_empty() {
            return;
        }
        let (d_k, d_v, n_keys) = (heads.q.size(3), heads.v.size(3), keys.len());
        let (k, q, columns) = (k.from_row(keys.start), self.columns.data(), padded(self.count));
        tile::multiply([n_keys, d_k, columns], k, (q, QUERIES), (scores, STRIDE), false); // s K Qᵀ
        heads.hide(self.batch, self.first, keys, scores);
        let out = self.out.data_mut();
        self.running.weigh(&mut scores[..n_keys * STRIDE], columns, out, d_v);
        let weights = tile::Tile::new(scores, [1, STRIDE]);
        tile::multiply([self.count, n_keys, d_v], weights, (v_rows, d_v), (out, d_v), true);
    }

    /// Divides by the sums. A query that sees no key gets zeros.
    fn finish(self, y: &mut [&mut [Float]], max: &mut [Float], sum: &mut [Float]) {
        let Running { max: largest, sum: sums } = self.running;
        for (q, y) in y.iter_mut().enumerate() {
            let scale = if sums[q] == 0.0 { 0.0 } else { 1.0 / sums[q] };
            let out = &self.out.data()[q * y.len()..];
            for (y, &out) in y.iter_mut().zip(out) {
                *y = out * scale;
            }
            max[q] = if largest[q] == Float::NEG_INFINITY { 0.0 } else { largest[q] };
            sum[q] = sums[q];
        }
    }
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
