//! The logarithm of a sum of exponentials.

use super::sum::kept_shape;
use crate::Var;
use tensor::{Float, Tensor};

impl Var {
    /// The logarithm of the sum of the exponentials over `axes`, which stay with size 1 if
    /// `keepdim` and vanish if not; it does not overflow.
    ///
    /// ```math
    /// y = \ln \sum_i e^{x_i}, \qquad \bar x_i = e^{x_i - y}\, \bar y
    /// ```
    /// Of nothing but -∞ it is -∞, with gradients 0.
    ///
    /// Source: Blanchard, Higham & Higham 2021, *Accurately computing the log-sum-exp and softmax
    /// functions*, section 1.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1e4, 0.0], &[2]));
    /// assert_eq!(x.logsumexp_axes(&[0], false).item(), 1e4);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp_axes(&self, axes: &[isize], keepdim: bool) -> Var {
        self.log_sum("logsumexp_axes", self.value().logsumexp_axes(axes, keepdim), axes)
    }

    /// The logarithm of the sum of all exponentials, of rank 0: see [`Var::logsumexp_axes`].
    #[track_caller]
    pub fn logsumexp(&self) -> Var {
        self.log_sum("logsumexp", self.value().logsumexp(), &self.every_axis())
    }

    #[track_caller]
    fn log_sum(&self, operation: &'static str, y: Tensor, axes: &[isize]) -> Var {
        let kept = kept_shape(operation, self.shape(), axes);
        let saved = [self.value().clone(), y.clone()];
        Var::record(operation, [self], y, saved, move |dy, [x, y]| {
            // Where y is -∞ so is every x: any finite number in its place makes their weights 0.
            let y = y.reshape(&kept).map(|y| if y == Float::NEG_INFINITY { 0.0 } else { y });
            let mut dx = (x - y).exp();
            dx.apply_zip(&dy.reshape(&kept), |weight, dy| weight * dy);
            [dx.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let over = |axes: &'static [isize]| {
            [true, false]
                .map(|keep| Case::new([&[2, 1, 3]], move |x| x[0].logsumexp_axes(axes, keep)))
        };
        let mut cases: Vec<Case> =
            [&[0][..], &[-1], &[1], &[2, 0]].into_iter().flat_map(over).collect();
        cases.push(Case::new([&[2, 1, 3]], |x| x[0].logsumexp()));
        cases.push(Case::new([&[200, 300]], |x| x[0].logsumexp_axes(&[0], false)));
        cases
    }

    #[test]
    fn its_gradient_is_the_softmax() {
        let x = Var::leaf(Rng::seeded(1).normal(&[3, 7], 2.0));
        let y = x.logsumexp_axes(&[1], false);
        let plain: Float = x.value().data()[..7].iter().map(|x| x.exp()).sum();
        assert_relative_eq!(y.value().data()[0], plain.ln(), max_relative = 1e-5);
        let gradients = y.sum().backward().unwrap();
        let softmax = x.softmax(-1);
        for (dx, p) in gradients.get(&x).unwrap().data().iter().zip(softmax.value().data()) {
            assert_relative_eq!(dx, p, max_relative = 1e-5);
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let x = Var::leaf(Tensor::new([1e4, 1e4, -1e4, Float::NEG_INFINITY], &[2, 2]));
        let y = x.logsumexp_axes(&[1], false);
        assert_relative_eq!(y.value().data()[0], 10_000.693, max_relative = 1e-6);
        assert_eq!(y.value().data()[1], -1e4);
        let gradients = y.sum().backward().unwrap();
        let dx = gradients.get(&x).unwrap().to_vec();
        assert_relative_eq!(dx[0], 0.5, max_relative = 1e-3);
        assert_eq!(dx[2..], [1.0, 0.0]);
        let nothing = Var::leaf(Tensor::full(&[2], Float::NEG_INFINITY));
        let gradients = nothing.logsumexp().backward().unwrap();
        assert_eq!(gradients.get(&nothing).unwrap().to_vec(), [0.0, 0.0]);
    }
}
