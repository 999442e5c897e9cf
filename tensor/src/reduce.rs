//! Reductions: sums over axes, and the largest entry along the last.

use crate::{Float, Tensor, par, shape, simd, vmath};

simd! {
    fn row_sums(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            *out = vmath::sum(x);
        }
    }
}

simd! {
    /// Sums of `out.len()` columns of a matrix of rows `width` wide; rows are added in blocks, so
    /// that the rounding error grows with the block and the number of blocks, not their product.
    fn column_sums(x: &[Float], width: usize, out: &mut [Float]) {
        const BLOCK: usize = 64;
        let mut partial = [0.0; 64];
        for (piece, out) in out.chunks_mut(partial.len()).enumerate() {
            let partial = &mut partial[..out.len()];
            out.fill(0.0);
            for block in x.chunks(BLOCK * width) {
                partial.fill(0.0);
                for row in block.chunks(width) {
                    let row = &row[piece * 64..];
                    for (sum, &x) in partial.iter_mut().zip(row) {
                        *sum += x;
                    }
                }
                for (out, &sum) in out.iter_mut().zip(partial.iter()) {
                    *out += sum;
                }
            }
        }
    }
}

impl Tensor {
    /// The sum of all numbers, a tensor of rank 0.
    pub fn sum(&self) -> Tensor {
        let width = self.size_of_rows();
        let rows = self.reshape(&[self.len() / width, width]).sum_last();
        let mut total = vec![0.0];
        row_sums(rows.data(), rows.len().max(1), &mut total);
        Tensor::new(total, &[])
    }

    /// Rows of at most 4,096 numbers that `sum` adds first, by length alone.
    fn size_of_rows(&self) -> usize {
        (1..=4096.min(self.len()))
            .rev()
            .find(|width| self.len().is_multiple_of(*width))
            .unwrap_or(1)
    }

    /// The sum over `axes`, which stay with size 1 if `keepdim` and vanish if not.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn sum_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        let reduced = shape::axes("sum", &self.shape, axes);
        let (kept, dropped): (Vec<usize>, Vec<usize>) =
            (0..self.rank()).partition(|axis| !reduced.contains(axis));
        let mut shape = self.shape.clone();
        if keepdim {
            dropped.iter().for_each(|&axis| shape[axis] = 1);
        } else {
            shape = kept.iter().map(|&axis| shape[axis]).collect();
        }
        let count: usize = dropped.iter().map(|&axis| self.shape[axis]).product();
        let leading = dropped.iter().copied().eq(0..dropped.len());
        if leading && self.is_contiguous() && !self.is_empty() {
            return self.reshape(&[count, self.len() / count]).sum_first().reshape(&shape);
        }
        let order: Vec<usize> = kept.into_iter().chain(dropped).collect();
        let rows = shape.iter().product();
        self.permute(&order).reshape(&[rows, count]).sum_last().reshape(&shape)
    }

    /// The mean over `axes`, which stay with size 1 if `keepdim` and vanish if not; NaN of an
    /// empty axis.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn mean_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        let sum = self.sum_axes(axes, keepdim);
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

    /// `[rows, width]` → `[rows]`
    fn sum_last(&self) -> Tensor {
        let (rows, width) = (self.shape[0], self.shape[1]);
        let x = self.contiguous();
        let x = x.data();
        if width == 0 {
            return Tensor::zeros(&[rows]);
        }
        Tensor::build(&[rows], |out| {
            par::for_rows(out, 1, |first, out| row_sums(&x[first * width..], width, out));
        })
    }

    /// `[rows, width]` → `[width]`
    fn sum_first(&self) -> Tensor {
        let width = self.shape[1];
        let x = self.data();
        let mut out = Tensor::build(&[width], |_| {});
        let piece = if x.len() < 32 * 1024 { width } else { 128 };
        rayon::scope(|scope| {
            for (index, out) in out.data_mut().chunks_mut(piece).enumerate() {
                scope.spawn(move |_| column_sums(&x[index * piece..], width, out));
            }
        });
        out
    }

    /// The index of the largest number of each row along the last axis; the first of equals.
    ///
    /// # Panics
    /// If the last axis is empty or a number is NaN.
    #[track_caller]
    pub fn argmax_last(&self) -> Vec<usize> {
        let x = self.contiguous();
        let width = self.size(-1);
        if width == 0 {
            shape::wrong("argmax", "the last axis is empty", &[&self.shape], "");
        }
        x.data()
            .chunks_exact(width)
            .map(|row| {
                let largest = |best: usize, i: usize| {
                    assert!(!row[i].is_nan(), "argmax: entry {i} of a row is NaN");
                    if row[i] > row[best] { i } else { best }
                };
                (0..width).fold(0, largest)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sum_over_axes_equals_a_naive_loop(
            shape in prop::collection::vec(0usize..9, 1..4),
            mask in 0usize..8,
            transposed in any::<bool>(),
        ) {
            let x = Rng::seeded(7).normal(&shape, 1.0);
            let x = if transposed { x.transpose(0, -1) } else { x };
            let axes: Vec<isize> =
                (0..x.rank()).filter(|axis| mask >> axis & 1 == 1).map(|axis| axis as isize).collect();
            let mut naive = x.view().to_owned();
            for &axis in &axes {
                naive = naive.sum_axis(ndarray::Axis(axis as usize))
                    .insert_axis(ndarray::Axis(axis as usize));
            }
            let sum = x.sum_axes(&axes, true);
            prop_assert_eq!(sum.shape(), naive.shape());
            for (a, b) in sum.data().iter().zip(naive.iter()) {
                prop_assert!((a - b).abs() < 1e-4);
            }
            let vanished = x.sum_axes(&axes, false);
            prop_assert_eq!(vanished.rank(), x.rank() - axes.len());
            prop_assert_eq!(vanished.to_vec(), sum.to_vec());
            let summed_to = x.sum_to(sum.shape());
            prop_assert!((&summed_to - &sum).data().iter().all(|d| d.abs() < 1e-4));
        }
    }

    #[test]
    fn sums_of_many_rows_stay_exact() {
        let x = Tensor::ones(&[5000, 300]);
        assert!(x.sum_axes(&[0], false).data().iter().all(|&sum| sum == 5000.0));
        assert_eq!(x.sum().item(), 1_500_000.0);
        assert_eq!(x.mean_axes(&[1], true).data()[17], 1.0);
        assert_eq!(Tensor::zeros(&[3, 0]).sum().item(), 0.0);
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        let x = Tensor::new([1.0, 3.0, 3.0, 0.0, -1.0, -2.0], &[2, 3]);
        assert_eq!(x.argmax_last(), [1, 0]);
    }
}
