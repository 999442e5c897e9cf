//! A tile of C: its lanes of A and panels of B, step of k by step of k.

use super::{Blocked, Panels, Tile, WORDS, ranges};
use crate::Float;
use crate::matmul::factor::Factor;
use crate::matmul::kernel::{Kernel, Lanes, Next, Soon, Sums, Widths};
use crate::matmul::product::add;
use crate::storage::Buffer;
use std::ops::Range;

/// Words along k of a panel that is packed right before it is multiplied.
const PART: usize = 128;
/// The same of packed rows, whose blocks are unpacked whole: as long as the longest.
const PACKED_PART: usize = 256;

/// The lanes of a tile of A, and what multiplies them.
#[derive(Clone, Copy)]
struct Left {
    /// The first ones, as many as a panel has.
    lanes: Lanes,
    /// From them to the next ones.
    stride: usize,
    /// From a word of a lane to the next.
    word: usize,
    multiply: Widths,
}

impl Left {
    /// The same, after some words.
    fn after(self, words: usize) -> Left {
        let start = self.lanes.start.wrapping_add(words * self.word);
        Left { lanes: Lanes { start, ..self.lanes }, ..self }
    }
}

/// The panels of B of a tile, for a step of k.
enum Right<'a> {
    /// The first one, and words from it to the next.
    Packed(*const Float, usize),
    /// Room for a part of one, packed when its turn comes.
    Room(&'a mut Buffer),
}

/// Lanes of A times a panel of B, and where the sums go.
struct Strip {
    words: usize,
    a: Left,
    b: *const Float,
    rows: usize,
    columns: usize,
    out: Lanes,
    sums: Sums,
    /// What comes next of B, and of C: the strip's own rows one by one, then the first of others.
    next: Next,
    c: [Lanes; 2],
}

impl Blocked<'_> {
    /// Adds a range of k to a tile of C.
    ///
    /// # Safety
    /// No other thread may read or write the tile.
    pub(super) unsafe fn tile(&self, tile: &Tile, a: Option<&Panels>, b: Option<&Panels>) {
        let Kernel { rows, columns, depth, step, .. } = *self.kernel;
        let own_a = a.is_none() && self.in_place().is_none();
        let mut own_a = own_a.then(|| Buffer::stale(tile.rows.len().next_multiple_of(rows) * step));
        let mut own_b = b.is_none().then(|| Buffer::stale(columns * self.part()));
        let mut aside = None;
        for k in ranges(tile.k.clone(), step * depth, WORDS * depth) {
            let word = (k.start - tile.k.start) / depth;
            let a = self.left(a, own_a.as_mut(), &tile.rows, &k, word);
            let b = match (b, &mut own_b) {
                (None, Some(room)) => Right::Room(room),
                (Some(panels), _) => {
                    let (first, stride) = panels.of(&tile.columns, columns, word);
                    Right::Packed(first, stride)
                }
                (None, None) => unreachable!("room where nothing is shared"),
            };
            // SAFETY: A and the panels hold these lanes and steps; the tile is ours.
            unsafe { self.step(tile, &k, a, b, &mut aside, self.added || k.start > 0) };
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

    /// Words of a part of a panel of B.
    fn part(&self) -> usize {
        if self.b.is_plain() { PART } else { PACKED_PART }
    }

    /// The lanes of a tile of A for a step of k: where they lie, or in panels, which are shared, or
    /// the tile's own and packed just now.
    fn left(
        &self,
        shared: Option<&Panels>,
        own: Option<&mut Buffer>,
        rows: &Range<usize>,
        k: &Range<usize>,
        word: usize,
    ) -> Left {
        let Kernel { rows: height, depth, pack_a, multiply, .. } = *self.kernel;
        if let Some((numbers, stride, multiply)) = self.in_place() {
            let numbers = &numbers[rows.start * stride + k.start..];
            let start = numbers[..(rows.len() - 1) * stride + k.len()].as_ptr();
            let lanes = Lanes { start, stride };
            return Left { lanes, stride: height * stride, word: 1, multiply };
        }
        let (start, stride) = match (shared, own) {
            (Some(panels), _) => panels.of(rows, height, word),
            (None, Some(own)) => {
                let out = own.as_mut_slice().as_mut_ptr();
                let stride = k.len().div_ceil(depth) * height;
                // SAFETY: the buffer has room for the tile's lanes and a step of each.
                unsafe { self.a.pack(pack_a, rows, k, out, stride) };
                (out.cast_const(), stride)
            }
            (None, None) => unreachable!("room where nothing is shared"),
        };
        Left { lanes: Lanes { start, stride: height }, stride, word: height, multiply }
    }

    /// Adds a step of k to a tile of C, or puts it there.
    ///
    /// # Safety
    /// A and B, or their panels, hold the tile's lanes and the steps, which are no more than the
    /// kernel's; no other thread reads or writes the tile.
    unsafe fn step(
        &self,
        tile: &Tile,
        k: &Range<usize>,
        a: Left,
        mut b: Right,
        aside: &mut Option<Buffer>,
        added: bool,
    ) {
        let Kernel { columns, lanes, depth, pack_b, .. } = *self.kernel;
        let mut aside = || {
            let sums = aside.get_or_insert_with(|| Buffer::stale(tile.rows.len() * columns));
            Lanes { start: sums.as_mut_slice().as_mut_ptr(), stride: columns }
        };
        let c = |column: usize| Lanes {
            start: self.c.at(tile.rows.start * self.c_stride + column),
            stride: self.c_stride,
        };
        for (panel, column) in tile.columns.clone().step_by(columns).enumerate() {
            let end = tile.columns.end.min(column + columns);
            let (width, rows) = (end - column, tile.rows.len());
            let is_last = end == tile.columns.end;
            let after = c(if is_last { tile.columns.start } else { end });
            // The sums of parts are looked at again and again. Rows of C may lie a multiple of 4 KiB
            // apart, which a first cache does not keep: aside they are near.
            let whole = width % lanes == 0 && matches!(b, Right::Packed(..));
            let (out, sums) = match (whole, added) {
                (true, true) => (c(column), Sums::Added),
                (true, false) => (c(column), Sums::New),
                (false, _) => (aside(), Sums::New),
            };
            match &mut b {
                Right::Packed(first, stride) => {
                    let words = k.len().div_ceil(depth);
                    let b = first.wrapping_add(panel * *stride);
                    let next = match is_last {
                        true => first.wrapping_add(words * columns),
                        false => b.wrapping_add(*stride),
                    };
                    let next = Next::panel(next, words, columns);
                    let c = [c(column), after];
                    // SAFETY: as the caller says.
                    unsafe {
                        self.strip(Strip { words, a, b, rows, columns: width, out, sums, next, c })
                    };
                }
                Right::Room(room) => {
                    let b = room.as_mut_slice().as_mut_ptr();
                    for start in k.clone().step_by(self.part() * depth) {
                        let part = start..k.end.min(start + self.part() * depth);
                        let words = part.len().div_ceil(depth);
                        let (lane, step, c) = match (part.end < k.end, is_last) {
                            (true, _) => (column, part.end, [out, out]),
                            (false, false) => (end, k.start, [c(column), after]),
                            (false, true) => (tile.columns.start, k.end, [c(column), after]),
                        };
                        let next = match self.b {
                            Factor::Plain { numbers, strides } => {
                                let from = lane * strides[0] + step * strides[1];
                                let from = numbers.as_ptr().wrapping_add(from);
                                Next::plain(from, strides, words, columns)
                            }
                            _ => Next::panel(b, words, columns), // which is near
                        };
                        let a = a.after((start - k.start) / depth);
                        let sums = if start == k.start { sums } else { Sums::Continued };
                        // SAFETY: as the caller says; there is room for a part of a panel.
                        unsafe {
                            self.b.pack(pack_b, &(column..end), &part, b, 0);
                            self.strip(Strip {
                                words,
                                a,
                                b,
                                rows,
                                columns: width,
                                out,
                                sums,
                                next,
                                c,
                            });
                        }
                    }
                }
            }
            if !whole {
                // SAFETY: the tile is ours.
                unsafe { put(out, [rows, width], c(column), added) };
            }
        }
    }

    /// The sums of a strip.
    ///
    /// # Safety
    /// As [`Blocked::step`]; there are these rows and columns, also where the sums go.
    unsafe fn strip(&self, strip: Strip) {
        let Strip { words, a, b, rows, columns, out, sums, next, c } = strip;
        let multiply = a.multiply[columns.div_ceil(self.kernel.lanes) - 1];
        for (panel, row) in (0..rows).step_by(self.kernel.rows).enumerate() {
            let height = self.kernel.rows.min(rows - row);
            let c = match row + height < rows {
                true => c[0].after(row + height),
                false => c[1],
            };
            let soon = Soon { c, b: next.share(panel) };
            let out = out.after(row);
            let lanes = Lanes { start: a.lanes.start.wrapping_add(panel * a.stride), ..a.lanes };
            // SAFETY: as the caller says.
            unsafe {
                let start = out.start.cast_mut();
                multiply[height - 1](words, lanes, b, start, out.stride, sums, soon);
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
            (
                std::slice::from_raw_parts(sums.after(row).start, columns),
                std::slice::from_raw_parts_mut(c.after(row).start.cast_mut(), columns),
            )
        };
        if added {
            add(c, sums);
        } else {
            c.copy_from_slice(sums);
        }
    }
}
