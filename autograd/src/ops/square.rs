//! The square.

use crate::Var;

impl Var {
    /// x² of each number.
    ///
    /// ```math
    /// y = x^2, \qquad \bar x = 2\, \bar y \odot x
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(-3.0));
    /// assert_eq!(x.square().item(), 9.0);
    /// ```
    #[track_caller]
    pub fn square(&self) -> Var {
        let y = self.value().square();
        Var::record("square", [self], y, [self.value().clone()], |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| 2.0 * dy * x);
            [dy.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::{Float, Rng, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].square());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn equals_the_product_with_itself_and_its_gradient() {
        let x = Var::leaf(Rng::seeded(1).normal(&[20], 1.0));
        let gradient = |y: Var| y.sum().backward().unwrap().get(&x).unwrap().to_vec();
        assert_eq!(x.square().value().to_vec(), (&x * &x).value().to_vec());
        assert_eq!(gradient(x.square()), gradient(&x * &x));
    }

    #[test]
    fn extremes_overflow_to_infinity() {
        let x = Var::constant(Tensor::new([Float::MAX, -1e4, Float::NEG_INFINITY], &[3]));
        assert_eq!(x.square().value().to_vec(), [Float::INFINITY, 1e8, Float::INFINITY]);
    }
}
