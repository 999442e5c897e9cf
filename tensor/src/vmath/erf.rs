//! The error function.

#[cfg(not(attendant_f64))]
use super::{exp, polynomial};

/// The error function, to within 2 units in the last place (`f32`).
///
/// ```math
/// \mathrm{erf}(x) = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
/// ```
/// On |x| ≤ 1 it is x + x P(x²), further out 1 − exp Q(|x|), where Q stands for the logarithm of
/// 1 − erf up to 4, beyond which erf is 1. P and Q are polynomials whose largest relative error in
/// the result is as small as their degree allows (by Remez exchange).
#[cfg(not(attendant_f64))]
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let z = x * x;
    let p = polynomial(
        z,
        [
            7.853_861_4e-5,
            -8.010_193_6e-4,
            5.188_327_7e-3,
            -2.685_381_2e-2,
            1.128_358_5e-1,
            -3.761_262_6e-1,
            1.283_791_7e-1,
        ],
    );
    let near = x.mul_add(p, x);
    let size = x.abs();
    let t = if size > 4.0 { 4.0 } else { size }; // NaN stays NaN
    let q = polynomial(
        t,
        [
            1.863_791_6e-4,
            -2.947_658e-3,
            2.183_806_3e-2,
            -1.031_067_5e-1,
            -6.381_448_4e-1,
            -1.127_089_2,
            -3.415_234e-4,
        ],
    );
    let far = 1.0 - exp(q);
    let y = if size < 1.0 { near } else { far };
    y.copysign(x)
}

/// The error function.
///
/// ```math
/// \mathrm{erf}(x) = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
/// ```
#[cfg(attendant_f64)]
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;

    #[test]
    #[cfg(not(attendant_f64))]
    fn error_stays_within_its_bound() {
        use crate::vmath::{whole_range, worst_error};
        let worst = worst_error(erf, libm::erf, whole_range());
        assert!(worst < 2.0, "{worst} units");
    }

    #[test]
    fn values_and_extremes() {
        assert!((erf(1.0) - 0.842_700_8).abs() < 1e-6);
        assert!((erf(-0.5) + 0.520_499_9).abs() < 1e-6);
        assert_eq!((erf(0.0), erf(1e4), erf(-1e4)), (0.0, 1.0, -1.0));
        assert_eq!((erf(Float::INFINITY), erf(Float::NEG_INFINITY)), (1.0, -1.0));
        assert!(erf(-0.0).is_sign_negative() && erf(Float::NAN).is_nan());
    }
}
