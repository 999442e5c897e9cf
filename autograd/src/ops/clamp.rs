//! Numbers kept between two bounds.

use crate::Var;
use tensor::Float;

impl Var {
    /// Each number, but at least `low` and at most `high`; NaN stays NaN.
    ///
    /// ```math
    /// y = \min(\max(x, low), high), \qquad
    /// \bar x = \bar y \text{ where } low \le x \le high, \text{ else } 0
    /// ```
    /// The bounds themselves pass their gradient on, as in PyTorch.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::scalar(7.0));
    /// assert_eq!(x.clamp(0.0, 1.0).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If `low` is above `high`, or either is NaN.
    #[track_caller]
    pub fn clamp(&self, low: Float, high: Float) -> Var {
        let y = self.value().clamp(low, high);
        Var::record("clamp", [self], y, [self.value().clone()], move |mut dy, [x]| {
            dy.apply_zip(&x, |dy, x| if low <= x && x <= high { dy } else { 0.0 });
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
        let off_the_kinks = |x: Float| if x.abs() < 1.0 { 0.7 * x } else { 1.3 * x };
        let of = |shape| Case::new([shape], |x| x[0].clamp(-1.0, 1.0)).map(off_the_kinks);
        vec![of(&[2, 3]), of(&[1, 5]), of(&[200, 300])]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let x = Var::leaf(Tensor::new([-3.0, -1.0, 0.5, 2.0, 2.5], &[5]));
        let gradients = x.clamp(-1.0, 2.0).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(x.clamp(-1.0, 2.0).value().to_vec(), [-1.0, -1.0, 0.5, 2.0, 2.0]);
    }

    #[test]
    fn extremes_meet_the_bounds() {
        let x = Var::constant(Tensor::new([Float::INFINITY, Float::NEG_INFINITY], &[2]));
        assert_eq!(x.clamp(-1.0, 1e4).value().to_vec(), [1e4, -1.0]);
        assert!(Var::constant(Tensor::scalar(Float::NAN)).clamp(0.0, 1.0).item().is_nan());
    }

    #[test]
    #[should_panic(expected = "clamp: low 2 is not at most high 1")]
    fn bounds_come_in_order() {
        Var::constant(Tensor::scalar(0.0)).clamp(2.0, 1.0);
    }
}
