//! Every so many entries of a range along one axis.

use crate::{Gradient, Var};
use std::ops::{Bound, RangeBounds};
use tensor::{Indices, Tensor, shape};

impl Var {
    /// Every `step`-th entry of `range` along `axis`, from its first; negative axes count from the
    /// end.
    ///
    /// ```math
    /// y_i = x_{start + i \cdot step}, \qquad
    /// \bar x_{start + i \cdot step} = \bar y_i, \text{ else } 0
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([0.0, 1.0, 2.0, 3.0], &[4]));
    /// assert_eq!(x.slice(0, 1.., 2).value().to_vec(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the range goes beyond the axis or ends before it starts, or the step is 0.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Var {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let value = self.value().slice(axis, range, step);
        let axis = shape::axis("slice", self.shape(), axis);
        let shape = self.shape().to_vec();
        Var::record("slice", [self], value, [], move |part, []| {
            [if step == 1 {
                Gradient::Slice { axis, start, part }
            } else {
                slice_backward(&part, &shape, axis, start, step).into()
            }]
        })
    }
}

/// Zeros of `shape` with `dy` at every `step`-th place along `axis`.
fn slice_backward(dy: &Tensor, shape: &[usize], axis: usize, start: usize, step: usize) -> Tensor {
    let count = dy.shape()[axis];
    let places: Vec<usize> = (0..count).map(|i| start + i * step).collect();
    Tensor::zeros(shape).index_add(axis as isize, &Indices::new(places, &[count]), dy)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 7]], |x| x[0].slice(1, 1..6, 2)),
            Case::new([&[1, 5]], |x| x[0].slice(-1, .., 3)),
            Case::new([&[4, 1, 2]], |x| x[0].slice(0, 1..=2, 1)),
            Case::new([&[5, 3]], |x| x[0].transpose(0, 1).slice(1, 1.., 2)),
            Case::new([&[200, 300]], |x| x[0].slice(0, 3.., 2)),
        ]
    }

    #[test]
    fn takes_every_third_and_gives_back_to_each() {
        let x = Var::leaf(Tensor::new([0.0, 1.0, 2.0, 3.0, 4.0], &[5]));
        let y = x.slice(0, (Bound::Excluded(0), Bound::Unbounded), 3);
        assert_eq!(y.value().to_vec(), [1.0, 4.0]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn an_extreme_no_entry_and_a_step_beyond_the_axis() {
        let x = Var::leaf(Tensor::ones(&[3]));
        assert_eq!(x.slice(0, 3.., 2).shape(), [0]);
        assert_eq!(x.slice(0, .., usize::MAX).shape(), [1]);
        assert_eq!(
            x.slice(0, 3.., 2).sum().backward().unwrap().get(&x).unwrap().to_vec(),
            [0.0; 3]
        );
    }

    #[test]
    #[should_panic(expected = "slice: 2..6 goes beyond axis 1: [2, 5]")]
    fn stays_inside() {
        Var::leaf(Tensor::ones(&[2, 5])).slice(-1, 2..6, 1);
    }
}
