//! An encoder that reads in both directions and fills in masked tokens. Devlin et al. 2019.

use crate::block::Residual;
use crate::{
    Activation, Block, Embedding, Encoder, Error, FeedForward, Init, LayerNorm, MultiHeadAttention,
    NormPlacement, Padded, Pass, Trace, parameters_of, sizes,
};
use autograd::{Parameter, Var, cross_entropy};
use serde::{Deserialize, Serialize};
use tensor::{Float, Rng, Targets, Tensor, Tokens};

/// The sizes of a masked language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskedLanguageModelConfig {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence, in tokens.
    pub max_seq_len: usize,
    /// The width of the residual stream.
    pub d_model: usize,
    /// The number of blocks.
    pub n_layers: usize,
    /// Attention heads of each block.
    pub n_heads: usize,
    /// The width inside the feed-forward networks.
    pub d_ff: usize,
    /// The deviation of initial weights.
    pub initializer_range: Float,
    /// Dropout of the embeddings, and of what is added to the residual stream.
    pub dropout: Float,
    /// ε of the layer normalizations.
    pub eps: Float,
}

impl Default for MaskedLanguageModelConfig {
    /// BERT's base model (section 3).
    fn default() -> MaskedLanguageModelConfig {
        MaskedLanguageModelConfig {
            vocab_size: 30522,
            max_seq_len: 512,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            initializer_range: 0.02,
            dropout: 0.1,
            eps: 1e-12,
        }
    }
}

/// An encoder with learned positions; its embedding, transposed, gives the scores of each token.
///
/// Departs from BERT in that it normalizes before each part (T1), which trains without a warm-up,
/// and has neither segments nor a layer between encoder and scores.
///
/// ```
/// use transformer::{MaskedLanguageModel, MaskedLanguageModelConfig, Padded};
/// let sizes = MaskedLanguageModelConfig { vocab_size: 11, n_layers: 1, ..Default::default() };
/// let model = MaskedLanguageModel::new(sizes, &mut tensor::Rng::seeded(1)).unwrap();
/// let text = Padded::right(&[vec![5, 1, 7]], 11).unwrap();
/// assert_eq!(model.forward(&text).shape(), [1, 3, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct MaskedLanguageModel {
    /// Its sizes.
    pub config: MaskedLanguageModelConfig,
    /// A row for each token; its transpose is the output layer.
    pub token_embedding: Embedding,
    /// A row for each position.
    pub position_embedding: Embedding,
    /// The blocks and the normalization after the last.
    pub encoder: Encoder,
    /// Added to the scores, `[vocab_size]`.
    pub output_bias: Parameter,
}
parameters_of!(MaskedLanguageModel { token_embedding, position_embedding, encoder, output_bias });

impl MaskedLanguageModel {
    /// Random weights: normal with deviation `initializer_range`, 0.02 in BERT; biases zero.
    ///
    /// # Errors
    /// If a size is 0, the heads do not divide the width, or the dropout is not in [0, 1).
    pub fn new(
        config: MaskedLanguageModelConfig,
        rng: &mut Rng,
    ) -> Result<MaskedLanguageModel, Error> {
        check(&config)?;
        let (d_model, init) = (config.d_model, Init::Normal(config.initializer_range));
        Ok(MaskedLanguageModel {
            token_embedding: Embedding::new(rng, config.vocab_size, d_model, init),
            position_embedding: Embedding::new(rng, config.max_seq_len, d_model, init),
            encoder: Encoder {
                blocks: (0..config.n_layers).map(|_| block(&config, rng)).collect(),
                final_norm: Some(LayerNorm::new(d_model, config.eps).into()),
            },
            output_bias: Parameter::new(Tensor::zeros(&[config.vocab_size])),
            config,
        })
    }

    /// The scores of each token at each position:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, vocab_size]`
    ///
    /// # Panics
    /// If the sequences are longer than the context, or of another vocabulary.
    #[track_caller]
    pub fn forward(&self, text: &Padded) -> Var {
        self.logits(&self.hidden(text, None))
    }

    /// The cross-entropy of the targets that count, one for each position, averaged. Only they are
    /// given scores.
    ///
    /// # Panics
    /// As [`MaskedLanguageModel::forward`], or if the targets are not as many as the positions or
    /// none counts.
    #[track_caller]
    pub fn loss(&self, text: &Padded, targets: &Targets) -> Var {
        let hidden = self.hidden(text, None);
        let rows = hidden.reshape(&[text.tokens.ids().len(), hidden.size(-1)]);
        let counts = |(_, id): &(u32, &u32)| **id != Targets::IGNORED;
        let (places, ids): (Vec<u32>, Vec<u32>) = (0..).zip(targets.ids()).filter(counts).unzip();
        let wrong = "a place and an id come from checked ones";
        let places = Tokens::new(places, rows.size(0)).expect(wrong);
        let targets = Targets::new(ids, targets.vocab_size()).expect(wrong);
        cross_entropy(&self.logits(&rows.embedding(&places)), &targets)
    }

    /// The encoder's output, `[batch_size, seq_len, d_model]`; what the blocks saw is noted in
    /// `trace`.
    ///
    /// # Panics
    /// As [`MaskedLanguageModel::forward`].
    #[track_caller]
    pub fn hidden(&self, text: &Padded, trace: Option<&mut Trace>) -> Var {
        let seq_len = text.tokens.shape()[1];
        let limit = self.config.max_seq_len;
        let positions = Tokens::new((0..seq_len as u32).collect::<Vec<_>>(), limit);
        let positions = positions.unwrap_or_else(|_| {
            let rule = format!("the context holds {limit} positions");
            let shape = text.tokens.shape();
            tensor::shape::wrong("masked_language_model", &rule, &[shape], "cut the sequence")
        });
        let tokens = self.token_embedding.forward(&text.tokens);
        let x = tokens + self.position_embedding.forward(&positions);
        let mut pass = Pass { mask: text.mask(), trace, ..Pass::default() };
        self.encoder.forward(&x.dropout(self.config.dropout), &mut pass)
    }

    /// The scores of each token from hidden states: `[.., d_model]` → `[.., vocab_size]`
    #[track_caller]
    pub fn logits(&self, hidden: &Var) -> Var {
        self.token_embedding.logits(hidden) + &*self.output_bias
    }
}

fn check(config: &MaskedLanguageModelConfig) -> Result<(), Error> {
    let named = [
        ("vocab_size", config.vocab_size),
        ("max_seq_len", config.max_seq_len),
        ("d_model", config.d_model),
        ("n_layers", config.n_layers),
        ("n_heads", config.n_heads),
        ("d_ff", config.d_ff),
    ];
    sizes::check(&named, (config.d_model, config.n_heads), &[config.dropout])
}

fn block(config: &MaskedLanguageModelConfig, rng: &mut Rng) -> Block {
    let (d_model, init) = (config.d_model, Init::Normal(config.initializer_range));
    let sizes = (d_model, config.d_ff);
    Block {
        norm_1: LayerNorm::new(d_model, config.eps).into(),
        attention: MultiHeadAttention::apart(rng, (d_model, config.n_heads), init, init),
        norm_2: LayerNorm::new(d_model, config.eps).into(),
        feed_forward: FeedForward::new(rng, sizes, Activation::Gelu, init, init),
        residual: Residual { placement: NormPlacement::Pre, dropout: config.dropout },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> MaskedLanguageModel {
        let config = MaskedLanguageModelConfig {
            vocab_size: 11,
            max_seq_len: 4,
            d_model: 8,
            n_layers: 1,
            n_heads: 2,
            d_ff: 16,
            initializer_range: 0.5,
            ..MaskedLanguageModelConfig::default()
        };
        MaskedLanguageModel::new(config, &mut Rng::seeded(1)).unwrap()
    }

    #[test]
    fn the_loss_is_that_of_all_scores() {
        let text = Padded::right(&[vec![1, 2, 3], vec![4]], 11).unwrap();
        let ignored = Targets::IGNORED;
        let targets = Targets::new([5, ignored, 6, 7, ignored, ignored], 11).unwrap();
        let model = model();
        let whole = cross_entropy(&model.forward(&text), &targets).item();
        assert!((model.loss(&text, &targets).item() - whole).abs() < 1e-5);
    }

    #[test]
    fn padding_changes_nothing_and_the_future_is_seen() {
        let model = model();
        let scores = |rows: &[Vec<u32>]| model.forward(&Padded::right(rows, 11).unwrap());
        let both = scores(&[vec![1, 2], vec![3, 4, 5, 6]]).narrow(0, 0, 1).narrow(1, 0, 2);
        let alone = scores(&[vec![1, 2]]);
        assert!((both - &alone).value().to_vec().iter().all(|d| d.abs() < 1e-5));
        let other = scores(&[vec![1, 9]]).narrow(1, 0, 1) - alone.narrow(1, 0, 1);
        assert!(other.value().to_vec().iter().any(|d| d.abs() > 1e-3));
    }

    #[test]
    #[should_panic(
        expected = "masked_language_model: the context holds 4 positions: [1, 5]; cut the sequence"
    )]
    fn a_sequence_longer_than_the_context_is_a_bug() {
        model().forward(&Padded::right(&[vec![0; 5]], 11).unwrap());
    }
}
