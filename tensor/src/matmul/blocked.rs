//! The blocked product, after Goto & van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication", 2008, with tiles of C that threads take one after the other:
//!
//! 1. k is cut into ranges, and A and B into blocks whose panels fit in the last cache. All threads
//!    pack, once for each block ([`panels`](super::panels)). An A in `f32` whose rows run along k is
//!    not packed, but read where it lies.
//! 2. C is cut into tiles. A thread takes one and goes along k in steps of as many words as fit: the
//!    tile's lanes of A, two panels of B and the tile of C (0.75 MiB in f32 with AVX-512) stay in the
//!    second cache. Shorter steps would read and write C more often.
//! 3. The [`kernel`](super::kernel) multiplies rows or a panel of A by a panel of B in registers.
//!
//! What only one tile needs (B when C is no higher than a tile, as for few rows times a weight) a
//! thread packs for itself: of B a part of a panel right before it is multiplied, in the first cache,
//! while the tile asks for what the next is packed from.
//!
//! Each number of C is the sum of the same terms in the same order, wherever the cuts along m and n
//! are: a step of k as one register would sum it, the steps' sums added from the first to the last.

mod step;

use super::factor::Factor;
use super::kernel::{Kernel, Widths};
use super::panels::Pack;
use super::product::Output;
use crate::storage::Buffer;
use crate::{Float, par};
use std::ops::Range;

/// Words along k that panels hold, at most.
const K_MOST: usize = 3 * 768;
/// Words along k from one place where it may be cut to the next: a cache line of `f32`, or the longest
/// block of packed rows, which is unpacked whole.
const WORDS: [usize; 2] = [16, 256];
/// Words in all panels of a block of A or of B.
const PANELS: usize = 1 << 21;
/// Rows and columns of a tile of C, at most.
const TILE: [usize; 2] = [96, 480];
/// Up to so many rows are one tile, which packs B for itself.
const FEW: usize = 192;
/// As many tiles are worth having: threads that end at different times wait for each other.
const TILES: usize = 24;
/// Lanes and steps along k that a thread packs at a time, where memory runs from lane to lane and
/// where it runs along k.
const PACKED: [[usize; 2]; 2] = [[1024, 16], [48, 1024]];

/// C = A · B, or C += A · B where it is `added`.
pub(super) struct Blocked<'a> {
    pub kernel: &'a Kernel,
    pub m: usize,
    pub k: usize,
    pub n: usize,
    /// Its lanes are the rows of A.
    pub a: Factor<'a>,
    /// Its lanes are the columns of B.
    pub b: Factor<'a>,
    pub c: Output,
    pub c_stride: usize,
    pub added: bool,
    /// Numbers that are added to each row of C in the end.
    pub row: Option<&'a [Float]>,
    /// Whether threads share the work.
    pub shared: bool,
}

/// Panels of a range of lanes.
struct Panels {
    buffer: Buffer,
    /// Words from one to the next.
    stride: usize,
    lanes: Range<usize>,
}

impl Panels {
    /// Where those of some lanes are from a word on, and how far one is from the next.
    fn of(&self, lanes: &Range<usize>, width: usize, word: usize) -> (*const Float, usize) {
        let start = (lanes.start - self.lanes.start) / width * self.stride + word * width;
        (self.buffer.as_slice()[start..].as_ptr(), self.stride)
    }
}

/// A tile of C, and the range of k that is added to it.
struct Tile {
    rows: Range<usize>,
    columns: Range<usize>,
    k: Range<usize>,
}

impl Blocked<'_> {
    /// Computes C.
    ///
    /// # Safety
    /// No other thread may read or write C.
    pub unsafe fn run(&self) {
        let Kernel { rows: height, columns: width, depth, pack_a, pack_b, .. } = *self.kernel;
        let tile = self.tile_sizes();
        let packs_a = self.n > tile[1] && self.in_place().is_none();
        let packs_b = self.m > tile[0] || self.b.is_packed_by_step();
        for k in ranges(0..self.k, K_MOST * depth, self.words() * depth) {
            let most = PANELS / k.len().div_ceil(depth);
            let most_columns = if packs_b { most.max(tile[1]) } else { self.n };
            let mut a = None;
            for columns in ranges(0..self.n, most_columns, width) {
                let b = packs_b.then(|| self.pack(&self.b, pack_b, width, &columns, &k));
                for rows in ranges(0..self.m, most.max(tile[0]), height) {
                    if packs_a && a.as_ref().is_none_or(|a: &Panels| a.lanes != rows) {
                        a = Some(self.pack(&self.a, pack_a, height, &rows, &k));
                    }
                    let tiles = self.tiles(tile, &rows, &columns, &k);
                    // SAFETY: tiles are disjoint, and C is ours.
                    let compute = |tile: &Tile| unsafe { self.tile(tile, a.as_ref(), b.as_ref()) };
                    self.for_each(&tiles, compute);
                }
            }
        }
    }

    /// Words along k from one place where it may be cut to the next.
    fn words(&self) -> usize {
        WORDS[usize::from(!self.b.is_plain())]
    }

    /// A where the kernel reads it as it lies, how far its rows are from each other, and what
    /// multiplies them.
    fn in_place(&self) -> Option<(&[Float], usize, Widths)> {
        let (numbers, stride) = self.a.plain_lanes()?;
        Some((numbers, stride, self.kernel.multiply_rows?))
    }

    fn for_each<T: Sync>(&self, items: &[T], work: impl Fn(&T) + Sync) {
        if self.shared {
            par::for_each_piece(items.len(), |index| work(&items[index]));
        } else {
            items.iter().for_each(work);
        }
    }

    /// Rows and columns of a tile: less than at most where there would be too few of them.
    fn tile_sizes(&self) -> [usize; 2] {
        let [mut rows, mut columns] = TILE;
        let Kernel { rows: height, columns: width, .. } = *self.kernel;
        // A tile that is larger is cut where there are too few.
        let [mut least_rows, mut least_columns] = [2 * height, 4 * width];
        if self.m <= FEW && self.n.div_ceil(width) >= TILES / 2 {
            // Cut into rows, B would be packed for all, and come from a cache further off.
            [rows, least_rows, least_columns] = [self.m, self.m, width];
        }
        if self.shared {
            while self.m.div_ceil(rows) * self.n.div_ceil(columns) < TILES {
                if columns > least_columns {
                    columns = (columns / 2).next_multiple_of(width);
                } else if rows > least_rows {
                    rows = (rows / 2).next_multiple_of(height);
                } else {
                    break;
                }
            }
        }
        [rows, columns]
    }

    fn tiles(
        &self,
        [most_rows, most_columns]: [usize; 2],
        rows: &Range<usize>,
        columns: &Range<usize>,
        k: &Range<usize>,
    ) -> Vec<Tile> {
        let rows = ranges(rows.clone(), most_rows, self.kernel.rows);
        let columns = ranges(columns.clone(), most_columns, self.kernel.columns);
        let tile = |rows: &Range<usize>, columns: &Range<usize>| Tile {
            rows: rows.clone(),
            columns: columns.clone(),
            k: k.clone(),
        };
        columns
            .iter()
            .flat_map(|columns| rows.iter().map(move |rows| tile(rows, columns)))
            .collect()
    }

    /// The panels of some lanes and all of a range of k.
    fn pack(
        &self,
        factor: &Factor<'_>,
        pack: Pack,
        width: usize,
        lanes: &Range<usize>,
        k: &Range<usize>,
    ) -> Panels {
        let depth = self.kernel.depth;
        let stride = k.len().div_ceil(depth) * width;
        let mut buffer = Buffer::stale(lanes.len().div_ceil(width) * stride);
        let out = Output(buffer.as_mut_slice().as_mut_ptr());
        let most = PACKED[usize::from(factor.runs_along_k())];
        let parts: Vec<_> = ranges(lanes.clone(), most[0], width)
            .into_iter()
            .flat_map(|lanes| {
                let steps = ranges(k.clone(), most[1], WORDS[0] * depth);
                steps.into_iter().map(move |k| (lanes.clone(), k))
            })
            .collect();
        let part = |(part_lanes, part_k): &(Range<usize>, Range<usize>)| {
            let start = (part_lanes.start - lanes.start) / width * stride
                + (part_k.start - k.start) / depth * width;
            // SAFETY: the buffer has room for all lanes and steps, and each part has its own words.
            unsafe { factor.pack(pack, part_lanes, part_k, out.at(start), stride) };
        };
        self.for_each(&parts, part);
        Panels { buffer, stride, lanes: lanes.clone() }
    }
}

/// Ranges of about the same length, at most `most` (but at least `multiple`), that begin at
/// multiples of `multiple`.
fn ranges(whole: Range<usize>, most: usize, multiple: usize) -> Vec<Range<usize>> {
    let count = whole.len().div_ceil(most.max(1));
    let len = whole.len().div_ceil(count.max(1)).next_multiple_of(multiple);
    whole.clone().step_by(len.max(1)).map(|start| start..(start + len).min(whole.end)).collect()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
