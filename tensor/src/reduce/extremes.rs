//! Largest and smallest numbers.

use super::{COLUMNS, Kernels};
use crate::{Float, Tensor, shape, simd, vmath};

simd! {
    fn row_maxima(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            *out = vmath::max_or_nan(x);
        }
    }
}

simd! {
    fn row_minima(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            *out = vmath::min_or_nan(x);
        }
    }
}

simd! {
    fn column_maxima(x: &[Float], width: usize, out: &mut [Float]) {
        let mut largest = [Float::NEG_INFINITY; COLUMNS];
        let largest = &mut largest[..out.len()];
        for row in x.chunks(width) {
            for (largest, &x) in largest.iter_mut().zip(row) {
                *largest = vmath::larger_or_nan(*largest, x);
            }
        }
        out.copy_from_slice(largest);
    }
}

simd! {
    fn column_minima(x: &[Float], width: usize, out: &mut [Float]) {
        let mut smallest = [Float::INFINITY; COLUMNS];
        let smallest = &mut smallest[..out.len()];
        for row in x.chunks(width) {
            for (smallest, &x) in smallest.iter_mut().zip(row) {
                *smallest = vmath::smaller_or_nan(*smallest, x);
            }
        }
        out.copy_from_slice(smallest);
    }
}

const MAX: Kernels = Kernels {
    rows: row_maxima,
    columns: column_maxima,
    empty: Float::NEG_INFINITY,
    in_parts: true,
};
const MIN: Kernels =
    Kernels { rows: row_minima, columns: column_minima, empty: Float::INFINITY, in_parts: true };

impl Tensor {
    /// The largest number, of rank 0; NaN if there is one, as in PyTorch.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 3.0, 2.0], &[3]).max().item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If there is no number.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        self.numbers_exist("max", &self.shape);
        self.reduce_whole(&MAX)
    }

    /// The largest number over `axes`, which stay with size 1 if `keepdim` and vanish if not; NaN
    /// if there is one, as in PyTorch.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 3.0, 2.0, 0.0], &[2, 2]);
    /// assert_eq!(x.max_axes(&[1], false).to_vec(), [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn max_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        self.axes_hold_numbers("max", axes);
        self.reduce("max", axes, keepdim, &MAX)
    }

    /// The smallest number, of rank 0; NaN if there is one, as in PyTorch.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([2.0, 1.0, 3.0], &[3]).min().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If there is no number.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        self.numbers_exist("min", &self.shape);
        self.reduce_whole(&MIN)
    }

    /// The smallest number over `axes`, which stay with size 1 if `keepdim` and vanish if not; NaN
    /// if there is one, as in PyTorch.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 3.0, 2.0, 0.0], &[2, 2]);
    /// assert_eq!(x.min_axes(&[1], false).to_vec(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist, is named twice, or is empty.
    #[track_caller]
    pub fn min_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        self.axes_hold_numbers("min", axes);
        self.reduce("min", axes, keepdim, &MIN)
    }

    /// Panics if one of `axes` is empty: no number is the largest or smallest of none.
    #[track_caller]
    pub(super) fn axes_hold_numbers(&self, operation: &str, axes: &[isize]) {
        let sizes: Vec<usize> = shape::axes(operation, &self.shape, axes)
            .into_iter()
            .map(|axis| self.shape[axis])
            .collect();
        self.numbers_exist(operation, &sizes);
    }

    #[track_caller]
    fn numbers_exist(&self, operation: &str, sizes: &[usize]) {
        if sizes.contains(&0) {
            shape::wrong(operation, "an axis to reduce is empty", &[&self.shape], "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_and_nan_come_through() {
        let x = Tensor::new([1e4, Float::NAN, Float::NEG_INFINITY, 1.0, 2.0, 3.0], &[2, 3]);
        assert!(x.max().item().is_nan() && x.min().item().is_nan());
        let (largest, smallest) = (x.max_axes(&[1], false), x.min_axes(&[0], false));
        assert!(largest.data()[0].is_nan() && smallest.data()[1].is_nan());
        assert_eq!(largest.data()[1], 3.0);
        assert_eq!((smallest.data()[0], smallest.data()[2]), (1.0, Float::NEG_INFINITY));
        let low = Tensor::full(&[5], Float::NEG_INFINITY);
        assert_eq!((low.max().item(), (-low).min().item()), (Float::NEG_INFINITY, Float::INFINITY));
    }

    #[test]
    fn an_empty_axis_that_is_kept_leaves_nothing() {
        assert_eq!(Tensor::zeros(&[0, 3]).max_axes(&[1], true).shape(), [0, 1]);
    }

    #[test]
    #[should_panic(expected = "max: an axis to reduce is empty: [3, 0]")]
    fn there_is_no_largest_of_none() {
        Tensor::zeros(&[3, 0]).max();
    }

    #[test]
    #[should_panic(expected = "min: an axis to reduce is empty: [3, 0]")]
    fn there_is_no_smallest_of_none() {
        Tensor::zeros(&[3, 0]).min_axes(&[-1], false);
    }
}
