//! The kernels of x86-64.

use super::kernel::{Kernel, Lanes, Soon, Sums, Word, registers, tile};
use super::panels::{self, Packing};
use crate::simd::InstructionSet;
use crate::{Float, Precision};
use std::arch::x86_64::*;
use std::hint::black_box;
use std::mem::transmute_copy;
use std::sync::OnceLock;

/// The kernel for an instruction set, with or without its products of bfloat16.
pub(super) fn kernel(
    set: InstructionSet,
    has_bf16: bool,
    precision: Precision,
) -> Option<&'static Kernel> {
    match (set, precision) {
        (InstructionSet::Portable, _) => None,
        (InstructionSet::Avx2, Precision::F32) => Some(&AVX2),
        (InstructionSet::Avx2, Precision::Bf16) => Some(&AVX2_ROUNDED),
        (InstructionSet::Avx512, Precision::F32) => Some(&AVX512),
        #[cfg(not(attendant_f64))]
        (InstructionSet::Avx512, Precision::Bf16) if has_bf16 => Some(&AVX512_BF16),
        // Without products of bfloat16, or in the f64 build, which has none.
        (InstructionSet::Avx512, Precision::Bf16) => {
            let _ = has_bf16;
            Some(&AVX512_ROUNDED)
        }
    }
}

/// Whether this CPU multiplies bfloat16.
pub(super) fn has_bf16() -> bool {
    is_x86_feature_detected!("avx512bf16")
}

/// Whether it does so faster than `f32`: AMD's make two products for one, Intel's two in the time of
/// four. The CPU is asked once: on a virtual machine each answer takes as long as a small product.
pub(super) fn has_fast_bf16() -> bool {
    static IS_FAST: OnceLock<bool> = OnceLock::new();
    *IS_FAST.get_or_init(|| {
        let vendor = __cpuid(0);
        let amd = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        has_bf16() && amd.as_flattened() == b"AuthenticAMD"
    })
}

#[cfg(not(attendant_f64))]
use {
    __m256 as Ymm, __m512 as Zmm, _mm256_fmadd_ps as fma_ymm, _mm256_set1_ps as broadcast_ymm,
    _mm512_fmadd_ps as fma_zmm, _mm512_set1_ps as broadcast_zmm,
};
#[cfg(attendant_f64)]
use {
    __m256d as Ymm, __m512d as Zmm, _mm256_fmadd_pd as fma_ymm, _mm256_set1_pd as broadcast_ymm,
    _mm512_fmadd_pd as fma_zmm, _mm512_set1_pd as broadcast_zmm,
};

/// Lanes of a register of AVX2.
const YMM: usize = size_of::<Ymm>() / size_of::<Float>();
/// Lanes of a register of AVX-512.
const ZMM: usize = size_of::<Zmm>() / size_of::<Float>();

impl Word for Float {
    #[inline(always)]
    unsafe fn multiply_add<const LANES: usize>(
        self,
        b: &[Float; LANES],
        sums: &mut [Float; LANES],
    ) {
        const { assert!(LANES == YMM || LANES == ZMM) };
        // SAFETY: so many lanes are a register.
        unsafe {
            if LANES == YMM {
                let sum = fma_ymm(broadcast_ymm(self), transmute_copy(b), transmute_copy(sums));
                *sums = transmute_copy::<Ymm, _>(&sum);
            } else {
                let sum = fma_zmm(broadcast_zmm(self), transmute_copy(b), transmute_copy(sums));
                *sums = transmute_copy::<Zmm, _>(&sum);
            }
        }
    }
}

/// Two numbers of bfloat16, the first in the lower half.
#[cfg(not(attendant_f64))]
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Pair(u32);

#[cfg(not(attendant_f64))]
impl Word for Pair {
    #[inline(always)]
    unsafe fn multiply_add<const LANES: usize>(self, b: &[Pair; LANES], sums: &mut [Float; LANES]) {
        const { assert!(LANES == 16) };
        // SAFETY: 16 lanes are a register, and the two types are the same bits.
        unsafe {
            let a = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(self.0 as i32));
            let sum = _mm512_dpbf16_ps(transmute_copy(sums), a, transmute_copy(b));
            *sums = transmute_copy(&sum);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<
    const ROWS: usize,
    const REGISTERS: usize,
    const PANEL: usize,
    const ALONG_K: bool,
>(
    words: usize,
    a: Lanes,
    b: *const Float,
    c: *mut Float,
    c_stride: usize,
    sums: Sums,
    soon: Soon,
) {
    // SAFETY: as the caller says.
    unsafe {
        tile::<Float, ROWS, REGISTERS, PANEL, ALONG_K, YMM>(words, a, b, c, c_stride, sums, soon)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512<
    const ROWS: usize,
    const REGISTERS: usize,
    const PANEL: usize,
    const ALONG_K: bool,
>(
    words: usize,
    a: Lanes,
    b: *const Float,
    c: *mut Float,
    c_stride: usize,
    sums: Sums,
    soon: Soon,
) {
    // SAFETY: as the caller says.
    unsafe {
        tile::<Float, ROWS, REGISTERS, PANEL, ALONG_K, ZMM>(words, a, b, c, c_stride, sums, soon)
    }
}

#[cfg(not(attendant_f64))]
#[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512_bf16<
    const ROWS: usize,
    const REGISTERS: usize,
    const PANEL: usize,
    const ALONG_K: bool,
>(
    words: usize,
    a: Lanes,
    b: *const Float,
    c: *mut Float,
    c_stride: usize,
    sums: Sums,
    soon: Soon,
) {
    // SAFETY: as the caller says; panels of this kernel hold pairs.
    unsafe {
        tile::<Pair, ROWS, REGISTERS, PANEL, ALONG_K, ZMM>(
            words,
            a,
            b.cast(),
            c,
            c_stride,
            sums,
            soon,
        )
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_registers(rounds: usize) -> Float {
    let (a, b) = black_box((1e-3, [1e-3; YMM]));
    // SAFETY: as the caller says.
    unsafe { registers::<Float, YMM>(rounds, a, b) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512_registers(rounds: usize) -> Float {
    let (a, b) = black_box((1e-3, [1e-3; ZMM]));
    // SAFETY: as the caller says.
    unsafe { registers::<Float, ZMM>(rounds, a, b) }
}

#[cfg(not(attendant_f64))]
#[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512_bf16_registers(rounds: usize) -> Float {
    let (a, b) = black_box((Pair(0x3a80_3a80), [Pair(0x3a80_3a80); ZMM]));
    // SAFETY: as the caller says.
    unsafe { registers::<Pair, ZMM>(rounds, a, b) }
}

/// [`Pack`] into panels of LANES for AVX2.
#[target_feature(enable = "avx2,fma")]
unsafe fn pack_avx2<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    // SAFETY: as the caller says.
    unsafe { panels::pack::<P, LANES>(x, strides, sizes, out, panel_stride) }
}

/// [`Pack`] into panels of LANES for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn pack_avx512<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    // SAFETY: as the caller says.
    unsafe { panels::pack::<P, LANES>(x, strides, sizes, out, panel_stride) }
}

/// Eight numbers, each the nearest bfloat16: [`round`](crate::precision::round) of a register.
#[cfg(not(attendant_f64))]
#[inline(always)]
pub(super) unsafe fn rounded(x: *const Float) -> __m256i {
    // SAFETY: inlined where the CPU has AVX2; so many numbers are there.
    unsafe {
        let number = _mm256_loadu_ps(x);
        let bits = _mm256_castps_si256(number);
        let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
        let last = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        let half = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), last);
        let nearest = _mm256_add_epi32(bits, half);
        let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
        let is_nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(number, number));
        _mm256_and_si256(_mm256_blendv_epi8(nearest, quiet, is_nan), upper)
    }
}

/// Sixteen numbers, each the nearest bfloat16, two to a word: the first in the lower half.
#[cfg(not(attendant_f64))]
#[inline(always)]
pub(super) unsafe fn rounded_pairs(x: *const Float) -> __m256i {
    // SAFETY: as above.
    unsafe {
        // In the lower half of 64 bits, which held two numbers: the word of both.
        let words = |numbers| {
            let (first, second) =
                (_mm256_srli_epi64::<16>(numbers), _mm256_srli_epi64::<32>(numbers));
            _mm256_castsi256_ps(_mm256_or_si256(first, second))
        };
        let (low, high) = (words(rounded(x)), words(rounded(x.add(8))));
        let halves = _mm256_castps_si256(_mm256_shuffle_ps::<0x88>(low, high));
        _mm256_permute4x64_epi64::<0xd8>(halves)
    }
}

/// The square of words with rows and columns exchanged: pairs of words, of pairs, of halves.
#[inline(always)]
pub(super) unsafe fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: inlined where the CPU has AVX.
    unsafe {
        let pairs = |a, b| [_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)];
        let [a, b] = pairs(rows[0], rows[1]);
        let [c, d] = pairs(rows[2], rows[3]);
        let [e, f] = pairs(rows[4], rows[5]);
        let [g, h] = pairs(rows[6], rows[7]);
        let fours = |a, b| [_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b)];
        let [[a0, a1], [b0, b1]] = [fours(a, c), fours(b, d)];
        let [[c0, c1], [d0, d1]] = [fours(e, g), fours(f, h)];
        let lower = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
        let upper = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
        [
            lower(a0, c0),
            lower(a1, c1),
            lower(b0, d0),
            lower(b1, d1),
            upper(a0, c0),
            upper(a1, c1),
            upper(b0, d0),
            upper(b1, d1),
        ]
    }
}

/// A function instantiated for each number of registers of a panel, and each number of rows of A,
/// which lie ALONG_K or in a panel.
macro_rules! widths {
    ($tile:ident, $along_k:literal, $panel:literal: $($registers:literal)*; $rows:tt) => {
        &[$(widths!(@ $tile, $along_k, $panel, $registers, $rows)),*]
    };
    (@ $tile:ident, $along_k:literal, $panel:literal, $width:literal, [$($rows:literal)*]) => {
        &[$($tile::<$rows, $width, $panel, $along_k>),*]
    };
}

static AVX2: Kernel = Kernel {
    rows: 6,
    columns: 2 * YMM,
    lanes: YMM,
    depth: 1,
    step: 256,
    multiply: widths!(avx2, false, 2: 1 2; [1 2 3 4 5 6]),
    multiply_rows: Some(widths!(avx2, true, 2: 1 2; [1 2 3 4 5 6])),
    pack_a: pack_avx2::<panels::Plain, 6>,
    pack_b: pack_avx2::<panels::Plain, { 2 * YMM }>,
    registers: avx2_registers,
};

static AVX2_ROUNDED: Kernel = Kernel {
    multiply_rows: None,
    pack_a: pack_avx2::<panels::Rounded, 6>,
    pack_b: pack_avx2::<panels::Rounded, { 2 * YMM }>,
    ..AVX2
};

static AVX512: Kernel = Kernel {
    rows: 8,
    columns: 3 * ZMM,
    lanes: ZMM,
    depth: 1,
    step: 768,
    multiply: widths!(avx512, false, 3: 1 2 3; [1 2 3 4 5 6 7 8]),
    multiply_rows: Some(widths!(avx512, true, 3: 1 2 3; [1 2 3 4 5 6 7 8])),
    pack_a: pack_avx512::<panels::Plain, 8>,
    pack_b: pack_avx512::<panels::Plain, { 3 * ZMM }>,
    registers: avx512_registers,
};

static AVX512_ROUNDED: Kernel = Kernel {
    multiply_rows: None,
    pack_a: pack_avx512::<panels::Rounded, 8>,
    pack_b: pack_avx512::<panels::Rounded, { 3 * ZMM }>,
    ..AVX512
};

#[cfg(not(attendant_f64))]
static AVX512_BF16: Kernel = Kernel {
    depth: 2,
    multiply: widths!(avx512_bf16, false, 3: 1 2 3; [1 2 3 4 5 6 7 8]),
    multiply_rows: None,
    pack_a: pack_avx512::<panels::Paired, 8>,
    pack_b: pack_avx512::<panels::Paired, { 3 * ZMM }>,
    registers: avx512_bf16_registers,
    ..AVX512
};
