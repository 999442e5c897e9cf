//! Blocks of 32 numbers that share a scale `d`, and perhaps a minimum `m` (both halves).
//!
//! | format | bytes of a block | number |
//! |---|---|---|
//! | Q8_0 | `d` 2, `q` 32 signed bytes | `d q` |
//! | Q4_0 | `d` 2, nibbles 16 | `d (q - 8)` |
//! | Q4_1 | `d` 2, `m` 2, nibbles 16 | `d q + m` |
//! | Q5_0 | `d` 2, fifth bits 4, nibbles 16 | `d (q - 16)` |
//! | Q5_1 | `d` 2, `m` 2, fifth bits 4, nibbles 16 | `d q + m` |
//!
//! Byte `j` of the nibbles holds number `j` in its lower and number `j + 16` in its upper half;
//! bit `i` of the fifth bits (a little-endian word) belongs to number `i`. Source: the block
//! formats of GGUF files, github.com/ggml-org/ggml, `ggml-common.h`.

use super::floats::{f16_at, rounded};
use super::format::Block;
use crate::Float;
use half::f16;
use std::array::from_fn;

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q5_1;

impl Block for Q8_0 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 34;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (d, q) = (f16_at(block), bytes(&block[2 + 16 * at..]));
        from_fn(|j| d * f32::from(q[j] as i8))
    }
}

impl Block for Q4_0 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 18;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (d, q) = (f16_at(block), bytes(&block[2..]));
        from_fn(|j| d * (f32::from(q[j] >> (4 * at) & 15) - 8.0))
    }
}

impl Block for Q4_1 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 20;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (d, m, q) = (f16_at(block), f16_at(&block[2..]), bytes(&block[4..]));
        from_fn(|j| d * f32::from(q[j] >> (4 * at) & 15) + m)
    }
}

impl Block for Q5_0 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 22;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (d, q) = (f16_at(block), with_fifth_bits(&block[2..], &block[6..], at));
        from_fn(|j| d * (q[j] - 16.0))
    }
}

impl Block for Q5_1 {
    const NUMBERS: usize = 32;
    const BYTES: usize = 24;

    #[inline(always)]
    fn sixteen(block: &[u8], at: usize) -> [f32; 16] {
        let (d, m) = (f16_at(block), f16_at(&block[2..]));
        let q = with_fifth_bits(&block[4..], &block[8..], at);
        from_fn(|j| d * q[j] + m)
    }
}

/// The 16 bytes that `from` starts with: read before anything is written, so that the compiler
/// need not mind whether one overlaps the other.
#[inline(always)]
pub(super) fn bytes(from: &[u8]) -> [u8; 16] {
    *from.first_chunk().expect("16 bytes of a block")
}

#[inline(always)]
fn with_fifth_bits(fifth: &[u8], nibbles: &[u8], at: usize) -> [f32; 16] {
    let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]) >> (16 * at);
    let q = bytes(nibbles);
    from_fn(|j| (u32::from(q[j] >> (4 * at) & 15) | (fifth >> j & 1) << 4) as f32)
}

/// `d` is the largest magnitude over 127; a number is divided by the unrounded `d`, though the
/// half that is stored is the rounded one. Halves go away from zero.
pub(super) fn pack_q8_0(numbers: &[Float], out: &mut Vec<u8>) {
    for block in numbers.as_chunks::<32>().0 {
        let largest = block.iter().fold(0.0, |largest, &x| rounded(x).abs().max(largest));
        let d = largest / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        out.extend(f16::from_f32(d).to_le_bytes());
        out.extend(block.iter().map(|&x| (rounded(x) * inverse).round() as i8 as u8));
    }
}

#[cfg(test)]
mod tests {
    use crate::Float;
    use crate::packed::Format;

    fn unpacked(format: Format, bytes: &[u8]) -> Vec<Float> {
        let mut out = vec![0.0; bytes.len() / format.block_bytes() * format.block_len()];
        format.unpack(bytes, &mut out);
        out
    }

    #[test]
    fn blocks_by_hand() {
        // A half's 0.5 is 0x3800, -2 is 0xc000; the nibbles of byte j are j and 15 - j.
        let nibbles: Vec<u8> = (0..16).map(|j| j | (15 - j) << 4).collect();
        let [d, m] = [[0x00, 0x38], [0x00, 0xc0]];
        let q = |i: usize| if i < 16 { i as Float } else { 31.0 - i as Float };
        let fifth = 0x8000_0001u32.to_le_bytes();
        let fifth_of = |i: usize| if i == 0 || i == 31 { 16.0 } else { 0.0 };
        let expect = |bytes: &[&[u8]], format, number: &dyn Fn(usize) -> Float| {
            let expected: Vec<Float> = (0..32).map(number).collect();
            assert_eq!(unpacked(format, &bytes.concat()), expected, "{format:?}");
        };
        expect(&[&d, &nibbles], Format::Q4_0, &|i| 0.5 * (q(i) - 8.0));
        expect(&[&d, &m, &nibbles], Format::Q4_1, &|i| 0.5 * q(i) - 2.0);
        expect(&[&d, &fifth, &nibbles], Format::Q5_0, &|i| 0.5 * (q(i) + fifth_of(i) - 16.0));
        expect(&[&d, &m, &fifth, &nibbles], Format::Q5_1, &|i| 0.5 * (q(i) + fifth_of(i)) - 2.0);
        let signed: Vec<u8> = (0..32).map(|i| (i as i8 - 16) as u8).collect();
        expect(&[&d, &signed], Format::Q8_0, &|i| 0.5 * (i as Float - 16.0));
    }

    #[test]
    fn eight_bits_are_rounded_half_away_from_zero() {
        let mut x = [0.0; 64];
        (x[0], x[1], x[2], x[3]) = (127.0, 2.5, -2.5, 0.4);
        let bytes = Format::Q8_0.pack(&x);
        assert_eq!(bytes.len(), 68);
        assert_eq!(unpacked(Format::Q8_0, &bytes)[..4], [127.0, 3.0, -3.0, 0.0]);
        assert_eq!(bytes[34..], [0; 34]);
        x[0] = Float::INFINITY;
        x[40] = Float::NAN;
        assert_eq!(Format::Q8_0.pack(&x).len(), 68);
    }

    #[test]
    #[should_panic(expected = "33 numbers are no whole blocks of Q8_0")]
    fn only_whole_blocks_are_packed() {
        Format::Q8_0.pack(&[0.0; 33]);
    }

    #[test]
    #[should_panic(expected = "Q4_K can be read, not packed; pack as F16, BF16 or Q8_0")]
    fn a_format_that_is_only_read_says_so() {
        Format::Q4_K.pack(&[0.0; 256]);
    }

    #[test]
    #[should_panic(expected = "17 bytes of Q4_0 are not 32 numbers")]
    fn the_bytes_must_hold_the_numbers() {
        Format::Q4_0.unpack(&[0; 17], &mut [0.0; 32]);
    }
}
