//! The sizes of a GPT-2.

use crate::models::head::{HeadConfig, HeadKind};
use crate::pretrained::{Config, token};
use crate::{Activation, Error, sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tensor::Float;

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
    /// The nonlinearity of the feed-forward networks.
    #[serde(rename = "activation_function")]
    pub activation: Activation,
    /// Whether the scores of attention are divided by √d_k.
    pub scale_attn_weights: bool,
    /// Whether they are divided by the number of the block too, the first being 1.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the output layer is the transposed embedding.
    pub tie_word_embeddings: bool,
    /// The token that begins a text.
    #[serde(deserialize_with = "token")]
    pub bos_token_id: Option<u32>,
    /// The token that ends a text.
    #[serde(deserialize_with = "token")]
    pub eos_token_id: Option<u32>,
    /// The token that stands for none; classifiers of Transformers need it.
    #[serde(deserialize_with = "token")]
    pub pad_token_id: Option<u32>,
    /// What the model is read for.
    #[serde(skip)]
    pub head: HeadConfig,
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
            activation: Activation::GeluTanh,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            bos_token_id: Some(50256),
            eos_token_id: Some(50256),
            pad_token_id: None,
            head: HeadConfig::default(),
        }
    }
}

impl Gpt2Config {
    /// Reads it from `config.json`.
    ///
    /// # Errors
    /// If an option is not supported, or the sizes do not make a model.
    pub fn from_json(config: &Config) -> Result<Gpt2Config, Error> {
        config.only(&[("model_type", json!("gpt2")), ("add_cross_attention", json!(false))])?;
        let head = HeadConfig::of(config, "GPT2", HeadKind::LanguageModel)?;
        let sizes: Gpt2Config = config.read(&json!({}))?;
        sizes.check().map_err(|error| config.wrong(error))?;
        Ok(Gpt2Config { head, ..sizes })
    }

    /// The keys of `config.json`.
    pub fn to_json(&self) -> Map<String, Value> {
        let value = serde_json::to_value(self).expect("plain numbers");
        let mut keys = value.as_object().cloned().unwrap_or_default();
        keys.insert("model_type".into(), json!("gpt2"));
        keys.extend(self.head.to_json("GPT2", "LMHeadModel"));
        keys
    }

    /// What block `layer`, counted from 0, multiplies the scores of attention with.
    pub(super) fn attention_scale(&self, layer: usize) -> Float {
        let d_k = (self.d_model / self.n_heads) as Float;
        let scale = if self.scale_attn_weights { 1.0 / d_k.sqrt() } else { 1.0 };
        let layers = if self.scale_attn_by_inverse_layer_idx { layer + 1 } else { 1 };
        scale / layers as Float
    }

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
        block.checked_mul(self.n_layers)?.checked_add(tables)
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
        sizes::check_count(self.n_layers, self.parameter_count())
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
