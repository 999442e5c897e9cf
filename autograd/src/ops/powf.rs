//! A fixed power.

use crate::Var;
use tensor::Float;

impl Var {
    /// xᵖ of each number; NaN of a negative number where `p` is not whole.
    ///
    /// ```math
    /// y = x^p, \qquad \bar x = p\, \bar y \odot x^{p - 1}
    /// ```
    /// x⁰ is 1 everywhere, 0⁰ included, and its gradient 0.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(2.0));
    /// assert_eq!(x.powf(3.0).item(), 8.0);
    /// ```
    #[track_caller]
    pub fn powf(&self, p: Float) -> Var {
        let y = self.value().powf(p);
        Var::record("powf", [self], y, [self.value().clone()], move |mut dy, [x]| {
            match p {
                0.0 => dy.apply(|_| 0.0),
                p => dy.apply_zip(&x, |dy, x| dy * p * x.powf(p - 1.0)),
            }
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
        let of = |shape, p| Case::new([shape], move |x| x[0].powf(p)).map(|x| x.abs() + 0.5);
        let cube = Case::new([&[2, 1]], |x| x[0].powf(3.0));
        vec![of(&[2, 3], -1.5), of(&[1, 5], 0.3), cube, of(&[200, 300], 1.7)]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let x = Var::leaf(Tensor::new([2.0, -1.0], &[2]));
        let gradients = x.powf(3.0).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [12.0, 3.0]);
        assert_eq!(x.powf(3.0).value().to_vec(), [8.0, -1.0]);
        let one = x.powf(0.0);
        assert_eq!(one.value().to_vec(), [1.0, 1.0]);
        assert_eq!(one.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn extremes_zero_and_no_real_power() {
        let x = Var::leaf(Tensor::new([0.0], &[1]));
        for (p, dx) in [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (0.5, Float::INFINITY)] {
            let gradients = x.powf(p).sum().backward().unwrap();
            assert_eq!(gradients.get(&x).unwrap().item(), dx, "{p}");
        }
        assert!(Var::constant(Tensor::scalar(-1.0)).powf(0.5).item().is_nan());
    }
}
