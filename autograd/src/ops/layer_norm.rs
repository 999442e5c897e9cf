//! (N1) Layer normalization. Ba, Kiros & Hinton 2016, section 3.

use crate::{Gradient, Var};
use tensor::{Float, Tensor, par, simd, vmath};

/// Each row along the last axis brought to mean 0 and variance 1, then scaled and shifted.
///
/// ```math
/// y = \gamma \odot \hat x + \beta, \qquad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}},
/// \quad \mu = \tfrac{1}{d} \sum x_i, \quad \sigma^2 = \tfrac{1}{d} \sum (x_i - \mu)^2
/// \qquad (N1)
/// ```
/// `x [.., d]`, `gamma [d]`, `beta [d]` → `[.., d]`. Also returns μ and 1/√(σ² + ε) of each row,
/// `[rows, 2]`, for the backward. Departs from the paper in ε, which keeps a constant row finite.
///
/// Source: Ba, Kiros & Hinton 2016, section 3.
///
/// ```
/// use autograd::ops::layer_norm::layer_norm;
/// use tensor::Tensor;
/// let x = Tensor::new([1.0, 3.0], &[1, 2]);
/// let (y, _) = layer_norm(&x, &Tensor::ones(&[2]), &Tensor::zeros(&[2]), 0.0);
/// assert_eq!(y.to_vec(), [-1.0, 1.0]);
/// ```
///
/// # Panics
/// If gamma or beta is not as long as the last axis.
#[track_caller]
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: Float) -> (Tensor, Tensor) {
    let width = x.size(-1);
    for parameter in [gamma, beta] {
        if parameter.shape() != [width] {
            let rule = "gamma and beta must be as long as the last axis";
            tensor::shape::wrong("layer_norm", rule, &[x.shape(), parameter.shape()], "");
        }
    }
    let (x, gamma, beta) = (x.contiguous(), gamma.contiguous(), beta.contiguous());
    let mut y = Tensor::build(x.shape(), |_| {});
    let mut stats = Tensor::build(&[x.len() / width.max(1), 2], |_| {});
    par::for_rows_of_two((y.data_mut(), width), (stats.data_mut(), 2), |first, y, stats| {
        let x = &x.data()[first * width..];
        layer_norm_rows(x, gamma.data(), beta.data(), eps, y, stats);
    });
    (y, stats)
}

simd! {
    fn layer_norm_rows(
        x: &[Float],
        gamma: &[Float],
        beta: &[Float],
        eps: Float,
        y: &mut [Float],
        stats: &mut [Float],
    ) {
        let width = gamma.len().max(1);
        let d = width as Float;
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
        for ((x, y), stats) in rows.zip(stats.chunks_exact_mut(2)) {
            let mean = vmath::sum(x) / d;
            let variance = vmath::sum_of(x, |x| (x - mean) * (x - mean)) / d;
            let scale = 1.0 / (variance + eps).sqrt();
            for i in 0..width {
                y[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
            }
            stats.copy_from_slice(&[mean, scale]);
        }
    }
}

/// The derivative of [`layer_norm`] with respect to x, gamma and beta.
///
/// ```math
/// \bar x = \frac{1}{\sqrt{\sigma^2 + \epsilon}} \Big( g - \tfrac{1}{d} \sum g_i
/// - \hat x\, \tfrac{1}{d} \sum g_i \hat x_i \Big), \quad g = \gamma \odot \bar y, \qquad
/// \bar\gamma = \sum_{rows} \bar y \odot \hat x, \quad \bar\beta = \sum_{rows} \bar y
/// ```
pub fn layer_norm_backward(
    x: &Tensor,
    gamma: &Tensor,
    stats: &Tensor,
    dy: &Tensor,
) -> (Tensor, Tensor, Tensor) {
    let width = x.size(-1);
    let (x, gamma, dy) = (x.contiguous(), gamma.contiguous(), dy.contiguous());
    let mut dx = Tensor::build(x.shape(), |_| {});
    let mut dy_x_hat = Tensor::build(x.shape(), |_| {});
    let outputs = ((dx.data_mut(), width), (dy_x_hat.data_mut(), width));
    par::for_rows_of_two(outputs.0, outputs.1, |first, dx, dy_x_hat| {
        let rows = first * width..first * width + dx.len();
        let (x, dy) = (&x.data()[rows.clone()], &dy.data()[rows]);
        layer_norm_backward_rows(x, gamma.data(), &stats.data()[2 * first..], dy, dx, dy_x_hat);
    });
    (dx, dy_x_hat.sum_to(&[width]), dy.sum_to(&[width]))
}

simd! {
    fn layer_norm_backward_rows(
        x: &[Float],
        gamma: &[Float],
        stats: &[Float],
        dy: &[Float],
        dx: &mut [Float],
        dy_x_hat: &mut [Float],
    ) {
        let width = gamma.len().max(1);
        let d = width as Float;
        let inputs = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(stats.chunks_exact(2));
        let outputs = dx.chunks_exact_mut(width).zip(dy_x_hat.chunks_exact_mut(width));
        for (((x, dy), stats), (dx, dy_x_hat)) in inputs.zip(outputs) {
            let (mean, scale) = (stats[0], stats[1]);
            for i in 0..width {
                dy_x_hat[i] = dy[i] * ((x[i] - mean) * scale);
            }
            let mean_g = vmath::dot(gamma, dy) / d;
            let mean_g_x_hat = vmath::dot(gamma, dy_x_hat) / d;
            for i in 0..width {
                let x_hat = (x[i] - mean) * scale;
                dx[i] = scale * (gamma[i] * dy[i] - mean_g - x_hat * mean_g_x_hat);
            }
        }
    }
}

impl Var {
    /// Layer normalization over the last axis: see [`layer_norm`].
    ///
    /// # Panics
    /// If gamma or beta is not as long as the last axis.
    #[track_caller]
    pub fn layer_norm(&self, gamma: &Var, beta: &Var, eps: Float) -> Var {
        let (y, stats) = layer_norm(self.value(), gamma.value(), beta.value(), eps);
        let saved = [self.value().clone(), gamma.value().clone(), stats];
        let [x, gamma_value, beta_value] = [self, gamma, beta].map(|x| x.value().clone());
        let y =
            Var::record("layer_norm", [self, gamma, beta], y, saved, |dy, [x, gamma, stats]| {
                let (dx, dgamma, dbeta) = layer_norm_backward(&x, &gamma, &stats, &dy);
                [dx, dgamma, dbeta].map(Gradient::from)
            });
        y.made_again_by(move || layer_norm(&x, &gamma_value, &beta_value, eps).0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| x[0].layer_norm(&x[1], &x[2], 1e-2));
        vec![
            of([&[2, 5], &[5], &[5]]),
            of([&[1, 4], &[4], &[4]]),
            of([&[2, 3, 17], &[17], &[17]]),
            of([&[200, 300], &[300], &[300]]),
        ]
    }

    fn plain(x: &Tensor) -> Tensor {
        let d = x.size(-1);
        layer_norm(x, &Tensor::ones(&[d]), &Tensor::zeros(&[d]), 1e-5).0
    }

    #[test]
    fn equals_the_equation_n1() {
        let mut rng = Rng::seeded(1);
        let [x, gamma, beta] = [&[5, 37][..], &[37], &[37]].map(|shape| rng.normal(shape, 1.0));
        let mu = x.mean_axes(&[-1], true);
        let centred = &x - &mu;
        let variance = (&centred * &centred).mean_axes(&[-1], true);
        let x_hat = &centred / &variance.map(|v| (v + 1e-5).sqrt());
        let textbook = &(&x_hat * &gamma) + &beta;
        let y = layer_norm(&x, &gamma, &beta, 1e-5).0;
        for (y, expected) in y.data().iter().zip(textbook.data()) {
            assert_relative_eq!(y, expected, max_relative = 1e-4, epsilon = 1e-5);
        }
        let by_hand = plain(&Tensor::new([1.0, 3.0], &[2]));
        assert_relative_eq!(by_hand.data()[1], 1.0, max_relative = 1e-4);
    }

    #[test]
    fn a_shift_and_a_scale_of_the_row_change_nothing() {
        let x = Rng::seeded(2).normal(&[3, 64], 1.0);
        for (a, b) in plain(&x).data().iter().zip(plain(&(&x * 10.0 + 3.0)).data()) {
            assert_relative_eq!(a, b, max_relative = 1e-3, epsilon = 1e-4);
        }
    }

    #[test]
    fn extremes_a_constant_row_and_large_numbers() {
        assert_eq!(plain(&Tensor::full(&[1, 8], 1e4)).to_vec(), [0.0; 8]);
        let large = plain(&Tensor::new([1e4, -1e4], &[1, 2]));
        assert_relative_eq!(large.data()[0], 1.0, max_relative = 1e-5);
    }

    #[test]
    #[should_panic(expected = "layer_norm: gamma and beta must be as long as the last axis: \
                               [2, 3] and [2]")]
    fn parameters_must_fit() {
        layer_norm(&Tensor::ones(&[2, 3]), &Tensor::ones(&[2]), &Tensor::ones(&[3]), 1e-5);
    }
}
