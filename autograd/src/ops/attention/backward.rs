//! The backward pass: the weights of each tile are computed again. Dao et al. 2022, algorithm 4.

use super::forward::Outcome;
use super::heads::{
    Heads, QUERIES, Queries, Rows, SCORES, STRIDE, TOGETHER, cut, gather, rows_contiguous,
    stale_room, transpose,
};
use std::ops::Range;
use tensor::{Float, Tensor, par, simd, tile, vmath};

/// Where the gradients of each row of the batch and head go.
pub(super) struct Gradients<'a> {
    pub q: Vec<Rows<'a>>,
    pub k: Vec<Rows<'a>>,
    pub v: Vec<Rows<'a>>,
}

/// A head of keys and values with the heads of queries that it serves.
struct Piece<'a> {
    index: usize,
    q: Vec<Rows<'a>>,
    k: Rows<'a>,
    v: Rows<'a>,
}

pub(super) fn backward(heads: &Heads, outcome: &Outcome, dy: &Tensor, gradients: Gradients<'_>) {
    let Gradients { q, k, v } = gradients;
    let (group, mut q) = (q.len() / k.len().max(1), q.into_iter());
    let pieces = k.into_iter().zip(v).enumerate().map(|(index, (k, v))| Piece {
        index,
        q: q.by_ref().take(group).collect(),
        k,
        v,
    });
    let dy = rows_contiguous(dy);
    par::for_each(pieces.collect(), |piece| one_head(heads, outcome, &dy, piece));
}

/// The sums over all queries of the gradients of one head's keys and values, and what tiles of
/// queries need besides.
struct Sums<'a> {
    /// The keys, row by row.
    k: &'a [Float],
    dk: &'a mut [Float],
    dv: &'a mut [Float],
    scores: &'a mut [Float],
    dweights: &'a mut [Float],
}

fn one_head(heads: &Heads, outcome: &Outcome, dy: &Tensor, piece: Piece<'_>) {
    let Piece { index, q, k, v } = piece;
    let (n_kv_heads, group) = (heads.k.size(1), q.len());
    let (batch, kv_head) = (index / n_kv_heads, index % n_kv_heads);
    let k_tile = heads.k.tile(&[batch, kv_head]);
    let k_tile = (k_tile.numbers(), k_tile.row_stride());
    let v_tile = heads.v.tile(&[batch, kv_head]);
    let &[_, _, n_keys, d_k] = heads.k.shape() else { unreachable!() };
    let d_v = heads.v.size(3);
    let tiles_len = TOGETHER * QUERIES * (3 * d_k + 2 * d_v);
    let mut room = stale_room(2 * SCORES + tiles_len + n_keys * (2 * d_k + d_v));
    let mut room = room.data_mut();
    let [scores, dweights] = [SCORES; 2].map(|len| cut(&mut room, len));
    let for_tiles = cut(&mut room, tiles_len);
    let k_rows = cut(&mut room, n_keys * d_k);
    gather(k_tile, d_k, k_rows);
    let [dk, dv] = [d_k, d_v].map(|width| cut(&mut room, n_keys * width));
    dk.fill(0.0);
    dv.fill(0.0);
    let mut sums = Sums { k: k_rows, dk, dv, scores, dweights };
    for (member, mut rows) in q.into_iter().enumerate() {
        let head = [batch, kv_head * group + member];
        for (index, rows) in rows.chunks_mut(TOGETHER * QUERIES).enumerate() {
            let (first, n_queries) = (index * TOGETHER * QUERIES, rows.len());
            let mut room = &mut *for_tiles;
            let walk = |(index, rows)| {
                Walk::new(heads, head, first + index * QUERIES, rows, outcome, dy, &mut room)
            };
            let mut tiles: Vec<Walk> = rows.chunks_mut(QUERIES).enumerate().map(walk).collect();
            for keys in heads.tiles_of_keys(batch, first, n_queries) {
                for tile in &mut tiles {
                    tile.step(heads, keys.clone(), v_tile, &mut sums);
                }
            }
            tiles.into_iter().for_each(|tile| tile.finish(heads.scale));
        }
    }
    write(k, sums.dk, heads.scale);
    write(v, sums.dv, 1.0);
}

/// The rows of `sums` times `scale`.
fn write<'a>(rows: impl IntoIterator<Item = &'a mut [Float]>, mut sums: &[Float], scale: Float) {
    for row in rows {
        let (of_row, rest) = sums.split_at(row.len());
        row.iter_mut().zip(of_row).for_each(|(x, sum)| *x = sum * scale);
        sums = rest;
    }
}

/// A tile of queries of one head on its way back over the keys.
struct Walk<'a, 'b> {
    queries: Queries<'a>,
    /// Q, `[count, d_k]`.
    q: &'a [Float],
    incoming: Incoming<'a>,
    /// The sum of the gradients so far, not yet times s, `[count, d_k]`.
    dq: &'a mut [Float],
    /// Where it goes.
    rows: &'a mut [&'b mut [Float]],
}

impl<'a, 'b> Walk<'a, 'b> {
    /// Takes `QUERIES · (3 d_k + 2 d_v)` numbers of the room, or less.
    fn new(
        heads: &Heads,
        head: [usize; 2],
        first: usize,
        rows: &'a mut [&'b mut [Float]],
        outcome: &Outcome,
        dy: &Tensor,
        room: &mut &'a mut [Float],
    ) -> Walk<'a, 'b> {
        let (d_k, count) = (heads.q.size(3), rows.len());
        let tile = heads.q.tile(&head).from_row(first);
        let [q, dq] = [count * d_k; 2].map(|len| cut(room, len));
        gather((tile.numbers(), tile.row_stride()), d_k, q);
        dq.fill(0.0);
        let queries = Queries::new(heads, head, first, count, room);
        let incoming = Incoming::new(heads, head, first, count, outcome, dy, room);
        Walk { queries, q, incoming, dq, rows }
    }

    /// Adds what a tile of keys gives to the gradients of the queries, and what these give to those of
    /// the keys and values.
    ///
    /// The weights are wᵢ / sum: the division is done once, in ∂L/∂y.
    fn step(&mut self, heads: &Heads, keys: Range<usize>, v: tile::Tile<'_>, sums: &mut Sums<'_>) {
        let (d_k, d_v, start) = (heads.q.size(3), heads.v.size(3), keys.start);
        let (n_queries, columns) = (self.queries.count, self.queries.padded());
        let Incoming { dy, dy_columns, mean, max } = &self.incoming;
        let (k, v) = (sums.k, v.from_row(start));
        let (w, dw) = (&mut *sums.scores, &mut *sums.dweights);
        let n_keys = self.queries.scores(heads, keys, tile::Tile::new(k, [d_k, 1]), w);
        if n_keys == 0 {
            return;
        }
        let dy_columns = (*dy_columns, QUERIES);
        tile::multiply([n_keys, d_v, columns], v, dy_columns, (dw, STRIDE), false);
        weigh(&mut w[..n_keys * STRIDE], dw, columns, max, mean);
        let (w, dw) = (tile::Tile::new(w, [STRIDE, 1]), tile::Tile::new(dw, [STRIDE, 1]));
        let (q, k) = ((self.q, d_k), (&k[start * d_k..], d_k));
        let dk = (&mut sums.dk[start * d_k..], d_k);
        let dv = (&mut sums.dv[start * d_v..], d_v);
        tile::multiply([n_keys, n_queries, d_v], w, (dy, d_v), dv, true);
        tile::multiply([n_keys, n_queries, d_k], dw, q, dk, true);
        let dq = (&mut *self.dq, d_k);
        tile::multiply([n_queries, n_keys, d_k], dw.transposed(), k, dq, true);
    }

    fn finish(self, scale: Float) {
        write(self.rows.iter_mut().map(|row| &mut **row), self.dq, scale);
    }
}

/// What comes to a tile of queries from behind.
struct Incoming<'a> {
    /// ∂L/∂y divided by each query's sum, `[count, d_v]`.
    dy: &'a [Float],
    /// The same as `[d_v, QUERIES]`.
    dy_columns: &'a [Float],
    /// Each query's y · ∂L/∂y, divided by its sum: the mean of its weights' gradients.
    mean: [Float; QUERIES],
    max: [Float; QUERIES],
}

impl<'a> Incoming<'a> {
    fn new(
        heads: &Heads,
        head: [usize; 2],
        first: usize,
        n: usize,
        outcome: &Outcome,
        dy: &Tensor,
        room: &mut &'a mut [Float],
    ) -> Incoming<'a> {
        let d_v = heads.v.size(3);
        let row = (head[0] * heads.q.size(1) + head[1]) * heads.q.size(2) + first;
        let mut max = [0.0; QUERIES];
        max[..n].copy_from_slice(&outcome.max.data()[row..row + n]);
        let mut mean = [0.0; QUERIES];
        let [scaled, dy_columns] = [n, QUERIES].map(|rows| cut(room, rows * d_v));
        let [y, dy] = [&outcome.y, dy].map(|x| x.tile(&head).from_row(first));
        let [y, dy] = [y, dy].map(|x| (x.numbers(), x.row_stride()));
        let sums = &outcome.sum.data()[row..row + n];
        divide(y, dy, sums, (&mut *scaled, d_v), &mut mean);
        transpose((scaled, d_v), n, 1.0, dy_columns);
        Incoming { dy: scaled, dy_columns, mean, max }
    }
}

simd! {
    /// Rows of ∂L/∂y divided by each query's sum, and their products with those of y.
    fn divide(
        y: (&[Float], usize),
        dy: (&[Float], usize),
        sums: &[Float],
        divided: (&mut [Float], usize),
        mean: &mut [Float; QUERIES],
    ) {
        let (divided, d_v) = divided;
        let rows = divided.chunks_exact_mut(d_v.max(1)).zip(sums).zip(mean);
        for (q, ((divided, &sum), mean)) in rows.enumerate() {
            let [y, dy] = [y, dy].map(|(x, stride)| &x[q * stride..][..d_v]);
            let factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            divided.iter_mut().zip(dy).for_each(|(divided, dy)| *divided = dy * factor);
            *mean = vmath::dot(y, divided);
        }
    }
}

simd! {
    /// Scores become weights, and the weights' gradients those of the scores.
    fn weigh(
        scores: &mut [Float],
        dweights: &mut [Float],
        columns: usize,
        max: &[Float; QUERIES],
        mean: &[Float; QUERIES],
    ) {
        let rows = scores.chunks_exact_mut(STRIDE).zip(dweights.chunks_exact_mut(STRIDE));
        for (scores, dweights) in rows {
            let (scores, dweights) = (&mut scores[..columns], &mut dweights[..columns]);
            for q in 0..columns.min(QUERIES) {
                let weight = vmath::exp(scores[q] - max[q]);
                scores[q] = weight;
                dweights[q] = weight * (dweights[q] - mean[q]);
            }
        }
    }
}
