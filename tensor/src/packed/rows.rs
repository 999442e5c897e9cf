//! A matrix whose rows lie packed, each a whole number of blocks.

use super::{Format, Packed};
use crate::storage::Storage;
use crate::{Float, Tensor, par};

/// `count` rows of `width` numbers, `stride` bytes apart.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    pub format: Format,
    stride: usize,
    pub count: usize,
    pub width: usize,
}

impl Tensor {
    pub(crate) fn packed(&self) -> Option<&Packed> {
        match &*self.storage {
            Storage::Packed(packed) => Some(packed),
            _ => None,
        }
    }

    /// The rows of this matrix, if they lie packed.
    pub(crate) fn packed_rows(&self) -> Option<Rows<'_>> {
        let packed = self.packed()?;
        let (&[count, width], &[row_stride, 1]) = (&self.shape[..], &self.strides[..]) else {
            return None;
        };
        let format = packed.format;
        let whole = |numbers: usize| numbers.is_multiple_of(format.block_len());
        let whole = whole(self.offset) && whole(row_stride) && whole(width);
        if !whole || self.is_empty() {
            return None;
        }
        let bytes_of = |numbers: usize| numbers / format.block_len() * format.block_bytes();
        let bytes = &packed.bytes()[bytes_of(self.offset)..];
        Some(Rows { bytes, format, stride: bytes_of(row_stride), count, width })
    }
}

impl<'a> Rows<'a> {
    /// The bytes of a row.
    pub fn bytes(&self, row: usize) -> &'a [u8] {
        let len = self.width / self.format.block_len() * self.format.block_bytes();
        &self.bytes[row * self.stride..][..len]
    }

    /// Unpacks one row.
    pub fn unpack_row(&self, row: usize, out: &mut [Float]) {
        self.format.unpack(self.bytes(row), out);
    }

    /// Unpacks numbers of one row, from the block that begins with number `first` on.
    pub fn unpack_part(&self, row: usize, first: usize, out: &mut [Float]) {
        let bytes_of = |numbers| numbers / self.format.block_len() * self.format.block_bytes();
        let bytes = &self.bytes(row)[bytes_of(first)..][..bytes_of(out.len())];
        self.format.unpack(bytes, out);
    }

    /// Unpacks as many rows from `first` as `out` has room for.
    pub fn unpack(&self, first: usize, out: &mut [Float]) {
        par::for_rows(out, self.width, |start, out| {
            for (row, out) in out.chunks_exact_mut(self.width).enumerate() {
                self.unpack_row(first + start + row, out);
            }
        });
    }
}
