//! Panels: what the innermost kernel reads, in the order in which it reads it.
//!
//! A panel holds some lanes (rows of A, or columns of B) word by word: for one k after the other, the
//! numbers of all lanes. Here lies the cost of every layout: lanes that are neighbours in memory are
//! copied, lanes along which k runs are turned. Numbers are rounded on the way where the precision
//! says so, and what is missing in the last panel is zero.

use super::kernel::{FIRST, fetch};
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
    type Word: Copy + Default;
    /// How many numbers along k a word holds.
    const DEPTH: usize;
    /// The word of the next number along k, or of the next two.
    fn word(first: Float, second: Float) -> Self::Word;

    /// The next [`SIDE`] words.
    ///
    /// # Safety
    /// There are SIDE · DEPTH numbers at `x`; on x86-64 the CPU has AVX2.
    #[inline(always)]
    unsafe fn words(x: *const Float) -> [Self::Word; SIDE] {
        // SAFETY: as the caller says.
        let number = |index: usize| unsafe { *x.add(index) };
        std::array::from_fn(|word| {
            let first = word * Self::DEPTH;
            Self::word(number(first), number(first + Self::DEPTH - 1))
        })
    }
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
    #[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
    #[inline(always)]
    unsafe fn words(x: *const Float) -> [Float; SIDE] {
        // SAFETY: as the caller says; packed where the CPU has AVX2.
        unsafe { std::mem::transmute(super::x86::rounded(x)) }
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
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn words(x: *const Float) -> [u32; SIDE] {
        // SAFETY: as the caller says; packed where the CPU has AVX2.
        unsafe { std::mem::transmute(super::x86::rounded_pairs(x)) }
    }
}

/// Steps along k that are packed of one panel before the next: few enough that the parts of memory
/// that neighbouring panels share are still in the cache.
const STEPS: usize = 16;
/// Where memory runs from panel to panel, it is asked for so many panels further.
const PANELS_AHEAD: usize = 4;
/// Where it is one panel, so many steps further: the lines of more steps, if they lie a multiple of
/// 4 KiB apart, are not kept until they are read.
const STEPS_AHEAD: usize = 8;
/// Numbers in a cache line.
const LINE: usize = 64 / size_of::<Float>();

/// [`Pack`] into panels of LANES.
///
/// # Safety
/// `x` holds these numbers, and there is room for the panels at `out`; on x86-64 the CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn pack<P: Packing, const LANES: usize>(
    x: *const Float,
    strides: [usize; 2],
    [lanes, steps]: [usize; 2],
    out: *mut Float,
    panel_stride: usize,
) {
    let [panels, parts] = [lanes.div_ceil(LANES), steps.div_ceil(STEPS)];
    // As memory runs: along k first, or from lane to lane.
    let along_k = strides[1] == 1;
    let [outer, inner] = if along_k { [panels, parts] } else { [parts, panels] };
    // Along k the next part is asked for.
    let ahead = match (along_k, panels) {
        (true, _) => STEPS,
        (false, 1) => STEPS_AHEAD * strides[1],
        (false, _) => PANELS_AHEAD * LANES,
    };
    for outer in 0..outer {
        for inner in 0..inner {
            let [panel, steps_before] = if along_k { [outer, inner] } else { [inner, outer] };
            let [lane, step] = [panel * LANES, steps_before * STEPS];
            let sizes = [LANES.min(lanes - lane), STEPS.min(steps - step)];
            // SAFETY: the part lies inside of x, its words inside of the panel.
            unsafe {
                let x = x.add(lane * strides[0] + step * strides[1]);
                let out = out.add(panel * panel_stride + step / P::DEPTH * LANES);
                part::<P, LANES>(x, strides, sizes, ahead, out.cast());
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
    ahead: usize,
    out: *mut P::Word,
) {
    // SAFETY: only lanes and steps within the sizes are read.
    unsafe {
        match (strides, sizes == [LANES, STEPS]) {
            ([1, stride], true) => {
                for step in 0..STEPS {
                    for lane in (0..LANES).step_by(LINE) {
                        fetch::<FIRST, _>(x.wrapping_add(lane + step * stride + ahead));
                    }
                }
                write::<P, LANES>(out, STEPS, |lane, step| *x.add(lane + step * stride));
            }
            ([stride, 1], true) => {
                for lane in 0..LANES {
                    for step in (0..STEPS).step_by(LINE) {
                        fetch::<FIRST, _>(x.wrapping_add(step + lane * stride + ahead));
                    }
                }
                for lane in (0..LANES).step_by(SIDE) {
                    for word in (0..STEPS / P::DEPTH).step_by(SIDE) {
                        let x = x.add(lane * stride + word * P::DEPTH);
                        let out = out.add(word * LANES + lane);
                        turn::<P, LANES>(x, stride, SIDE.min(LANES - lane), out);
                    }
                }
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
        // All are read before one is written, so that the compiler can copy by the register.
        let first: [Float; LANES] = std::array::from_fn(|lane| number(lane, step));
        let second = match P::DEPTH {
            2 => std::array::from_fn(|lane| number(lane, step + 1)),
            _ => first,
        };
        // SAFETY: the caller has room for the words of so many steps.
        let out = unsafe { &mut *out.add(word * LANES).cast::<[P::Word; LANES]>() };
        for (out, (first, second)) in out.iter_mut().zip(first.into_iter().zip(second)) {
            *out = P::word(first, second);
        }
    }
}

/// Words in a side of the squares that are turned: as many as a register of AVX2 holds.
pub(super) const SIDE: usize = 8;

/// SIDE words of some lanes along which k runs.
///
/// # Safety
/// The lanes hold so many, and there is room for the words; on x86-64 the CPU has AVX2.
#[inline(always)]
unsafe fn turn<P: Packing, const LANES: usize>(
    x: *const Float,
    stride: usize,
    lanes: usize,
    out: *mut P::Word,
) {
    let mut words = [[P::Word::default(); SIDE]; SIDE];
    // SAFETY: the lanes hold so many numbers, and there is room for the words.
    unsafe {
        for (lane, words) in words.iter_mut().take(lanes).enumerate() {
            *words = P::words(x.add(lane * stride));
        }
        for (word, words) in transposed(words).iter().enumerate() {
            out.add(word * LANES).copy_from_nonoverlapping(words.as_ptr(), lanes);
        }
    }
}

/// The square with rows and columns exchanged.
#[inline(always)]
pub(super) fn transposed<W: Copy>(words: [[W; SIDE]; SIDE]) -> [[W; SIDE]; SIDE] {
    #[cfg(target_arch = "x86_64")]
    if size_of::<W>() == 4 {
        // SAFETY: called where the CPU has AVX2; eight words of four bytes are a register.
        unsafe {
            let rows = std::mem::transmute_copy(&words);
            return std::mem::transmute_copy(&super::x86::transposed(rows));
        }
    }
    std::array::from_fn(|row| words.map(|words| words[row]))
}

#[cfg(all(test, target_arch = "x86_64", not(attendant_f64)))]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn the_words_of_a_register_are_those_of_its_numbers() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let mut numbers: Vec<Float> = Rng::seeded(1).normal(&[4000], 3.0).to_vec();
        numbers.extend([0.0, -0.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 3.4e38, -1e-40]);
        numbers.extend([Float::INFINITY, Float::NEG_INFINITY, Float::NAN, -Float::NAN]);
        numbers.extend([f32::from_bits(0x7f80_0001), f32::from_bits(0x7fff_ffff)]);
        for numbers in numbers.windows(2 * SIDE) {
            // SAFETY: there are so many numbers, and the CPU has AVX2.
            let (rounded, pairs) =
                unsafe { (Rounded::words(numbers.as_ptr()), Paired::words(numbers.as_ptr())) };
            for (word, (rounded, pair)) in rounded.into_iter().zip(pairs).enumerate() {
                assert_eq!(rounded.to_bits(), Rounded::word(numbers[word], 0.0).to_bits());
                assert_eq!(pair, Paired::word(numbers[2 * word], numbers[2 * word + 1]));
            }
        }
    }
}
