//! The error function.

use crate::Var;
use tensor::{Float, vmath};

impl Var {
    /// The error function of each number.
    ///
    /// ```math
    /// y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt, \qquad
    /// \bar x = \bar y \odot \frac{2}{\sqrt\pi}\, e^{-x^2}
    /// ```
    /// Source: Abramowitz & Stegun 1964, *Handbook of Mathematical Functions*, 7.1.1.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(1e4));
    /// assert_eq!(x.erf().item(), 1.0);
    /// ```
    #[track_caller]
    pub fn erf(&self) -> Var {
        const SLOPE: Float = std::f64::consts::FRAC_2_SQRT_PI as Float;
        let y = self.value().erf();
        Var::record("erf", [self], y, [self.value().clone()], |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| dy * SLOPE * vmath::exp(-x * x));
            [dy.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].erf());
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn values_of_a_table_and_its_oddness() {
        let x = Var::constant(Tensor::new([0.5, 1.0, 2.0], &[3]));
        let expected = [0.520_499_9, 0.842_700_8, 0.995_322_3];
        for (y, expected) in x.erf().value().data().iter().zip(expected) {
            assert_relative_eq!(*y, expected, max_relative = 1e-6);
        }
        assert_eq!((-&x).erf().value().to_vec(), (-&x.erf()).value().to_vec());
    }

    #[test]
    fn extremes_are_flat() {
        let x = Var::leaf(Tensor::new([Float::NEG_INFINITY, 1e4], &[2]));
        let y = x.erf();
        assert_eq!(y.value().to_vec(), [-1.0, 1.0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0, 0.0]);
    }
}
