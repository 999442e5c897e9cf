//! Sums and means.

use crate::Var;
use tensor::{Float, shape};

impl Var {
    /// The sum of all numbers, of rank 0.
    ///
    /// ```math
    /// y = \sum_i x_i, \qquad \bar x_i = \bar y
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// assert_eq!(x.sum().item(), 3.0);
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Var {
        let shape = self.shape().to_vec();
        Var::record("sum", [self], self.value().sum(), [], move |dy, []| {
            [dy.broadcast_to(&shape).into()]
        })
    }

    /// The sum over `axes`, which stay with size 1 if `keepdim` and vanish if not; negative axes
    /// count from the end.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum_axes(&self, axes: &[isize], keepdim: bool) -> Var {
        let (shape, kept) = (self.shape().to_vec(), kept_shape("sum", self.shape(), axes));
        let sum = self.value().sum_axes(axes, keepdim);
        Var::record("sum_axes", [self], sum, [], move |dy, []| {
            [dy.reshape(&kept).broadcast_to(&shape).into()]
        })
    }

    /// The mean of all numbers, of rank 0; NaN where there is none.
    #[track_caller]
    pub fn mean(&self) -> Var {
        self.sum() / self.value().len() as Float
    }

    /// The mean over `axes`, which stay with size 1 if `keepdim` and vanish if not; negative axes
    /// count from the end. NaN where there is no number.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean_axes(&self, axes: &[isize], keepdim: bool) -> Var {
        let kept = shape::count(&kept_shape("mean", self.shape(), axes));
        self.sum_axes(axes, keepdim) / (self.value().len() as Float / kept as Float)
    }

    pub(super) fn every_axis(&self) -> Vec<isize> {
        (0..self.value().rank() as isize).collect()
    }
}

/// The shape after a reduction over `axes` that keeps them with size 1.
#[track_caller]
pub(super) fn kept_shape(operation: &str, shape: &[usize], axes: &[isize]) -> Vec<usize> {
    let mut kept = shape.to_vec();
    shape::axes(operation, shape, axes).into_iter().for_each(|axis| kept[axis] = 1);
    kept
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let over = |axes: &'static [isize]| {
            [true, false].into_iter().flat_map(move |keepdim| {
                let sum = Case::new([&[2, 1, 3]], move |x| x[0].sum_axes(axes, keepdim));
                let mean = Case::new([&[2, 1, 3]], move |x| x[0].mean_axes(axes, keepdim));
                [sum, mean]
            })
        };
        let mut cases: Vec<Case> =
            [&[0][..], &[-1], &[1], &[0, 2]].into_iter().flat_map(over).collect();
        cases.push(Case::new([&[2, 1, 3]], |x| x[0].sum()));
        cases.push(Case::new([&[2, 1, 3]], |x| x[0].mean()));
        cases.push(Case::new([&[200, 300]], |x| x[0].sum_axes(&[0], false)));
        cases.push(Case::new([&[200, 300]], |x| x[0].sum()));
        cases
    }

    #[test]
    fn sums_and_means() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 6.0], &[2, 2]));
        assert_eq!((x.sum().item(), x.mean().item()), (12.0, 3.0));
        assert_eq!(x.sum_axes(&[0], true).value().to_vec(), [4.0, 8.0]);
        assert_eq!(x.sum_axes(&[0], false).shape(), [2]);
        assert_eq!(x.mean_axes(&[1], false).value().to_vec(), [1.5, 4.5]);
        assert_eq!(x.mean_axes(&[0, 1], true).value().to_vec(), [3.0]);
    }

    #[test]
    fn an_extreme_number_of_ones_sums_exactly() {
        assert_eq!(
            Var::constant(Tensor::ones(&[1 << 22])).sum().item(),
            (1 << 22) as tensor::Float
        );
    }

    #[test]
    fn means_of_no_number_are_nan() {
        let x = Var::constant(Tensor::zeros(&[2, 0]));
        assert!(x.mean().item().is_nan());
        assert!(x.mean_axes(&[1], false).value().to_vec().iter().all(|x| x.is_nan()));
        assert_eq!(x.mean_axes(&[0], false).shape(), [0]);
    }
}
