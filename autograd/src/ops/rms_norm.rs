//! (N2) Root mean square normalization. Zhang & Sennrich 2019, section 4.

use crate::{Gradient, Var};
use tensor::{Float, Tensor, par, simd, vmath};

/// Each row along the last axis divided by its root mean square, then scaled.
///
/// ```math
/// y = \gamma \odot \hat x, \qquad \hat x = \frac{x}{\sqrt{\tfrac{1}{d} \sum x_i^2 + \epsilon}}
/// \qquad (N2)
/// ```
/// `x [.., d]`, `gamma [d]` → `[.., d]`. Also returns the factor of each row, one over the root,
/// `[rows]`, for the backward. Departs from the paper in ε, which keeps a row of zeros finite; it
/// stands under the root, as in Llama.
///
/// Source: Zhang & Sennrich 2019, section 4, equation 4.
///
/// ```
/// use autograd::ops::rms_norm::rms_norm;
/// use tensor::Tensor;
/// let (y, _) = rms_norm(&Tensor::full(&[1, 2], 3.0), &Tensor::ones(&[2]), 0.0);
/// assert_eq!(y.to_vec(), [1.0, 1.0]);
/// ```
///
/// # Panics
/// If gamma is not as long as the last axis.
#[track_caller]
pub fn rms_norm(x: &Tensor, gamma: &Tensor, eps: Float) -> (Tensor, Tensor) {
    let width = x.size(-1);
    if gamma.shape() != [width] {
        let rule = "gamma must be as long as the last axis";
        tensor::shape::wrong("rms_norm", rule, &[x.shape(), gamma.shape()], "");
    }
    let (x, gamma) = (x.contiguous(), gamma.contiguous());
    let mut y = Tensor::build(x.shape(), |_| {});
    let mut factors = Tensor::build(&[x.len() / width.max(1)], |_| {});
    par::for_rows_of_two((y.data_mut(), width), (factors.data_mut(), 1), |first, y, factors| {
        rms_norm_rows(&x.data()[first * width..], gamma.data(), eps, y, factors);
    });
    (y, factors)
}

simd! {
    fn rms_norm_rows(
        x: &[Float],
        gamma: &[Float],
        eps: Float,
        y: &mut [Float],
        factors: &mut [Float],
    ) {
        let width = gamma.len().max(1);
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
        for ((x, y), factor) in rows.zip(factors) {
            *factor = 1.0 / (vmath::dot(x, x) / width as Float + eps).sqrt();
            for i in 0..width {
                y[i] = x[i] * *factor * gamma[i];
            }
        }
    }
}

/// The derivative of [`rms_norm`] with respect to x and gamma.
///
/// ```math
/// \bar x = \frac{1}{\sqrt{\tfrac{1}{d} \sum x_i^2 + \epsilon}} \Big( g
/// - \hat x\, \tfrac{1}{d} \sum g_i \hat x_i \Big), \quad g = \gamma \odot \bar y, \qquad
/// \bar\gamma = \sum_{rows} \bar y \odot \hat x
/// ```
pub fn rms_norm_backward(
    x: &Tensor,
    gamma: &Tensor,
    factors: &Tensor,
    dy: &Tensor,
) -> (Tensor, Tensor) {
    let width = x.size(-1);
    let (x, gamma, dy) = (x.contiguous(), gamma.contiguous(), dy.contiguous());
    let mut dx = Tensor::build(x.shape(), |_| {});
    let mut dy_x_hat = Tensor::build(x.shape(), |_| {});
    let outputs = ((dx.data_mut(), width), (dy_x_hat.data_mut(), width));
    par::for_rows_of_two(outputs.0, outputs.1, |first, dx, dy_x_hat| {
        let rows = first * width..first * width + dx.len();
        let (x, dy) = (&x.data()[rows.clone()], &dy.data()[rows]);
        rms_norm_backward_rows(x, gamma.data(), &factors.data()[first..], dy, dx, dy_x_hat);
    });
    (dx, dy_x_hat.sum_to(&[width]))
}

simd! {
    fn rms_norm_backward_rows(
        x: &[Float],
        gamma: &[Float],
        factors: &[Float],
        dy: &[Float],
        dx: &mut [Float],
        dy_x_hat: &mut [Float],
    ) {
        let width = gamma.len().max(1);
        let inputs = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(factors);
        let outputs = dx.chunks_exact_mut(width).zip(dy_x_hat.chunks_exact_mut(width));
        for (((x, dy), &factor), (dx, dy_x_hat)) in inputs.zip(outputs) {
            for i in 0..width {
                dy_x_hat[i] = dy[i] * (x[i] * factor);
            }
            let mean = vmath::dot(gamma, dy_x_hat) / width as Float;
            for i in 0..width {
                dx[i] = factor * (gamma[i] * dy[i] - x[i] * factor * mean);
            }
        }
    }
}

impl Var {
    /// Root mean square normalization over the last axis: see [`rms_norm`].
    ///
    /// # Panics
    /// If gamma is not as long as the last axis.
    #[track_caller]
    pub fn rms_norm(&self, gamma: &Var, eps: Float) -> Var {
        let (y, factors) = rms_norm(self.value(), gamma.value(), eps);
        let saved = [self.value().clone(), gamma.value().clone(), factors];
        let [x, gamma_value] = [self, gamma].map(|x| x.value().clone());
        let y = Var::record("rms_norm", [self, gamma], y, saved, |dy, [x, gamma, factors]| {
            let (dx, dgamma) = rms_norm_backward(&x, &gamma, &factors, &dy);
            [dx, dgamma].map(Gradient::from)
        });
        y.made_again_by(move || rms_norm(&x, &gamma_value, eps).0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| x[0].rms_norm(&x[1], 1e-2));
        vec![
            of([&[2, 5], &[5]]),
            of([&[1, 4], &[4]]),
            of([&[3, 1], &[1]]),
            of([&[2, 3, 17], &[17]]),
            of([&[200, 300], &[300]]),
        ]
    }

    fn plain(x: &Tensor) -> Tensor {
        rms_norm(x, &Tensor::ones(&[x.size(-1)]), 1e-5).0
    }

    #[test]
    fn equals_the_equation_n2() {
        let mut rng = Rng::seeded(1);
        let (x, gamma) = (rng.normal(&[5, 37], 1.0), rng.normal(&[37], 1.0));
        let y = rms_norm(&x, &gamma, 1e-5).0;
        for (x, y) in x.data().chunks(37).zip(y.data().chunks(37)) {
            let root = (x.iter().map(|x| x * x).sum::<Float>() / 37.0 + 1e-5).sqrt();
            for ((x, y), gamma) in x.iter().zip(y).zip(gamma.data()) {
                assert_relative_eq!(*y, gamma * x / root, max_relative = 1e-5);
            }
        }
        let by_hand = rms_norm(&Tensor::new([1.0, 7.0], &[2]), &Tensor::ones(&[2]), 0.0).0;
        assert_relative_eq!(by_hand.data()[1], 1.4, max_relative = 1e-6);
    }

    #[test]
    fn a_scale_of_the_row_changes_nothing() {
        let x = Rng::seeded(2).normal(&[3, 64], 1.0);
        for (a, b) in plain(&x).data().iter().zip(plain(&(&x * 10.0)).data()) {
            assert_relative_eq!(a, b, max_relative = 1e-4);
        }
    }

    #[test]
    fn extremes_a_row_of_zeros_and_large_numbers() {
        assert_eq!(plain(&Tensor::zeros(&[1, 8])).to_vec(), [0.0; 8]);
        let large = plain(&Tensor::new([1e4, -1e4], &[1, 2]));
        assert_relative_eq!(large.data()[1], -1.0, max_relative = 1e-6);
        assert_eq!(plain(&Tensor::zeros(&[0, 3])).shape(), [0, 3]);
        assert_eq!(plain(&Tensor::zeros(&[3, 0])).shape(), [3, 0]);
    }

    #[test]
    #[should_panic(expected = "rms_norm: gamma must be as long as the last axis: [2, 3] and [2]")]
    fn gamma_must_fit() {
        rms_norm(&Tensor::ones(&[2, 3]), &Tensor::ones(&[2]), 1e-5);
    }
}
