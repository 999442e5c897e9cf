//! A factor of a blocked product as it lies in memory: in plain numbers, or packed in fewer bits and
//! unpacked on the way into its panels.

use super::panels::Pack;
use crate::Float;
use crate::packed::Rows;
use crate::storage::Buffer;
use std::ops::Range;

/// Numbers by lane (a row of A, or a column of B) and step along k.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a> {
    /// Numbers and how far the next lane and the next step are.
    Plain { numbers: &'a [Float], strides: [usize; 2] },
    /// Each lane is a packed row.
    Lanes(&'a Rows<'a>),
    /// Each step is a packed row.
    Steps(&'a Rows<'a>),
}

impl Factor<'_> {
    /// Whether neighbours in memory are steps along k.
    pub fn runs_along_k(&self) -> bool {
        matches!(self, Factor::Lanes(_) | Factor::Plain { strides: [_, 1], .. })
    }

    /// Whether its numbers are plain ones.
    pub fn is_plain(&self) -> bool {
        matches!(self, Factor::Plain { .. })
    }

    /// Whether each step is a packed row, of which whole blocks of lanes are unpacked.
    pub fn is_packed_by_step(&self) -> bool {
        matches!(self, Factor::Steps(_))
    }

    /// Plain numbers whose lanes run along k, and how far the next lane is.
    pub fn plain_lanes(&self) -> Option<(&[Float], usize)> {
        match *self {
            Factor::Plain { numbers, strides: [stride, 1] } => Some((numbers, stride)),
            _ => None,
        }
    }

    /// Packs a range of lanes and steps into panels at `out`, `panel_stride` words apart.
    ///
    /// # Safety
    /// There is room for the panels, and the ranges lie inside of the factor.
    pub unsafe fn pack(
        &self,
        pack: Pack,
        lanes: &Range<usize>,
        steps: &Range<usize>,
        out: *mut Float,
        panel_stride: usize,
    ) {
        let sizes = [lanes.len(), steps.len()];
        match *self {
            Factor::Plain { numbers, strides } => {
                let x = &numbers[lanes.start * strides[0] + steps.start * strides[1]..];
                // SAFETY: the factor holds these lanes and steps.
                unsafe { pack(x.as_ptr(), strides, sizes, out, panel_stride) };
            }
            Factor::Lanes(rows) => {
                let (numbers, first, width) = unpacked(rows, lanes, steps);
                // SAFETY: as above.
                unsafe {
                    let x = numbers.as_slice()[first..].as_ptr();
                    pack(x, [width, 1], sizes, out, panel_stride);
                }
            }
            Factor::Steps(rows) => {
                let (numbers, first, width) = unpacked(rows, steps, lanes);
                // SAFETY: as above.
                unsafe {
                    let x = numbers.as_slice()[first..].as_ptr();
                    pack(x, [1, width], sizes, out, panel_stride);
                }
            }
        }
    }
}

/// Some numbers of some packed rows, and whole blocks around them: the buffer, where in it the first
/// of the numbers is, and how far one row is from the next.
fn unpacked(rows: &Rows, count: &Range<usize>, numbers: &Range<usize>) -> (Buffer, usize, usize) {
    let block = rows.format.block_len();
    let start = numbers.start / block * block;
    let width = numbers.end.next_multiple_of(block) - start;
    let mut buffer = Buffer::stale(count.len() * width);
    for (row, out) in count.clone().zip(buffer.as_mut_slice().chunks_exact_mut(width)) {
        rows.unpack_part(row, start, out);
    }
    (buffer, numbers.start - start, width)
}
