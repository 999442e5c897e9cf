//! The forward pass: each tile of queries goes over its keys once. Dao et al. 2022, algorithm 1; the
//! sums are divided at the end as in Dao 2023, section 3.1.

use super::heads::{
    Heads, KEYS, QUERIES, Queries, Rows, SCORES, STRIDE, TOGETHER, by_head, cut, gather, stale_room,
};
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

/// Fewer pieces than these are not made by joining tiles: there may be so many threads.
const MANY: usize = 32;

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
        par::for_each(pieces, |piece| attend_together(heads, piece));
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
    // Where there are few tiles, each is a piece, so that many threads find work.
    let tiles = rows.len() * n_queries.div_ceil(QUERIES);
    let len = QUERIES * (tiles / MANY).clamp(1, TOGETHER);
    let stats = max.chunks_mut(n_queries).zip(sum.chunks_mut(n_queries));
    let mut pieces = Vec::new();
    for (index, (rows, (max, sum))) in rows.iter_mut().zip(stats).enumerate() {
        let (batch, head) = (index / n_heads, index % n_heads);
        let stats = max.chunks_mut(len).zip(sum.chunks_mut(len));
        for (piece, (y, (max, sum))) in rows.chunks_mut(len).zip(stats).enumerate() {
            pieces.push(Piece { batch, head, first: piece * len, y, max, sum });
        }
    }
    pieces
}

/// The outputs of a piece's queries.
fn attend_together(heads: &Heads, piece: Piece<'_>) {
    let Piece { batch, head, first, y, max, sum } = piece;
    let (n_queries, d_k, d_v) = (y.len(), heads.q.size(3), heads.v.size(3));
    let kv_head = head / (heads.q.size(1) / heads.k.size(1));
    let [k, v] = [&heads.k, &heads.v].map(|x| x.tile(&[batch, kv_head]));
    let tiles_len = n_queries.div_ceil(QUERIES) * QUERIES * (d_k + d_v);
    let mut room = stale_room(SCORES + KEYS * d_v + tiles_len);
    let mut room = room.data_mut();
    let (scores, v_rows) = (cut(&mut room, SCORES), cut(&mut room, KEYS * d_v));
    let running = |start| {
        let count = QUERIES.min(n_queries - start);
        let queries = Queries::new(heads, [batch, head], first + start, count, &mut room);
        Running::new(queries, cut(&mut room, QUERIES * d_v))
    };
    let mut tiles: Vec<Running> = (0..n_queries).step_by(QUERIES).map(running).collect();
    for keys in heads.tiles_of_keys(batch, first, n_queries) {
        let v = v.from_row(keys.start);
        let v_rows = &mut v_rows[..keys.len() * d_v];
        gather((v.numbers(), v.row_stride()), d_v, v_rows);
        for tile in &mut tiles {
            let n_keys = tile.queries.scores(heads, keys.clone(), k, scores);
            if n_keys > 0 {
                tile.attend(&mut scores[..n_keys * STRIDE], (v_rows, d_v));
            }
        }
    }
    let stats = max.chunks_mut(QUERIES).zip(sum.chunks_mut(QUERIES));
    for (tile, (y, (max, sum))) in tiles.iter().zip(y.chunks_mut(QUERIES).zip(stats)) {
        tile.finish(y, max, sum);
    }
}

/// A tile of queries, and the sums over the keys that it has seen.
struct Running<'a> {
    queries: Queries<'a>,
    /// Each query's largest score.
    max: [Float; QUERIES],
    /// Σ exp(score − max).
    sum: [Float; QUERIES],
    /// Σ exp(score − max) v, `[QUERIES, d_v]`.
    out: &'a mut [Float],
}

impl<'a> Running<'a> {
    fn new(queries: Queries<'a>, out: &'a mut [Float]) -> Running<'a> {
        out.fill(0.0);
        Running { queries, max: [Float::NEG_INFINITY; QUERIES], sum: [0.0; QUERIES], out }
    }

    /// Adds what a tile of keys gives, of which `v` are the values. Scores become weights, not yet
    /// divided by their sum; what came before shrinks as the maximum grows.
    fn attend(&mut self, scores: &mut [Float], (v, d_v): (&[Float], usize)) {
        let (columns, n_keys) = (self.queries.padded(), scores.len() / STRIDE);
        let mut shrink = [0.0; QUERIES];
        weigh(scores, columns, &mut self.max, &mut self.sum, &mut shrink);
        let out = &mut *self.out;
        for (out, &shrink) in out.chunks_exact_mut(d_v.max(1)).zip(&shrink[..columns]) {
            if shrink != 1.0 {
                out.iter_mut().for_each(|out| *out *= shrink);
            }
        }
        let weights = tile::Tile::new(scores, [1, STRIDE]);
        tile::multiply([self.queries.count, n_keys, d_v], weights, (v, d_v), (out, d_v), true);
    }

    /// Divides by the sums. A query that sees no key gets zeros.
    fn finish(&self, y: &mut [&mut [Float]], max: &mut [Float], sum: &mut [Float]) {
        sum.copy_from_slice(&self.sum[..sum.len()]);
        for (q, (y, max)) in y.iter_mut().zip(max).enumerate() {
            let scale = if sum[q] == 0.0 { 0.0 } else { 1.0 / sum[q] };
            let out = &self.out[q * y.len()..];
            for (y, &out) in y.iter_mut().zip(out) {
                *y = out * scale;
            }
            *max = if self.max[q] == Float::NEG_INFINITY { 0.0 } else { self.max[q] };
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
