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

/// What kernels read at a time: its sizes, and how its bytes become numbers. For a quantized format
/// one block; of the others 16 numbers.
pub(super) trait Block {
    /// How many numbers it holds, a multiple of 16.
    const NUMBERS: usize;
    /// In how many bytes.
    const BYTES: usize;

    /// The numbers from `16 at`; computed as `f32` in every build, so that they are the numbers that
    /// any other reader of the file gets. An array by value, as one register of a kernel holds it.
    fn sixteen(block: &[u8], at: usize) -> [f32; 16];
}

/// Runs `$body` with `$block` as the [`Block`] of a format.
macro_rules! by_block {
    ($format:expr, $block:ident => $body:expr) => {
        match $format {
            $crate::packed::Format::F16 => by_block!(@ $block, floats::F16, $body),
            $crate::packed::Format::BF16 => by_block!(@ $block, floats::BF16, $body),
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
        match self {
            Format::F16 | Format::BF16 => 1,
            _ => by_block!(self, B => B::NUMBERS),
        }
    }

    /// How many bytes a block takes.
    pub fn block_bytes(self) -> usize {
        match self {
            Format::F16 | Format::BF16 => 2,
            _ => by_block!(self, B => B::BYTES),
        }
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
        by_block!(self, B => unpack_all::<B>(bytes, out));
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
    fn unpack_all<B: Block>(bytes: &[u8], out: &mut [Float]) {
        let blocks = bytes.chunks_exact(B::BYTES);
        let rest = blocks.remainder();
        let mut out = out.chunks_exact_mut(B::NUMBERS);
        for (block, out) in blocks.zip(&mut out) {
            for (at, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                *out = B::sixteen(block, at).map(|x| x as Float);
            }
        }
        let out = out.into_remainder();
        out.iter_mut().zip(last::<B>(rest)).for_each(|(out, x)| *out = x as Float);
    }
}

/// The numbers of the last bytes of an F16 or BF16, too few for 16; zeros behind them.
#[inline(always)]
pub(super) fn last<B: Block>(rest: &[u8]) -> [f32; 16] {
    if rest.is_empty() {
        return [0.0; 16];
    }
    let mut block = [0; 32];
    block[..rest.len()].copy_from_slice(rest);
    B::sixteen(&block, 0)
}
