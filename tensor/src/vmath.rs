//! Vector maths: the exponential, and sums, maxima and dot products of slices.
//!
//! Written so that the compiler vectorizes them inside a [`simd!`](crate::simd!) kernel; all are
//! `#[inline(always)]` for that reason. Sums run in [`LANES`] partial sums that are added as a
//! tree: one order on every instruction set and for any number of threads.

use crate::Float;

/// Partial sums of a reduction; one AVX-512 register of `f32`.
pub const LANES: usize = 16;

/// eˣ to within 2 units in the last place (`f32`); exactly 0 below -87.3, ∞ above 88.72.
///
/// ```math
/// e^x = 2^n e^r, \quad n = \mathrm{round}(x / \ln 2), \quad r = x - n \ln 2
/// ```
/// The polynomial for eʳ on |r| ≤ ln 2 / 2 is the one of the Cephes library (`expf`, Moshier).
#[cfg(not(attendant_f64))]
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.3;
    const HIGHEST: f32 = 88.72;
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(LOWEST, HIGHEST); // NaN stays NaN
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let e_r = p * (r * r) + r + 1.0;
    // 2ⁿ in two factors: n may be 128, which no single exponent can hold.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let y = e_r * power(half) * power(n - half);
    if x < LOWEST {
        0.0
    } else if x > HIGHEST {
        f32::INFINITY
    } else {
        y
    }
}

/// eˣ.
#[cfg(attendant_f64)]
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    x.exp()
}

#[inline(always)]
fn tree(mut lanes: [Float; LANES], combine: impl Fn(Float, Float) -> Float) -> Float {
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

/// The largest xᵢ, NaN aside; -∞ of an empty slice.
#[inline(always)]
pub fn max(x: &[Float]) -> Float {
    let larger = |a: Float, b: Float| if b > a { b } else { a };
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [Float::NEG_INFINITY; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], block[lane]);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        lanes[lane] = larger(lanes[lane], x);
    }
    tree(lanes, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(attendant_f64))]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        let mut x = -87.29f32;
        while x < 88.71 {
            let exact = f64::from(x).exp();
            let unit = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
            worst = worst.max((f64::from(exp(x)) - exact).abs() / unit);
            x += 0.000_37;
        }
        assert!(worst < 2.0, "{worst} units");
    }

    #[test]
    fn exp_of_extremes() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(Float::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e4), 0.0);
        assert_eq!(exp(1e4), Float::INFINITY);
        assert_eq!(exp(Float::INFINITY), Float::INFINITY);
        assert!(exp(Float::NAN).is_nan());
    }

    #[test]
    fn reductions_equal_plain_loops_at_every_length() {
        for len in 0..70 {
            let x: Vec<Float> = (0..len).map(|i| ((i * 7) % 11) as Float - 5.0).collect();
            let y: Vec<Float> = (0..len).map(|i| ((i * 5) % 13) as Float - 6.0).collect();
            assert_eq!(sum(&x), x.iter().sum::<Float>());
            assert_eq!(dot(&x, &y), x.iter().zip(&y).map(|(x, y)| x * y).sum::<Float>());
            assert_eq!(max(&x), x.iter().copied().fold(Float::NEG_INFINITY, Float::max));
        }
    }
}
