//! The absolute value.

use crate::Var;

impl Var {
    /// The absolute value of each number.
    ///
    /// ```math
    /// y = \lvert x \rvert, \qquad \bar x = \mathrm{sign}(x) \odot \bar y
    /// ```
    /// The gradient at the kink, at 0, is 0, as in PyTorch.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(-3.0));
    /// assert_eq!(x.abs().item(), 3.0);
    /// ```
    #[track_caller]
    pub fn abs(&self) -> Var {
        let y = self.value().abs();
        Var::record("abs", [self], y, [self.value().clone()], |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| match x {
                _ if x > 0.0 => dy,
                _ if x < 0.0 => -dy,
                _ => dy * x,
            });
            [dy.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let off_the_kink = |x: Float| if x < 0.0 { x - 0.2 } else { x + 0.2 };
        let of = |shape| Case::new([shape], |x| x[0].abs()).map(off_the_kink);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let x = Var::leaf(Tensor::new([-2.0, 3.0, 0.0], &[3]));
        let gradients = x.abs().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [-1.0, 1.0, 0.0]);
        assert_eq!(x.abs().value().to_vec(), [2.0, 3.0, 0.0]);
    }

    #[test]
    fn extremes_are_infinite_or_stay_nan() {
        let x = Var::constant(Tensor::new([Float::NEG_INFINITY, -1e4], &[2]));
        assert_eq!(x.abs().value().to_vec(), [Float::INFINITY, 1e4]);
        assert!(Var::constant(Tensor::scalar(Float::NAN)).abs().item().is_nan());
    }
}
