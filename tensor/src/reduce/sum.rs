//! Sums and means.

use super::{COLUMNS, Kernels, Term, add_columns};
use crate::{Float, Tensor, shape, simd, vmath};

simd! {
    fn row_sums(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            *out = vmath::sum(x);
        }
    }
}

simd! {
    fn column_sums(x: &[Float], width: usize, out: &mut [Float]) {
        add_columns::<Itself>(x, width, &[0.0; COLUMNS], out);
    }
}

/// The number itself: the term of a sum.
pub(super) struct Itself;

impl Term for Itself {
    #[inline(always)]
    fn of(_: Float, x: Float) -> Float {
        x
    }
}

const SUM: Kernels = Kernels { rows: row_sums, columns: column_sums, empty: 0.0, in_parts: true };

impl Tensor {
    /// The sum of all numbers, of rank 0; 0 of none.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).sum().item(), 3.0);
    /// ```
    pub fn sum(&self) -> Tensor {
        self.reduce_whole(&SUM)
    }

    /// The sum over `axes`, which stay with size 1 if `keepdim` and vanish if not; 0 of an empty
    /// axis.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    /// assert_eq!(x.sum_axes(&[1], false).to_vec(), [3.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        self.reduce("sum", axes, keepdim, &SUM)
    }

    /// The mean of all numbers, of rank 0; NaN of none.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).mean().item(), 1.5);
    /// ```
    pub fn mean(&self) -> Tensor {
        self.sum() / self.len() as Float
    }

    /// The mean over `axes`, which stay with size 1 if `keepdim` and vanish if not; NaN of an
    /// empty axis.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    /// assert_eq!(x.mean_axes(&[1], false).to_vec(), [1.5, 3.5]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        let sum = self.reduce("mean", axes, keepdim, &SUM);
        let count = self.len() as Float / sum.len() as Float;
        sum / count
    }

    /// The sum over whatever axes broadcasting from `shape` to this shape repeated.
    ///
    /// # Panics
    /// If `shape` does not broadcast to this shape.
    #[track_caller]
    pub fn sum_to(&self, shape: &[usize]) -> Tensor {
        if self.shape == shape {
            return self.clone();
        }
        let strides = shape::broadcast_strides(shape, &vec![1; shape.len()], &self.shape);
        let added = self.rank() - shape.len();
        let repeated: Vec<isize> = (0..self.rank())
            .filter(|&axis| axis < added || (strides[axis] == 0 && self.shape[axis] != 1))
            .map(|axis| axis as isize)
            .collect();
        self.sum_axes(&repeated, true).reshape(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sum_to_undoes_broadcasting((a, b) in testing::broadcasting_pair()) {
            let whole = shape::broadcast("test", a.shape(), b.shape());
            let repeated = a.broadcast_to(&whole);
            let sum = repeated.sum_to(a.shape());
            prop_assert_eq!(sum.shape(), a.shape());
            let times = repeated.len() as Float / a.len() as Float;
            for (sum, x) in sum.to_vec().into_iter().zip(a.to_vec()) {
                prop_assert!((sum - times * x).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn sums_of_many_rows_stay_exact() {
        let x = Tensor::ones(&[5000, 300]);
        assert!(x.sum_axes(&[0], false).data().iter().all(|&sum| sum == 5000.0));
        assert_eq!(x.sum().item(), 1_500_000.0);
        assert_eq!(x.mean_axes(&[1], true).data()[17], 1.0);
        assert_eq!((Tensor::ones(&[4099, 4099]) * 0.5).mean().item(), 0.5);
    }

    #[test]
    fn extremes_and_empty_axes() {
        let x = Tensor::new([1e4, -1e4, Float::INFINITY, Float::NAN], &[2, 2]);
        assert_eq!(x.sum_axes(&[1], false).data()[0], 0.0);
        assert_eq!(x.sum_axes(&[0], false).data()[0], Float::INFINITY);
        assert!(x.mean().item().is_nan());
        let none = Tensor::zeros(&[2, 0]);
        assert_eq!((none.sum().item(), none.sum_axes(&[1], false).to_vec()), (0.0, vec![0.0; 2]));
        assert!(none.mean_axes(&[1], false).data()[1].is_nan());
        assert_eq!(none.mean_axes(&[0], true).shape(), [1, 0]);
    }

    #[test]
    #[should_panic(expected = "sum: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn an_axis_to_sum_must_exist() {
        Tensor::zeros(&[2, 3]).sum_axes(&[2], false);
    }
}
