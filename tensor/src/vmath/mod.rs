//! Vector maths: exponential, logarithm, tanh, sigmoid and error function of a number, and sums,
//! maxima and dot products of slices.
//!
//! Written so that the compiler vectorizes them inside a [`simd!`](crate::simd!) kernel; all are
//! `#[inline(always)]` for that reason, and choose between values rather than branch. Outside of one,
//! each of their `mul_add`s is a call. Error bounds are in units in the last place of the exact
//! result, and tested over the whole range. The `f64` build takes the standard library's functions.

mod erf;
mod exp;
mod ln;
mod sums;

pub use erf::erf;
pub use exp::{exp, sigmoid, tanh};
pub use ln::ln;
pub(crate) use sums::tree;

pub use sums::{
    LANES, dot, larger_or_nan, max, max_or_nan, min_or_nan, smaller_or_nan, sum, sum_of, sum_of_two,
};

/// A polynomial of x by Horner's rule, each step rounded once; the coefficient of the highest power
/// comes first.
#[cfg(not(attendant_f64))]
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let (highest, others) = (coefficients[0], &coefficients[1..]);
    others.iter().fold(highest, |sum, &coefficient| x.mul_add(sum, coefficient))
}

/// The largest distance of `f` from `exact` over `inputs`, in units in the last place of the
/// exact value, where it is a normal number.
#[cfg(all(test, not(attendant_f64)))]
fn worst_error(
    f: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
    inputs: impl Iterator<Item = f32>,
) -> f64 {
    let error = |x: f32| {
        let exact = exact(f64::from(x));
        let rounded = (exact as f32).abs();
        if !rounded.is_normal() {
            return 0.0;
        }
        let unit = f64::from(rounded.next_up()) - f64::from(rounded);
        (f64::from(f(x)) - exact).abs() / unit
    };
    inputs.map(error).fold(0.0, f64::max)
}

/// Every 997th `f32` of either sign, from zero to infinity.
#[cfg(all(test, not(attendant_f64)))]
fn whole_range() -> impl Iterator<Item = f32> {
    let positive = (0..f32::INFINITY.to_bits()).step_by(997).map(f32::from_bits);
    positive.flat_map(|x| [x, -x])
}
