//! (F1) The position-wise feed-forward network, and (F2) its gated form. Vaswani et al. 2017,
//! section 3.3; Shazeer 2020.

use crate::init::Init;
use crate::{Activation, Linear, parameters_of};
use autograd::Var;
use tensor::{Float, Rng};

/// Two affine maps with a nonlinearity between them, applied to each position alone.
///
/// ```math
/// \mathrm{FFN}(x) = f(x W_1 + b_1)\, W_2 + b_2 \qquad (F1)
/// ```
/// The paper's f is ReLU. With a gate, after Shazeer 2020, eq. 6, the hidden layer is weighed by
/// another map of the input: f(x W_g) ⊙ x W₁ in place of f(x W₁); with SiLU it is called SwiGLU.
#[derive(Clone, Debug)]
pub struct FeedForward {
    /// W_g, `[d_model, d_ff]`.
    pub w_gate: Option<Linear>,
    /// W₁ and b₁, `[d_model, d_ff]`.
    pub w_1: Linear,
    /// W₂ and b₂, `[d_ff, d_model]`.
    pub w_2: Linear,
    /// f.
    pub activation: Activation,
    /// The probability that a number of the hidden layer is dropped in training.
    pub dropout: Float,
}
parameters_of!(FeedForward { w_gate, w_1, w_2 });

impl FeedForward {
    /// Without a gate, with biases: W₁ as `init` draws it, W₂ as `residual_init`.
    pub fn new(
        rng: &mut Rng,
        (d_model, d_ff): (usize, usize),
        activation: Activation,
        init: Init,
        residual_init: Init,
    ) -> FeedForward {
        FeedForward {
            w_gate: None,
            w_1: Linear::new(rng, d_model, d_ff, init),
            w_2: Linear::new(rng, d_ff, d_model, residual_init),
            activation,
            dropout: 0.0,
        }
    }

    /// With a gate, without biases: W_g and W₁ as `init` draws them, W₂ as `residual_init`.
    pub fn gated(
        rng: &mut Rng,
        (d_model, d_ff): (usize, usize),
        activation: Activation,
        init: Init,
        residual_init: Init,
    ) -> FeedForward {
        FeedForward {
            w_gate: Some(Linear::without_bias(rng, d_model, d_ff, init)),
            w_1: Linear::without_bias(rng, d_model, d_ff, init),
            w_2: Linear::without_bias(rng, d_ff, d_model, residual_init),
            activation,
            dropout: 0.0,
        }
    }

    /// `[.., d_model]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        let hidden = self.w_1.forward(x);
        let hidden = match (&self.w_gate, self.activation) {
            (None, f) => f.apply(&hidden),
            (Some(gate), Activation::Silu) => gate.forward(x).swiglu(&hidden),
            (Some(gate), f) => f.apply(&gate.forward(x)) * hidden,
        };
        self.w_2.forward(&hidden.dropout(self.dropout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Tensor;

    const INIT: Init = Init::Normal(0.5);

    #[test]
    fn equals_the_equation_f1() {
        let mut rng = Rng::seeded(1);
        let layer = FeedForward::new(&mut rng, (4, 16), Activation::GeluTanh, INIT, INIT);
        let x = Var::constant(rng.normal(&[2, 3, 4], 1.0));
        let [b_1, b_2] = [&layer.w_1, &layer.w_2].map(|w| &**w.bias.as_ref().unwrap());
        let hidden = x.matmul(&layer.w_1.weight) + b_1;
        let expected = hidden.gelu_tanh().matmul(&layer.w_2.weight) + b_2;
        assert_eq!(layer.forward(&x).value().to_vec(), expected.value().to_vec());
    }

    #[test]
    fn a_gate_weighs_the_hidden_layer() {
        let mut rng = Rng::seeded(1);
        for f in [Activation::Silu, Activation::Gelu] {
            let layer = FeedForward::gated(&mut rng, (4, 16), f, INIT, INIT);
            let x = Var::constant(rng.normal(&[2, 3, 4], 1.0));
            let gate = f.apply(&x.matmul(&layer.w_gate.as_ref().unwrap().weight));
            let hidden = gate * x.matmul(&layer.w_1.weight);
            let difference = layer.forward(&x) - hidden.matmul(&layer.w_2.weight);
            assert!(difference.value().data().iter().all(|d| d.abs() < 1e-5));
        }
    }

    #[test]
    fn each_position_is_computed_alone() {
        let mut rng = Rng::seeded(1);
        let layer = FeedForward::new(&mut rng, (4, 16), Activation::Relu, INIT, INIT);
        let x: Tensor = rng.normal(&[1, 3, 4], 1.0);
        let all = layer.forward(&Var::constant(x.clone()));
        let last = layer.forward(&Var::constant(x.narrow(1, 2, 1)));
        let difference = all.value().narrow(1, 2, 1) - last.value();
        assert!(difference.data().iter().all(|d| d.abs() < 1e-5));
    }
}
