//! The blocked product, after Goto & van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication", 2008, with tiles of C that threads take one after the other:
//!
//! 1. k is cut into ranges, and A and B into blocks whose panels fit in the last cache. All threads
//!    pack, once for each block ([`panels`](super::panels)). An A in `f32` whose rows run along k is
//!    not packed, but read where it lies.
//! 2. C is cut into tiles. A thread takes one and goes along k in steps of [`K_BLOCK`] words: as much
//!    of a panel of B stays in the first cache, of A's panels and C's tile in the second.
//! 3. The [`kernel`](super::kernel) multiplies rows or a panel of A by a panel of B in registers.
//!
//! What only one tile needs (B when C is no higher than a tile, as for few rows times a weight) its
//! thread packs for itself: a panel of plain numbers right before it multiplies it, in the first
//! cache, while it asks for what the next is packed from; else a step of k at a time, in the second.
//!
//! Each number of C is the sum of the same terms in the same order, wherever the cuts along m and n
//! are: the sum of a step of k in one register, the steps' sums added from the first to the last.

use super::factor::Factor;
use super::kernel::{Kernel, Lanes, Multiply, Next};
use super::product::{Output, add};
use crate::storage::Buffer;
use crate::{Float, par};
use std::ops::Range;

/// Words along k that a register sums up before C is looked at.
const K_BLOCK: usize = 256;
/// Words along k that panels hold.
const K_MOST: usize = 8 * K_BLOCK;
/// Words in all panels of a block of A or of B.
const PANELS: usize = 1 << 21;
/// Rows and columns of a tile of C, at most.
const TILE: [usize; 2] = [96, 512];
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

/// One of the two factors, and how the kernel wants it.
#[derive(Clone, Copy)]
enum Side {
    A,
    B,
}

/// The lanes of a tile of A: the first ones, words from them to the next, and what multiplies them.
struct Left {
    lanes: Lanes,
    stride: usize,
    multiply: &'static [Multiply],
}

/// The panels of B of a tile, for a step of k.
enum Right<'a> {
    /// The first one, and words from it to the next.
    Packed(*const Float, usize),
    /// Plain numbers by lane and step, and room for one panel, which is packed when its turn comes.
    Plain { numbers: &'a [Float], strides: [usize; 2], room: &'a mut Buffer },
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
        let depth = self.kernel.depth;
        let tile = self.tile_sizes();
        let packs_a = self.n > tile[1] && self.in_place().is_none();
        for k in ranges(0..self.k, K_MOST * depth, 1) {
            let most = PANELS / k.len().div_ceil(depth);
            let mut a = None;
            for columns in ranges(0..self.n, most.max(tile[1]), self.kernel.columns) {
                let b = (self.m > tile[0]).then(|| self.pack(Side::B, &columns, &k));
                for rows in ranges(0..self.m, most.max(tile[0]), self.kernel.rows) {
                    if packs_a && a.as_ref().is_none_or(|a: &Panels| a.lanes != rows) {
                        a = Some(self.pack(Side::A, &rows, &k));
                    }
                    let tiles = self.tiles(tile, &rows, &columns, &k);
                    // SAFETY: tiles are disjoint, and C is ours.
                    let compute = |tile: &Tile| unsafe { self.tile(tile, a.as_ref(), b.as_ref()) };
                    self.for_each(&tiles, compute);
                }
            }
        }
    }

    /// A where the kernel reads it as it lies, how far its rows are from each other, and what
    /// multiplies them.
    fn in_place(&self) -> Option<(&[Float], usize, &'static [Multiply])> {
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
        if self.shared {
            while self.m.div_ceil(rows) * self.n.div_ceil(columns) < TILES {
                if columns > 4 * self.kernel.columns {
                    columns /= 2;
                } else if rows > 2 * self.kernel.rows {
                    rows /= 2;
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

    fn side(&self, side: Side) -> (&Factor<'_>, super::panels::Pack, usize) {
        match side {
            Side::A => (&self.a, self.kernel.pack_a, self.kernel.rows),
            Side::B => (&self.b, self.kernel.pack_b, self.kernel.columns),
        }
    }

    /// The panels of some lanes and all of a range of k.
    fn pack(&self, side: Side, lanes: &Range<usize>, k: &Range<usize>) -> Panels {
        let (factor, pack, width) = self.side(side);
        let depth = self.kernel.depth;
        let stride = k.len().div_ceil(depth) * width;
        let mut buffer = Buffer::stale(lanes.len().div_ceil(width) * stride);
        let out = Output(buffer.as_mut_slice().as_mut_ptr());
        let most = PACKED[usize::from(factor.runs_along_k())];
        let parts: Vec<_> = ranges(lanes.clone(), most[0], width)
            .into_iter()
            .flat_map(|lanes| {
                let steps = ranges(k.clone(), most[1], depth);
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

    /// Adds a range of k to a tile of C.
    ///
    /// # Safety
    /// No other thread may read or write the tile.
    unsafe fn tile(&self, tile: &Tile, a: Option<&Panels>, b: Option<&Panels>) {
        let Kernel { rows, columns, depth, .. } = *self.kernel;
        let own = |needed: bool, lanes: usize, width: usize| {
            needed.then(|| Buffer::stale(lanes.next_multiple_of(width) * K_BLOCK))
        };
        let mut own_a = own(a.is_none() && self.in_place().is_none(), tile.rows.len(), rows);
        let most = if self.b.is_plain() { columns } else { tile.columns.len() };
        let mut own_b = own(b.is_none(), most, columns);
        for k in (tile.k.clone()).step_by(K_BLOCK * depth) {
            let k = k..(k + K_BLOCK * depth).min(tile.k.end);
            let word = (k.start - tile.k.start) / depth;
            let a = self.left(a, own_a.as_mut(), &tile.rows, &k, word);
            let b = self.right(b, own_b.as_mut(), &tile.columns, &k, word);
            // SAFETY: A and the panels hold these lanes and steps; the tile is ours.
            unsafe { self.step(tile, &k, a, b, self.added || k.start > 0) };
        }
        if let (Some(row), true) = (self.row, tile.k.end == self.k) {
            let row = &row[tile.columns.clone()];
            for index in tile.rows.clone() {
                let c = self.c.at(index * self.c_stride + tile.columns.start);
                // SAFETY: the tile is ours.
                add(unsafe { std::slice::from_raw_parts_mut(c, row.len()) }, row);
            }
        }
    }

    /// The lanes of a tile of A for a step of k: where they lie, or in panels.
    fn left(
        &self,
        shared: Option<&Panels>,
        own: Option<&mut Buffer>,
        rows: &Range<usize>,
        k: &Range<usize>,
        word: usize,
    ) -> Left {
        let height = self.kernel.rows;
        if let Some((numbers, stride, multiply)) = self.in_place() {
            let numbers = &numbers[rows.start * stride + k.start..];
            let start = numbers[..(rows.len() - 1) * stride + k.len()].as_ptr();
            return Left { lanes: Lanes { start, stride }, stride: height * stride, multiply };
        }
        let (start, stride) = self.panels(Side::A, shared, own, rows, k, word);
        Left { lanes: Lanes { start, stride: height }, stride, multiply: self.kernel.multiply }
    }

    /// The panels of a tile's lanes of B for a step of k, or what they are packed from.
    fn right<'a>(
        &'a self,
        shared: Option<&Panels>,
        own: Option<&'a mut Buffer>,
        columns: &Range<usize>,
        k: &Range<usize>,
        word: usize,
    ) -> Right<'a> {
        match (self.b, own) {
            (Factor::Plain { numbers, strides }, Some(room)) => {
                Right::Plain { numbers, strides, room }
            }
            (_, own) => {
                let (first, stride) = self.panels(Side::B, shared, own, columns, k, word);
                Right::Packed(first, stride)
            }
        }
    }

    /// Where the panels of a tile's lanes are for a step of k, and words from one to the next:
    /// among the shared ones, or in the tile's own buffer, packed just now.
    fn panels(
        &self,
        side: Side,
        shared: Option<&Panels>,
        own: Option<&mut Buffer>,
        lanes: &Range<usize>,
        k: &Range<usize>,
        word: usize,
    ) -> (*const Float, usize) {
        let (factor, pack, width) = self.side(side);
        if let Some(panels) = shared {
            let start = (lanes.start - panels.lanes.start) / width * panels.stride + word * width;
            return (panels.buffer.as_slice()[start..].as_ptr(), panels.stride);
        }
        let out = own.expect("a buffer where nothing is shared").as_mut_slice().as_mut_ptr();
        // SAFETY: the buffer has room for the tile's lanes and K_BLOCK words of each.
        unsafe { factor.pack(pack, lanes, k, out, K_BLOCK * width) };
        (out, K_BLOCK * width)
    }

    /// Adds a step of k to a tile of C, or puts it there.
    ///
    /// # Safety
    /// A and B, or their panels, hold the tile's lanes and the steps, of which there are no more than
    /// K_BLOCK words; no other thread reads or writes the tile.
    unsafe fn step(&self, tile: &Tile, k: &Range<usize>, a: Left, mut b: Right, added: bool) {
        let Kernel { rows, columns, depth, pack_b, .. } = *self.kernel;
        let words = k.len().div_ceil(depth);
        for (panel, column) in tile.columns.clone().step_by(columns).enumerate() {
            let width = columns.min(tile.columns.end - column);
            let (b, next) = match &mut b {
                Right::Packed(first, stride) => {
                    let b = first.wrapping_add(panel * *stride);
                    let rows = Lanes { start: b.wrapping_add(*stride), stride: columns };
                    (b, Next { rows, share: words / Kernel::FETCHED * columns })
                }
                Right::Plain { numbers, strides, room } => {
                    let x = numbers[column * strides[0] + k.start * strides[1]..].as_ptr();
                    let room = room.as_mut_slice().as_mut_ptr();
                    // SAFETY: B holds these lanes and steps, and there is room for a panel of them.
                    unsafe { pack_b(x, *strides, [width, k.len()], room, 0) };
                    let [lane, step] = match column + columns < tile.columns.end {
                        true => [column + columns, k.start],
                        false => [tile.columns.start, k.end],
                    };
                    let start =
                        numbers.as_ptr().wrapping_add(lane * strides[0] + step * strides[1]);
                    (room.cast_const(), Next::plain(start, *strides, k.len(), columns))
                }
            };
            for (a_panel, row) in tile.rows.clone().step_by(rows).enumerate() {
                let height = rows.min(tile.rows.end - row);
                let multiply = a.multiply[height - 1];
                let next = next.share(a_panel);
                // SAFETY: as the caller says.
                unsafe {
                    let a = Lanes { start: a.lanes.start.add(a_panel * a.stride), ..a.lanes };
                    let c = self.c.at(row * self.c_stride + column);
                    if width == columns {
                        multiply(words, a, b, c, self.c_stride, added, next);
                    } else {
                        let mut whole = [0.0; MOST];
                        multiply(words, a, b, whole.as_mut_ptr(), columns, false, next);
                        put(&whole, columns, [height, width], c, self.c_stride, added);
                    }
                }
            }
        }
    }
}

/// Numbers in the largest tile of a kernel.
const MOST: usize = 12 * 32;

/// Puts the first columns of a kernel's tile into C, which ends before the tile does.
unsafe fn put(
    tile: &[Float],
    tile_stride: usize,
    [height, width]: [usize; 2],
    c: *mut Float,
    c_stride: usize,
    added: bool,
) {
    for (row, tile) in tile.chunks_exact(tile_stride).take(height).enumerate() {
        // SAFETY: the caller's C has these rows and columns.
        let c = unsafe { std::slice::from_raw_parts_mut(c.add(row * c_stride), width) };
        for (c, sum) in c.iter_mut().zip(tile) {
            *c = if added { *c + sum } else { *sum };
        }
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
