//! Dot products with AVX-512 and VNNI: four packed rows at a time, and of each four blocks.
//!
//! [`_mm512_dpbusd_epi32`] adds up products of bytes, four to a lane: the rows' numbers without a sign,
//! 64 of them in a register, with `x` in two bytes ([`TwoBytes`]). Four lanes hold the sum of one
//! block, to be multiplied with its scale.

use super::avx2::{Ahead, four_by_four};
use super::two_bytes::{STEP, TwoBytes};
use super::{Output, avx2};
use crate::packed::{Format, Rows};
use crate::simd::{InstructionSet, instruction_set};
use std::arch::x86_64::*;
use std::ops::Range;

/// Rows read side by side.
const TOGETHER: usize = 4;
/// Blocks whose numbers are in registers at a time.
const BLOCKS: usize = 4;

/// The left side's rows.
pub(super) struct Left(Vec<TwoBytes>);

impl Left {
    /// `None` where the CPU does not have what this needs, or the format's numbers lie otherwise.
    pub fn new(format: Format, rows: &[&[f32]]) -> Option<Left> {
        let formats = [Format::Q8_0, Format::Q4_0, Format::Q4_1, Format::Q5_0, Format::Q5_1];
        let found = instruction_set() == InstructionSet::Avx512
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("f16c");
        (found && formats.contains(&format))
            .then(|| Left(rows.iter().map(|x| TwoBytes::of(x)).collect()))
    }

    /// # Safety
    /// No other thread writes these columns of `y [m, count]`.
    pub unsafe fn dots(&self, columns: &Rows<'_>, some: Range<usize>, y: &Output) {
        // SAFETY: `new` found the features and the format; the rest is as the caller says.
        unsafe {
            match columns.format {
                Format::Q8_0 => integers::<Q8_0>(&self.0, columns, some, y),
                Format::Q4_0 => integers::<Q4_0>(&self.0, columns, some, y),
                Format::Q4_1 => integers::<Q4_1>(&self.0, columns, some, y),
                Format::Q5_0 => integers::<Q5_0>(&self.0, columns, some, y),
                _ => integers::<Q5_1>(&self.0, columns, some, y),
            }
        }
    }
}

type Blocks = [*const u8; BLOCKS];

/// A format of blocks of 32 whole numbers that share a scale, and perhaps a minimum.
trait Integers {
    const BYTES: usize;
    /// What the sums of minima are multiplied with.
    const MIN: f32;

    /// The numbers 0 to 15 of four blocks, and their numbers 16 to 31, in bytes without a sign.
    unsafe fn numbers(blocks: Blocks) -> [__m512i; 2];

    /// The scales of four blocks, then what [`Integers::MIN`] times their minima are.
    unsafe fn scales(blocks: Blocks) -> __m256;
}

/// What stands in place of blocks behind the last: its scale and its minimum are 0.
static NOTHING: [u8; 64] = [0; 64];

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn integers<B: Integers>(
    x: &[TwoBytes],
    columns: &Rows<'_>,
    some: Range<usize>,
    y: &Output,
) {
    let blocks = columns.bytes(0).len() / B::BYTES;
    // SAFETY: each row holds that many blocks, and `x` as many steps as they fill.
    let work = |x: &TwoBytes, rows: [*const u8; TOGETHER], ahead: &Ahead| unsafe {
        let mut sums = Sums::new();
        let whole = blocks / BLOCKS;
        for step in 0..whole {
            let start = step * BLOCKS * B::BYTES;
            for line in (0..TOGETHER * BLOCKS * B::BYTES).step_by(64) {
                ahead.ask(TOGETHER * start + line);
            }
            let four = |row: *const u8| std::array::from_fn(|i| row.add(start + i * B::BYTES));
            sums.add::<B>(x, step, rows.map(four));
        }
        if blocks > whole * BLOCKS {
            let start = TOGETHER * whole * BLOCKS * B::BYTES;
            (start..TOGETHER * blocks * B::BYTES).step_by(64).for_each(|line| ahead.ask(line));
            let block = |row: *const u8, i: usize| match whole * BLOCKS + i {
                block if block < blocks => row.add(block * B::BYTES),
                _ => NOTHING.as_ptr(),
            };
            sums.add::<B>(x, whole, rows.map(|row| std::array::from_fn(|i| block(row, i))));
        }
        sums.total::<B>()
    };
    // SAFETY: as the caller says.
    unsafe { four_by_four(x, columns, some, y, work) }
}

/// The sums of each row so far.
struct Sums {
    sums: [__m512; TOGETHER],
    /// In the upper four lanes the sums of minima.
    mins: [__m256; TOGETHER],
}

impl Sums {
    #[inline(always)]
    unsafe fn new() -> Sums {
        // SAFETY: the caller has checked the CPU.
        unsafe {
            Sums { sums: [_mm512_setzero_ps(); TOGETHER], mins: [_mm256_setzero_ps(); TOGETHER] }
        }
    }

    /// Adds each row's products of four blocks with a step of `x`.
    #[inline(always)]
    unsafe fn add<B: Integers>(&mut self, x: &TwoBytes, step: usize, rows: [Blocks; TOGETHER]) {
        // SAFETY: `x` has such a step, `rows` point to whole blocks; the caller has checked the CPU.
        unsafe {
            let bytes = x.bytes.as_ptr().add(step * STEP * 2);
            let part = |i: usize| _mm512_loadu_si512(bytes.add(64 * i).cast());
            let [upper, lower] = [[part(0), part(1)], [part(2), part(3)]];
            let x_scales = _mm256_loadu_ps(x.scales_and_sums.as_ptr().add(step * 2 * BLOCKS));
            let spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
            for (i, blocks) in rows.into_iter().enumerate() {
                let [first, second] = B::numbers(blocks);
                let products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), first, upper[0]);
                let products = _mm512_dpbusd_epi32(products, second, upper[1]);
                let products = _mm512_slli_epi32::<8>(products);
                let products = _mm512_dpbusd_epi32(products, first, lower[0]);
                let products = _mm512_dpbusd_epi32(products, second, lower[1]);
                let scaled = _mm256_mul_ps(B::scales(blocks), x_scales);
                let scales = _mm512_permutexvar_ps(spread, _mm512_castps256_ps512(scaled));
                self.sums[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, self.sums[i]);
                self.mins[i] = _mm256_add_ps(self.mins[i], scaled);
            }
        }
    }

    #[inline(always)]
    unsafe fn total<B: Integers>(self) -> [f32; TOGETHER] {
        // SAFETY: the caller has checked the CPU.
        unsafe {
            let sums = avx2::sums_of(self.sums.map(|sums| {
                _mm256_add_ps(_mm512_castps512_ps256(sums), _mm512_extractf32x8_ps::<1>(sums))
            }));
            let mins = avx2::sums_of(
                self.mins.map(|mins| _mm256_blend_ps::<0b1111_0000>(_mm256_setzero_ps(), mins)),
            );
            std::array::from_fn(|i| sums[i] + B::MIN * mins[i])
        }
    }
}

/// 16 bytes of each block, from byte `at` on.
#[inline(always)]
unsafe fn bytes(blocks: Blocks, at: usize) -> __m512i {
    // SAFETY: the caller gives so many readable bytes and has checked the CPU.
    unsafe {
        let [a, b, c, d] = blocks.map(|block| _mm_loadu_si128(block.add(at).cast()));
        let x = _mm512_castsi128_si512(a);
        let x = _mm512_inserti32x4::<1>(x, b);
        let x = _mm512_inserti32x4::<2>(x, c);
        _mm512_inserti32x4::<3>(x, d)
    }
}

/// Numbers 0 to 15 are the lower halves of 16 bytes, 16 to 31 the upper ones.
#[inline(always)]
unsafe fn nibbles(blocks: Blocks, at: usize) -> [__m512i; 2] {
    // SAFETY: the caller gives so many readable bytes and has checked the CPU.
    unsafe {
        let (bytes, four) = (bytes(blocks, at), _mm512_set1_epi8(15));
        [bytes, _mm512_srli_epi16::<4>(bytes)].map(|bytes| _mm512_and_si512(bytes, four))
    }
}

/// The same with fifth bits, which stand in four bytes of each block from byte `at` on.
#[inline(always)]
unsafe fn with_fifth_bits(nibbles: [__m512i; 2], blocks: Blocks, at: usize) -> [__m512i; 2] {
    // SAFETY: the caller gives so many readable bytes and has checked the CPU.
    unsafe {
        let set = [at, at + 2].map(|at| joined(blocks, at));
        let sixteen = _mm512_set1_epi8(16);
        std::array::from_fn(|i| _mm512_mask_add_epi8(nibbles[i], set[i], nibbles[i], sixteen))
    }
}

/// Two bytes of each block, from byte `at` on.
#[inline(always)]
unsafe fn joined(blocks: Blocks, at: usize) -> u64 {
    // SAFETY: the caller gives so many readable bytes.
    let [a, b, c, d] =
        blocks.map(|block| unsafe { u64::from(block.add(at).cast::<u16>().read_unaligned()) });
    a | b << 16 | c << 32 | d << 48
}

/// The halves that blocks start with, twice.
#[inline(always)]
unsafe fn scale_twice(blocks: Blocks) -> __m256 {
    // SAFETY: the caller gives blocks and has checked the CPU.
    unsafe {
        let halves = _mm_set1_epi64x(joined(blocks, 0) as i64);
        _mm256_cvtph_ps(halves)
    }
}

/// The halves that blocks start with, then those that follow.
#[inline(always)]
unsafe fn scale_and_minimum(blocks: Blocks) -> __m256 {
    // SAFETY: the caller gives blocks and has checked the CPU.
    unsafe {
        let [a, b, c, d] = blocks.map(|block| u64::from(block.cast::<u32>().read_unaligned()));
        let halves = _mm_set_epi64x((c | d << 32) as i64, (a | b << 32) as i64);
        let apart = _mm_set_epi8(15, 14, 11, 10, 7, 6, 3, 2, 13, 12, 9, 8, 5, 4, 1, 0);
        _mm256_cvtph_ps(_mm_shuffle_epi8(halves, apart))
    }
}

macro_rules! formats {
    ($($format:ident: $bytes:literal, $scales:ident, $min:literal, $blocks:ident => $numbers:expr;)*) => {$(
        struct $format;

        impl Integers for $format {
            const BYTES: usize = $bytes;
            const MIN: f32 = $min;

            #[inline(always)]
            unsafe fn numbers($blocks: Blocks) -> [__m512i; 2] {
                // SAFETY: the caller gives whole blocks and has checked the CPU.
                unsafe { $numbers }
            }

            #[inline(always)]
            unsafe fn scales(blocks: Blocks) -> __m256 {
                // SAFETY: as above.
                unsafe { $scales(blocks) }
            }
        }
    )*};
}

formats! {
    // With the sign's bit turned, q is q + 128.
    Q8_0: 34, scale_twice, -128.0, blocks =>
        [2, 18].map(|at| _mm512_xor_si512(bytes(blocks, at), _mm512_set1_epi8(-128)));
    Q4_0: 18, scale_twice, -8.0, blocks => nibbles(blocks, 2);
    Q4_1: 20, scale_and_minimum, 1.0, blocks => nibbles(blocks, 4);
    Q5_0: 22, scale_twice, -16.0, blocks => with_fifth_bits(nibbles(blocks, 6), blocks, 2);
    Q5_1: 24, scale_and_minimum, 1.0, blocks => with_fifth_bits(nibbles(blocks, 8), blocks, 4);
}
