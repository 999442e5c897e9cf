//! Panels: what the innermost kernel reads, in the order in which it reads it.
//!
//! A panel holds some lanes (rows of A, or columns of B) word by word: for one k after the other, the
//! numbers of all lanes. Here lies the cost of every layout: lanes that are neighbours in memory are
//! copied, lanes along which k runs are turned. Numbers are rounded on the way where the precision
//! says so, and what is missing in the last panel is zero.

use crate::Float;
use crate::precision::round;

/// Packs `sizes` = [lanes, steps along k] numbers of `x`, whose `strides` are in the same order, into
/// panels at `out`, `panel_stride` words apart.
pub(super) type Pack = unsafe fn(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
);

/// How numbers become words.
pub(super) trait Packing {
    type Word: Copy;
    /// How many numbers along k a word holds.
    const DEPTH: usize;
    /// The word of the next number along k, or of the next two.
    fn word(first: Float, second: Float) -> Self::Word;
}

/// As they are.
pub(super) struct Plain;

impl Packing for Plain {
    type Word = Float;
    const DEPTH: usize = 1;
    #[inline(always)]
    fn word(first: Float, _: Float) -> Float {
        first
    }
}

/// Rounded to bfloat16, each in a word of its own.
pub(super) struct Rounded;

impl Packing for Rounded {
    type Word = Float;
    const DEPTH: usize = 1;
    #[inline(always)]
    fn word(first: Float, _: Float) -> Float {
        round(first)
    }
}

/// Rounded to bfloat16, two to a word.
#[cfg(not(attendant_f64))]
pub(super) struct Paired;

#[cfg(not(attendant_f64))]
impl Packing for Paired {
    type Word = u32;
    const DEPTH: usize = 2;
    #[inline(always)]
    fn word(first: Float, second: Float) -> u32 {
        round(first).to_bits() >> 16 | round(second).to_bits()
    }
}

/// [`Pack`] into panels of LANES for AVX2.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    // SAFETY: as the caller says.
    unsafe { pack::<P, LANES>(x, strides, sizes, out, panel_stride) }
}

/// [`Pack`] into panels of LANES for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn avx512<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    // SAFETY: as the caller says.
    unsafe { pack::<P, LANES>(x, strides, sizes, out, panel_stride) }
}

/// Steps along k that are packed of one panel before the next: few enough that the parts of memory
/// that neighbouring panels share are still in the cache.
const STEPS: usize = 16;

#[inline(always)]
unsafe fn pack<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    [lanes, steps]: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    for step in (0..steps).step_by(STEPS) {
        for panel in 0..lanes.div_ceil(LANES) {
            let lane = panel * LANES;
            let sizes = [LANES.min(lanes - lane), STEPS.min(steps - step)];
            // SAFETY: the part lies inside of x, its words inside of the panel.
            unsafe {
                let x = x.add(lane * strides[0] + step * strides[1]);
                let out = out.add(panel * panel_stride + step / P::DEPTH * LANES);
                part::<P, LANES>(x, strides, sizes, out.cast());
            }
        }
    }
}

/// Up to STEPS steps of one panel.
#[inline(always)]
unsafe fn part<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    sizes: [usize; 2],
    out: *mut P::Word,
) {
    // SAFETY: only lanes and steps within the sizes are read.
    unsafe {
        match (strides, sizes == [LANES, STEPS]) {
            ([1, stride], true) => {
                write::<P, LANES>(out, STEPS, |lane, step| *x.add(lane + step * stride));
            }
            ([stride, 1], true) => {
                let mut numbers = [[0.0; STEPS]; LANES];
                for (lane, numbers) in numbers.iter_mut().enumerate() {
                    *numbers = *x.add(lane * stride).cast();
                }
                write::<P, LANES>(out, STEPS, |lane, step| numbers[lane][step]);
            }
            ([lane_stride, step_stride], _) => {
                write::<P, LANES>(out, sizes[1], |lane, step| {
                    let inside = lane < sizes[0] && step < sizes[1];
                    if inside { *x.add(lane * lane_stride + step * step_stride) } else { 0.0 }
                });
            }
        }
    }
}

/// Writes the words of `steps` steps of numbers.
#[inline(always)]
unsafe fn write<P: Packing, const LANES: usize>(
    out: *mut P::Word,
    steps: usize,
    number: impl Fn(usize, usize) -> Float,
) {
    for word in 0..steps.div_ceil(P::DEPTH) {
        let step = word * P::DEPTH;
        // SAFETY: the caller has room for the words of so many steps.
        let out = unsafe { &mut *out.add(word * LANES).cast::<[P::Word; LANES]>() };
        for (lane, out) in out.iter_mut().enumerate() {
            let second = if P::DEPTH == 2 { number(lane, step + 1) } else { 0.0 };
            *out = P::word(number(lane, step), second);
        }
    }
}
