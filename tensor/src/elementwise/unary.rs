//! Functions of each number.

use crate::{Float, Tensor, simd, vmath};

/// A kernel of the given name for one function.
macro_rules! kernel {
    ($name:ident, |$x:ident| $value:expr) => {
        simd! {
            fn $name(x: &[Float], out: &mut [Float]) {
                for (out, &$x) in out.iter_mut().zip(x) {
                    *out = $value;
                }
            }
        }
    };
}

kernel!(exp, |x| vmath::exp(x));
kernel!(ln, |x| vmath::ln(x));
kernel!(sqrt, |x| x.sqrt());
kernel!(square, |x| x * x);
kernel!(abs, |x| x.abs());
kernel!(sign, |x| signum(x));
kernel!(recip, |x| 1.0 / x);
kernel!(sin, |x| x.sin());
kernel!(cos, |x| x.cos());
kernel!(tanh, |x| vmath::tanh(x));
kernel!(sigmoid, |x| vmath::sigmoid(x));
kernel!(erf, |x| vmath::erf(x));
kernel!(floor, |x| x.floor());
kernel!(ceil, |x| x.ceil());
kernel!(round, |x| x.round_ties_even());

#[inline(always)]
fn signum(x: Float) -> Float {
    let toward = if x < 0.0 { -1.0 } else { x };
    if x > 0.0 { 1.0 } else { toward }
}

impl Tensor {
    /// eˣ of each number, by [`vmath::exp`].
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(0.0).exp().item(), 1.0);
    /// ```
    pub fn exp(&self) -> Tensor {
        self.map_by(&exp)
    }

    /// The natural logarithm of each number, by [`vmath::ln`]; -∞ of 0, NaN below.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(1.0).ln().item(), 0.0);
    /// ```
    pub fn ln(&self) -> Tensor {
        self.map_by(&ln)
    }

    /// The square root of each number; NaN below 0.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(9.0).sqrt().item(), 3.0);
    /// ```
    pub fn sqrt(&self) -> Tensor {
        self.map_by(&sqrt)
    }

    /// x² of each number.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(-3.0).square().item(), 9.0);
    /// ```
    pub fn square(&self) -> Tensor {
        self.map_by(&square)
    }

    /// The absolute value of each number.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(-3.0).abs().item(), 3.0);
    /// ```
    pub fn abs(&self) -> Tensor {
        self.map_by(&abs)
    }

    /// 1 of a positive number, -1 of a negative one; 0 and NaN stay what they are.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(-3.0).sign().item(), -1.0);
    /// ```
    pub fn sign(&self) -> Tensor {
        self.map_by(&sign)
    }

    /// 1/x of each number.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(4.0).recip().item(), 0.25);
    /// ```
    pub fn recip(&self) -> Tensor {
        self.map_by(&recip)
    }

    /// The sine of each number, in radians.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(0.0).sin().item(), 0.0);
    /// ```
    pub fn sin(&self) -> Tensor {
        self.map_by(&sin)
    }

    /// The cosine of each number, in radians.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(0.0).cos().item(), 1.0);
    /// ```
    pub fn cos(&self) -> Tensor {
        self.map_by(&cos)
    }

    /// The hyperbolic tangent of each number, by [`vmath::tanh`].
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(1e4).tanh().item(), 1.0);
    /// ```
    pub fn tanh(&self) -> Tensor {
        self.map_by(&tanh)
    }

    /// The logistic function 1/(1 + e⁻ˣ) of each number, by [`vmath::sigmoid`].
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(0.0).sigmoid().item(), 0.5);
    /// ```
    pub fn sigmoid(&self) -> Tensor {
        self.map_by(&sigmoid)
    }

    /// The error function of each number, by [`vmath::erf`].
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(1e4).erf().item(), 1.0);
    /// ```
    pub fn erf(&self) -> Tensor {
        self.map_by(&erf)
    }

    /// xᵖ of each number; NaN of a negative number where `p` is not whole.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(2.0).powf(3.0).item(), 8.0);
    /// ```
    pub fn powf(&self, p: Float) -> Tensor {
        self.map(|x| x.powf(p))
    }

    /// The largest whole number at most each number.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(-1.5).floor().item(), -2.0);
    /// ```
    pub fn floor(&self) -> Tensor {
        self.map_by(&floor)
    }

    /// The smallest whole number at least each number.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(-1.5).ceil().item(), -1.0);
    /// ```
    pub fn ceil(&self) -> Tensor {
        self.map_by(&ceil)
    }

    /// The nearest whole number to each number; of two equally near the even one.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(2.5).round().item(), 2.0);
    /// ```
    pub fn round(&self) -> Tensor {
        self.map_by(&round)
    }

    /// Each number, but at least `low` and at most `high`; NaN stays NaN.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::scalar(7.0).clamp(0.0, 1.0).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If `low` is above `high`, or either is NaN.
    #[track_caller]
    pub fn clamp(&self, low: Float, high: Float) -> Tensor {
        assert!(low <= high, "clamp: low {low} is not at most high {high}");
        self.map(|x| match x {
            _ if x < low => low,
            _ if x > high => high,
            _ => x,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    type Case = (fn(&Tensor) -> Tensor, fn(f64) -> f64);

    /// Each function beside the one of the standard library.
    const CASES: [Case; 17] = [
        (Tensor::exp, f64::exp),
        (Tensor::ln, f64::ln),
        (Tensor::sqrt, f64::sqrt),
        (Tensor::square, |x| x * x),
        (Tensor::abs, f64::abs),
        (Tensor::sign, |x| if x == 0.0 { 0.0 } else { x.signum() }),
        (Tensor::recip, f64::recip),
        (Tensor::sin, f64::sin),
        (Tensor::cos, f64::cos),
        (Tensor::tanh, f64::tanh),
        (Tensor::sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Tensor::erf, libm::erf),
        (|x| x.powf(3.0), |x| x * x * x),
        (Tensor::floor, f64::floor),
        (Tensor::ceil, f64::ceil),
        (Tensor::round, f64::round_ties_even),
        (|x| x.clamp(-0.5, 1.0), |x| x.clamp(-0.5, 1.0)),
    ];

    proptest! {
        #[test]
        fn each_equals_the_standard_library(x in testing::view(0..4)) {
            for (ours, standard) in CASES {
                let y = ours(&x);
                prop_assert_eq!(y.shape(), x.shape());
                for (&x, &y) in x.view().iter().zip(y.data()) {
                    let expected = standard(f64::from(x));
                    let near = (f64::from(y) - expected).abs() <= 1e-6 * expected.abs().max(1e-3);
                    let neither = y.is_nan() && expected.is_nan();
                    prop_assert!(near || neither, "{} {} {}", x, y, expected);
                }
            }
        }
    }

    #[test]
    fn extremes() {
        let x = Tensor::new([Float::NEG_INFINITY, -1e4, 0.0, 1e4, Float::INFINITY], &[5]);
        assert_eq!(x.tanh().to_vec(), [-1.0, -1.0, 0.0, 1.0, 1.0]);
        assert_eq!(x.erf().to_vec(), [-1.0, -1.0, 0.0, 1.0, 1.0]);
        assert_eq!(x.sigmoid().to_vec(), [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(x.sign().to_vec(), [-1.0, -1.0, 0.0, 1.0, 1.0]);
        assert_eq!(
            x.clamp(-2.0, Float::INFINITY).to_vec(),
            [-2.0, -2.0, 0.0, 1e4, Float::INFINITY]
        );
        assert_eq!(x.exp().to_vec(), [0.0, 0.0, 1.0, Float::INFINITY, Float::INFINITY]);
        assert_eq!(x.abs().recip().data()[2..], [Float::INFINITY, 1e-4, 0.0]);
        let halves = Tensor::new([-1.5, -0.5, 0.5, 1.5, 2.5], &[5]);
        assert_eq!(halves.round().to_vec(), [-2.0, 0.0, 0.0, 2.0, 2.0]);
        let nan = Tensor::scalar(Float::NAN);
        let others = CASES.iter().map(|(f, _)| f(&nan).item());
        assert!(others.into_iter().all(Float::is_nan));
    }

    #[test]
    #[should_panic(expected = "clamp: low 2 is not at most high 1")]
    fn clamp_needs_low_below_high() {
        Tensor::zeros(&[1]).clamp(2.0, 1.0);
    }
}
