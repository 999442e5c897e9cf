//! ReLU: negative numbers become zero. Nair & Hinton 2010, section 2.

use crate::Var;
use tensor::Tensor;

/// The rectifier of each number.
///
/// ```math
/// y = \max(x, 0)
/// ```
/// NaN stays NaN.
///
/// Source: Nair & Hinton 2010, section 2; Vaswani et al. 2017, section 3.3.
///
/// ```
/// let y = autograd::ops::relu::relu(&tensor::Tensor::new([-2.0, 3.0], &[2]));
/// assert_eq!(y.to_vec(), [0.0, 3.0]);
/// ```
pub fn relu(x: &Tensor) -> Tensor {
    x.map(|x| if x <= 0.0 { 0.0 } else { x })
}

/// The derivative of [`relu`], from its output; 0 at 0, as in PyTorch.
///
/// ```math
/// \bar x = \bar y \text{ where } y > 0, \text{ else } 0
/// ```
pub fn relu_backward(y: &Tensor, mut dy: Tensor) -> Tensor {
    dy.apply_zip(y, |dy, y| if y <= 0.0 { 0.0 } else { dy });
    dy
}

impl Var {
    /// The rectifier of each number: see [`relu`].
    #[track_caller]
    pub fn relu(&self) -> Var {
        let y = relu(self.value());
        Var::record("relu", [self], y.clone(), [y], |dy, [y]| [relu_backward(&y, dy).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::{Float, Rng};

    pub(crate) fn cases() -> Vec<Case> {
        let off_the_kink = |x: Float| if x < 0.0 { x - 0.2 } else { x + 0.2 };
        let of = |shape| Case::new([shape], |x| x[0].relu()).map(off_the_kink);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn x_is_its_positive_less_its_negative_part() {
        let x = Rng::seeded(1).normal(&[100], 1.0);
        assert_eq!((relu(&x) - relu(&-&x)).to_vec(), x.to_vec());
    }

    #[test]
    fn extremes_and_the_kink() {
        let x = Tensor::new([Float::INFINITY, Float::NEG_INFINITY, 1e4, -1e4, 0.0, -0.0], &[6]);
        let y = relu(&x);
        assert_eq!(y.to_vec(), [Float::INFINITY, 0.0, 1e4, 0.0, 0.0, 0.0]);
        let dx = relu_backward(&y, Tensor::full(&[6], 3.0));
        assert_eq!(dx.to_vec(), [3.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        assert!(relu(&Tensor::scalar(Float::NAN)).item().is_nan());
        assert_eq!(relu(&Tensor::zeros(&[2, 0])).shape(), [2, 0]);
    }
}
