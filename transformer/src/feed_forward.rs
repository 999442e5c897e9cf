//! (F1) The position-wise feed-forward network. Vaswani et al. 2017, section 3.3.

use crate::{Linear, parameters_of};
use autograd::Var;
use tensor::{Float, Rng};

/// Two affine maps with a nonlinearity between them, applied to each position alone.
///
/// ```math
/// \mathrm{FFN}(x) = f(x W_1 + b_1)\, W_2 + b_2 \qquad (F1)
/// ```
/// The paper's f is ReLU; here it is GELU, as in GPT-2.
#[derive(Clone, Debug)]
pub struct FeedForward {
    /// W₁ and b₁, `[d_model, d_ff]`.
    pub w_1: Linear,
    /// W₂ and b₂, `[d_ff, d_model]`.
    pub w_2: Linear,
}
parameters_of!(FeedForward { w_1, w_2 });

impl FeedForward {
    /// Weights from normal distributions: W₁ with deviation `std`, W₂ with `residual_std`.
    pub fn new(
        rng: &mut Rng,
        d_model: usize,
        d_ff: usize,
        std: Float,
        residual_std: Float,
    ) -> FeedForward {
        FeedForward {
            w_1: Linear::new(rng, d_model, d_ff, std),
            w_2: Linear::new(rng, d_ff, d_model, residual_std),
        }
    }

    /// `[.., d_model]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        self.w_2.forward(&self.w_1.forward(x).gelu_tanh())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Tensor;

    #[test]
    fn equals_the_equation_f1() {
        let mut rng = Rng::seeded(1);
        let layer = FeedForward::new(&mut rng, 4, 16, 0.5, 0.5);
        let x = Var::constant(rng.normal(&[2, 3, 4], 1.0));
        let hidden = x.matmul(&layer.w_1.weight) + &*layer.w_1.bias;
        let expected = hidden.gelu_tanh().matmul(&layer.w_2.weight) + &*layer.w_2.bias;
        assert_eq!(layer.forward(&x).value().to_vec(), expected.value().to_vec());
    }

    #[test]
    fn each_position_is_computed_alone() {
        let mut rng = Rng::seeded(1);
        let layer = FeedForward::new(&mut rng, 4, 16, 0.5, 0.5);
        let x: Tensor = rng.normal(&[1, 3, 4], 1.0);
        let all = layer.forward(&Var::constant(x.clone()));
        let last = layer.forward(&Var::constant(x.narrow(1, 2, 1)));
        let difference = all.value().narrow(1, 2, 1) - last.value();
        assert!(difference.data().iter().all(|d| d.abs() < 1e-5));
    }
}
