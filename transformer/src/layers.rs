//! Layers: a struct of parameters and a forward each.

use crate::init::Init;
use crate::lora::Adapter;
use crate::module::{Part, PartMut, Parts, PartsMut};
use crate::{Module, parameters_of};
use autograd::ops::linear::linear;
use autograd::{Parameter, Var};
use tensor::{Float, Rng, Tensor, Tokens};

/// An affine map of the last axis: y = x W + b, or y = x W without a bias; with an adapter, what it
/// gives is added.
#[derive(Clone, Debug)]
pub struct Linear {
    /// W, `[d_in, d_out]`.
    pub weight: Parameter,
    /// b, `[d_out]`.
    pub bias: Option<Parameter>,
    /// What training changes in place of W, by [`crate::lora`].
    pub adapter: Option<Adapter>,
}

impl Module for Linear {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        found.push((path.into(), Part::Linear(self)));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        found.push((path.into(), PartMut::Linear(self)));
    }
}

impl Linear {
    /// W as `init` draws it, b zero.
    pub fn new(rng: &mut Rng, d_in: usize, d_out: usize, init: Init) -> Linear {
        let bias = Some(Init::Zeros.parameter(rng, &[d_out]));
        Linear { bias, ..Linear::without_bias(rng, d_in, d_out, init) }
    }

    /// W as `init` draws it, no b.
    pub fn without_bias(rng: &mut Rng, d_in: usize, d_out: usize, init: Init) -> Linear {
        Linear { weight: init.parameter(rng, &[d_in, d_out]), bias: None, adapter: None }
    }

    /// `[.., d_in]` → `[.., d_out]`
    ///
    /// # Panics
    /// If the last axis is not d_in.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        let y = match &self.bias {
            Some(bias) => linear(x, &self.weight, bias),
            None => x.matmul(&self.weight),
        };
        match &self.adapter {
            Some(adapter) => y + adapter.forward(x),
            None => y,
        }
    }
}

/// A table with a row for each token.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The rows, `[vocab_size, d_model]`.
    pub weight: Parameter,
    /// The token that stands for none: looking it up trains nothing.
    pub padding: Option<u32>,
}
parameters_of!(Embedding { weight });

impl Embedding {
    /// Rows as `init` draws them.
    pub fn new(rng: &mut Rng, vocab_size: usize, d_model: usize, init: Init) -> Embedding {
        Embedding { weight: init.parameter(rng, &[vocab_size, d_model]), padding: None }
    }

    /// The same with a token whose row looking it up does not train, as PyTorch's `padding_idx`.
    pub fn with_padding(self, padding: Option<u32>) -> Embedding {
        Embedding { padding, ..self }
    }

    /// Tokens of shape `[..]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the table has fewer rows than the tokens' vocabulary.
    #[track_caller]
    pub fn forward(&self, tokens: &Tokens) -> Var {
        let rows = self.weight.embedding(tokens);
        match self.padding.filter(|id| rows.needs_gradient() && tokens.ids().contains(id)) {
            None => rows,
            Some(padding) => {
                let is_padding = |&id: &u32| Float::from(u8::from(id == padding));
                let condition: Vec<Float> = tokens.ids().iter().map(is_padding).collect();
                let condition = Tensor::new(condition, &[tokens.shape(), &[1]].concat());
                Var::where_cond(&condition, &rows.detach(), &rows)
            }
        }
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

/// Layer normalization with its scale and shift: Ba, Kiros & Hinton 2016.
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
        LayerNorm { gamma: stretched(1.0, d_model), beta: stretched(0.0, d_model), eps }
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

/// A vector of one number, which takes no memory until it is changed.
fn stretched(value: Float, len: usize) -> Parameter {
    Parameter::new(Tensor::scalar(value).broadcast_to(&[len]))
}

/// Root-mean-square normalization with its scale: Zhang & Sennrich 2019.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// The scale, `[d_model]`.
    pub gamma: Parameter,
    /// Keeps a row of zeros finite.
    pub eps: Float,
}
parameters_of!(RmsNorm { gamma });

impl RmsNorm {
    /// Scale one.
    pub fn new(d_model: usize, eps: Float) -> RmsNorm {
        RmsNorm { gamma: stretched(1.0, d_model), eps }
    }

    /// `[.., d_model]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        x.rms_norm(&self.gamma, self.eps)
    }
}

/// The normalization of a block: one of the two.
#[derive(Clone, Debug)]
pub enum Norm {
    /// By mean and variance.
    Layer(LayerNorm),
    /// By the root of the mean square.
    Rms(RmsNorm),
}

impl Norm {
    /// `[.., d_model]` → `[.., d_model]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        match self {
            Norm::Layer(norm) => norm.forward(x),
            Norm::Rms(norm) => norm.forward(x),
        }
    }
}

impl Module for Norm {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        match self {
            Norm::Layer(norm) => norm.collect(path, found),
            Norm::Rms(norm) => norm.collect(path, found),
        }
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        match self {
            Norm::Layer(norm) => norm.collect_mut(path, found),
            Norm::Rms(norm) => norm.collect_mut(path, found),
        }
    }
}

impl From<LayerNorm> for Norm {
    fn from(norm: LayerNorm) -> Norm {
        Norm::Layer(norm)
    }
}

impl From<RmsNorm> for Norm {
    fn from(norm: RmsNorm) -> Norm {
        Norm::Rms(norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_up_padding_trains_nothing() {
        let table = |padding| {
            Embedding::new(&mut Rng::seeded(1), 3, 2, Init::Normal(1.0)).with_padding(padding)
        };
        let tokens = Tokens::batch(&[[1, 2, 1]], 3).unwrap();
        let gradient = |table: &Embedding| {
            let gradients = table.forward(&tokens).sum().backward().unwrap();
            gradients.get(&table.weight).unwrap().to_vec()
        };
        assert_eq!(gradient(&table(None)), [0.0, 0.0, 2.0, 2.0, 1.0, 1.0]);
        let padded = table(Some(1));
        assert_eq!(gradient(&padded), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let plain = table(None).forward(&tokens);
        assert_eq!(padded.forward(&tokens).value().to_vec(), plain.value().to_vec());
    }
}
