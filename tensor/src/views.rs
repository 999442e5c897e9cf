//! Views that cut, drop, add or pair axes: no number is copied.

use crate::{Tensor, shape};
use std::ops::{Bound, RangeBounds};

impl Tensor {
    /// The view of every `step`-th entry of `range` along `axis`, from its first.
    ///
    /// `len` entries of the range give an axis of size `⌈len / step⌉`.
    ///
    /// ```
    /// let x = tensor::Tensor::new([0.0, 1.0, 2.0, 3.0, 4.0], &[5]);
    /// assert_eq!(x.slice(0, 1.., 2).to_vec(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the range goes beyond the axis or ends before it starts, or the step is 0.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Tensor {
        let axis = shape::axis("slice", &self.shape, axis);
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.shape[axis],
        };
        if start > end {
            let rule = format!("{start}..{end} ends before it starts");
            shape::wrong("slice", &rule, &[&self.shape], "");
        }
        if end > self.shape[axis] {
            let rule = format!("{start}..{end} goes beyond axis {axis}");
            shape::wrong("slice", &rule, &[&self.shape], "");
        }
        if step == 0 {
            shape::wrong("slice", "the step is 0", &[&self.shape], "");
        }
        let mut view = self.narrow(axis as isize, start, end - start);
        view.shape[axis] = (end - start).div_ceil(step);
        if view.shape[axis] > 1 {
            view.strides[axis] *= step;
        }
        view
    }

    /// The view without `axes`, each of size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is not of size 1.
    #[track_caller]
    pub fn squeeze(&self, axes: &[isize]) -> Tensor {
        let dropped: Vec<usize> =
            axes.iter().map(|&axis| shape::axis("squeeze", &self.shape, axis)).collect();
        if let Some(axis) = dropped.iter().find(|&&axis| self.shape[axis] != 1) {
            let rule = format!("axis {axis} is not of size 1");
            shape::wrong("squeeze", &rule, &[&self.shape], "");
        }
        let kept = || (0..self.rank()).filter(|axis| !dropped.contains(axis));
        Tensor {
            shape: kept().map(|axis| self.shape[axis]).collect(),
            strides: kept().map(|axis| self.strides[axis]).collect(),
            ..self.clone()
        }
    }

    /// The view with a new axis of size 1 at `axis`; negative counts from the end, -1 being the
    /// last place.
    ///
    /// # Panics
    /// If the axis would not exist in the result.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Tensor {
        let rank = self.rank() as isize;
        let place = if axis < 0 { axis + rank + 1 } else { axis };
        if !(0..=rank).contains(&place) {
            let rule = format!("no axis can be added at {axis}");
            let hint = format!("places go from -{} to {rank}", rank + 1);
            shape::wrong("unsqueeze", &rule, &[&self.shape], &hint);
        }
        let mut view = self.clone();
        view.shape.insert(place as usize, 1);
        view.strides.insert(place as usize, 1);
        view
    }

    /// Views of consecutive parts along `axis`, as large as `sizes` says.
    ///
    /// # Panics
    /// If the sizes do not add up to the axis.
    #[track_caller]
    pub fn split(&self, axis: isize, sizes: &[usize]) -> Vec<Tensor> {
        let axis = shape::axis("split", &self.shape, axis);
        let total = sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size));
        if total != self.shape[axis] {
            let rule = format!("sizes {sizes:?} do not add up to axis {axis}");
            shape::wrong("split", &rule, &[&self.shape], "");
        }
        let mut start = 0;
        sizes
            .iter()
            .map(|&size| {
                start += size;
                self.narrow(axis as isize, start - size, size)
            })
            .collect()
    }

    /// The view of the diagonal of the last two axes.
    ///
    /// `[.., m, n] → [.., min(m, n)]`
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn diagonal(&self) -> Tensor {
        if self.rank() < 2 {
            shape::wrong("diagonal", "two axes are needed", &[&self.shape], "");
        }
        let rows = self.rank() - 2;
        let mut view = self.clone();
        let (columns, stride) = (view.shape.pop(), view.strides.pop());
        view.shape[rows] = view.shape[rows].min(columns.expect("rank of 2 or more"));
        view.strides[rows] += stride.expect("rank of 2 or more");
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, counting, naive, number, view};
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn views_share_the_numbers() {
        let x = counting(&[3, 1, 5]);
        let parts = x.split(-1, &[2, 0, 3]);
        let views = [x.slice(2, ..=3, 3), x.squeeze(&[1]), x.unsqueeze(-1), x.transpose(0, 1)];
        let diagonal = [x.diagonal()];
        for view in views.iter().chain(&parts).chain(&diagonal) {
            assert!(Arc::ptr_eq(&view.storage, &x.storage));
        }
        assert_eq!(views[0].to_vec(), [0.0, 3.0, 5.0, 8.0, 10.0, 13.0]);
        assert_eq!(views[1].shape(), [3, 5]);
        assert_eq!(views[2].shape(), [3, 1, 5, 1]);
        assert_eq!(parts[2].to_vec(), [2.0, 3.0, 4.0, 7.0, 8.0, 9.0, 12.0, 13.0, 14.0]);
        assert_eq!(counting(&[2, 3]).diagonal().to_vec(), [0.0, 4.0]);
        assert_eq!(x.slice(2, 4.., usize::MAX).to_vec(), [4.0, 9.0, 14.0]);
        assert_eq!(x.slice(2, 5.., 1).shape(), [3, 1, 0]);
    }

    proptest! {
        #[test]
        fn slice_equals_a_naive_loop(
            x in view(1..4), axis in 0usize..3, a in 0usize..6, b in 0usize..6, step in 1usize..4,
        ) {
            let axis = axis % x.rank();
            let (a, b) = (a.min(x.shape()[axis]), b.min(x.shape()[axis]));
            let (start, end) = (a.min(b), a.max(b));
            let sliced = x.slice(axis as isize, start..end, step);
            let mut shape = x.shape().to_vec();
            shape[axis] = (start..end).step_by(step).count();
            let expected = naive(&shape, |index| {
                let mut index = index.to_vec();
                index[axis] = start + step * index[axis];
                number(&x, &index)
            });
            assert_same(&sliced, &expected);
        }

        #[test]
        fn concat_undoes_split(x in view(1..4), axis in 0usize..3, cuts in prop::array::uniform2(0usize..6)) {
            let axis = (axis % x.rank()) as isize;
            let (a, b) = (cuts[0].min(x.size(axis)), cuts[1].min(x.size(axis)));
            let (a, b) = (a.min(b), a.max(b));
            let parts = x.split(axis, &[a, b - a, x.size(axis) - b]);
            let joined = Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis);
            assert_same(&joined, &x);
        }

        #[test]
        fn squeeze_undoes_unsqueeze(x in view(0..4), place in 0isize..4) {
            let place = place.min(x.rank() as isize);
            let wide = x.unsqueeze(place);
            assert_same(&wide.reshape(x.shape()), &x);
            assert_same(&x.unsqueeze(place - x.rank() as isize - 1), &wide);
        }

        #[test]
        fn diagonal_equals_a_naive_loop(x in view(2..5)) {
            let rank = x.rank();
            let mut shape = x.shape()[..rank - 1].to_vec();
            shape[rank - 2] = shape[rank - 2].min(x.shape()[rank - 1]);
            let expected = naive(&shape, |index| {
                number(&x, &[index, &index[rank - 2..]].concat())
            });
            assert_same(&x.diagonal(), &expected);
        }
    }

    #[test]
    #[should_panic(expected = "slice: 2..6 goes beyond axis 1: [2, 5]")]
    fn slice_stays_inside() {
        counting(&[2, 5]).slice(-1, 2..6, 1);
    }

    #[test]
    #[should_panic(expected = "slice: 3..2 ends before it starts: [2, 5]")]
    fn slice_goes_forward() {
        counting(&[2, 5]).slice(1, (Bound::Included(3), Bound::Excluded(2)), 1);
    }

    #[test]
    #[should_panic(expected = "slice: the step is 0: [2, 5]")]
    fn slice_moves_on() {
        counting(&[2, 5]).slice(1, .., 0);
    }

    #[test]
    #[should_panic(expected = "squeeze: axis 0 is not of size 1: [2, 1]")]
    fn squeeze_drops_axes_of_size_1_only() {
        counting(&[2, 1]).squeeze(&[1, 0]);
    }

    #[test]
    #[should_panic(
        expected = "unsqueeze: no axis can be added at 3: [2, 1]; places go from -3 to 2"
    )]
    fn unsqueeze_adds_inside() {
        counting(&[2, 1]).unsqueeze(3);
    }

    #[test]
    #[should_panic(expected = "split: sizes [1, 2] do not add up to axis 1: [2, 4]")]
    fn split_takes_the_whole_axis() {
        counting(&[2, 4]).split(1, &[1, 2]);
    }

    #[test]
    #[should_panic(expected = "diagonal: two axes are needed: [4]")]
    fn diagonal_needs_two_axes() {
        counting(&[4]).diagonal();
    }
}
