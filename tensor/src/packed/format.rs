//! The formats by name: how many numbers a block holds, in how many bytes.

use super::{blocks, floats, super_blocks};
use crate::{Float, simd};

/// How packed numbers are laid out. The quantized formats are those of GGUF files, and carry
/// their names; a row of a matrix is a whole number of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(non_camel_case_types)] // The names that files and their makers use.
pub enum Format {
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an `f32`.
    BF16,
    /// 8 bits and a scale for 32 numbers.
    Q8_0,
    /// 4 bits and a scale for 32 numbers.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 numbers.
    Q4_1,
    /// 5 bits and a scale for 32 numbers.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 numbers.
    Q5_1,
    /// 4 bits; scales and minima of 6 bits for 32 of 256 numbers.
    Q4_K,
    /// 5 bits; scales and minima of 6 bits for 32 of 256 numbers.
    Q5_K,
    /// 6 bits; scales of 8 bits for 16 of 256 numbers.
    Q6_K,
}

/// One block of a format: its sizes, and how its bytes become numbers.
pub(super) trait Block {
    /// How many numbers it holds, a multiple of 16.
    const NUMBERS: usize;
    /// In how many bytes.
    const BYTES: usize;

    /// Writes the numbers of a block of `BYTES` bytes; computed as `f32` in every build, so that
    /// they are the numbers that any other reader of the file gets.
    fn unpack(block: &[u8], out: &mut [f32]);
}

/// Runs `$body` with `$block` as the [`Block`] of a quantized format, or `$float` for the others.
macro_rules! by_block {
    ($format:expr, $block:ident => $body:expr, $float:ident => $other:expr) => {
        match $format {
            $float @ ($crate::packed::Format::F16 | $crate::packed::Format::BF16) => $other,
            $crate::packed::Format::Q8_0 => by_block!(@ $block, blocks::Q8_0, $body),
            $crate::packed::Format::Q4_0 => by_block!(@ $block, blocks::Q4_0, $body),
            $crate::packed::Format::Q4_1 => by_block!(@ $block, blocks::Q4_1, $body),
            $crate::packed::Format::Q5_0 => by_block!(@ $block, blocks::Q5_0, $body),
            $crate::packed::Format::Q5_1 => by_block!(@ $block, blocks::Q5_1, $body),
            $crate::packed::Format::Q4_K => by_block!(@ $block, super_blocks::Q4_K, $body),
            $crate::packed::Format::Q5_K => by_block!(@ $block, super_blocks::Q5_K, $body),
            $crate::packed::Format::Q6_K => by_block!(@ $block, super_blocks::Q6_K, $body),
        }
    };
    (@ $block:ident, $ty:ty, $body:expr) => {{
        type $block = $ty;
        $body
    }};
}
pub(super) use by_block;

impl Format {
    /// Every format.
    pub const ALL: [Format; 10] = [
        Format::F16,
        Format::BF16,
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q4_K,
        Format::Q5_K,
        Format::Q6_K,
    ];

    /// How many numbers a block holds.
    pub fn block_len(self) -> usize {
        by_block!(self, B => B::NUMBERS, _float => 1)
    }

    /// How many bytes a block takes.
    pub fn block_bytes(self) -> usize {
        by_block!(self, B => B::BYTES, _float => 2)
    }

    /// How many bytes `len` numbers take; `None` if they are no whole number of blocks, or more
    /// than can be counted.
    pub fn bytes_of(self, len: usize) -> Option<usize> {
        let whole = len.is_multiple_of(self.block_len());
        whole.then(|| (len / self.block_len()).checked_mul(self.block_bytes())).flatten()
    }

    /// Unpacks all of `bytes`, on this thread.
    ///
    /// # Panics
    /// If `out` is not as long as the bytes hold numbers.
    pub fn unpack(self, bytes: &[u8], out: &mut [Float]) {
        let fits = self.bytes_of(out.len()) == Some(bytes.len());
        assert!(fits, "{} bytes of {self:?} are not {} numbers", bytes.len(), out.len());
        by_block!(self, B => unpack_blocks::<B>(bytes, out), float => match float {
            Format::F16 => floats::unpack_f16(bytes, out),
            _ => floats::unpack_bf16(bytes, out),
        });
    }

    /// Whether [`Format::pack`] knows it.
    pub fn can_pack(self) -> bool {
        matches!(self, Format::F16 | Format::BF16 | Format::Q8_0)
    }

    /// Packs numbers, each rounded to the nearest that the format has.
    ///
    /// # Panics
    /// If the format is only read (see [`Format::can_pack`]), or the numbers are no whole number
    /// of blocks.
    pub fn pack(self, numbers: &[Float]) -> Vec<u8> {
        let bytes = self.bytes_of(numbers.len());
        let bytes = bytes.unwrap_or_else(|| {
            panic!("{} numbers are no whole blocks of {self:?}", numbers.len());
        });
        let mut out = Vec::with_capacity(bytes);
        match self {
            Format::F16 => floats::pack_f16(numbers, &mut out),
            Format::BF16 => floats::pack_bf16(numbers, &mut out),
            Format::Q8_0 => blocks::pack_q8_0(numbers, &mut out),
            _ => panic!("{self:?} can be read, not packed; pack as F16, BF16 or Q8_0"),
        }
        out
    }
}

simd! {
    /// All blocks of `bytes`, one after the other.
    fn unpack_blocks<B: Block>(bytes: &[u8], out: &mut [Float]) {
        let mut numbers = [0.0; LARGEST_BLOCK];
        for (block, out) in bytes.chunks_exact(B::BYTES).zip(out.chunks_exact_mut(B::NUMBERS)) {
            B::unpack(block, &mut numbers[..B::NUMBERS]);
            for (out, x) in out.iter_mut().zip(numbers) {
                *out = x as Float;
            }
        }
    }
}

/// The most numbers that a block holds.
pub(super) const LARGEST_BLOCK: usize = 256;
