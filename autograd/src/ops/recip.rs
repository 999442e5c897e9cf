//! The reciprocal.

use crate::Var;

impl Var {
    /// 1/x of each number.
    ///
    /// ```math
    /// y = 1 / x, \qquad \bar x = -\bar y \odot y^2
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(4.0));
    /// assert_eq!(x.recip().item(), 0.25);
    /// ```
    #[track_caller]
    pub fn recip(&self) -> Var {
        let y = self.value().recip();
        Var::record("recip", [self], y.clone(), [y], |mut dy, [y]| {
            dy.apply_zip(&y, |dy, y| -dy * y * y);
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
        let of = |shape| Case::new([shape], |x| x[0].recip()).map(|x| x.abs() + 1.0);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let x = Var::leaf(Tensor::new([2.0, -0.5], &[2]));
        let gradients = x.recip().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [-0.25, -4.0]);
        assert_eq!(x.recip().value().to_vec(), [0.5, -2.0]);
    }

    #[test]
    fn extremes_of_zero_and_infinity() {
        let x = Var::constant(Tensor::new([0.0, -0.0, Float::INFINITY], &[3]));
        let y = x.recip();
        assert_eq!(y.value().to_vec(), [Float::INFINITY, Float::NEG_INFINITY, 0.0]);
    }
}
