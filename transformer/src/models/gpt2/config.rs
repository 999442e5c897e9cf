//! The sizes of a GPT-2.

use crate::{Error, sizes};
use serde::{Deserialize, Serialize};
use tensor::Float;

/// More blocks than this are a wrong number.
const MAX_LAYERS: usize = 1000;

/// The sizes of a GPT-2, under Hugging Face's names in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpt2Config {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence, in tokens.
    #[serde(rename = "n_positions")]
    pub max_seq_len: usize,
    /// The width of the residual stream.
    #[serde(rename = "n_embd")]
    pub d_model: usize,
    /// The number of blocks.
    #[serde(rename = "n_layer")]
    pub n_layers: usize,
    /// Attention heads of each block.
    #[serde(rename = "n_head")]
    pub n_heads: usize,
    /// The width inside the feed-forward network; 4 · d_model where absent.
    #[serde(rename = "n_inner")]
    pub d_ff: Option<usize>,
    /// Dropout of what is added to the residual stream.
    #[serde(rename = "resid_pdrop")]
    pub dropout: Float,
    /// Dropout of the embeddings.
    #[serde(rename = "embd_pdrop")]
    pub embedding_dropout: Float,
    /// Dropout of attention weights.
    #[serde(rename = "attn_pdrop")]
    pub attention_dropout: Float,
    /// ε of the layer normalizations.
    #[serde(rename = "layer_norm_epsilon")]
    pub eps: Float,
    /// The deviation of initial weights.
    pub initializer_range: Float,
    /// The token that ends a text.
    pub eos_token_id: Option<u32>,
}

impl Default for Gpt2Config {
    /// GPT-2 with 124 million parameters.
    fn default() -> Gpt2Config {
        Gpt2Config {
            vocab_size: 50257,
            max_seq_len: 1024,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: None,
            dropout: 0.1,
            embedding_dropout: 0.1,
            attention_dropout: 0.1,
            eps: 1e-5,
            initializer_range: 0.02,
            eos_token_id: Some(50256),
        }
    }
}

impl Gpt2Config {
    /// All three dropout probabilities set to `p`.
    pub fn with_dropout(self, p: Float) -> Gpt2Config {
        Gpt2Config { dropout: p, embedding_dropout: p, attention_dropout: p, ..self }
    }

    /// How many numbers all parameters hold, if they can be counted at all.
    fn parameter_count(&self) -> Option<usize> {
        let d = self.d_model;
        let d_ff = self.d_ff.map_or(d.checked_mul(4), Some)?;
        let block =
            d.checked_mul(d)?.checked_mul(4)?.checked_add(d.checked_mul(d_ff)?.checked_mul(2)?)?;
        let tables = self.vocab_size.checked_add(self.max_seq_len)?.checked_mul(d)?;
        let all = block.checked_mul(self.n_layers)?.checked_add(tables)?;
        (all < 1 << 48).then_some(all)
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0 or absurd, the heads do not divide the width, or a probability is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let named = [
            ("vocab_size", self.vocab_size),
            ("n_positions", self.max_seq_len),
            ("n_embd", self.d_model),
            ("n_layer", self.n_layers),
            ("n_head", self.n_heads),
            ("n_inner", self.d_ff.unwrap_or(1)),
        ];
        let dropouts = [self.dropout, self.embedding_dropout, self.attention_dropout];
        sizes::check(&named, (self.d_model, self.n_heads), &dropouts)?;
        if self.n_layers > MAX_LAYERS || self.parameter_count().is_none() {
            return Err(Error::Request(
                "the model's sizes are beyond what any machine holds; look for a wrong number"
                    .into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_make_no_model_are_errors() {
        let config = Gpt2Config { d_model: 10, n_heads: 4, ..Gpt2Config::default() };
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "4 heads do not divide a width of 10; choose a width that is a multiple of the heads"
        );
        let config = Gpt2Config { n_layers: 0, ..Gpt2Config::default() };
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "the model's n_layer is 0; it must be at least 1"
        );
    }

    #[test]
    fn absurd_sizes_are_errors() {
        let error = "the model's sizes are beyond what any machine holds; look for a wrong number";
        let base = Gpt2Config::default;
        for config in [
            Gpt2Config { n_layers: 1_000_000_000, ..base() },
            Gpt2Config { vocab_size: usize::MAX, ..base() },
            Gpt2Config { d_model: 1 << 40, n_heads: 1, ..base() },
            Gpt2Config { d_ff: Some(usize::MAX / 2), ..base() },
        ] {
            assert_eq!(config.check().unwrap_err().to_string(), error);
        }
    }
}
