//! Sums, dot products and maxima of slices.
//!
//! They run in [`LANES`] partial results that are combined as a tree: one order on every
//! instruction set and for any number of threads.

use crate::Float;
use std::hint::black_box;

/// Partial sums of a reduction; one AVX-512 register of `f32`.
pub const LANES: usize = 16;

/// The lanes, put somewhere as a whole. What combines lanes would otherwise lead the compiler to keep
/// them in parts of several registers, in the loop that summed them up too: ten times the
/// instructions.
#[inline(always)]
pub(crate) fn stored(lanes: [Float; LANES]) -> [Float; LANES] {
    black_box(lanes)
}

#[inline(always)]
pub(crate) fn tree(mut lanes: [Float; LANES], combine: impl Fn(Float, Float) -> Float) -> Float {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = combine(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Σ f(xᵢ).
#[inline(always)]
pub fn sum_of(x: &[Float], f: impl Fn(Float) -> Float) -> Float {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += f(block[lane]);
        }
    }
    let mut lanes = stored(lanes);
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] += f(x);
    }
    tree(lanes, |a, b| a + b)
}

/// Σ f(xᵢ, yᵢ).
#[inline(always)]
pub fn sum_of_two(x: &[Float], y: &[Float], f: impl Fn(Float, Float) -> Float) -> Float {
    let len = x.len().min(y.len());
    let (x_blocks, x_rest) = x[..len].as_chunks::<LANES>();
    let (y_blocks, y_rest) = y[..len].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (x, y) in x_blocks.iter().zip(y_blocks) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane]);
        }
    }
    let mut lanes = stored(lanes);
    for (lane, (&x, &y)) in x_rest.iter().zip(y_rest).enumerate() {
        lanes[lane] += f(x, y);
    }
    tree(lanes, |a, b| a + b)
}

/// Σ xᵢ.
#[inline(always)]
pub fn sum(x: &[Float]) -> Float {
    sum_of(x, |x| x)
}

/// Σ xᵢ yᵢ.
#[inline(always)]
pub fn dot(x: &[Float], y: &[Float]) -> Float {
    sum_of_two(x, y, |x, y| x * y)
}

/// All of `x` combined from `start` on, where the order does not matter.
#[inline(always)]
fn fold(x: &[Float], start: Float, combine: impl Fn(Float, Float) -> Float) -> Float {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = combine(lanes[lane], block[lane]);
        }
    }
    let mut lanes = stored(lanes);
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] = combine(lanes[lane], x);
    }
    tree(lanes, combine)
}

/// The largest xᵢ, NaN aside; -∞ of an empty slice.
#[inline(always)]
pub fn max(x: &[Float]) -> Float {
    fold(x, Float::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// The largest xᵢ, NaN if there is one; -∞ of an empty slice.
#[inline(always)]
pub fn max_or_nan(x: &[Float]) -> Float {
    fold(x, Float::NEG_INFINITY, larger_or_nan)
}

/// The smallest xᵢ, NaN if there is one; ∞ of an empty slice.
#[inline(always)]
pub fn min_or_nan(x: &[Float]) -> Float {
    fold(x, Float::INFINITY, smaller_or_nan)
}

/// The larger of two numbers; NaN if either is.
#[inline(always)]
pub fn larger_or_nan(a: Float, b: Float) -> Float {
    if (b > a) | b.is_nan() { b } else { a }
}

/// The smaller of two numbers; NaN if either is.
#[inline(always)]
pub fn smaller_or_nan(a: Float, b: Float) -> Float {
    if (b < a) | b.is_nan() { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reductions_equal_plain_loops_at_every_length() {
        for len in 0..70 {
            let x: Vec<Float> = (0..len).map(|i| ((i * 7) % 11) as Float - 5.0).collect();
            let y: Vec<Float> = (0..len).map(|i| ((i * 5) % 13) as Float - 6.0).collect();
            assert_eq!(sum(&x), x.iter().sum::<Float>());
            assert_eq!(dot(&x, &y), x.iter().zip(&y).map(|(x, y)| x * y).sum::<Float>());
            assert_eq!(max(&x), x.iter().copied().fold(Float::NEG_INFINITY, Float::max));
            assert_eq!(max_or_nan(&x), max(&x));
            assert_eq!(min_or_nan(&x), x.iter().copied().fold(Float::INFINITY, Float::min));
            for i in 0..len {
                let mut x = x.clone();
                x[i] = Float::NAN;
                assert!(max_or_nan(&x).is_nan() && min_or_nan(&x).is_nan() && !max(&x).is_nan());
            }
        }
    }
}
