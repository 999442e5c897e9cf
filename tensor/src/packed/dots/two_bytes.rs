//! The left side of a product with quantized rows, each number of 16 bits in two bytes.

use super::sixteen_bits::{GROUP, SixteenBits};
use crate::simd;

/// Numbers of four groups: what stands against 64 bytes of four blocks and 64 more.
pub(super) const STEP: usize = 4 * GROUP;

/// A row as `scale · (256 u + l)`, u and l bytes with a sign.
pub(super) struct TwoBytes {
    /// For each step u of the numbers 0 to 15 of four groups, u of their numbers 16 to 31, and l in
    /// the same order.
    pub bytes: Vec<i8>,
    /// For each step the scales of four groups, and their sums.
    pub scales_and_sums: Vec<f32>,
}

impl TwoBytes {
    /// What is missing in the last step is zero.
    pub fn of(x: &[f32]) -> TwoBytes {
        let SixteenBits { mut q, mut scales, mut sums } = SixteenBits::of(x);
        let steps = q.len().div_ceil(STEP);
        q.resize(steps * STEP, 0);
        [&mut scales, &mut sums].into_iter().for_each(|x| x.resize(steps * 4, 0.0));
        let mut bytes = vec![0; 2 * q.len()];
        split(&q, &mut bytes);
        let pairs = scales.as_chunks::<4>().0.iter().zip(sums.as_chunks::<4>().0);
        let scales_and_sums = pairs.flat_map(|(scales, sums)| [*scales, *sums]).flatten().collect();
        TwoBytes { bytes, scales_and_sums }
    }
}

simd! {
    fn split(q: &[i16], bytes: &mut [i8]) {
        let steps = q.as_chunks::<STEP>().0.iter().zip(bytes.as_chunks_mut::<{ 2 * STEP }>().0);
        for (q, bytes) in steps {
            let (upper, lower) = bytes.split_at_mut(STEP);
            for (group, q) in q.as_chunks::<GROUP>().0.iter().enumerate() {
                for half in 0..2 {
                    let at = half * STEP / 2 + group * GROUP / 2;
                    let q = &q[half * GROUP / 2..][..GROUP / 2];
                    for (i, q) in q.iter().enumerate() {
                        // l is the lower byte with its sign; u makes up for it.
                        let low = *q as i8;
                        lower[at + i] = low;
                        upper[at + i] = ((i32::from(*q) - i32::from(low)) >> 8) as i8;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn the_bytes_are_the_numbers_and_what_is_missing_is_zero() {
        let mut x = Rng::seeded(1).normal(&[160], 1.0).to_vec();
        (x[0], x[1], x[31]) = (9.0, -9.0, 4.5);
        let (whole, split) = (SixteenBits::of(&x), TwoBytes::of(&x));
        assert_eq!((split.bytes.len(), split.scales_and_sums.len()), (512, 16));
        for i in 0..2 * STEP {
            let (step, group, number) = (i / STEP, i % STEP / GROUP, i % GROUP);
            let at = 2 * STEP * step + number / 16 * 64 + group * 16 + number % 16;
            let [u, l] = [0, STEP].map(|part| i32::from(split.bytes[at + part]));
            assert_eq!(256 * u + l, whole.q.get(i).map_or(0, |&q| i32::from(q)), "{i}");
        }
        assert_eq!(split.scales_and_sums[..4], whole.scales[..4]);
        assert_eq!(split.scales_and_sums[4..8], whole.sums[..4]);
        assert_eq!(
            split.scales_and_sums[8..],
            [whole.scales[4], 0.0, 0.0, 0.0, whole.sums[4], 0.0, 0.0, 0.0]
        );
    }
}
