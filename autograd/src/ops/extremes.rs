//! The largest and the smallest number over axes.

use super::sum::kept_shape;
use crate::Var;
use tensor::Tensor;

impl Var {
    /// The largest number over `axes`, which stay with size 1 if `keepdim` and vanish if not; NaN
    /// if there is one.
    ///
    /// ```math
    /// y = \max_i x_i, \qquad
    /// \bar x_i = \bar y / m \text{ where } x_i = y, \text{ else } 0
    /// ```
    /// m numbers are the largest, and share the gradient equally, as in PyTorch's `amax`.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 14.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 3.0], &[2]));
    /// assert_eq!(x.max_axes(&[0], false).item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn max_axes(&self, axes: &[isize], keepdim: bool) -> Var {
        self.extreme("max_axes", self.value().max_axes(axes, keepdim), axes)
    }

    /// The smallest number over `axes`: see [`Var::max_axes`].
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn min_axes(&self, axes: &[isize], keepdim: bool) -> Var {
        self.extreme("min_axes", self.value().min_axes(axes, keepdim), axes)
    }

    /// The largest of all numbers, of rank 0: see [`Var::max_axes`].
    ///
    /// # Panics
    /// If there is no number.
    #[track_caller]
    pub fn max(&self) -> Var {
        self.extreme("max", self.value().max(), &self.every_axis())
    }

    /// The smallest of all numbers, of rank 0: see [`Var::max_axes`].
    ///
    /// # Panics
    /// If there is no number.
    #[track_caller]
    pub fn min(&self) -> Var {
        self.extreme("min", self.value().min(), &self.every_axis())
    }

    #[track_caller]
    fn extreme(&self, operation: &'static str, y: Tensor, axes: &[isize]) -> Var {
        let kept = kept_shape(operation, self.shape(), axes);
        let axes = axes.to_vec();
        let saved = [self.value().clone(), y.clone()];
        Var::record(operation, [self], y, saved, move |dy, [x, y]| {
            let mut dx = x.equal(y.reshape(&kept));
            let equals = dx.sum_axes(&axes, true);
            dx.apply_zip(&(dy.reshape(&kept) / equals), |is_extreme, share| is_extreme * share);
            [dx.into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Float;

    /// Numbers that differ by a whole one, so that finite differences change no order.
    fn distinct(shape: &[usize]) -> Tensor {
        let len: usize = shape.iter().product();
        let x = |i: usize| ((i * 7919) % len.max(1)) as Float;
        Tensor::new((0..len).map(x).collect::<Vec<_>>(), shape)
    }

    pub(crate) fn cases() -> Vec<Case> {
        let over = |axes: &'static [isize]| {
            [true, false].into_iter().flat_map(move |keepdim| {
                let max = Case::of([distinct(&[2, 1, 3])], move |x| x[0].max_axes(axes, keepdim));
                let min = Case::of([distinct(&[2, 1, 3])], move |x| x[0].min_axes(axes, keepdim));
                [max, min]
            })
        };
        let mut cases: Vec<Case> =
            [&[0][..], &[-1], &[1], &[2, 0]].into_iter().flat_map(over).collect();
        cases.push(Case::of([distinct(&[2, 1, 3])], |x| x[0].max()));
        cases.push(Case::of([distinct(&[2, 1, 3])], |x| x[0].min()));
        cases.push(Case::new([&[200, 300]], |x| x[0].max_axes(&[0], false)));
        cases.push(Case::new([&[200, 300]], |x| x[0].min_axes(&[1], true)));
        cases
    }

    #[test]
    fn equals_share_the_gradient() {
        let x = Var::leaf(Tensor::new([2.0, 1.0, 2.0, -1.0, 5.0, 3.0], &[2, 3]));
        let (largest, smallest) = (x.max_axes(&[1], false), x.min_axes(&[1], false));
        assert_eq!(largest.value().to_vec(), [2.0, 5.0]);
        assert_eq!(smallest.value().to_vec(), [1.0, -1.0]);
        let dx = |y: Var| y.sum().backward().unwrap().get(&x).unwrap().to_vec();
        assert_eq!(dx(largest), [0.5, 0.0, 0.5, 0.0, 1.0, 0.0]);
        assert_eq!(dx(smallest), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!((x.max().item(), x.min().item()), (5.0, -1.0));
    }

    #[test]
    fn extreme_numbers_and_a_single_one() {
        let x = Var::leaf(Tensor::new([Float::NEG_INFINITY, 1e4], &[2]));
        assert_eq!((x.max().item(), x.min().item()), (1e4, Float::NEG_INFINITY));
        let one = Var::leaf(Tensor::scalar(3.0));
        assert_eq!(one.max().backward().unwrap().get(&one).unwrap().item(), 1.0);
        assert!(Var::constant(Tensor::new([0.0, Float::NAN], &[2])).max().item().is_nan());
    }

    #[test]
    #[should_panic(expected = "max: an axis to reduce is empty: [2, 0]")]
    fn an_empty_axis_has_no_largest_number() {
        Var::constant(Tensor::zeros(&[2, 0])).max_axes(&[1], false);
    }
}
