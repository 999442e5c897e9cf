//! Dot products with AVX2, FMA and F16C: four packed rows at a time.

mod blocks;
mod super_blocks;

use super::Output;
use super::sixteen_bits::{GROUP, SixteenBits};
use crate::packed::{Format, Rows};
use crate::simd::{InstructionSet, instruction_set};
use blocks::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use std::arch::x86_64::*;
use std::ops::Range;
use super_blocks::{Q4_K, Q5_K, Q6_K};

/// Rows read side by side.
const TOGETHER: usize = 4;

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

/// What will be read soon, asked for in the order in which it lies in memory: four rows that lie one
/// after the other are one run of it.
pub(super) struct Ahead {
    first: *const u8,
    end: *const u8,
}

impl Ahead {
    /// Bytes between what is read and what is asked for.
    const BYTES: usize = 12 << 10;

    /// Asks for the line that is so far ahead of byte `offset` of the run, if the matrix goes on so far.
    #[inline(always)]
    pub fn ask(&self, offset: usize) {
        let line = self.first.wrapping_add(Ahead::BYTES + offset).min(self.end);
        // SAFETY: a prefetch reads nothing that the program could notice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
    }
}

/// Calls `work` with the bytes of four rows at a time, the last repeated where fewer are left, and
/// writes what it returns for each row of `x`.
#[inline(always)]
pub(super) unsafe fn four_by_four<X>(
    x: &[X],
    columns: &Rows<'_>,
    some: Range<usize>,
    y: &Output,
    work: impl Fn(&X, [*const u8; TOGETHER], &Ahead) -> [f32; TOGETHER],
) {
    let end = columns.bytes(columns.count - 1).as_ptr_range().end;
    for first in some.clone().step_by(TOGETHER) {
        let bytes: [*const u8; TOGETHER] =
            std::array::from_fn(|i| columns.bytes((first + i).min(some.end - 1)).as_ptr());
        let ahead = Ahead { first: bytes[0], end };
        for (row, x) in x.iter().enumerate() {
            let dots = work(x, bytes, &ahead);
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
    let work = |x: &&[f32], rows: [*const u8; TOGETHER], ahead: &Ahead| unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; TOGETHER];
        let whole = x.len() / 16 * 16;
        for at in (0..whole).step_by(16) {
            let x = [x.as_ptr().add(at), x.as_ptr().add(at + 8)].map(|x| _mm256_loadu_ps(x));
            for i in 0..TOGETHER {
                if i % 2 == 0 {
                    ahead.ask(2 * (TOGETHER * at + 16 * i)); // of two rows' 16 numbers, a line
                }
                let row = rows[i].add(2 * at);
                sums[i][0] = _mm256_fmadd_ps(x[0], T::eight(row), sums[i][0]);
                sums[i][1] = _mm256_fmadd_ps(x[1], T::eight(row.add(16)), sums[i][1]);
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
    let work = |x: &SixteenBits, rows: [*const u8; TOGETHER], ahead: &Ahead| unsafe {
        let mut sums = [_mm256_setzero_ps(); TOGETHER];
        let mut mins = [_mm256_setzero_ps(); TOGETHER];
        let parts = x.q.chunks_exact(GROUP * B::GROUPS).enumerate();
        let groups = x.scales.chunks_exact(B::GROUPS).zip(x.sums.chunks_exact(B::GROUPS));
        for ((block, q), (scales, x_sums)) in parts.zip(groups) {
            let x = Part { q, scales, sums: x_sums };
            for i in 0..TOGETHER {
                for line in (0..B::BYTES).step_by(64) {
                    ahead.ask((TOGETHER * block + i) * B::BYTES + line);
                }
                let block = rows[i].add(block * B::BYTES);
                B::add_block(block, x, &mut sums[i], &mut mins[i]);
            }
        }
        let (sums, mins) = (sums_of(sums), sums_of(mins));
        std::array::from_fn(|i| sums[i] + B::MIN * mins[i])
    };
    // SAFETY: as the caller says.
    unsafe { four_by_four(x, columns, some, y, work) }
}

/// The sum of each register's lanes.
#[inline(always)]
pub(super) unsafe fn sums_of(x: [__m256; TOGETHER]) -> [f32; TOGETHER] {
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

/// Bytes as 16 and 16 whole numbers.
#[inline(always)]
unsafe fn widened(bytes: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller has checked the CPU.
    unsafe {
        [_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes)]
            .map(|bytes| _mm256_cvtepi8_epi16(bytes))
    }
}
