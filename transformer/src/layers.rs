//! Layers: a struct of parameters and a forward each.

use crate::parameters_of;
use autograd::ops::linear::linear;
use autograd::{Parameter, Var};
use tensor::{Float, Rng, Tensor, Tokens};

/// Numbers from a normal distribution with deviation `std`. With 0 it is one zero, broadcast: it
/// takes no memory where the weights of a checkpoint are about to replace it.
fn normal(rng: &mut Rng, shape: &[usize], std: Float) -> Parameter {
    Parameter::new(match std {
        0.0 => Tensor::scalar(0.0).broadcast_to(shape),
        std => rng.normal(shape, std),
    })
}

/// An affine map of the last axis: y = x W + b.
#[derive(Clone, Debug)]
pub struct Linear {
    /// W, `[d_in, d_out]`.
    pub weight: Parameter,
    /// b, `[d_out]`.
    pub bias: Parameter,
}
parameters_of!(Linear { weight, bias });

impl Linear {
    /// W from a normal distribution with deviation `std`, b zero.
    pub fn new(rng: &mut Rng, d_in: usize, d_out: usize, std: Float) -> Linear {
        Linear {
            weight: normal(rng, &[d_in, d_out], std),
            bias: Parameter::new(Tensor::zeros(&[d_out])),
        }
    }

    /// `[.., d_in]` → `[.., d_out]`
    ///
    /// # Panics
    /// If the last axis is not d_in.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        linear(x, &self.weight, &self.bias)
    }
}

/// A table with a row for each token.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The rows, `[vocab_size, d_model]`.
    pub weight: Parameter,
}
parameters_of!(Embedding { weight });

impl Embedding {
    /// Rows from a normal distribution with deviation `std`.
    pub fn new(rng: &mut Rng, vocab_size: usize, d_model: usize, std: Float) -> Embedding {
        Embedding { weight: normal(rng, &[vocab_size, d_model], std) }
    }

    /// Tokens of shape `[..]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the table has fewer rows than the tokens' vocabulary.
    #[track_caller]
    pub fn forward(&self, tokens: &Tokens) -> Var {
        self.weight.embedding(tokens)
    }

    /// The scores of each token, this table being the output layer too (Press & Wolf 2017):
    /// x Eᵀ, `[.., d_model]` → `[.., vocab_size]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn logits(&self, x: &Var) -> Var {
        x.matmul(&self.weight.transpose(0, 1))
    }
}

/// Layer normalization with its scale and shift.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// The scale, `[d_model]`.
    pub gamma: Parameter,
    /// The shift, `[d_model]`.
    pub beta: Parameter,
    /// Keeps a constant row finite.
    pub eps: Float,
}
parameters_of!(LayerNorm { gamma, beta });

impl LayerNorm {
    /// Scale one, shift zero.
    pub fn new(d_model: usize, eps: Float) -> LayerNorm {
        LayerNorm {
            gamma: Parameter::new(Tensor::ones(&[d_model])),
            beta: Parameter::new(Tensor::zeros(&[d_model])),
            eps,
        }
    }

    /// `[.., d_model]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        x.layer_norm(&self.gamma, &self.beta, self.eps)
    }
}
