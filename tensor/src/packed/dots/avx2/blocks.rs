//! Blocks of 32 numbers with AVX2: one group each.

use super::{Integers, Part, halves, products, widened};
use std::arch::x86_64::*;

/// [`Integers::add_block`] of a block that is one group; `d_m` holds its scale and its minimum.
#[inline(always)]
unsafe fn add_group(
    q: [__m256i; 2],
    d_m: __m128,
    x: Part<'_>,
    sums: &mut __m256,
    mins: &mut __m256,
) {
    // SAFETY: a part of one group; the caller has checked the CPU.
    unsafe {
        let x_scale_sum = _mm_unpacklo_ps(_mm_load_ss(&x.scales[0]), _mm_load_ss(&x.sums[0]));
        let scaled = _mm_mul_ps(d_m, x_scale_sum);
        *sums = _mm256_fmadd_ps(products(q, x.q), _mm256_broadcastss_ps(scaled), *sums);
        // Lane 1 is the minimum's; lane 0 is cleared.
        let min = _mm_blend_ps::<0b0010>(_mm_setzero_ps(), scaled);
        *mins = _mm256_add_ps(*mins, _mm256_zextps128_ps256(min));
    }
}

/// Numbers 0 to 15 are the lower halves of 16 bytes, 16 to 31 the upper ones.
#[inline(always)]
unsafe fn nibbles(bytes: *const u8) -> [__m256i; 2] {
    // SAFETY: the caller gives 16 readable bytes and has checked the CPU.
    unsafe {
        let bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes.cast()));
        [_mm256_and_si256(bytes, _mm256_set1_epi16(15)), _mm256_srli_epi16::<4>(bytes)]
    }
}

/// 16 where the number's bit is set.
#[inline(always)]
unsafe fn fifth_bits(bytes: *const u8) -> [__m256i; 2] {
    // SAFETY: the caller gives four readable bytes and has checked the CPU.
    unsafe {
        let bits = [0, 2].map(|at| bytes.add(at).cast::<i16>().read_unaligned());
        let each = std::array::from_fn(|i| 1u16 << i);
        let each: __m256i = std::mem::transmute::<[u16; 16], __m256i>(each);
        bits.map(|bits| {
            let set = _mm256_and_si256(_mm256_set1_epi16(bits), each);
            _mm256_and_si256(_mm256_cmpeq_epi16(set, each), _mm256_set1_epi16(16))
        })
    }
}

macro_rules! one_group {
    ($($format:ident: $bytes:literal, $halves:literal, $min:literal, $block:ident => $group:expr;)*) => {$(
        pub(super) struct $format;

        impl Integers for $format {
            const GROUPS: usize = 1;
            const BYTES: usize = $bytes;
            const MIN: f32 = $min;

            #[inline(always)]
            unsafe fn group($block: *const u8, _group: usize) -> [__m256i; 2] {
                // SAFETY: the caller gives a whole block and has checked the CPU.
                unsafe { $group }
            }

            #[inline(always)]
            unsafe fn add_block(block: *const u8, x: Part<'_>, sums: &mut __m256, mins: &mut __m256) {
                // SAFETY: as above.
                unsafe { add_group(Self::group(block, 0), halves::<$halves>(block), x, sums, mins) }
            }
        }
    )*};
}

one_group! {
    Q8_0: 34, 1, 0.0, block => widened(_mm256_loadu_si256(block.add(2).cast()));
    Q4_0: 18, 1, -8.0, block => nibbles(block.add(2));
    Q4_1: 20, 2, 1.0, block => nibbles(block.add(4));
    Q5_0: 22, 1, -16.0, block => both(nibbles(block.add(6)), fifth_bits(block.add(2)));
    Q5_1: 24, 2, 1.0, block => both(nibbles(block.add(8)), fifth_bits(block.add(4)));
}

#[inline(always)]
unsafe fn both(a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
    // SAFETY: the caller has checked the CPU.
    unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
}
