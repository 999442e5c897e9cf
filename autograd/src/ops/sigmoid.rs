//! The logistic function.

use crate::Var;

impl Var {
    /// The logistic function of each number.
    ///
    /// ```math
    /// y = \sigma(x) = \frac{1}{1 + e^{-x}}, \qquad \bar x = \bar y \odot y \odot (1 - y)
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(0.0));
    /// assert_eq!(x.sigmoid().item(), 0.5);
    /// ```
    #[track_caller]
    pub fn sigmoid(&self) -> Var {
        let y = self.value().sigmoid();
        Var::record("sigmoid", [self], y.clone(), [y], |mut dy, [y]| {
            dy.apply_zip(&y, |dy, y| dy * y * (1.0 - y));
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
        let of = |shape| Case::new([shape], |x| x[0].sigmoid());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn sums_to_one_with_its_mirror_image() {
        let x = Var::constant(Rng::seeded(1).normal(&[50], 2.0));
        let one = x.sigmoid() + (-&x).sigmoid();
        one.value().data().iter().for_each(|&y| assert_relative_eq!(y, 1.0, max_relative = 1e-6));
    }

    #[test]
    fn extremes_are_zero_and_one_and_flat() {
        let x = Var::leaf(Tensor::new([-1e4, 0.0, 1e4], &[3]));
        let gradients = x.sigmoid().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 0.25, 0.0]);
        assert_eq!(x.sigmoid().value().to_vec(), [0.0, 0.5, 1.0]);
    }
}
