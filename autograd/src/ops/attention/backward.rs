//! The backward pass: the weights of each tile are computed again. Dao et al. 2022, algorithm 4.

use super::forward::Outcome;
use super::heads::{
    Heads, KEYS, QUERIES, Rows, STRIDE, gather, padded, rows_contiguous, transpose,
};
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
struct Sums {
    /// The keys, row by row.
    k: Tensor,
    dk: Tensor,
    dv: Tensor,
    scores: Tensor,
    dweights: Tensor,
}

fn one_head(heads: &Heads, outcome: &Outcome, dy: &Tensor, piece: Piece<'_>) {
    let Piece { index, q, k, v } = piece;
    let (n_kv_heads, group) = (heads.k.size(1), q.len());
    let (batch, kv_head) = (index / n_kv_heads, index % n_kv_heads);
    let k_tile = heads.k.tile(&[batch, kv_head]);
    let k_tile = (k_tile.numbers(), k_tile.row_stride());
    let mut sums = Sums {
        k: Tensor::build(&heads.k.shape()[2..], |rows| gather(k_tile, heads.k.size(3), rows)),
        dk: Tensor::zeros(&heads.k.shape()[2..]),
        dv: Tensor::zeros(&heads.v.shape()[2..]),
        scores: Tensor::zeros(&[KEYS, STRIDE]),
        dweights: Tensor::zeros(&[KEYS, STRIDE]),
    };
    for (member, mut rows) in q.into_iter().enumerate() {
        let queries = Queries::new(heads, [batch, kv_head, kv_head * group + member]);
        for (tile, dq) in rows.chunks_mut(QUERIES).enumerate() {
            queries.walk_back(outcome, dy, tile * QUERIES, dq, &mut sums);
        }
    }
    write(k, sums.dk.data(), heads.scale);
    write(v, sums.dv.data(), 1.0);
}

/// The rows of `sums` times `scale`.
fn write<'a>(rows: impl IntoIterator<Item = &'a mut [Float]>, sums: &[Float], scale: Float) {
    let mut sums = sums.iter();
    for row in rows {
        row.iter_mut().zip(&mut sums).for_each(|(x, sum)| *x = sum * scale);
    }
}

/// One head of queries and its head of keys and values.
struct Queries<'a> {
    heads: &'a Heads,
    batch: usize,
    kv_head: usize,
    head: usize,
}

impl<'a> Queries<'a> {
    fn new(heads: &'a Heads, [batch, kv_head, head]: [usize; 3]) -> Queries<'a> {
        Queries { heads, batch, kv_head, head }
    }

    /// The gradients of a tile of queries, and its share of those of the keys and values.
    ///
    /// The weights are wᵢ / sum: the division is done once, in ∂L/∂y.
    fn walk_back(
        &self,
        outcome: &Outcome,
        dy: &Tensor,
        first: usize,
        rows: &mut [&mut [Float]],
        sums: &mut Sums,
    ) {
        let Queries { heads, batch, kv_head, head } = *self;
        let (d_k, d_v, n_queries) = (heads.q.size(3), heads.v.size(3), rows.len());
        let q = heads.q.tile(&[batch, head]).from_row(first);
        let (k, v) = (sums.k.data(), heads.v.tile(&[batch, kv_head]));
        let Incoming { dy, dy_columns, mean, max } = self.incoming(outcome, dy, first, n_queries);
        let mut q_columns = Tensor::build(&[d_k, QUERIES], |_| {});
        let q = (q.numbers(), q.row_stride());
        transpose(q, n_queries, heads.scale, q_columns.data_mut());
        let q_rows = Tensor::build(&[n_queries, d_k], |rows| gather(q, d_k, rows));
        let (q_columns, dy_columns) = ((q_columns.data(), QUERIES), (dy_columns.data(), QUERIES));
        let mut dq = Tensor::zeros(&[QUERIES, d_k]);
        let (columns, seen) = (padded(n_queries), heads.keys_of(batch, first, n_queries));
        let (w, dw) = (sums.scores.data_mut(), sums.dweights.data_mut());
        let (dk, dv, dq) = (sums.dk.data_mut(), sums.dv.data_mut(), dq.data_mut());
        for start in seen.clone().step_by(KEYS) {
            let keys = start..seen.end.min(start + KEYS);
            let n_keys = keys.len();
            let (k, v) = (&k[start * d_k..], v.from_row(start));
            let k_tile = tile::Tile::new(k, [d_k, 1]);
            tile::multiply([n_keys, d_k, columns], k_tile, q_columns, (w, STRIDE), false);
            heads.hide(batch, first, keys, w);
            tile::multiply([n_keys, d_v, columns], v, dy_columns, (dw, STRIDE), false);
            weigh(&mut w[..n_keys * STRIDE], dw, columns, &max, &mean);
            let (w, dw) = (tile::Tile::new(w, [STRIDE, 1]), tile::Tile::new(dw, [STRIDE, 1]));
            let (q, k) = ((q_rows.data(), d_k), (k, d_k));
            let (dk, dv) = (&mut dk[start * d_k..], &mut dv[start * d_v..]);
            tile::multiply([n_keys, n_queries, d_v], w, (dy.data(), d_v), (dv, d_v), true);
            tile::multiply([n_keys, n_queries, d_k], dw, q, (dk, d_k), true);
            tile::multiply([n_queries, n_keys, d_k], dw.transposed(), k, (dq, d_k), true);
        }
        write(rows.iter_mut().map(|row| &mut **row), dq, heads.scale);
    }

    fn incoming(&self, outcome: &Outcome, dy: &Tensor, first: usize, n: usize) -> Incoming {
        let [batch, head, d_v] = [self.batch, self.head, self.heads.v.size(3)];
        let row = (batch * self.heads.q.size(1) + head) * self.heads.q.size(2) + first;
        let mut max = [0.0; QUERIES];
        max[..n].copy_from_slice(&outcome.max.data()[row..row + n]);
        let mut mean = [0.0; QUERIES];
        let mut scaled = Tensor::zeros(&[QUERIES, d_v]);
        let [y, dy] = [&outcome.y, dy].map(|x| x.tile(&[batch, head]).from_row(first));
        for (q, scaled) in scaled.data_mut().chunks_exact_mut(d_v.max(1)).take(n).enumerate() {
            let [y, dy] = [y, dy].map(|x| &x.from_row(q).numbers()[..d_v]);
            let sum = outcome.sum.data()[row + q];
            let factor = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            scaled.iter_mut().zip(dy).for_each(|(scaled, dy)| *scaled = dy * factor);
            mean[q] = vmath::dot(y, scaled);
        }
        let mut dy_columns = Tensor::build(&[d_v, QUERIES], |_| {});
        transpose((scaled.data(), d_v), n, 1.0, dy_columns.data_mut());
        Incoming { dy: scaled, dy_columns, mean, max }
    }
}

/// What comes to a tile of queries from behind.
struct Incoming {
    /// ∂L/∂y divided by each query's sum, `[QUERIES, d_v]`.
    dy: Tensor,
    /// The same as `[d_v, QUERIES]`.
    dy_columns: Tensor,
    /// Each query's y · ∂L/∂y, divided by its sum: the mean of its weights' gradients.
    mean: [Float; QUERIES],
    max: [Float; QUERIES],
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
