//! Blocks of 256 numbers, in groups whose scales are themselves packed ("K-quants").
//!
//! | format | bytes of a block, in order | number |
//! |---|---|---|
//! | Q4_K | `d` 2, `dmin` 2, scales 12, nibbles 128 | `(d s) q - (dmin m)` |
//! | Q5_K | `d` 2, `dmin` 2, scales 12, fifth bits 32, nibbles 128 | `(d s) q - (dmin m)` |
//! | Q6_K | nibbles 128, upper bits 64, scales 16, `d` 2 | `(d s) (q - 32)` |
//!
//! Q4_K, Q5_K: 8 groups of 32; each pair of groups takes 32 bytes, the first in the lower halves.
//! The 12 bytes hold 8 scales `s` and 8 minima `m` of 6 bits: bytes 0–3 the first four scales,
//! 4–7 the first four minima; the lower 4 bits of the others are in bytes 8–11 (scales below,
//! minima above), their upper 2 in the upper bits of bytes 0–3 and 4–7. Bit `g` of fifth-bit byte
//! `l` belongs to number `l` of group `g`.
//!
//! Q6_K: two halves of 128 numbers, each in four runs of 32: the lower halves of nibble bytes
//! 0–31, of 32–63, and their upper halves; run `r`'s upper 2 bits are bits `2r`, `2r + 1` of the
//! half's 32 bytes. The signed scales are of 16 numbers each. Source as of [`super::blocks`].

use super::blocks::bytes;
use super::floats::f16_at;
use super::format::Block;
use std::array::from_fn;

#[allow(non_camel_case_types)]
pub(super) struct Q4_K;
#[allow(non_camel_case_types)]
pub(super) struct Q5_K;
#[allow(non_camel_case_types)]
pub(super) struct Q6_K;

impl Block for Q4_K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 144;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        group_of_32(block, &[0; 32], &block[16..144], at)
    }
}

impl Block for Q5_K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 176;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        group_of_32(block, &block[16..48], &block[48..176], at)
    }
}

/// Half `at % 2` of group `at / 2`; `block` starts with `d`, `dmin` and the scales.
#[inline(always)]
fn group_of_32(block: &[u8], fifth: &[u8], nibbles: &[u8], at: usize) -> [f32; 16] {
    let (d, dmin) = (f16_at(block), f16_at(&block[2..]));
    let (group, side) = (at / 2, at % 2 * 16);
    let (scale, min) = scale_and_min(&block[4..16], group);
    let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
    let (q, fifth) = (bytes(&nibbles[group / 2 * 32 + side..]), bytes(&fifth[side..]));
    let shift = group % 2 * 4;
    from_fn(|l| scale * f32::from(q[l] >> shift & 15 | (fifth[l] >> group & 1) << 4) - min)
}

#[inline(always)]
fn scale_and_min(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let lower = packed[group + 4];
    (lower & 15 | packed[group - 4] >> 6 << 4, lower >> 4 | packed[group] >> 6 << 4)
}

impl Block for Q6_K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 210;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (half, run, side) = (at / 8, at % 8 / 2, at % 2);
        let q = bytes(&block[half * 64 + run % 2 * 32 + side * 16..]);
        let upper = bytes(&block[128 + half * 32 + side * 16..]);
        let scale = f16_at(&block[208..]) * f32::from(block[192 + at] as i8);
        let shift = run / 2 * 4;
        from_fn(|l| {
            let q = q[l] >> shift & 15 | (upper[l] >> (2 * run) & 3) << 4;
            scale * (f32::from(q) - 32.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Float;
    use crate::packed::Format;

    /// The half 0.5, and the half 2.
    const HALF: [u8; 2] = [0x00, 0x38];
    const TWO: [u8; 2] = [0x00, 0x40];

    fn unpacked(format: Format, bytes: &[u8]) -> Vec<Float> {
        let mut out = vec![0.0; format.block_len()];
        format.unpack(bytes, &mut out);
        out
    }

    /// Scales 1, 2, 3, 4, 21, 38, 55, 56 and minima 5, 6, 7, 8, 25, 42, 59, 60.
    fn scales() -> Vec<u8> {
        let (scale, min) = ([1, 2, 3, 4, 21, 38, 55, 56], [5, 6, 7, 8, 25, 42, 59, 60u8]);
        let first = (0..4).map(|i| scale[i] | scale[i + 4] >> 4 << 6);
        let second = (0..4).map(|i| min[i] | min[i + 4] >> 4 << 6);
        let third = (0..4).map(|i| scale[i + 4] & 15 | (min[i + 4] & 15) << 4);
        first.chain(second).chain(third).collect()
    }

    #[test]
    fn four_and_five_bits_by_hand() {
        let nibbles = vec![0xa3; 128];
        let bytes = [&HALF[..], &TWO, &scales(), &nibbles].concat();
        let x = unpacked(Format::Q4_K, &bytes);
        assert_eq!(x[0], 0.5 * 3.0 - 10.0);
        assert_eq!(x[32], 1.0 * 10.0 - 12.0);
        assert_eq!((x[128], x[160]), (10.5 * 3.0 - 50.0, 19.0 * 10.0 - 84.0));
        assert_eq!(x[255], 28.0 * 10.0 - 120.0);

        let mut fifth = [0; 32];
        fifth[0] = 0b0000_0001;
        fifth[31] = 0b1000_0000;
        let bytes = [&HALF[..], &TWO, &scales(), &fifth, &nibbles].concat();
        let y = unpacked(Format::Q5_K, &bytes);
        assert_eq!(y[0], 0.5 * 19.0 - 10.0);
        assert_eq!(y[255], 28.0 * 26.0 - 120.0);
        assert_eq!(y[1..255], x[1..255]);
    }

    #[test]
    fn six_bits_by_hand() {
        let mut bytes = vec![0; 210];
        // Number 0: q = 0x15; number 32 + 16: q = 0x2a; number 64: q = 0x37; the last: q = 0x3f.
        (bytes[0], bytes[32 + 16], bytes[127]) = (0x75, 0x0a, 0xf0);
        bytes[128] = 0b0011_0001;
        bytes[128 + 16] = 0b0000_1000;
        bytes[191] = 0b1100_0000;
        (bytes[192], bytes[192 + 3], bytes[192 + 4], bytes[207]) = (2, 0xff, 4, 8);
        bytes[208..].copy_from_slice(&HALF);
        let x = unpacked(Format::Q6_K, &bytes);
        assert_eq!(x[0], 1.0 * (21.0 - 32.0));
        assert_eq!(x[48], -0.5 * (42.0 - 32.0));
        assert_eq!(x[64], 2.0 * (55.0 - 32.0));
        assert_eq!(x[255], 4.0 * (63.0 - 32.0));
        assert_eq!(x[1], -32.0);
    }
}
