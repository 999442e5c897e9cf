//! Queries, keys and values as tiles see them, and outputs as threads share them.

use super::super::masked::Mask;
use std::ops::Range;
use tensor::{Float, Tensor, tile};

/// Queries of a tile. Scores are computed as `[keys, queries]`, so that what is kept for each query
/// (its maximum, its sum) lies in one register beside its neighbours'.
pub(super) const QUERIES: usize = 64;
/// How far the rows of a tile's scores are from each other: not a power of two, so that a column lies
/// in many sets of the cache.
pub(super) const STRIDE: usize = QUERIES + 16;
/// Keys of a tile.
pub(super) const KEYS: usize = 128;
/// Tiles of queries that may go over the keys together: a tile of keys and values comes from far away
/// for the first of them, and from the second cache for the others. Heads of 64 take some 530 KB of
/// it in the backward pass.
pub(super) const TOGETHER: usize = 4;

/// `q [batch_size, n_heads, n_queries, d_k]`, `k` and `v [batch_size, n_kv_heads, n_keys, ..]`, with
/// rows that are contiguous.
pub(super) struct Heads {
    pub q: Tensor,
    pub k: Tensor,
    pub v: Tensor,
    pub scale: Float,
    pub mask: Mask,
}

impl Heads {
    #[track_caller]
    pub fn new([q, k, v]: [&Tensor; 3], scale: Float, mask: &Mask) -> Heads {
        let shapes = [q.shape(), k.shape(), v.shape()];
        let fit = match shapes {
            [[b, h, _, d], [b_k, h_k, n, d_k], [b_v, h_v, n_v, _]] => {
                let groups = h.checked_rem(*h_k) == Some(0) || h == h_k;
                (b == b_k && b == b_v) && (h_k == h_v && groups) && (d == d_k && n == n_v)
            }
            _ => false,
        };
        if !fit {
            let rule = "q [batch, heads, n_queries, d_k], k and v [batch, kv heads, n_keys, ..] do not fit";
            tensor::shape::wrong("attention", rule, &shapes, "kv heads divide heads");
        }
        mask.check("attention", k.size(0), k.size(2));
        let [q, k, v] = [q, k, v].map(rows_contiguous);
        Heads { q, k, v, scale, mask: mask.clone() }
    }

    /// Of `n_queries` from `first` on in row `batch`: the keys that one of them may attend to lie
    /// in this range.
    pub fn keys_of(&self, batch: usize, first: usize, n_queries: usize) -> Range<usize> {
        let [all_queries, n_keys] = [self.q.size(2), self.k.size(2)];
        let end = self.mask.keys_seen(first + n_queries - 1, all_queries, n_keys);
        let Some(tokens) = self.mask.tokens(batch, n_keys) else { return 0..end };
        let is_token = |&is_token: &bool| is_token;
        match tokens[..end].iter().rposition(is_token) {
            Some(last) => tokens.iter().position(is_token).unwrap_or(last)..last + 1,
            None => 0..0,
        }
    }

    /// The keys that one of `n_queries` from `first` on may attend to, a tile at a time.
    pub fn tiles_of_keys(
        &self,
        batch: usize,
        first: usize,
        n_queries: usize,
    ) -> impl Iterator<Item = Range<usize>> {
        let seen = self.keys_of(batch, first, n_queries);
        seen.clone().step_by(KEYS).map(move |start| start..seen.end.min(start + KEYS))
    }

    /// Writes −∞ over the scores `[keys, STRIDE]` of a tile that the mask forbids.
    pub fn hide(&self, batch: usize, first: usize, keys: Range<usize>, scores: &mut [Float]) {
        let [n_queries, n_keys] = [self.q.size(2), self.k.size(2)];
        let tokens = self.mask.tokens(batch, n_keys);
        let sees_all = self.mask.keys_seen(first, n_queries, n_keys) >= keys.end;
        if sees_all && tokens.is_none() {
            return;
        }
        for (k, scores) in keys.zip(scores.chunks_exact_mut(STRIDE)) {
            let is_token = tokens.is_none_or(|tokens| tokens[k]);
            // Query q sees key k from q = k + n_queries - n_keys on.
            let before = (k + n_queries).saturating_sub(n_keys + first).min(QUERIES);
            let hidden = match (is_token, sees_all) {
                (false, _) => QUERIES,
                (true, true) => 0,
                (true, false) => before,
            };
            scores[..hidden].fill(Float::NEG_INFINITY);
        }
    }
}

/// The numbers of a tile's scores, `[KEYS, STRIDE]`.
pub(super) const SCORES: usize = KEYS * STRIDE;

/// Room for all that a piece of work holds, in one buffer; each number is written before it is read.
pub(super) fn stale_room(len: usize) -> Tensor {
    Tensor::build(&[len], |_| {})
}

/// Cuts the first `len` numbers off a room; what is left is the room from then on.
pub(super) fn cut<'a>(room: &mut &'a mut [Float], len: usize) -> &'a mut [Float] {
    let (first, rest) = std::mem::take(room).split_at_mut(len);
    *room = rest;
    first
}

/// A tile of queries of one head.
pub(super) struct Queries<'a> {
    batch: usize,
    first: usize,
    pub count: usize,
    /// s Qᵀ, `[d_k, QUERIES]`.
    columns: &'a [Float],
    /// None of them sees a key from here on.
    end: usize,
}

impl<'a> Queries<'a> {
    /// Takes `d_k · QUERIES` numbers of the room.
    pub fn new(
        heads: &Heads,
        [batch, head]: [usize; 2],
        first: usize,
        count: usize,
        room: &mut &'a mut [Float],
    ) -> Queries<'a> {
        let q = heads.q.tile(&[batch, head]).from_row(first);
        let columns = cut(room, heads.q.size(3) * QUERIES);
        transpose((q.numbers(), q.row_stride()), count, heads.scale, columns);
        let end = heads.keys_of(batch, first, count).end;
        Queries { batch, first, count, columns, end }
    }

    /// S = s K Qᵀ + M of those of a tile of keys that one of the queries may see, `[keys, STRIDE]`; how
    /// many keys these are. `k` is the whole head's.
    pub fn scores(
        &self,
        heads: &Heads,
        keys: Range<usize>,
        k: tile::Tile<'_>,
        scores: &mut [Float],
    ) -> usize {
        let keys = keys.start..keys.end.min(self.end);
        let n_keys = keys.len();
        if n_keys > 0 {
            let (k, columns) = (k.from_row(keys.start), (self.columns, QUERIES));
            let size = [n_keys, heads.q.size(3), self.padded()];
            tile::multiply(size, k, columns, (scores, STRIDE), false);
            heads.hide(self.batch, self.first, keys, scores);
        }
        n_keys
    }

    /// Columns that products of this tile compute: whole registers.
    pub fn padded(&self) -> usize {
        self.count.next_multiple_of(16).min(QUERIES)
    }
}

/// The same numbers, each row of the last axis contiguous.
pub(super) fn rows_contiguous(x: &Tensor) -> Tensor {
    let tile = x.size(0) * x.size(1) > 0 && x.size(-1) > 1;
    if tile && x.tile(&[0, 0]).column_stride() != 1 { x.contiguous() } else { x.clone() }
}

/// The first rows of a matrix side by side: as heads lie, a power of two may be between them, and rows
/// that are read again would drive each other out of the cache.
pub(super) fn gather((x, stride): (&[Float], usize), width: usize, out: &mut [Float]) {
    for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
        out.copy_from_slice(&x[row * stride..][..width]);
    }
}

/// `[rows, width]` → `[width, QUERIES]`, each number times `scale`; what is beyond `rows` is zero.
pub(super) fn transpose(x: (&[Float], usize), rows: usize, scale: Float, out: &mut [Float]) {
    if rows < QUERIES {
        out.fill(0.0);
    }
    tile::transpose([rows, out.len() / QUERIES], scale, x, (out, QUERIES));
}

/// The rows of one head, which lie among those of others.
pub(super) type Rows<'a> = Vec<&'a mut [Float]>;

/// The rows of `out [batch_size, len, n_heads, width]` for each row of the batch and head.
pub(super) fn by_head(
    out: &mut [Float],
    [batch_size, len, n_heads]: [usize; 3],
    width: usize,
) -> Vec<Rows<'_>> {
    let mut heads: Vec<Rows> = (0..batch_size * n_heads).map(|_| Vec::with_capacity(len)).collect();
    let (width, of_token) = (width.max(1), (n_heads * width).max(1));
    let texts = out.chunks_exact_mut((len * of_token).max(1));
    for (of_text, text) in heads.chunks_exact_mut(n_heads.max(1)).zip(texts) {
        for token in text.chunks_exact_mut(of_token) {
            for (head, row) in of_text.iter_mut().zip(token.chunks_exact_mut(width)) {
                head.push(row);
            }
        }
    }
    heads
}
