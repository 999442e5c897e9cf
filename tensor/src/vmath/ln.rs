//! The natural logarithm.

#[cfg(not(attendant_f64))]
use super::polynomial;

/// The natural logarithm, to within a unit in the last place (`f32`); -∞ of 0, NaN below.
///
/// ```math
/// \ln x = e \ln 2 + \ln(1 + f), \quad x = 2^e (1 + f), \quad \sqrt{1/2} \le 1 + f < \sqrt 2
/// ```
/// ln(1 + f) is f − f²/2 + f³ P(f), where P is the polynomial of degree 7 whose largest error is
/// smallest (by Remez exchange).
#[cfg(not(attendant_f64))]
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;
    const TWO_TO_23: f32 = 8_388_608.0;
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * TWO_TO_23 } else { x };
    let bits = scaled.to_bits().wrapping_sub(ROOT_OF_HALF);
    let e = ((bits as i32) >> 23) as f32 - if subnormal { 23.0 } else { 0.0 };
    let f = f32::from_bits((bits & 0x007f_ffff).wrapping_add(ROOT_OF_HALF)) - 1.0;
    let p = polynomial(
        f,
        [
            -7.865_449e-2,
            1.287_92e-1,
            -1.312_529_5e-1,
            1.418_142e-1,
            -1.662_497e-1,
            2.000_228_3e-1,
            -2.500_079_7e-1,
            3.333_331_7e-1,
        ],
    );
    let square = f * f;
    // ln 2 in two parts, as one number holds too few of its digits.
    let y = square.mul_add(f.mul_add(p, -0.5), e * -2.121_944_4e-4);
    let y = e.mul_add(0.693_359_4, f + y);
    if x > 0.0 && x < f32::INFINITY {
        y
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else if x > 0.0 {
        f32::INFINITY
    } else {
        f32::NAN
    }
}

/// The natural logarithm.
#[cfg(attendant_f64)]
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    x.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;

    #[test]
    #[cfg(not(attendant_f64))]
    fn error_stays_within_its_bound() {
        use crate::vmath::{whole_range, worst_error};
        let near_one = (0x3f70_0000..0x3f90_0000).map(f32::from_bits);
        let inputs = whole_range().filter(|&x| x > 0.0).chain(near_one);
        let worst = worst_error(ln, f64::ln, inputs);
        assert!(worst < 1.0, "{worst} units");
    }

    #[test]
    fn extremes() {
        assert_eq!((ln(1.0), ln(0.0), ln(-0.0)), (0.0, Float::NEG_INFINITY, Float::NEG_INFINITY));
        assert_eq!(ln(Float::INFINITY), Float::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(Float::NEG_INFINITY).is_nan() && ln(Float::NAN).is_nan());
        assert!((ln(1e-40) - -92.103_4).abs() < 1e-4);
    }
}
