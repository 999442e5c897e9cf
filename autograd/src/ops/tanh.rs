//! The hyperbolic tangent.

use crate::Var;

impl Var {
    /// The hyperbolic tangent of each number.
    ///
    /// ```math
    /// y = \tanh x, \qquad \bar x = \bar y \odot (1 - y^2)
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(1e4));
    /// assert_eq!(x.tanh().item(), 1.0);
    /// ```
    #[track_caller]
    pub fn tanh(&self) -> Var {
        let y = self.value().tanh();
        Var::record("tanh", [self], y.clone(), [y], |mut dy, [y]| {
            dy.apply_zip(&y, |dy, y| dy * (1.0 - y * y));
            [dy.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::{Rng, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].tanh());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn equals_a_sigmoid_stretched() {
        let x = Var::constant(Rng::seeded(1).normal(&[50], 1.0));
        let stretched = (&x * 2.0).sigmoid() * 2.0 - 1.0;
        for (y, expected) in x.tanh().value().data().iter().zip(stretched.value().data()) {
            assert_relative_eq!(y, expected, max_relative = 1e-4, epsilon = 1e-6);
        }
    }

    #[test]
    fn extremes_are_flat() {
        let x = Var::leaf(Tensor::new([-1e4, 0.0, 1e4], &[3]));
        let gradients = x.tanh().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 1.0, 0.0]);
        assert_eq!(x.tanh().value().to_vec(), [-1.0, 0.0, 1.0]);
    }
}
