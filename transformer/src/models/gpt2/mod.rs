//! GPT-2: a stack of blocks between an embedding and its transpose. Radford et al. 2019.

mod config;
mod names;

pub use config::Gpt2Config;
pub use names::hugging_face_name;

use super::decoder_only::DecoderOnly;
use super::head::DecoderHead;
use crate::block::{NormPlacement, Residual};
use crate::pretrained::{Checkpoint, Config, Layout, Pretrained};
use crate::{
    Block, Embedding, Encoder, Error, FeedForward, Init, LayerNorm, MultiHeadAttention, Pass,
    parameters_of,
};
use autograd::Var;
use serde_json::{Map, Value};
use tensor::{Float, Rng, Tokens};

/// A GPT-2 language model.
///
/// ```
/// use tensor::{Rng, Tokens};
/// use transformer::{DecoderOnly, Gpt2, Gpt2Config};
/// let config =
///     Gpt2Config { vocab_size: 11, d_model: 8, n_layers: 1, n_heads: 2, ..Gpt2Config::default() };
/// let model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
/// let tokens = Tokens::batch(&[[1, 2, 3]], 11).unwrap();
/// assert_eq!(model.forward(&tokens).shape(), [1, 3, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct Gpt2 {
    /// Its sizes.
    pub config: Gpt2Config,
    /// A row for each token; its transpose is the output layer, unless the head has its own.
    pub token_embedding: Embedding,
    /// A row for each position.
    pub position_embedding: Embedding,
    /// The blocks and the normalization after the last.
    pub stack: Encoder,
    /// What the hidden states are read with.
    pub head: DecoderHead,
}
parameters_of!(Gpt2 { token_embedding, position_embedding, ..stack, head });

impl Gpt2 {
    /// Random weights: normal with deviation 0.02 (`initializer_range`), those that write to the
    /// residual stream divided by √(2 · n_layers) (section 2.3 of the paper); biases zero.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: Gpt2Config, rng: &mut Rng) -> Result<Gpt2, Error> {
        config.check()?;
        let (d_model, (init, _)) = (config.d_model, Gpt2::inits(&config));
        let sizes = (d_model, config.vocab_size);
        Ok(Gpt2 {
            token_embedding: Embedding::new(rng, config.vocab_size, d_model, init),
            position_embedding: Embedding::new(rng, config.max_seq_len, d_model, init),
            stack: Encoder {
                blocks: (0..config.n_layers).map(|i| Gpt2::new_block(&config, i, rng)).collect(),
                final_norm: Some(LayerNorm::new(d_model, config.eps).into()),
            },
            head: DecoderHead::new(rng, &config.head, config.tie_word_embeddings, sizes, init),
            config,
        })
    }

    fn new_block(config: &Gpt2Config, layer: usize, rng: &mut Rng) -> Block {
        let d_model = config.d_model;
        let (init, residual_init) = Gpt2::inits(config);
        let heads = (d_model, config.n_heads);
        let sizes = (d_model, config.d_ff.unwrap_or(4 * d_model));
        let attention = MultiHeadAttention::joined(rng, heads, init, residual_init);
        Block {
            norm_1: LayerNorm::new(d_model, config.eps).into(),
            attention: MultiHeadAttention {
                scale: config.attention_scale(layer),
                dropout: config.attention_dropout,
                ..attention
            },
            norm_2: LayerNorm::new(d_model, config.eps).into(),
            feed_forward: FeedForward::new(rng, sizes, config.activation, init, residual_init),
            residual: Residual { placement: NormPlacement::Pre, dropout: config.dropout },
        }
    }

    /// Of most weights, and of those that write to the residual stream.
    fn inits(config: &Gpt2Config) -> (Init, Init) {
        match config.initializer_range {
            0.0 => (Init::Zeros, Init::Zeros),
            std => {
                let residual = std / (2.0 * config.n_layers as Float).sqrt();
                (Init::Normal(std), Init::Normal(residual))
            }
        }
    }

    /// Sets all three dropout probabilities.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        let config = self.config.clone().with_dropout(p);
        config.check()?;
        for block in &mut self.stack.blocks {
            block.residual.dropout = p;
            block.attention.dropout = p;
        }
        self.config = config;
        Ok(())
    }
}

impl DecoderOnly for Gpt2 {
    fn name(&self) -> &'static str {
        "gpt2"
    }

    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn max_seq_len(&self) -> usize {
        self.config.max_seq_len
    }

    fn n_layers(&self) -> usize {
        self.config.n_layers
    }

    fn end_tokens(&self) -> Vec<u32> {
        self.config.eos_token_id.into_iter().collect()
    }

    fn head(&self) -> (&DecoderHead, &Embedding) {
        (&self.head, &self.token_embedding)
    }

    #[track_caller]
    fn read(&self, tokens: &Tokens, positions: &Tokens, pass: &mut Pass<'_>) -> Var {
        let x = self.token_embedding.forward(tokens);
        pass.note(|trace| trace.token_embeddings = Some(x.clone()));
        let x = x + self.position_embedding.forward(positions);
        self.stack.forward(&x.dropout(self.config.embedding_dropout), pass)
    }
}

impl Pretrained for Gpt2 {
    fn from_config(config: &Config) -> Result<Gpt2, Error> {
        let config = Gpt2Config::from_json(config)?;
        let empty = Gpt2Config { initializer_range: 0.0, ..config.clone() };
        Ok(Gpt2 { config, ..Gpt2::new(empty, &mut Rng::seeded(0))? })
    }

    fn config_json(&self) -> Map<String, Value> {
        self.config.to_json()
    }

    fn layout(&self) -> Layout {
        names::LAYOUT
    }

    /// A file with another output layer than the table is not tied, whatever its configuration says.
    fn settle(checkpoint: &mut Checkpoint) {
        checkpoint.untie("wte.weight", "lm_head.weight");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "gpt2: the context holds 4 positions: [5]; cut the sequence")]
    fn a_sequence_longer_than_the_context_is_a_bug() {
        let config = Gpt2Config {
            vocab_size: 5,
            max_seq_len: 4,
            d_model: 4,
            n_layers: 1,
            n_heads: 1,
            ..Gpt2Config::default()
        };
        let model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
        model.forward(&Tokens::batch(&[[0; 5]], 5).unwrap());
    }
}
