//! Blocks of 256 numbers with AVX2: eight groups each.

use super::{GROUP, Integers, Part, halves, products, widened};
use std::arch::x86_64::*;

/// Bits `shift` and up of each byte, as many as `mask` has.
#[inline(always)]
unsafe fn bits(bytes: *const u8, shift: usize, mask: i8) -> __m256i {
    // SAFETY: the caller gives 32 readable bytes and has checked the CPU.
    unsafe {
        let bytes = _mm256_loadu_si256(bytes.cast());
        let shifted = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(shift as i32));
        _mm256_and_si256(shifted, _mm256_set1_epi8(mask))
    }
}

#[allow(non_camel_case_types)]
pub(super) struct Q4_K;
#[allow(non_camel_case_types)]
pub(super) struct Q5_K;
#[allow(non_camel_case_types)]
pub(super) struct Q6_K;

/// [`Integers::add_block`] of a block that starts with `d`, `dmin` and scales of 6 bits.
#[inline(always)]
unsafe fn add_groups<B: Integers>(
    block: *const u8,
    x: Part<'_>,
    sums: &mut __m256,
    mins: &mut __m256,
) {
    // SAFETY: the caller gives a whole block, what stands against it, and has checked the CPU.
    unsafe {
        let d_min = halves::<2>(block);
        let [low, middle, high] = [4, 8, 12].map(|at| block.add(at).cast::<u32>().read_unaligned());
        let (four, two) = (0x0f0f_0f0f, 0x3030_3030);
        let scales = [low & (four | two), high & four | low >> 2 & two];
        let minima = [middle & (four | two), high >> 4 & four | middle >> 2 & two];
        let [scales, minima] = [scales, minima].map(|[first, second]| {
            let bytes = u64::from(first) | u64::from(second) << 32;
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64)))
        });
        let x_scales = _mm256_mul_ps(scales, _mm256_loadu_ps(x.scales.as_ptr()));
        let scales = _mm256_mul_ps(x_scales, _mm256_broadcastss_ps(d_min));
        let scales: [f32; 8] = std::mem::transmute(scales);
        let minima = _mm256_mul_ps(minima, _mm256_broadcastss_ps(_mm_movehdup_ps(d_min)));
        *mins = _mm256_fmadd_ps(minima, _mm256_loadu_ps(x.sums.as_ptr()), *mins);
        for (group, scale) in scales.iter().enumerate() {
            let products = products(B::group(block, group), &x.q[group * GROUP..]);
            *sums = _mm256_fmadd_ps(products, _mm256_set1_ps(*scale), *sums);
        }
    }
}

impl Integers for Q4_K {
    const GROUPS: usize = 8;
    const BYTES: usize = 144;
    const MIN: f32 = -1.0;

    #[inline(always)]
    unsafe fn group(block: *const u8, group: usize) -> [__m256i; 2] {
        // SAFETY: the caller gives a whole block and has checked the CPU.
        unsafe { widened(bits(block.add(16 + group / 2 * 32), group % 2 * 4, 15)) }
    }

    #[inline(always)]
    unsafe fn add_block(block: *const u8, x: Part<'_>, sums: &mut __m256, mins: &mut __m256) {
        // SAFETY: as above.
        unsafe { add_groups::<Q4_K>(block, x, sums, mins) }
    }
}

impl Integers for Q5_K {
    const GROUPS: usize = 8;
    const BYTES: usize = 176;
    const MIN: f32 = -1.0;

    #[inline(always)]
    unsafe fn group(block: *const u8, group: usize) -> [__m256i; 2] {
        // SAFETY: the caller gives a whole block and has checked the CPU.
        unsafe {
            let nibbles = bits(block.add(48 + group / 2 * 32), group % 2 * 4, 15);
            let fifth = _mm256_slli_epi16::<4>(bits(block.add(16), group, 1));
            widened(_mm256_or_si256(nibbles, fifth))
        }
    }

    #[inline(always)]
    unsafe fn add_block(block: *const u8, x: Part<'_>, sums: &mut __m256, mins: &mut __m256) {
        // SAFETY: as above.
        unsafe { add_groups::<Q5_K>(block, x, sums, mins) }
    }
}

impl Integers for Q6_K {
    const GROUPS: usize = 8;
    const BYTES: usize = 210;
    const MIN: f32 = 0.0;

    /// Each number times its scale of 8 bits, which 16 of them share.
    #[inline(always)]
    unsafe fn group(block: *const u8, group: usize) -> [__m256i; 2] {
        let (half, run) = (group / 4, group % 4);
        // SAFETY: the caller gives a whole block and has checked the CPU.
        unsafe {
            let nibbles = bits(block.add(half * 64 + run % 2 * 32), run / 2 * 4, 15);
            let upper = _mm256_slli_epi16::<4>(bits(block.add(128 + half * 32), 2 * run, 3));
            let q = _mm256_sub_epi8(_mm256_or_si256(nibbles, upper), _mm256_set1_epi8(32));
            let [first, second] = widened(q);
            let scale = |at: usize| {
                _mm256_set1_epi16(i16::from(block.add(192 + 2 * group + at).cast::<i8>().read()))
            };
            [_mm256_mullo_epi16(first, scale(0)), _mm256_mullo_epi16(second, scale(1))]
        }
    }

    #[inline(always)]
    unsafe fn add_block(block: *const u8, x: Part<'_>, sums: &mut __m256, _mins: &mut __m256) {
        // SAFETY: as above.
        unsafe {
            let d = _mm_cvtss_f32(halves::<1>(block.add(208)));
            for group in 0..Self::GROUPS {
                let products = products(Self::group(block, group), &x.q[group * GROUP..]);
                *sums = _mm256_fmadd_ps(products, _mm256_set1_ps(d * x.scales[group]), *sums);
            }
        }
    }
}
