//! The exponential, and the two functions that are one step from it: sigmoid and tanh.

#[cfg(not(attendant_f64))]
use super::polynomial;
use crate::Float;

/// eˣ to within a unit in the last place (`f32`); exactly 0 below -87.3, ∞ above 88.72.
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
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first of so few bits that x − n times it is exact.
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let e_r = polynomial(
        r,
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0],
    );
    // Times 2ⁿ: n is added to the exponent, which stays in range between the bounds, as eʳ is below
    // 1 where n = 128 and above where n = −126. Wrapping, since beyond them n is anything.
    let y = f32::from_bits(e_r.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < LOWEST {
        0.0
    } else if x <= HIGHEST {
        y
    } else {
        x + f32::INFINITY // NaN stays NaN
    }
}

/// eˣ.
#[cfg(attendant_f64)]
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    x.exp()
}

/// The logistic function σ(x), to within 3 units in the last place (`f32`).
///
/// ```math
/// \sigma(x) = \frac{1}{1 + e^{-x}}
/// ```
#[inline(always)]
pub fn sigmoid(x: Float) -> Float {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, to within 2 units in the last place (`f32`).
///
/// ```math
/// \tanh x = 1 - \frac{2}{e^{2x} + 1}
/// ```
/// Near zero, where that form cancels, an odd polynomial whose largest relative error on
/// |x| ≤ 0.625 is as small as its degree allows (by Remez exchange).
#[cfg(not(attendant_f64))]
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    let z = x * x;
    let p = polynomial(
        z,
        [-5.709_500_5e-3, 2.064_366_9e-2, -5.374_135_5e-2, 1.333_146_6e-1, -3.333_328_3e-1],
    );
    let near = x.mul_add(z * p, x);
    let y = if x.abs() < 0.625 { near } else { far };
    y.copysign(x)
}

/// The hyperbolic tangent.
#[cfg(attendant_f64)]
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    x.tanh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(attendant_f64))]
    fn errors_stay_within_their_bounds() {
        use crate::vmath::{whole_range, worst_error};
        let ends = [-87.3_f32, 88.72].into_iter().flat_map(|x| (-999..1000).map(move |i| (x, i)));
        let ends = ends.map(|(x, i)| f32::from_bits(x.to_bits().wrapping_add_signed(i)));
        let inputs = || whole_range().chain(ends.clone()).filter(|x| (-87.3..=88.72).contains(x));
        let worst = worst_error(exp, f64::exp, inputs());
        assert!(worst < 1.0, "exp: {worst} units");
        let worst = worst_error(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), inputs());
        assert!(worst < 3.0, "sigmoid: {worst} units");
        let worst = worst_error(tanh, f64::tanh, whole_range());
        assert!(worst < 2.0, "tanh: {worst} units");
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
    #[cfg(not(attendant_f64))]
    fn exp_of_any_nan_is_nan() {
        let nans = (0x7f80_0001..0x8000_0000_u32).step_by(97).flat_map(|x| [x, x | 0x8000_0000]);
        assert!(nans.map(f32::from_bits).all(|x| exp(x).is_nan()));
    }

    #[test]
    #[cfg(not(attendant_f64))]
    fn exp_ends_at_its_bounds() {
        assert_eq!((exp((-87.3_f32).next_down()), exp(88.72_f32.next_up())), (0.0, f32::INFINITY));
        assert!(exp(-87.3).is_normal() && exp(88.72).is_normal());
    }

    #[test]
    fn sigmoid_and_tanh_of_extremes() {
        assert_eq!((sigmoid(0.0), sigmoid(1e4), sigmoid(-1e4)), (0.5, 1.0, 0.0));
        assert_eq!((sigmoid(Float::INFINITY), sigmoid(Float::NEG_INFINITY)), (1.0, 0.0));
        assert_eq!((tanh(0.0), tanh(1e4), tanh(-1e4)), (0.0, 1.0, -1.0));
        assert_eq!((tanh(Float::INFINITY), tanh(Float::NEG_INFINITY)), (1.0, -1.0));
        assert!(tanh(-0.0).is_sign_negative() && tanh(1e-30) == 1e-30);
        assert!(sigmoid(Float::NAN).is_nan() && tanh(Float::NAN).is_nan());
    }
}
