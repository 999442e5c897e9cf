//! The sine.

use crate::Var;

impl Var {
    /// The sine of each number, in radians.
    ///
    /// ```math
    /// y = \sin x, \qquad \bar x = \bar y \odot \cos x
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(0.0));
    /// assert_eq!(x.sin().item(), 0.0);
    /// ```
    #[track_caller]
    pub fn sin(&self) -> Var {
        let y = self.value().sin();
        Var::record("sin", [self], y, [self.value().clone()], |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| dy * x.cos());
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
        let of = |shape| Case::new([shape], |x| x[0].sin());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn squares_of_both_sum_to_one() {
        let x = Var::leaf(Rng::seeded(1).normal(&[20], 3.0));
        let one = x.sin().square() + x.cos().square();
        one.value().data().iter().for_each(|&y| assert_relative_eq!(y, 1.0, max_relative = 1e-6));
        let gradients = one.sum().backward().unwrap();
        let dx = gradients.get(&x).unwrap();
        dx.data().iter().for_each(|&dx| assert_relative_eq!(dx, 0.0, epsilon = 1e-6));
    }

    #[test]
    fn the_gradient_at_zero_and_the_extreme_of_infinity() {
        let x = Var::leaf(Tensor::new([0.0, -0.0], &[2]));
        let gradients = x.sin().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [1.0, 1.0]);
        assert!(Var::constant(Tensor::scalar(Float::INFINITY)).sin().item().is_nan());
    }
}
