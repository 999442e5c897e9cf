//! The natural logarithm.

use crate::Var;

impl Var {
    /// The natural logarithm of each number: -∞ of 0, NaN below.
    ///
    /// ```math
    /// y = \ln x, \qquad \bar x = \bar y / x
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(1.0));
    /// assert_eq!(x.ln().item(), 0.0);
    /// ```
    #[track_caller]
    pub fn ln(&self) -> Var {
        let y = self.value().ln();
        Var::record("ln", [self], y, [self.value().clone()], |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| dy / x);
            [dy.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::{Float, Rng, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].ln()).map(|x| x.abs() + 1.0);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn undoes_the_exponential() {
        let x = Var::constant(Rng::seeded(1).normal(&[50], 1.0));
        for (x, y) in x.value().data().iter().zip(x.exp().ln().value().data()) {
            assert_relative_eq!(x, y, max_relative = 1e-4, epsilon = 1e-6);
        }
    }

    #[test]
    fn extremes_zero_infinity_and_below_zero() {
        let x = Var::leaf(Tensor::new([0.0, Float::INFINITY, 0.25], &[3]));
        let y = x.ln();
        assert_eq!(y.value().to_vec()[..2], [Float::NEG_INFINITY, Float::INFINITY]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [Float::INFINITY, 0.0, 4.0]);
        assert!(Var::constant(Tensor::scalar(-1.0)).ln().item().is_nan());
    }
}
