//! The left side of a product with quantized rows, rounded to whole numbers of 16 bits.
//!
//! Quantized numbers are small whole numbers with scales. Multiplied with whole numbers, 32 of them
//! take a few instructions; converted to floating point first, several times as many. 16 bits
//! for the numbers of a group of 32 move a result by about 2⁻¹⁶ of its terms, 8 bits (what llama.cpp
//! takes) by 2⁻⁸.

use crate::{Float, simd};

/// How many numbers share a scale.
pub(super) const GROUP: usize = 32;
/// The largest number that two bytes with signs make: 256 · 127 + 127.
const LARGEST: f32 = 32_639.0;
/// A group without a larger number than this counts as zeros; its scale would be no normal number.
const SMALLEST: f32 = LARGEST * f32::MIN_POSITIVE;

/// A row as `scale · q`, each group of 32 with its own scale.
pub(super) struct SixteenBits {
    pub q: Vec<i16>,
    pub scales: Vec<f32>,
    /// The sum of each group's `scale · q`.
    pub sums: Vec<f32>,
}

impl SixteenBits {
    /// A group that holds what is not finite gets the scale NaN.
    pub fn of(x: &[Float]) -> SixteenBits {
        let groups = x.len() / GROUP;
        let mut rounded = SixteenBits {
            q: vec![0; groups * GROUP],
            scales: vec![0.0; groups],
            sums: vec![0.0; groups],
        };
        round(x, &mut rounded.q, &mut rounded.scales, &mut rounded.sums);
        rounded
    }
}

simd! {
    #[allow(clippy::unnecessary_cast)] // It is one in the f32 build only.
    fn round(x: &[Float], q: &mut [i16], scales: &mut [f32], sums: &mut [f32]) {
        let groups = x.as_chunks::<GROUP>().0.iter().zip(q.as_chunks_mut::<GROUP>().0);
        for ((x, q), (scale, sum)) in groups.zip(scales.iter_mut().zip(sums)) {
            let x = x.map(|x| x as f32);
            let (mut largest, mut nothing) = ([0.0f32; 8], [0.0f32; 8]);
            for x in x.as_chunks::<8>().0 {
                for lane in 0..8 {
                    let magnitude = x[lane].abs();
                    largest[lane] = if magnitude > largest[lane] { magnitude } else { largest[lane] };
                    nothing[lane] += x[lane] * 0.0; // NaN, where it is not finite
                }
            }
            let largest = largest.iter().fold(0.0f32, |a, &b| a.max(b));
            let nothing = nothing.iter().sum::<f32>();
            let inverse = if largest > SMALLEST { LARGEST / largest } else { 0.0 };
            // In 1.5 · 2²³ + n the last 16 bits are those of n, the nearest whole number.
            const SHIFT: f32 = 12_582_912.0;
            for (q, x) in q.iter_mut().zip(x) {
                *q = (x * inverse + SHIFT).to_bits() as i16;
            }
            let mut total = 0i32;
            for q in q.iter() {
                total += i32::from(*q);
            }
            *scale = largest / LARGEST + nothing;
            *sum = *scale * total as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn each_number_is_within_half_a_step_and_sums_are_those_of_the_rounded() {
        let x = Rng::seeded(1).normal(&[320], 3.0);
        let rounded = SixteenBits::of(x.data());
        for (group, x) in x.data().chunks(GROUP).enumerate() {
            let scale = Float::from(rounded.scales[group]);
            let back = |i: usize| scale * Float::from(rounded.q[group * GROUP + i]);
            assert!((0..GROUP).all(|i| (x[i] - back(i)).abs() <= 0.51 * scale));
            let sum = (0..GROUP).map(back).sum::<Float>();
            assert!((sum - Float::from(rounded.sums[group])).abs() < 1e-4);
        }
    }

    #[test]
    fn zeros_the_largest_and_what_is_not_finite() {
        let zeros = SixteenBits::of(&[0.0; 32]);
        assert!(zeros.q == [0; 32] && zeros.scales == [0.0] && zeros.sums == [0.0]);
        let mut x = [0.0; 64];
        (x[0], x[1], x[2]) = (1e4, -1e4, 0.2);
        for broken in [Float::NAN, Float::INFINITY, Float::NEG_INFINITY] {
            x[40] = broken;
            let rounded = SixteenBits::of(&x);
            assert_eq!(rounded.q[..4], [32_639, -32_639, 1, 0]);
            assert!(rounded.scales[1].is_nan() && rounded.sums[1].is_nan());
        }
        let tiny = SixteenBits::of(&[1e-38; 32]);
        assert!(tiny.q == [0; 32] && tiny.sums == [0.0]);
        assert!(SixteenBits::of(&[]).q.is_empty());
    }
}
