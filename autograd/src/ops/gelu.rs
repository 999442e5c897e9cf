//! (G2) GELU in its exact form, as BERT uses it. Hendrycks & Gimpel 2016, section 2.

use crate::Var;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use tensor::{Float, Tensor, par, simd, vmath};

/// Each number times the chance that a standard normal one is below it.
///
/// ```math
/// y = x\, \Phi(x), \qquad \Phi(x) = \tfrac{1}{2} \big( 1 + \mathrm{erf}(x / \sqrt{2}) \big)
/// \qquad (G2)
/// ```
/// [`gelu_tanh`](super::gelu_tanh::gelu_tanh) is near it, but not equal: a model is loaded with the
/// one it was trained with.
///
/// Source: Hendrycks & Gimpel 2016, section 2.
///
/// ```
/// let y = autograd::ops::gelu::gelu(&tensor::Tensor::scalar(0.0));
/// assert_eq!(y.item(), 0.0);
/// ```
pub fn gelu(x: &Tensor) -> Tensor {
    let x = x.contiguous();
    Tensor::build(x.shape(), |y| {
        par::for_pieces(y, |first, y| gelu_slice(&x.data()[first..], y));
    })
}

simd! {
    fn gelu_slice(x: &[Float], y: &mut [Float]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * normal_below(x);
        }
    }
}

/// Φ(x)
#[inline(always)]
fn normal_below(x: Float) -> Float {
    0.5 * (1.0 + vmath::erf(x * FRAC_1_SQRT_2 as Float))
}

/// The derivative of [`gelu`].
///
/// ```math
/// \bar x = \bar y \Big( \Phi(x) + \frac{x}{\sqrt{2 \pi}}\, e^{-x^2 / 2} \Big)
/// ```
pub fn gelu_backward(x: &Tensor, mut dy: Tensor) -> Tensor {
    let x = x.contiguous();
    par::for_pieces(dy.data_mut(), |first, dy| gelu_backward_slice(&x.data()[first..], dy));
    dy
}

simd! {
    fn gelu_backward_slice(x: &[Float], dy: &mut [Float]) {
        const INVERSE_ROOT_OF_TWO_PI: Float = (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2) as Float;
        for (dy, &x) in dy.iter_mut().zip(x) {
            let density = INVERSE_ROOT_OF_TWO_PI * vmath::exp(-0.5 * x * x);
            *dy *= normal_below(x) + x * density;
        }
    }
}

impl Var {
    /// GELU in its exact form: see [`gelu`].
    #[track_caller]
    pub fn gelu(&self) -> Var {
        let (y, x) = (gelu(self.value()), self.value().clone());
        let y =
            Var::record("gelu", [self], y, [x.clone()], |dy, [x]| [gelu_backward(&x, dy).into()]);
        y.made_again_by(move || gelu(&x))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].gelu());
        vec![of(&[2, 3]), of(&[1, 1]), of(&[17]), of(&[200, 300])]
    }

    /// Φ by Simpson's rule over the density.
    fn integrated(x: f64) -> f64 {
        let density = |t: f64| (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt();
        let h = x / 2000.0;
        let pair = |i: usize| {
            let t = 2.0 * h * i as f64;
            (density(t) + 4.0 * density(t + h) + density(t + 2.0 * h)) * h / 3.0
        };
        0.5 + (0..1000).map(pair).sum::<f64>()
    }

    #[test]
    fn equals_the_equation_g2() {
        let x = Rng::seeded(1).normal(&[200], 2.0);
        for (&x, &y) in x.data().iter().zip(gelu(&x).data()) {
            let expected = (f64::from(x) * integrated(f64::from(x))) as Float;
            assert_relative_eq!(y, expected, max_relative = 1e-5, epsilon = 2e-6);
        }
        let one = gelu(&Tensor::scalar(1.0)).item();
        assert_relative_eq!(one, 0.841_344_7, max_relative = 1e-6);
    }

    #[test]
    fn x_is_its_gelu_less_that_of_its_mirror_image() {
        let x = Rng::seeded(2).normal(&[100], 2.0);
        for (x, sum) in x.data().iter().zip((gelu(&x) - gelu(&-&x)).data()) {
            assert_relative_eq!(x, sum, max_relative = 1e-5);
        }
    }

    #[test]
    fn extremes_are_the_identity_and_zero() {
        let x = Tensor::new([1e4, -1e4, 1e20, -1e20, 0.0], &[5]);
        assert_eq!(gelu(&x).to_vec(), [1e4, 0.0, 1e20, 0.0, 0.0]);
        let dx = gelu_backward(&x, Tensor::ones(&[5]));
        assert_eq!(dx.to_vec(), [1.0, 0.0, 1.0, 0.0, 0.5]);
        assert!(gelu(&Tensor::scalar(Float::NAN)).item().is_nan());
        assert_eq!(gelu(&Tensor::zeros(&[0])).shape(), [0]);
    }
}
