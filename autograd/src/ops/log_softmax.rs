//! The logarithm of the softmax.

use crate::Var;
use tensor::{Float, Tensor, par, simd, vmath};

/// The logarithm of the softmax of each row along the last axis.
///
/// ```math
/// y_i = \ln \mathrm{softmax}(x)_i = x_i - \ln \sum_j e^{x_j}
/// ```
/// It keeps the digits that the logarithm of a small weight would lose. A row of nothing but -∞
/// gives NaN.
///
/// Source: Blanchard, Higham & Higham 2021, *Accurately computing the log-sum-exp and softmax
/// functions*, section 1.
///
/// ```
/// let y = autograd::ops::log_softmax::log_softmax(&tensor::Tensor::zeros(&[1, 1]));
/// assert_eq!(y.item(), 0.0);
/// ```
pub fn log_softmax(x: &Tensor) -> Tensor {
    let mut y = x.clone();
    let width = y.size(-1).max(1);
    par::for_rows(y.data_mut(), width, |_, rows| log_softmax_rows(rows, width));
    y
}

simd! {
    fn log_softmax_rows(rows: &mut [Float], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            let max = vmath::max(row);
            let log_sum = vmath::sum_of(row, |x| vmath::exp(x - max)).ln();
            for x in row.iter_mut() {
                *x = (*x - max) - log_sum;
            }
        }
    }
}

/// The derivative of [`log_softmax`], from its output.
///
/// ```math
/// \bar x_i = \bar y_i - e^{y_i} \sum_j \bar y_j
/// ```
pub fn log_softmax_backward(y: &Tensor, mut dy: Tensor) -> Tensor {
    let width = y.size(-1).max(1);
    let y = y.contiguous();
    let y = y.data();
    par::for_rows(dy.data_mut(), width, |first, rows| {
        log_softmax_backward_rows(&y[first * width..], rows, width);
    });
    dy
}

simd! {
    fn log_softmax_backward_rows(y: &[Float], dy: &mut [Float], width: usize) {
        for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
            let sum = vmath::sum(dy);
            for (dy, &y) in dy.iter_mut().zip(y) {
                *dy -= vmath::exp(y) * sum;
            }
        }
    }
}

impl Var {
    /// The [`log_softmax`] along `axis`; negative counts from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Var {
        let axis = tensor::shape::axis("log_softmax", self.shape(), axis) as isize;
        if axis + 1 != self.value().rank() as isize {
            return self.transpose(axis, -1).log_softmax(-1).transpose(axis, -1);
        }
        let y = log_softmax(self.value());
        Var::record("log_softmax", [self], y.clone(), [y], |dy, [y]| {
            [log_softmax_backward(&y, dy).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].log_softmax(-1));
        let first = Case::new([&[3, 2]], |x| x[0].log_softmax(0));
        vec![of(&[2, 3]), of(&[1, 5]), of(&[2, 2, 17]), first, of(&[200, 300])]
    }

    #[test]
    fn equals_the_logarithm_of_the_softmax() {
        let x = Var::leaf(Rng::seeded(1).normal(&[5, 37], 2.0));
        for axis in [0, 1] {
            let expected = x.softmax(axis).ln();
            for (y, expected) in
                x.log_softmax(axis).value().to_vec().iter().zip(expected.value().to_vec())
            {
                assert_relative_eq!(*y, expected, max_relative = 1e-4, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn extreme_scores_keep_their_distance() {
        let x = Tensor::new([1e4, -1e4, Float::NEG_INFINITY], &[3]);
        let y = log_softmax(&x);
        assert_eq!(y.to_vec(), [0.0, -2e4, Float::NEG_INFINITY]);
        let dx = log_softmax_backward(&y, Tensor::ones(&[3]));
        assert_eq!(dx.to_vec(), [-2.0, 1.0, 1.0]);
        assert_eq!(log_softmax(&Tensor::zeros(&[2, 0])).shape(), [2, 0]);
    }

    #[test]
    #[should_panic(expected = "log_softmax: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn an_axis_must_exist() {
        Var::constant(Tensor::zeros(&[2, 3])).log_softmax(2);
    }
}
