//! The square root.

use crate::Var;

impl Var {
    /// The square root of each number; NaN below 0.
    ///
    /// ```math
    /// y = \sqrt{x}, \qquad \bar x = \bar y / (2 y)
    /// ```
    /// At 0 the gradient is infinite, and NaN where ȳ is 0 there: add a small number first.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(9.0));
    /// assert_eq!(x.sqrt().item(), 3.0);
    /// ```
    #[track_caller]
    pub fn sqrt(&self) -> Var {
        let y = self.value().sqrt();
        Var::record("sqrt", [self], y.clone(), [y], |mut dy, [y]| {
            dy.apply_zip(&y, |dy, y| dy / (2.0 * y));
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
        let of = |shape| Case::new([shape], |x| x[0].sqrt()).map(|x| x.abs() + 1.0);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let x = Var::leaf(Tensor::new([4.0, 0.25], &[2]));
        let gradients = x.sqrt().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.25, 1.0]);
    }

    #[test]
    fn extremes_a_root_of_zero_is_infinitely_steep() {
        let x = Var::leaf(Tensor::new([0.0, Float::INFINITY], &[2]));
        let y = x.sqrt();
        assert_eq!(y.value().to_vec(), [0.0, Float::INFINITY]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [Float::INFINITY, 0.0]);
        assert!(Var::constant(Tensor::scalar(-1.0)).sqrt().item().is_nan());
    }
}
