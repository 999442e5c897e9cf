//! A tile of C: its lanes of A and panels of B, step of k by step of k.

use super::{Blocked, Panels, Tile, ranges};
use crate::Float;
use crate::matmul::factor::Factor;
use crate::matmul::kernel::{Kernel, Lanes, Next, Soon, Sums, Widths};
use crate::matmul::product::add;
use crate::storage::Buffer;
use std::ops::Range;

/// Words along k of a panel that is packed right before it is multiplied: of plain numbers, and of
/// packed ones, whose longest block it is.
const PART: [usize; 2] = [128, 256];

/// The panels of a factor: shared, or room for what a tile packs for itself.
enum Held<'a> {
    Shared(&'a Panels),
    Own(Buffer),
}

impl<'a> Held<'a> {
    fn new(shared: Option<&'a Panels>, room: usize) -> Held<'a> {
        shared.map_or_else(|| Held::Own(Buffer::stale(room)), Held::Shared)
    }
}

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
        let height = if self.in_place().is_some() { 0 } else { tile.rows.len() };
        let mut a = Held::new(a, height.next_multiple_of(rows) * step);
        let mut b = Held::new(b, columns * self.part());
        let mut aside = None;
        for k in ranges(tile.k.clone(), step * depth, self.words() * depth) {
            let a = self.left(&mut a, &tile.rows, &k, (k.start - tile.k.start) / depth);
            let added = self.added || k.start > 0;
            // SAFETY: A and the panels hold these lanes and steps; the tile is ours.
            unsafe { self.step(tile, &k, a, &mut b, &mut aside, added) };
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
        PART[usize::from(!self.b.is_plain())]
    }

    /// The lanes of a tile of A for a step of k, from a word of the panels on: where they lie, or in
    /// panels, the tile's own packed just now.
    fn left(&self, held: &mut Held, rows: &Range<usize>, k: &Range<usize>, word: usize) -> Left {
        let Kernel { rows: height, depth, pack_a, multiply, .. } = *self.kernel;
        if let Some((numbers, stride, multiply)) = self.in_place() {
            let numbers = &numbers[rows.start * stride + k.start..];
            let start = numbers[..(rows.len() - 1) * stride + k.len()].as_ptr();
            let lanes = Lanes { start, stride };
            return Left { lanes, stride: height * stride, word: 1, multiply };
        }
        let (start, stride) = match held {
            Held::Shared(panels) => panels.of(rows, height, word),
            Held::Own(room) => {
                let out = room.as_mut_slice().as_mut_ptr();
                let stride = k.len().div_ceil(depth) * height;
                // SAFETY: there is room for the tile's lanes and a step of each.
                unsafe { self.a.pack(pack_a, rows, k, out, stride) };
                (out.cast_const(), stride)
            }
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
        b: &mut Held,
        aside: &mut Option<Buffer>,
        added: bool,
    ) {
        let Kernel { columns, lanes, depth, .. } = *self.kernel;
        let parts = match b {
            Held::Shared(_) => vec![k.clone()],
            Held::Own(_) => ranges(k.clone(), self.part() * depth, self.words() * depth),
        };
        let rows = tile.rows.len();
        let c = |column: usize| Lanes {
            start: self.c.at(tile.rows.start * self.c_stride + column),
            stride: self.c_stride,
        };
        for column in tile.columns.clone().step_by(columns) {
            let end = tile.columns.end.min(column + columns);
            let is_last = end == tile.columns.end;
            let after = c(if is_last { tile.columns.start } else { end });
            // The sums of parts are looked at again and again. Rows of C may lie a multiple of 4 KiB
            // apart, which a first cache does not keep: aside they are near.
            let whole = (end - column) % lanes == 0 && parts.len() == 1;
            let out = if whole {
                c(column)
            } else {
                let sums = aside.get_or_insert_with(|| Buffer::stale(rows * columns));
                Lanes { start: sums.as_mut_slice().as_mut_ptr(), stride: columns }
            };
            for part in &parts {
                let words = part.len().div_ceil(depth);
                let ends = part.end == k.end;
                let (b, next) = self.right(b, tile, k, part, column);
                let sums = match (part.start > k.start, whole && added) {
                    (true, _) => Sums::Continued,
                    (false, true) => Sums::Added,
                    (false, false) => Sums::New,
                };
                let a = a.after((part.start - k.start) / depth);
                let c = if ends { [c(column), after] } else { [out, out] };
                let columns = end - column;
                // SAFETY: as the caller says.
                unsafe { self.strip(Strip { words, a, b, rows, columns, out, sums, next, c }) };
            }
            if !whole {
                // SAFETY: the tile is ours.
                unsafe { put(out, [rows, end - column], c(column), added) };
            }
        }
    }

    /// A part of the panel of B from a column on: where it is, packed just now if it is the tile's own,
    /// and what comes after it.
    fn right(
        &self,
        held: &mut Held,
        tile: &Tile,
        k: &Range<usize>,
        part: &Range<usize>,
        column: usize,
    ) -> (*const Float, Next) {
        let Kernel { columns, depth, pack_b, .. } = *self.kernel;
        let words = part.len().div_ceil(depth);
        let end = tile.columns.end.min(column + columns);
        let is_last = end == tile.columns.end;
        match held {
            Held::Shared(panels) => {
                let word = (k.start - tile.k.start) / depth;
                let (first, stride) = panels.of(&tile.columns, columns, word);
                let b = first.wrapping_add((column - tile.columns.start) / columns * stride);
                let next = match is_last {
                    true => first.wrapping_add(words * columns),
                    false => b.wrapping_add(stride),
                };
                (b, Next::panel(next, words, columns))
            }
            Held::Own(room) => {
                let b = room.as_mut_slice().as_mut_ptr();
                // SAFETY: B holds these lanes and steps, and there is room for the part.
                unsafe { self.b.pack(pack_b, &(column..end), part, b, 0) };
                let [lane, step] = match (part.end < k.end, is_last) {
                    (true, _) => [column, part.end],
                    (false, false) => [end, k.start],
                    (false, true) => [tile.columns.start, k.end],
                };
                let next = match self.b {
                    Factor::Plain { numbers, strides } => {
                        let from = lane * strides[0] + step * strides[1];
                        Next::plain(numbers.as_ptr().wrapping_add(from), strides, words, columns)
                    }
                    _ => Next::panel(b, words, columns), // which is near
                };
                (b, next)
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
            // After the last rows the first ones come again: asked for from the strip's first word, though
            // a panel that is packed in parts goes on where this part ends.
            let (to_next, c) = match row + height < rows {
                true => (a.stride as isize, c[0].after(row + height)),
                false => (-((panel * a.stride) as isize), c[1]),
            };
            let to_next = to_next - (words * a.word) as isize;
            let soon = Soon { a: to_next, b: next.share(panel), c };
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
