//! A matrix whose rows lie packed, each a whole number of blocks.

use super::format::{Block, LARGEST_BLOCK, by_block};
use super::{Format, Packed, blocks, floats, super_blocks};
use crate::storage::Storage;
use crate::vmath::{LANES, tree};
use crate::{Float, Tensor, par, simd};

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

    /// Unpacks as many rows from `first` as `out` has room for.
    pub fn unpack(&self, first: usize, out: &mut [Float]) {
        par::for_rows(out, self.width, |start, out| {
            for (row, out) in out.chunks_exact_mut(self.width).enumerate() {
                self.unpack_row(first + start + row, out);
            }
        });
    }

    /// The dot products of `x` with each row: the same bits as [`crate::vmath::dot`] with the
    /// numbers of the row unpacked.
    pub fn dots(&self, x: &[Float], y: &mut [Float]) {
        par::for_rows_reading(y, 1, self.width, |first, y| {
            for (row, y) in y.iter_mut().enumerate() {
                let bytes = self.bytes(first + row);
                *y = by_block!(self.format, B => dot::<B>(x, bytes), float => match float {
                    Format::F16 => dot_f16(x, bytes),
                    _ => dot_bf16(x, bytes),
                });
            }
        });
    }
}

simd! {
    fn dot<B: Block>(x: &[Float], row: &[u8]) -> Float {
        let mut lanes = [0.0; LANES];
        let mut numbers = [0.0f32; LARGEST_BLOCK];
        for (block, x) in row.chunks_exact(B::BYTES).zip(x.chunks_exact(B::NUMBERS)) {
            B::unpack(block, &mut numbers[..B::NUMBERS]);
            let numbers = numbers[..B::NUMBERS].as_chunks::<LANES>().0;
            for (x, numbers) in x.as_chunks::<LANES>().0.iter().zip(numbers) {
                for lane in 0..LANES {
                    lanes[lane] += x[lane] * numbers[lane] as Float;
                }
            }
        }
        tree(lanes, |a, b| a + b)
    }
}

simd! {
    fn dot_f16(x: &[Float], row: &[u8]) -> Float {
        dot_two_bytes(x, row, floats::of_f16)
    }
}

simd! {
    fn dot_bf16(x: &[Float], row: &[u8]) -> Float {
        dot_two_bytes(x, row, floats::of_bf16)
    }
}

#[inline(always)]
fn dot_two_bytes(x: &[Float], row: &[u8], number: impl Fn(u16) -> f32) -> Float {
    let number = |bytes: &[u8; 2]| number(u16::from_le_bytes(*bytes)) as Float;
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (row, row_rest) = row.as_chunks::<2>().0.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (x, row) in x.iter().zip(row) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * number(&row[lane]);
        }
    }
    for (lane, (x, bytes)) in x_rest.iter().zip(row_rest).enumerate() {
        lanes[lane] += x * number(bytes);
    }
    tree(lanes, |a, b| a + b)
}
