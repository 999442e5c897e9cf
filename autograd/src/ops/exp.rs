//! The exponential function.

use crate::Var;

impl Var {
    /// eˣ of each number.
    ///
    /// ```math
    /// y = e^x, \qquad \bar x = \bar y \odot y
    /// ```
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(0.0));
    /// assert_eq!(x.exp().item(), 1.0);
    /// ```
    #[track_caller]
    pub fn exp(&self) -> Var {
        let y = self.value().exp();
        Var::record("exp", [self], y.clone(), [y], |mut dy, [y]| {
            dy.apply_zip(&y, |dy, y| dy * y);
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
        let of = |shape| Case::new([shape], |x| x[0].exp());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn a_sum_becomes_a_product() {
        let [a, b] = [1, 2].map(|seed| Var::constant(Rng::seeded(seed).normal(&[50], 1.0)));
        let (sum, product) = ((&a + &b).exp(), a.exp() * b.exp());
        for (x, y) in sum.value().data().iter().zip(product.value().data()) {
            assert_relative_eq!(x, y, max_relative = 1e-5);
        }
    }

    #[test]
    fn extremes_are_zero_and_infinite_with_their_gradients() {
        let x = Var::leaf(Tensor::new([-1e4, 0.0, 1e4], &[3]));
        let y = x.exp();
        assert_eq!(y.value().to_vec(), [0.0, 1.0, Float::INFINITY]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 1.0, Float::INFINITY]);
    }
}
