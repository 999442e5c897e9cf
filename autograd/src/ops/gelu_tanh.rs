//! (G1) GELU, in the tanh form that GPT-2 uses. Hendrycks & Gimpel 2016, section 2.

use crate::Var;
use tensor::{Float, Tensor, par, simd, vmath};

#[allow(clippy::excessive_precision)] // for the f64 build
const SQRT_2_OVER_PI: Float = 0.797_884_560_802_865_4;
const CUBIC: Float = 0.044715;

/// GELU, the tanh approximation.
///
/// ```math
/// y = \tfrac{1}{2} x (1 + \tanh u) = x\,\sigma(2u), \qquad
/// u = \sqrt{2/\pi}\,(x + 0.044715\,x^3) \qquad (G1)
/// ```
/// The second form is the one computed: it needs one exponential and loses no digits near zero.
///
/// Source: Hendrycks & Gimpel 2016, section 2.
///
/// ```
/// let y = autograd::ops::gelu_tanh::gelu_tanh(&tensor::Tensor::scalar(0.0));
/// assert_eq!(y.item(), 0.0);
/// ```
pub fn gelu_tanh(x: &Tensor) -> Tensor {
    let x = x.contiguous();
    Tensor::build(x.shape(), |y| {
        par::for_pieces(y, |first, y| gelu_slice(&x.data()[first..], y));
    })
}

/// σ(2u) of x.
#[inline(always)]
fn gate(x: Float) -> Float {
    let u = SQRT_2_OVER_PI * (x + CUBIC * x * x * x);
    vmath::sigmoid(2.0 * u)
}

simd! {
    fn gelu_slice(x: &[Float], y: &mut [Float]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * gate(x);
        }
    }
}

/// The derivative of [`gelu_tanh`].
///
/// ```math
/// \bar x = \bar y \big( s + 2 x\, s (1 - s)\, u' \big), \qquad s = \sigma(2u), \quad
/// u' = \sqrt{2/\pi}\,(1 + 3 \cdot 0.044715\,x^2)
/// ```
pub fn gelu_tanh_backward(x: &Tensor, mut dy: Tensor) -> Tensor {
    let x = x.contiguous();
    par::for_pieces(dy.data_mut(), |first, dy| gelu_backward_slice(&x.data()[first..], dy));
    dy
}

simd! {
    fn gelu_backward_slice(x: &[Float], dy: &mut [Float]) {
        for (dy, &x) in dy.iter_mut().zip(x) {
            let s = gate(x);
            let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            // Where s is 0 or 1 the second term is 0, also when x² is beyond all numbers.
            let rest = s * (1.0 - s);
            let curve = if rest == 0.0 { 0.0 } else { 2.0 * x * rest * slope };
            *dy *= s + curve;
        }
    }
}

impl Var {
    /// GELU in its tanh form: see [`gelu_tanh`].
    #[track_caller]
    pub fn gelu_tanh(&self) -> Var {
        let (y, x) = (gelu_tanh(self.value()), self.value().clone());
        let y = Var::record("gelu_tanh", [self], y, [x.clone()], |dy, [x]| {
            [gelu_tanh_backward(&x, dy).into()]
        });
        y.made_again_by(move || gelu_tanh(&x))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].gelu_tanh());
        vec![of(&[2, 3]), of(&[1, 1]), of(&[17]), of(&[200, 300])]
    }

    #[test]
    fn equals_the_equation_g1() {
        let x = Rng::seeded(1).normal(&[1000], 3.0);
        for (&x, &y) in x.data().iter().zip(gelu_tanh(&x).data()) {
            let u = SQRT_2_OVER_PI * (x + CUBIC * x * x * x);
            assert_relative_eq!(y, 0.5 * x * (1.0 + u.tanh()), max_relative = 1e-4, epsilon = 1e-6);
        }
        assert_relative_eq!(gelu_tanh(&Tensor::scalar(1.0)).item(), 0.841_192, max_relative = 1e-5);
    }

    #[test]
    fn x_minus_its_mirror_image_is_x() {
        let x = Rng::seeded(2).normal(&[100], 2.0);
        for (x, sum) in x.data().iter().zip((gelu_tanh(&x) - gelu_tanh(&-&x)).data()) {
            assert_relative_eq!(x, sum, max_relative = 1e-5);
        }
    }

    #[test]
    fn extremes_are_the_identity_and_zero() {
        let x = Tensor::new([1e4, -1e4, 1e20, -1e20, 0.0], &[5]);
        assert_eq!(gelu_tanh(&x).to_vec(), [1e4, 0.0, 1e20, 0.0, 0.0]);
        let dx = gelu_tanh_backward(&x, Tensor::ones(&[5]));
        assert_eq!(dx.to_vec(), [1.0, 0.0, 1.0, 0.0, 0.5]);
    }
}
