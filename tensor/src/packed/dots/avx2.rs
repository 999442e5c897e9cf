//! Dot products with AVX2, FMA and F16C: four packed rows at a time.

use super::Output;
use super::sixteen_bits::{GROUP, SixteenBits};
use crate::packed::{Format, Rows};
use crate::simd::{InstructionSet, instruction_set};
use std::arch::x86_64::*;
use std::ops::Range;

/// Rows read side by side.
const TOGETHER: usize = 4;
/// What is read is asked for this many bytes ahead.
const AHEAD: usize = 1024;

/// The left side's rows.
pub(super) enum Left<'a> {
    Floats(Vec<&'a [f32]>),
    Integers(Vec<SixteenBits>),
}

impl<'a> Left<'a> {
    /// `None` where the CPU does not have what this needs.
    pub fn new(format: Format, rows: &[&'a [f32]]) -> Option<Left<'a>> {
        if instruction_set() < InstructionSet::Avx2 || !is_x86_feature_detected!("f16c") {
            return None;
        }
        Some(match format {
            Format::F16 | Format::BF16 => Left::Floats(rows.to_vec()),
            _ => Left::Integers(rows.iter().map(|x| SixteenBits::of(x)).collect()),
        })
    }

    /// # Safety
    /// No other thread writes these columns of `y [m, count]`.
    pub unsafe fn dots(&self, columns: &Rows<'_>, some: Range<usize>, y: &Output) {
        // SAFETY: `new` found the features; the rest is as the caller says.
        unsafe {
            match (self, columns.format) {
                (Left::Floats(x), Format::F16) => floats::<F16>(x, columns, some, y),
                (Left::Floats(x), _) => floats::<BF16>(x, columns, some, y),
                (Left::Integers(x), Format::Q8_0) => integers::<Q8_0>(x, columns, some, y),
                (Left::Integers(x), Format::Q4_0) => integers::<Q4_0>(x, columns, some, y),
                (Left::Integers(x), Format::Q4_1) => integers::<Q4_1>(x, columns, some, y),
                (Left::Integers(x), Format::Q5_0) => integers::<Q5_0>(x, columns, some, y),
                (Left::Integers(x), Format::Q5_1) => integers::<Q5_1>(x, columns, some, y),
                (Left::Integers(x), Format::Q4_K) => integers::<Q4_K>(x, columns, some, y),
                (Left::Integers(x), Format::Q5_K) => integers::<Q5_K>(x, columns, some, y),
                (Left::Integers(x), _) => integers::<Q6_K>(x, columns, some, y),
            }
        }
    }
}

/// Calls `work` with the bytes of four rows at a time, the last repeated where fewer are left, and
/// writes what it returns for each row of `x`.
#[inline(always)]
unsafe fn four_by_four<X>(
    x: &[X],
    columns: &Rows<'_>,
    some: Range<usize>,
    y: &Output,
    work: impl Fn(&X, [*const u8; TOGETHER]) -> [f32; TOGETHER],
) {
    for first in some.clone().step_by(TOGETHER) {
        let bytes: [*const u8; TOGETHER] =
            std::array::from_fn(|i| columns.bytes((first + i).min(some.end - 1)).as_ptr());
        for (row, x) in x.iter().enumerate() {
            let dots = work(x, bytes);
            for (i, &dot) in dots.iter().enumerate().take(some.end - first) {
                // SAFETY: as the caller of this says.
                unsafe { y.write(row * columns.count + first + i, dot) };
            }
        }
    }
}

/// Two-byte numbers.
trait Two {
    /// Eight numbers.
    unsafe fn eight(bytes: *const u8) -> __m256;
}

struct F16;
struct BF16;

impl Two for F16 {
    #[inline(always)]
    unsafe fn eight(bytes: *const u8) -> __m256 {
        // SAFETY: the caller has checked the CPU and gives 16 readable bytes.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(bytes.cast())) }
    }
}

impl Two for BF16 {
    #[inline(always)]
    unsafe fn eight(bytes: *const u8) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(bytes.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn floats<T: Two>(x: &[&[f32]], columns: &Rows<'_>, some: Range<usize>, y: &Output) {
    // SAFETY: each row holds as many numbers as `x`, two bytes each.
    let work = |x: &&[f32], rows: [*const u8; TOGETHER]| unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; TOGETHER];
        let whole = x.len() / 16 * 16;
        for at in (0..whole).step_by(16) {
            let x = [x.as_ptr().add(at), x.as_ptr().add(at + 8)].map(|x| _mm256_loadu_ps(x));
            for (sums, row) in sums.iter_mut().zip(rows) {
                let row = row.add(2 * at);
                ahead(row);
                sums[0] = _mm256_fmadd_ps(x[0], T::eight(row), sums[0]);
                sums[1] = _mm256_fmadd_ps(x[1], T::eight(row.add(16)), sums[1]);
            }
        }
        let mut totals = sums_of(sums.map(|[a, b]| _mm256_add_ps(a, b)));
        for at in whole..x.len() {
            for (total, row) in totals.iter_mut().zip(rows) {
                let mut one = [0u8; 16];
                row.add(2 * at).copy_to_nonoverlapping(one.as_mut_ptr(), 2);
                *total += x[at] * _mm256_cvtss_f32(T::eight(one.as_ptr()));
            }
        }
        totals
    };
    // SAFETY: as the caller says.
    unsafe { four_by_four(x, columns, some, y, work) }
}

/// A quantized format: whole numbers in groups of 32 that share a scale, and perhaps a minimum.
trait Integers {
    const GROUPS: usize;
    const BYTES: usize;
    /// What `Scaled`'s sums of minima are multiplied with.
    const MIN: f32;

    /// The numbers of a group, 16 and 16.
    unsafe fn group(block: *const u8, group: usize) -> [__m256i; 2];

    /// Adds to `sums` each group's scale · sum of products, and to `mins` each group's minimum ·
    /// sum of `x`.
    unsafe fn add_block(block: *const u8, x: Part<'_>, sums: &mut __m256, mins: &mut __m256);
}

/// What stands against one block.
#[derive(Clone, Copy)]
struct Part<'a> {
    q: &'a [i16],
    scales: &'a [f32],
    sums: &'a [f32],
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn integers<B: Integers>(
    x: &[SixteenBits],
    columns: &Rows<'_>,
    some: Range<usize>,
    y: &Output,
) {
    // SAFETY: each row holds as many whole blocks as `x` has parts.
    let work = |x: &SixteenBits, rows: [*const u8; TOGETHER]| unsafe {
        let mut sums = [_mm256_setzero_ps(); TOGETHER];
        let mut mins = [_mm256_setzero_ps(); TOGETHER];
        let parts = x.q.chunks_exact(GROUP * B::GROUPS).enumerate();
        let groups = x.scales.chunks_exact(B::GROUPS).zip(x.sums.chunks_exact(B::GROUPS));
        for ((block, q), (scales, x_sums)) in parts.zip(groups) {
            let x = Part { q, scales, sums: x_sums };
            for i in 0..TOGETHER {
                let block = rows[i].add(block * B::BYTES);
                ahead(block);
                B::add_block(block, x, &mut sums[i], &mut mins[i]);
            }
        }
        let (sums, mins) = (sums_of(sums), sums_of(mins));
        std::array::from_fn(|i| sums[i] + B::MIN * mins[i])
    };
    // SAFETY: as the caller says.
    unsafe { four_by_four(x, columns, some, y, work) }
}

/// Asks for what will be read soon; an address beyond the matrix does no harm.
#[inline(always)]
fn ahead(bytes: *const u8) {
    // SAFETY: a prefetch reads nothing that the program could notice.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.wrapping_add(AHEAD).cast()) }
}

/// The sum of each register's lanes.
#[inline(always)]
unsafe fn sums_of(x: [__m256; TOGETHER]) -> [f32; TOGETHER] {
    // SAFETY: the caller has checked the CPU.
    unsafe {
        let pairs = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
        let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        std::mem::transmute(sums)
    }
}

/// Σ of products of 32 whole numbers, in eight lanes.
#[inline(always)]
unsafe fn products(q: [__m256i; 2], x: &[i16]) -> __m256 {
    // SAFETY: `x` has 32 numbers; the caller has checked the CPU.
    unsafe {
        let x = [0, 16].map(|at| _mm256_loadu_si256(x.as_ptr().add(at).cast()));
        let [low, high] = [_mm256_madd_epi16(q[0], x[0]), _mm256_madd_epi16(q[1], x[1])];
        _mm256_cvtepi32_ps(_mm256_add_epi32(low, high))
    }
}

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

/// The halves that stand at `bytes`, `COUNT` of them, one or two; one is repeated.
#[inline(always)]
unsafe fn halves<const COUNT: usize>(bytes: *const u8) -> __m128 {
    // SAFETY: the caller gives that many readable bytes and has checked the CPU.
    unsafe {
        let bits = match COUNT {
            1 => u32::from(bytes.cast::<u16>().read_unaligned()) * 0x1_0001,
            _ => bytes.cast::<u32>().read_unaligned(),
        };
        _mm_cvtph_ps(_mm_cvtsi32_si128(bits as i32))
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

/// Bytes as 16 and 16 whole numbers.
#[inline(always)]
unsafe fn widened(bytes: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller has checked the CPU.
    unsafe {
        [_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes)]
            .map(|bytes| _mm256_cvtepi8_epi16(bytes))
    }
}

macro_rules! one_group {
    ($($format:ident: $bytes:literal, $halves:literal, $min:literal, $block:ident => $group:expr;)*) => {$(
        struct $format;

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
struct Q4_K;
#[allow(non_camel_case_types)]
struct Q5_K;
#[allow(non_camel_case_types)]
struct Q6_K;

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
