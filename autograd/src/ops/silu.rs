//! (G3) SiLU, which is also called Swish. Elfwing, Uchibe & Doya 2018, section 2.

use crate::Var;
use tensor::{Float, Tensor, vmath};

/// Each number weighed by its own sigmoid.
///
/// ```math
/// y = x\,\sigma(x) = \frac{x}{1 + e^{-x}} \qquad (G3)
/// ```
/// Source: Elfwing, Uchibe & Doya 2018, section 2; Ramachandran, Zoph & Le 2017, section 3, where
/// it is Swish with β = 1.
///
/// ```
/// let y = autograd::ops::silu::silu(&tensor::Tensor::scalar(0.0));
/// assert_eq!(y.item(), 0.0);
/// ```
pub fn silu(x: &Tensor) -> Tensor {
    x.map(|x| x * vmath::sigmoid(x))
}

/// The derivative of x σ(x), where `s` is σ(x).
#[inline(always)]
pub(super) fn silu_slope(x: Float, s: Float) -> Float {
    s + x * s * (1.0 - s)
}

/// The derivative of [`silu`].
///
/// ```math
/// \bar x = \bar y \big( s + x\, s (1 - s) \big), \qquad s = \sigma(x)
/// ```
pub fn silu_backward(x: &Tensor, mut dy: Tensor) -> Tensor {
    dy.apply_zip(x, |dy, x| dy * silu_slope(x, vmath::sigmoid(x)));
    dy
}

impl Var {
    /// Each number weighed by its own sigmoid: see [`silu`].
    #[track_caller]
    pub fn silu(&self) -> Var {
        let (y, x) = (silu(self.value()), self.value().clone());
        let y =
            Var::record("silu", [self], y, [x.clone()], |dy, [x]| [silu_backward(&x, dy).into()]);
        y.made_again_by(move || silu(&x))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].silu());
        vec![of(&[2, 3]), of(&[1, 1]), of(&[17]), of(&[200, 300])]
    }

    #[test]
    fn equals_the_equation_g3() {
        let x = Rng::seeded(1).normal(&[1000], 3.0);
        for (&x, &y) in x.data().iter().zip(silu(&x).data()) {
            assert_relative_eq!(y, x / (1.0 + (-x).exp()), max_relative = 1e-5);
        }
        let one = silu(&Tensor::scalar(1.0)).item();
        assert_relative_eq!(one, 0.731_058_6, max_relative = 1e-6);
    }

    #[test]
    fn x_is_its_silu_less_that_of_its_mirror_image() {
        let x = Rng::seeded(2).normal(&[100], 2.0);
        for (x, sum) in x.data().iter().zip((silu(&x) - silu(&-&x)).data()) {
            assert_relative_eq!(x, sum, max_relative = 1e-5);
        }
    }

    #[test]
    fn extremes_are_the_identity_and_zero() {
        let x = Tensor::new([1e4, -1e4, 1e30, -1e30, 0.0, Float::INFINITY], &[6]);
        assert_eq!(silu(&x).to_vec(), [1e4, 0.0, 1e30, 0.0, 0.0, Float::INFINITY]);
        let dx = silu_backward(&x.narrow(0, 0, 5), Tensor::ones(&[5]));
        assert_eq!(dx.to_vec(), [1.0, 0.0, 1.0, 0.0, 0.5]);
        assert!(silu(&Tensor::scalar(Float::NAN)).item().is_nan());
        assert_eq!(silu(&Tensor::zeros(&[0])).shape(), [0]);
    }
}
