//! A tile of C: its lanes of A and panels of B, step of k by step of k.

use super::{Blocked, K_BLOCK, Panels, Side, Tile, ranges};
use crate::Float;
use crate::matmul::factor::Factor;
use crate::matmul::kernel::{Kernel, Lanes, Multiply, Next, Soon, Sums};
use crate::matmul::product::add;
use crate::storage::Buffer;
use std::ops::Range;

/// Words along k of a panel that is packed right before it is multiplied.
const PART: usize = 128;

/// The lanes of a tile of A, and what multiplies them.
#[derive(Clone, Copy)]
struct Left {
    /// The first ones, as many as a panel has.
    lanes: Lanes,
    /// From them to the next ones.
    stride: usize,
    /// From a word of a lane to the next.
    word: usize,
    multiply: &'static [Multiply],
}

impl Left {
    /// The same, from a word on.
    fn from(self, word: usize) -> Left {
        let start = self.lanes.start.wrapping_add(word * self.word);
        Left { lanes: Lanes { start, ..self.lanes }, ..self }
    }
}

/// The panels of B of a tile, for a step of k.
enum Right<'a> {
    /// The first one, and words from it to the next.
    Packed(*const Float, usize),
    /// Plain numbers by lane and step, and room for a part of one panel, packed when its turn comes.
    Plain { numbers: &'a [Float], strides: [usize; 2], room: &'a mut Buffer },
}

/// A panel of B, the lanes of A that it is multiplied with, and where in C.
struct Strip {
    column: usize,
    words: usize,
    a: Left,
    b: *const Float,
    next: Next,
}

impl Blocked<'_> {
    /// Adds a range of k to a tile of C.
    ///
    /// # Safety
    /// No other thread may read or write the tile.
    pub(super) unsafe fn tile(&self, tile: &Tile, a: Option<&Panels>, b: Option<&Panels>) {
        let Kernel { rows, columns, depth, .. } = *self.kernel;
        let own = |needed: bool, lanes: usize, width: usize| {
            needed.then(|| Buffer::stale(lanes.next_multiple_of(width) * K_BLOCK))
        };
        let mut own_a = own(a.is_none() && self.in_place().is_none(), tile.rows.len(), rows);
        let mut own_b = b.is_none().then(|| match self.b.is_plain() {
            true => Buffer::stale(columns * PART),
            false => Buffer::stale(tile.columns.len().next_multiple_of(columns) * K_BLOCK),
        });
        for k in ranges(tile.k.clone(), K_BLOCK * depth, depth) {
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
            return Left {
                lanes: Lanes { start, stride },
                stride: height * stride,
                word: 1,
                multiply,
            };
        }
        let (start, stride) = self.panels(Side::A, shared, own, rows, k, word);
        Left {
            lanes: Lanes { start, stride: height },
            stride,
            word: height,
            multiply: self.kernel.multiply,
        }
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
        let Kernel { columns, depth, .. } = *self.kernel;
        let mut aside = None;
        for (panel, column) in tile.columns.clone().step_by(columns).enumerate() {
            let width = columns.min(tile.columns.end - column);
            let c = self.row_of_c(tile.rows.start, column);
            let whole = width == columns && matches!(b, Right::Packed(..));
            let mut aside = || {
                let sums = aside.get_or_insert_with(|| Buffer::stale(tile.rows.len() * columns));
                Lanes { start: sums.as_mut_slice().as_mut_ptr(), stride: columns }
            };
            match &mut b {
                Right::Packed(first, stride) => {
                    let b = first.wrapping_add(panel * *stride);
                    let words = k.len().div_ceil(depth);
                    let next = Next::panel(b.wrapping_add(*stride), words, columns);
                    let strip = Strip { column, words, a, b, next };
                    let (out, sums) = match (whole, added) {
                        (true, true) => (c, Sums::Added),
                        (true, false) => (c, Sums::New),
                        (false, _) => (aside(), Sums::New),
                    };
                    // SAFETY: as the caller says.
                    unsafe { self.strip(tile, strip, out, sums) };
                }
                Right::Plain { numbers, strides, room } => {
                    // SAFETY: as the caller says.
                    unsafe { self.parts(tile, k, column, a, (numbers, *strides, room), aside()) };
                }
            }
            if !whole {
                // SAFETY: the tile is ours.
                unsafe { put(aside(), [tile.rows.len(), width], c, added) };
            }
        }
    }

    /// The sums of a tile and a panel of B, which is packed part by part.
    ///
    /// # Safety
    /// As [`Blocked::step`]; `out` has room for the rows of the tile and the lanes of a panel.
    unsafe fn parts(
        &self,
        tile: &Tile,
        k: &Range<usize>,
        column: usize,
        a: Left,
        (numbers, strides, room): (&[Float], [usize; 2], &mut Buffer),
        out: Lanes,
    ) {
        let Kernel { columns, depth, pack_b, .. } = *self.kernel;
        let width = columns.min(tile.columns.end - column);
        let at = |lane: usize, step: usize| {
            numbers.as_ptr().wrapping_add(lane * strides[0] + step * strides[1])
        };
        for start in k.clone().step_by(PART * depth) {
            let part = start..k.end.min(start + PART * depth);
            let words = part.len().div_ceil(depth);
            let next = if part.end < k.end {
                at(column, part.end)
            } else if column + columns < tile.columns.end {
                at(column + columns, k.start)
            } else {
                at(tile.columns.start, k.end)
            };
            let next = Next::plain(next, strides, words, columns);
            let b = room.as_mut_slice().as_mut_ptr();
            let a = a.from((start - k.start) / depth);
            let sums = if start == k.start { Sums::New } else { Sums::Continued };
            // SAFETY: as the caller says; there is room for a part of a panel.
            unsafe {
                pack_b(at(column, start), strides, [width, part.len()], b, 0);
                self.strip(tile, Strip { column, words, a, b, next }, out, sums);
            }
        }
    }

    /// Where a row of C is, from a column on.
    fn row_of_c(&self, row: usize, column: usize) -> Lanes {
        Lanes { start: self.c.at(row * self.c_stride + column), stride: self.c_stride }
    }

    /// The sums of a tile and a panel of B, in C or aside.
    ///
    /// # Safety
    /// As [`Blocked::step`]; `out` has room for the rows of the tile and the lanes of a panel.
    unsafe fn strip(&self, tile: &Tile, strip: Strip, out: Lanes, sums: Sums) {
        let Strip { column, words, a, b, next } = strip;
        let Kernel { rows, columns, .. } = *self.kernel;
        for (panel, row) in (0..tile.rows.len()).step_by(rows).enumerate() {
            let height = rows.min(tile.rows.len() - row);
            let below = tile.rows.start + row + rows;
            let c = if below < tile.rows.end {
                self.row_of_c(below, column)
            } else if column + columns < tile.columns.end {
                self.row_of_c(tile.rows.start, column + columns)
            } else {
                self.row_of_c(tile.rows.start, tile.columns.start)
            };
            // SAFETY: as the caller says.
            unsafe {
                let a_lanes = Lanes { start: a.lanes.start.add(panel * a.stride), ..a.lanes };
                let out_row = out.start.cast_mut().add(row * out.stride);
                let soon = Soon { c, b: next.share(panel) };
                a.multiply[height - 1](words, a_lanes, b, out_row, out.stride, sums, soon);
            }
        }
    }
}

/// Puts the first columns of sums that were made aside into C.
///
/// # Safety
/// Both hold these sizes, [rows, columns], and nobody else writes there.
unsafe fn put(sums: Lanes, [rows, columns]: [usize; 2], c: Lanes, added: bool) {
    for row in 0..rows {
        // SAFETY: as the caller says.
        let (sums, c) = unsafe {
            let (sums, c) = (sums.start.add(row * sums.stride), c.start.add(row * c.stride));
            (
                std::slice::from_raw_parts(sums, columns),
                std::slice::from_raw_parts_mut(c.cast_mut(), columns),
            )
        };
        if added {
            add(c, sums);
        } else {
            c.copy_from_slice(sums);
        }
    }
}
