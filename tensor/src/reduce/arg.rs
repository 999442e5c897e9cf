//! Where along an axis the largest and smallest numbers stand.

use crate::{Float, Indices, Tensor, shape, vmath};
use rayon::prelude::*;

impl Tensor {
    /// The position of the largest number along `axis`, which stays with size 1 if `keepdim` and
    /// vanishes if not; the first of equals. NaN counts as the largest, as in PyTorch.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 3.0, 2.0, 0.0], &[2, 2]);
    /// assert_eq!(x.argmax(-1, false).positions(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmax(&self, axis: isize, keepdim: bool) -> Indices {
        self.axes_hold_numbers("argmax", &[axis]);
        self.first_where(axis, keepdim, vmath::max_or_nan)
    }

    /// The position of the smallest number along `axis`, which stays with size 1 if `keepdim` and
    /// vanishes if not; the first of equals. NaN counts as the smallest, as in PyTorch.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 3.0, 2.0, 0.0], &[2, 2]);
    /// assert_eq!(x.argmin(-1, false).positions(), [0, 1]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or it is empty.
    #[track_caller]
    pub fn argmin(&self, axis: isize, keepdim: bool) -> Indices {
        self.axes_hold_numbers("argmin", &[axis]);
        self.first_where(axis, keepdim, vmath::min_or_nan)
    }

    /// Where the number that `best` finds among those along `axis` stands first.
    fn first_where(&self, axis: isize, keepdim: bool, best: fn(&[Float]) -> Float) -> Indices {
        let axis = shape::axis("argmax", &self.shape, axis);
        let mut order: Vec<usize> = (0..self.rank()).filter(|&other| other != axis).collect();
        let mut shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        if keepdim {
            shape.insert(axis, 1);
        }
        order.push(axis);
        let x = self.permute(&order).contiguous();
        let position = |row: &[Float]| {
            let best = best(row);
            let found = row.iter().position(|&x| x == best || x.is_nan());
            found.expect("the best is one of them")
        };
        let rows = x.data().par_chunks_exact(self.shape[axis]).with_min_len(64);
        Indices::new(rows.map(position).collect::<Vec<usize>>(), &shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use ndarray::Axis;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_equals_a_naive_loop(x in testing::view(1..4), axis in 0usize..3) {
            let axis = axis % x.rank();
            prop_assume!(x.shape()[axis] > 0);
            // Whole numbers, so that some are equal.
            let x = x.round();
            let naive = |better: fn(&Float, &Float) -> bool| {
                let best_of = |lane: ndarray::ArrayView1<'_, Float>| {
                    let best = |best, i| if better(&lane[i], &lane[best]) { i } else { best };
                    (0..lane.len()).fold(0, best)
                };
                x.view().map_axis(Axis(axis), best_of)
            };
            let (largest, smallest) = (naive(Float::gt), naive(Float::lt));
            let found = x.argmax(axis as isize, false);
            prop_assert_eq!(found.shape(), largest.shape());
            prop_assert!(found.positions().iter().eq(largest.iter()));
            let found = x.argmin(axis as isize - x.rank() as isize, true);
            let smallest = smallest.insert_axis(Axis(axis));
            prop_assert_eq!(found.shape(), smallest.shape());
            prop_assert!(found.positions().iter().eq(smallest.iter()));
        }
    }

    #[test]
    fn extremes_and_nan() {
        let x = Tensor::new([Float::NEG_INFINITY, 1e4, Float::NAN, Float::NAN], &[4]);
        assert_eq!(
            (x.argmax(0, false).positions(), x.argmin(0, false).positions()),
            (&[2][..], &[2][..])
        );
        let low = Tensor::full(&[2, 3], Float::NEG_INFINITY);
        assert_eq!(low.argmax(1, true), Indices::new([0, 0], &[2, 1]));
        assert_eq!(Tensor::zeros(&[0, 3]).argmax(1, false).shape(), [0]);
    }

    #[test]
    #[should_panic(expected = "argmax: an axis to reduce is empty: [3, 0]")]
    fn there_is_no_place_in_an_empty_axis() {
        Tensor::zeros(&[3, 0]).argmax(1, false);
    }
}
