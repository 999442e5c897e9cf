//! The variance.

use super::sum::Itself;
use super::{COLUMNS, Kernels, Reduction, Term, add_columns};
use crate::{Float, Tensor, simd, vmath};

simd! {
    fn rows(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            let mean = vmath::sum(x) / width as Float;
            *out = vmath::sum_of(x, |x| (x - mean) * (x - mean));
        }
    }
}

simd! {
    fn columns(x: &[Float], width: usize, out: &mut [Float]) {
        let count = x.len().div_ceil(width) as Float;
        add_columns::<Itself>(x, width, &[0.0; COLUMNS], out);
        let mut means = [0.0; COLUMNS];
        for (mean, &sum) in means.iter_mut().zip(out.iter()) {
            *mean = sum / count;
        }
        add_columns::<SquaredDeviation>(x, width, &means, out);
    }
}

struct SquaredDeviation;

impl Term for SquaredDeviation {
    #[inline(always)]
    fn of(mean: Float, x: Float) -> Float {
        (x - mean) * (x - mean)
    }
}

/// Σ (x − μ)²
const SQUARED_DEVIATIONS: Kernels = Kernels { rows, columns, empty: 0.0, in_parts: false };

/// What the squared deviations of `count` numbers are divided by.
fn divisor(count: usize, correction: usize) -> Float {
    count.saturating_sub(correction) as Float
}

impl Tensor {
    /// The variance of all numbers, of rank 0.
    ///
    /// ```math
    /// y = \frac{1}{n - c} \sum_i (x_i - \mu)^2, \qquad \mu = \frac{1}{n} \sum_i x_i
    /// ```
    /// `correction` is c: 1 for the unbiased estimate from a sample, 0 for the numbers themselves.
    /// Where n is at most c the result is NaN, or ∞.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 3.0], &[2]).var(1).item(), 2.0);
    /// ```
    pub fn var(&self, correction: usize) -> Tensor {
        let mean = self.mean().item();
        self.map(|x| (x - mean) * (x - mean)).sum() / divisor(self.len(), correction)
    }

    /// [`Tensor::var`] over `axes`, which stay with size 1 if `keepdim` and vanish if not.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 3.0, 5.0, 5.0], &[2, 2]);
    /// assert_eq!(x.var_axes(&[1], 0, false).to_vec(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_axes(&self, axes: &[isize], correction: usize, keepdim: bool) -> Tensor {
        let reduction = Reduction::new("var", &self.shape, axes, keepdim);
        if reduction.count == self.len() && !self.is_empty() {
            return self.var(correction).reshape(&reduction.shape);
        }
        reduction.run(self, &SQUARED_DEVIATIONS) / divisor(reduction.count, correction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_changes_nothing_and_a_factor_counts_twice() {
        let x = crate::Rng::seeded(3).normal(&[4, 50], 1.0);
        let variance = x.var_axes(&[1], 1, false);
        let shifted = (&x + 16.0).var_axes(&[1], 1, false);
        let doubled = (&x * 2.0).var_axes(&[1], 1, false);
        for ((v, s), d) in variance.data().iter().zip(shifted.data()).zip(doubled.data()) {
            assert!((v - s).abs() < 1e-4 && (4.0 * v - d).abs() < 1e-5, "{v} {s} {d}");
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(Tensor::full(&[3], 1e4).var(0).item(), 0.0);
        assert!(Tensor::ones(&[1]).var(1).item().is_nan());
        assert!(Tensor::ones(&[2, 1]).var_axes(&[1], 1, false).data()[0].is_nan());
        assert_eq!(Tensor::new([1.0, 3.0], &[2]).var(2).item(), Float::INFINITY);
        assert!(Tensor::zeros(&[2, 0]).var_axes(&[1], 0, false).data()[1].is_nan());
        assert!(Tensor::new([Float::INFINITY, 0.0], &[2]).var(0).item().is_nan());
    }
}
