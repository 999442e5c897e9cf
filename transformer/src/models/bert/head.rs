//! What BERT's hidden states are read with. Devlin et al. 2019, sections 3.1 and 4.

use super::BertConfig;
use super::config::Variant;
use crate::models::head::HeadKind;
use crate::module::{Parts, PartsMut};
use crate::{Activation, Embedding, Init, LayerNorm, Linear, Module, module, parameters_of};
use autograd::{Parameter, Var};
use tensor::{Float, Rng};

/// The head of an encoder.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a model has one: the difference is not worth an allocation
pub enum EncoderHead {
    /// None, but perhaps the map of the first state that BERT was pretrained with:
    /// `[d_model, d_model]`, before tanh.
    Hidden(Option<Linear>),
    /// The scores of each position's token.
    LanguageModel(TokenScores),
    /// The scores of a text's classes.
    Classification(ClassScores),
    /// The scores of each token as the answer's first and as its last: `[d_model, 2]`.
    Span(Linear),
}

impl EncoderHead {
    /// The head that a configuration asks for, drawn by `init`.
    pub(super) fn new(rng: &mut Rng, config: &BertConfig, init: Init) -> EncoderHead {
        let d = config.d_model;
        match config.head.kind {
            HeadKind::Hidden => {
                EncoderHead::Hidden(config.has_pooler.then(|| Linear::new(rng, d, d, init)))
            }
            HeadKind::LanguageModel => {
                EncoderHead::LanguageModel(TokenScores::new(rng, config, init))
            }
            HeadKind::Classification => {
                EncoderHead::Classification(ClassScores::new(rng, config, init))
            }
            HeadKind::Span => EncoderHead::Span(Linear::new(rng, d, 2, init)),
        }
    }
}

/// A map, a normalization, and the transposed embedding with a bias.
#[derive(Clone, Debug)]
pub struct TokenScores {
    /// `[d_model, d_model]`
    pub transform: Linear,
    /// Of what it gives.
    pub activation: Activation,
    /// Of what the embedding reads.
    pub norm: LayerNorm,
    /// `[vocab_size]`
    pub bias: Parameter,
}
parameters_of!(TokenScores { transform, norm, bias });

impl TokenScores {
    fn new(rng: &mut Rng, config: &BertConfig, init: Init) -> TokenScores {
        let d = config.d_model;
        TokenScores {
            transform: Linear::new(rng, d, d, init),
            activation: match config.variant {
                Variant::Roberta => Activation::Gelu,
                _ => config.activation,
            },
            norm: LayerNorm::new(d, config.eps),
            bias: Init::Zeros.parameter(rng, &[config.vocab_size]),
        }
    }

    /// `[.., d_model]` → `[.., vocab_size]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, hidden: &Var, embedding: &Embedding) -> Var {
        embedding.logits(&self.states(hidden)) + &*self.bias
    }

    /// What the transposed embedding reads: `[.., d_model]` → the same
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn states(&self, hidden: &Var) -> Var {
        self.norm.forward(&self.activation.apply(&self.transform.forward(hidden)))
    }
}

/// Two maps of the first token's state.
#[derive(Clone, Debug)]
pub struct ClassScores {
    /// `[d_model, d_model]`; BERT was pretrained with it.
    pub dense: Linear,
    /// Of what it gives: tanh, in DistilBERT ReLU.
    pub activation: Activation,
    /// `[d_model, n_labels]`
    pub classes: Linear,
    /// The probability that a number between them is dropped in training.
    pub dropout: Float,
}
parameters_of!(ClassScores { dense, classes });

impl ClassScores {
    fn new(rng: &mut Rng, config: &BertConfig, init: Init) -> ClassScores {
        let d = config.d_model;
        ClassScores {
            dense: Linear::new(rng, d, d, init),
            activation: match config.variant {
                Variant::DistilBert => Activation::Relu,
                _ => Activation::Tanh,
            },
            classes: Linear::new(rng, d, config.head.count(), init),
            dropout: config.classifier_dropout.unwrap_or(config.dropout),
        }
    }

    /// `[batch_size, seq_len, d_model]` → `[batch_size, n_labels]`
    ///
    /// # Panics
    /// If the last axis is not d_model.
    #[track_caller]
    pub fn forward(&self, hidden: &Var) -> Var {
        let dense = self.activation.apply(&self.dense.forward(&first_state(hidden)));
        self.classes.forward(&dense.dropout(self.dropout))
    }
}

/// `[batch_size, seq_len, d_model]` → `[batch_size, d_model]`
#[track_caller]
pub(super) fn first_state(hidden: &Var) -> Var {
    hidden.narrow(1, 0, 1).reshape(&[hidden.size(0), hidden.size(2)])
}

impl Module for EncoderHead {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        match self {
            EncoderHead::Hidden(pooler) => pooler.collect(&module::join(path, "pooler"), found),
            EncoderHead::LanguageModel(scores) => scores.collect(path, found),
            EncoderHead::Classification(scores) => scores.collect(path, found),
            EncoderHead::Span(span) => span.collect(&module::join(path, "span"), found),
        }
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        match self {
            EncoderHead::Hidden(pooler) => pooler.collect_mut(&module::join(path, "pooler"), found),
            EncoderHead::LanguageModel(scores) => scores.collect_mut(path, found),
            EncoderHead::Classification(scores) => scores.collect_mut(path, found),
            EncoderHead::Span(span) => span.collect_mut(&module::join(path, "span"), found),
        }
    }
}
