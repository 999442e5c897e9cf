//! One number to the power of another.

use crate::{Gradient, Var};
use tensor::vmath;

impl Var {
    /// Each number to the power of its partner in `exponents`, shapes broadcast.
    ///
    /// ```math
    /// y = x^p, \qquad \bar x = p\, x^{p - 1} \odot \bar y, \quad \bar p = y \ln x \odot \bar y
    /// ```
    /// Where p is 0 so is the gradient of x, and where x is 0 that of p ≥ 0, as in PyTorch. The
    /// gradient of p is NaN where x is below 0. For one fixed exponent see [`Var::powf`].
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// use autograd::Var;
    /// let [x, p] = [2.0, 3.0].map(|x| Var::leaf(tensor::Tensor::scalar(x)));
    /// assert_eq!(x.pow(&p).item(), 8.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn pow(&self, exponents: &Var) -> Var {
        let [x, p] = [self, exponents].map(Var::value);
        let needs = [self, exponents].map(Var::needs_gradient);
        let (y, saved) = (x.pow(p), [x.clone(), p.clone()]);
        Var::record("pow", [self, exponents], y, saved, move |dy, [x, p]| {
            let by_x = |x: tensor::Float, p| if p == 0.0 { 0.0 } else { p * x.powf(p - 1.0) };
            let by_p = |x: tensor::Float, p| {
                if x == 0.0 && p >= 0.0 { 0.0 } else { x.powf(p) * vmath::ln(x) }
            };
            [
                Gradient::if_needed(needs[0], || (&dy * x.zip(&p, by_x)).sum_to(x.shape())),
                Gradient::if_needed(needs[1], || (&dy * x.zip(&p, by_p)).sum_to(p.shape())),
            ]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of =
            |shapes| Case::new(shapes, |x| x[0].pow(&x[1])).map(|x| 0.5 * x.clamp(-2.0, 2.0) + 1.5);
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[300, 200], &[200]]),
        ]
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let [x, p] = [2.0, 3.0].map(|x| Var::leaf(Tensor::scalar(x)));
        let gradients = x.pow(&p).backward().unwrap();
        assert_relative_eq!(gradients.get(&x).unwrap().item(), 12.0, max_relative = 1e-6);
        let expected = 8.0 * std::f64::consts::LN_2 as Float;
        assert_relative_eq!(gradients.get(&p).unwrap().item(), expected, max_relative = 1e-6);
    }

    #[test]
    fn extremes_zero_and_below() {
        let x = Var::leaf(Tensor::new([0.0, 0.0, -2.0], &[3]));
        let p = Var::leaf(Tensor::new([0.0, 2.0, 2.0], &[3]));
        let y = x.pow(&p);
        assert_eq!(y.value().to_vec(), [1.0, 0.0, 4.0]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 0.0, -4.0]);
        let dp = gradients.get(&p).unwrap().to_vec();
        assert!(dp[..2] == [0.0, 0.0] && dp[2].is_nan());
    }

    #[test]
    #[should_panic(expected = "pow: shapes do not broadcast: [2] and [3]")]
    fn unequal_shapes_have_no_power() {
        let [x, p] = [2, 3].map(|size| Var::constant(Tensor::ones(&[size])));
        x.pow(&p);
    }
}
