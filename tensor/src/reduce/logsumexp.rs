//! The logarithm of a sum of exponentials, without overflow.

use super::{COLUMNS, Kernels, Term, add_columns};
use crate::{Float, Tensor, simd, vmath};

/// What is subtracted before the exponential: the largest number, or 0 where that is infinite.
#[inline(always)]
fn shift(largest: Float) -> Float {
    if largest.is_finite() { largest } else { 0.0 }
}

simd! {
    fn rows(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            let m = shift(vmath::max(x));
            // Σ eˣ⁻ᵐ in the order of `vmath::sum`.
            let (blocks, rest) = x.as_chunks::<{ vmath::LANES }>();
            let mut terms = [0.0; vmath::LANES];
            for block in blocks {
                for (term, &x) in terms.iter_mut().zip(block) {
                    *term += vmath::exp(x - m);
                }
            }
            for (term, &x) in terms.iter_mut().zip(rest) {
                *term += vmath::exp(x - m);
            }
            *out = m + vmath::ln(vmath::sum(&terms));
        }
    }
}

simd! {
    fn columns(x: &[Float], width: usize, out: &mut [Float]) {
        out.fill(Float::NEG_INFINITY);
        for row in x.chunks(width) {
            for (largest, &x) in out.iter_mut().zip(row) {
                *largest = if x > *largest { x } else { *largest };
            }
        }
        let mut shifts = [0.0; COLUMNS];
        for (m, &largest) in shifts.iter_mut().zip(out.iter()) {
            *m = shift(largest);
        }
        add_columns::<Exponential>(x, width, &shifts, out);
        for (out, m) in out.iter_mut().zip(shifts) {
            *out = m + vmath::ln(*out);
        }
    }
}

struct Exponential;

impl Term for Exponential {
    #[inline(always)]
    fn of(shift: Float, x: Float) -> Float {
        vmath::exp(x - shift)
    }
}

const LOGSUMEXP: Kernels = Kernels { rows, columns, empty: Float::NEG_INFINITY, in_parts: true };

impl Tensor {
    /// The logarithm of the sum of all exponentials, of rank 0; -∞ of no number.
    ///
    /// ```math
    /// y = \ln \sum_i e^{x_i} = m + \ln \sum_i e^{x_i - m}, \qquad m = \max_i x_i
    /// ```
    /// The second form is the one computed: it does not overflow.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1e4], &[1]).logsumexp().item(), 1e4);
    /// ```
    pub fn logsumexp(&self) -> Tensor {
        self.reduce_whole(&LOGSUMEXP)
    }

    /// [`Tensor::logsumexp`] over `axes`, which stay with size 1 if `keepdim` and vanish if not.
    ///
    /// ```
    /// let x = tensor::Tensor::new([0.0, 0.0, 1e4, 0.0], &[2, 2]);
    /// assert_eq!(x.logsumexp_axes(&[1], false).data()[1], 1e4);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn logsumexp_axes(&self, axes: &[isize], keepdim: bool) -> Tensor {
        self.reduce("logsumexp", axes, keepdim, &LOGSUMEXP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes() {
        let infinite = Float::INFINITY;
        let of = |x: &[Float]| {
            let matrix = Tensor::new(x, &[1, x.len()]);
            let columns = Tensor::concat(&[&matrix, &matrix], 0).transpose(0, 1).contiguous();
            let (row, column) =
                (matrix.logsumexp_axes(&[1], true), columns.logsumexp_axes(&[0], true));
            assert_eq!(row.item().to_bits(), column.data()[0].to_bits());
            row.item()
        };
        assert_eq!(of(&[1e4, -1e4, -infinite]), 1e4);
        assert_eq!(of(&[-1e4, -infinite]), -1e4);
        assert_eq!(of(&[-infinite, -infinite]), -infinite);
        assert_eq!(of(&[infinite, 1.0]), infinite);
        assert!(of(&[Float::NAN, -infinite]).is_nan());
        assert_eq!(Tensor::zeros(&[2, 0]).logsumexp_axes(&[1], false).to_vec(), [-infinite; 2]);
    }

    #[test]
    fn a_shift_moves_it_by_as_much() {
        let x = Tensor::new([0.5, -1.0, 2.0], &[3]);
        let moved = (&x + 100.0).logsumexp() - 100.0;
        assert!((moved - x.logsumexp()).item().abs() < 1e-5);
    }
}
