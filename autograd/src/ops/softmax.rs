//! (A2) Softmax: scores to weights. Vaswani et al. 2017, section 3.2.1; Bridle 1990.

use crate::Var;
use tensor::{Float, Tensor, par, simd, vmath};

/// The softmax of each row along the last axis.
///
/// ```math
/// y_i = \frac{e^{x_i}}{\sum_j e^{x_j}} = \frac{e^{x_i - \max x}}{\sum_j e^{x_j - \max x}}
/// \qquad (A2)
/// ```
/// Subtracting the maximum changes nothing and keeps every exponent at most 0. A score of −∞ gets
/// weight exactly 0; a row of nothing but −∞ gives zeros, where the formula would divide 0 by 0.
///
/// Source: Vaswani et al. 2017, section 3.2.1; Bridle 1990.
///
/// ```
/// let y = autograd::ops::softmax::softmax(&tensor::Tensor::zeros(&[1, 4]));
/// assert_eq!(y.to_vec(), [0.25; 4]);
/// ```
pub fn softmax(x: &Tensor) -> Tensor {
    let mut y = x.clone();
    let width = y.size(-1).max(1);
    par::for_rows(y.data_mut(), width, |_, rows| softmax_rows(rows, width));
    y
}

simd! {
    fn softmax_rows(rows: &mut [Float], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            let max = vmath::max(row);
            if max == Float::NEG_INFINITY && !row.iter().any(|x| x.is_nan()) {
                row.fill(0.0);
                continue;
            }
            for x in row.iter_mut() {
                *x = vmath::exp(*x - max);
            }
            let scale = 1.0 / vmath::sum(row);
            for x in row.iter_mut() {
                *x *= scale;
            }
        }
    }
}

/// The derivative of [`softmax`], from its output.
///
/// ```math
/// \bar x_i = y_i \Big( \bar y_i - \sum_j \bar y_j y_j \Big)
/// ```
pub fn softmax_backward(y: &Tensor, mut dy: Tensor) -> Tensor {
    let width = y.size(-1).max(1);
    let y = y.contiguous();
    let y = y.data();
    par::for_rows(dy.data_mut(), width, |first, rows| {
        softmax_backward_rows(&y[first * width..], rows, width);
    });
    dy
}

simd! {
    fn softmax_backward_rows(y: &[Float], dy: &mut [Float], width: usize) {
        for (y, dy) in y.chunks_exact(width).zip(dy.chunks_exact_mut(width)) {
            let mean = vmath::dot(y, dy);
            for (dy, &y) in dy.iter_mut().zip(y) {
                *dy = y * (*dy - mean);
            }
        }
    }
}

impl Var {
    /// The [`softmax`] along `axis`; negative counts from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Var {
        let axis = tensor::shape::axis("softmax", self.shape(), axis) as isize;
        if axis + 1 != self.value().rank() as isize {
            return self.transpose(axis, -1).softmax(-1).transpose(axis, -1);
        }
        let y = softmax(self.value());
        Var::record("softmax", [self], y.clone(), [y], |dy, [y]| [softmax_backward(&y, dy).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].softmax(-1));
        let first = Case::new([&[3, 2]], |x| x[0].softmax(0));
        vec![of(&[2, 3]), of(&[1, 5]), of(&[3, 1]), of(&[2, 2, 17]), first, of(&[200, 300])]
    }

    /// The equation as it stands, without the maximum.
    fn textbook(x: &[Float]) -> Vec<Float> {
        let sum: Float = x.iter().map(|x| x.exp()).sum();
        x.iter().map(|x| x.exp() / sum).collect()
    }

    #[test]
    fn equals_the_equation_a2() {
        for width in [1, 3, 16, 37] {
            let x = Rng::seeded(1).normal(&[5, width], 2.0);
            let y = softmax(&x);
            for (x, y) in x.data().chunks(width).zip(y.data().chunks(width)) {
                for (y, expected) in y.iter().zip(textbook(x)) {
                    assert_relative_eq!(*y, expected, max_relative = 1e-5);
                }
            }
        }
        let by_hand = softmax(&Tensor::new([0.0, (3.0 as Float).ln()], &[2]));
        assert_relative_eq!(by_hand.data()[1], 0.75, max_relative = 1e-6);
    }

    #[test]
    fn rows_sum_to_one_and_a_shift_changes_nothing() {
        let x = Rng::seeded(2).normal(&[4, 50], 3.0);
        let (y, shifted) = (softmax(&x), softmax(&(&x + 5.0)));
        for row in y.data().chunks(50) {
            assert_relative_eq!(row.iter().sum::<Float>(), 1.0, max_relative = 1e-5);
        }
        for (a, b) in y.data().iter().zip(shifted.data()) {
            assert_relative_eq!(a, b, max_relative = 1e-5);
        }
    }

    #[test]
    fn extreme_scores_give_zero_and_one() {
        let x = Tensor::new([1e4, -1e4, Float::NEG_INFINITY], &[3]);
        assert_eq!(softmax(&x).to_vec(), [1.0, 0.0, 0.0]);
        assert_eq!(softmax(&Tensor::full(&[2], Float::NEG_INFINITY)).to_vec(), [0.0, 0.0]);
        assert!(softmax(&Tensor::new([Float::NAN, 0.0], &[2])).data()[1].is_nan());
    }
}
