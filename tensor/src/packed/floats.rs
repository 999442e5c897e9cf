//! Floating-point numbers of two bytes, little-endian.
//!
//! | format | sign | exponent | mantissa |
//! |---|---|---|---|
//! | F16 (IEEE 754 half) | 1 bit | 5 bits, bias 15 | 10 bits |
//! | BF16 | 1 bit | 8 bits, bias 127, as `f32` | 7 bits |

use super::format::Block;
use crate::Float;
use half::{bf16, f16};
use std::array::from_fn;

/// The `f32` of a half, exactly. The bits of a half, moved to where an `f32` has them, are the
/// number over 2¹¹², subnormal numbers included; only infinity and NaN need their exponent set.
#[inline(always)]
fn of_f16(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let scaled = (f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)).to_bits();
    let special = magnitude | 0x7f80_0000;
    let magnitude = if magnitude >= 0x0f80_0000 { special } else { scaled };
    f32::from_bits(magnitude | u32::from(bits >> 15) << 31)
}

/// The half that stands at the start of `bytes`, as `f32`.
#[inline(always)]
pub(super) fn f16_at(bytes: &[u8]) -> f32 {
    of_f16(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// The `f32` of a bfloat16, exactly.
#[inline(always)]
fn of_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

pub(super) struct F16;
pub(super) struct BF16;

impl Block for F16 {
    const NUMBERS: usize = 16;
    const BYTES: usize = 32;

    #[inline(always)]
    fn sixteen(block: &[u8], _at: usize) -> [f32; 16] {
        let halves = pairs(block);
        from_fn(|j| of_f16(u16::from_le_bytes(halves[j])))
    }
}

impl Block for BF16 {
    const NUMBERS: usize = 16;
    const BYTES: usize = 32;

    #[inline(always)]
    fn sixteen(block: &[u8], _at: usize) -> [f32; 16] {
        let halves = pairs(block);
        from_fn(|j| of_bf16(u16::from_le_bytes(halves[j])))
    }
}

#[inline(always)]
fn pairs(block: &[u8]) -> [[u8; 2]; 16] {
    *block.as_chunks().0.first_chunk().expect("32 bytes of a block")
}

/// The nearest `f32`.
#[inline(always)]
#[allow(clippy::unnecessary_cast)] // It is one in the f32 build only.
pub(super) fn rounded(x: Float) -> f32 {
    x as f32
}

pub(super) fn pack_f16(numbers: &[Float], out: &mut Vec<u8>) {
    out.extend(numbers.iter().flat_map(|&x| f16::from_f32(rounded(x)).to_le_bytes()));
}

pub(super) fn pack_bf16(numbers: &[Float], out: &mut Vec<u8>) {
    out.extend(numbers.iter().flat_map(|&x| bf16::from_f32(rounded(x)).to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::Format;

    #[test]
    fn every_half_and_bfloat16_is_read_exactly() {
        for bits in 0..=u16::MAX {
            let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(same(of_f16(bits), f16::from_bits(bits).to_f32()), "{bits:#x}");
            assert!(same(of_bf16(bits), bf16::from_bits(bits).to_f32()), "{bits:#x}");
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_even_by_hand() {
        // Halves near 1 are 2⁻¹⁰ apart, bfloat16 2⁻⁷.
        let x = [1.0, -2.5, 1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 1e6, 1e-8];
        let mut back = [0.0; 6];
        Format::F16.unpack(&Format::F16.pack(&x), &mut back);
        let infinite = Float::INFINITY;
        assert_eq!(back, [1.0, -2.5, 1.0, 1.0 + 2.0 / 1024.0, infinite, 0.0]);
        let x = [1.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, Float::INFINITY];
        let mut back = [0.0; 4];
        Format::BF16.unpack(&Format::BF16.pack(&x), &mut back);
        assert_eq!(back, [1.0, 1.0, 1.0 + 2.0 / 128.0, Float::INFINITY]);
        Format::F16.unpack(&Format::F16.pack(&[Float::NAN]), &mut back[..1]);
        assert!(back[0].is_nan());
    }
}
