//! The variance over axes.

use super::sum::kept_shape;
use crate::Var;
use tensor::{Float, Tensor};

impl Var {
    /// The variance over `axes`, which stay with size 1 if `keepdim` and vanish if not.
    ///
    /// ```math
    /// y = \frac{1}{n - c} \sum_i (x_i - \mu)^2, \quad \mu = \frac{1}{n} \sum_i x_i, \qquad
    /// \bar x_i = \frac{2}{n - c}\, (x_i - \mu)\, \bar y
    /// ```
    /// `correction` is c: 1 for the unbiased estimate from a sample, 0 for the numbers themselves.
    ///
    /// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 5.4.3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 3.0], &[2]));
    /// assert_eq!(x.var_axes(&[0], 1, false).item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_axes(&self, axes: &[isize], correction: usize, keepdim: bool) -> Var {
        self.variance(
            "var_axes",
            self.value().var_axes(axes, correction, keepdim),
            axes,
            correction,
        )
    }

    /// The variance of all numbers, of rank 0: see [`Var::var_axes`].
    #[track_caller]
    pub fn var(&self, correction: usize) -> Var {
        self.variance("var", self.value().var(correction), &self.every_axis(), correction)
    }

    #[track_caller]
    fn variance(
        &self,
        operation: &'static str,
        y: Tensor,
        axes: &[isize],
        correction: usize,
    ) -> Var {
        let kept = kept_shape(operation, self.shape(), axes);
        let axes = axes.to_vec();
        Var::record(operation, [self], y, [self.value().clone()], move |dy, [x]| {
            let count = x.len() / tensor::shape::count(&kept).max(1);
            let factor = 2.0 / count.saturating_sub(correction) as Float;
            let mut dx = &x - x.mean_axes(&axes, true);
            dx.apply_zip(&(dy.reshape(&kept) * factor), |d, dy| d * dy);
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
            [(0, true), (1, false)].map(|(correction, keepdim)| {
                Case::new([&[2, 1, 3]], move |x| x[0].var_axes(axes, correction, keepdim))
            })
        };
        let mut cases: Vec<Case> = [&[0][..], &[-1], &[2, 0]].into_iter().flat_map(over).collect();
        cases.push(Case::new([&[2, 1, 3]], |x| x[0].var(1)));
        cases.push(Case::new([&[200, 300]], |x| x[0].var_axes(&[0], 1, false)));
        cases
    }

    #[test]
    fn equals_its_definition_in_other_operations() {
        let x = Var::leaf(Rng::seeded(1).normal(&[4, 5], 2.0));
        let centred = &x - x.mean_axes(&[1], true);
        let expected = centred.square().sum_axes(&[1], false) / 4.0;
        let variance = x.var_axes(&[1], 1, false);
        for (y, expected) in variance.value().data().iter().zip(expected.value().data()) {
            assert_relative_eq!(y, expected, max_relative = 1e-5);
        }
        let dx = |y: Var| y.square().sum().backward().unwrap().get(&x).unwrap().to_vec();
        for (dx, expected) in dx(variance).iter().zip(dx(expected)) {
            assert_relative_eq!(*dx, expected, max_relative = 1e-4, epsilon = 1e-5);
        }
    }

    #[test]
    fn extremes_constant_large_and_too_few_numbers() {
        let x = Var::leaf(Tensor::full(&[2, 4], 1e4));
        let y = x.var_axes(&[1], 1, false);
        assert_eq!(y.value().to_vec(), [0.0, 0.0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0; 8]);
        assert!(Var::constant(Tensor::scalar(1.0)).var(1).item().is_nan());
    }
}
