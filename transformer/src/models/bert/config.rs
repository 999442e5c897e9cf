//! The sizes of a BERT.

use crate::models::head::{HeadConfig, HeadKind};
use crate::models::{distilbert, roberta};
use crate::pretrained::{Config, token};
use crate::{Activation, Error, sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tensor::Float;

/// Which of the models that are built as BERT is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Devlin et al. 2019.
    #[default]
    Bert,
    /// Liu et al. 2019: [`roberta`].
    Roberta,
    /// Sanh et al. 2019: [`distilbert`].
    DistilBert,
}

/// The sizes of a BERT, under Hugging Face's names in its `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Rows of the table of positions.
    #[serde(rename = "max_position_embeddings")]
    pub max_seq_len: usize,
    /// Rows of the table of segments; none in DistilBERT.
    #[serde(rename = "type_vocab_size")]
    pub n_segments: usize,
    /// The width of the residual stream.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// The number of blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// Attention heads of each block.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// The width inside the feed-forward network.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// The nonlinearity of the feed-forward networks.
    #[serde(rename = "hidden_act")]
    pub activation: Activation,
    /// ε of the layer normalizations.
    #[serde(rename = "layer_norm_eps")]
    pub eps: Float,
    /// Dropout of the embeddings and of what is added to the residual stream.
    #[serde(rename = "hidden_dropout_prob")]
    pub dropout: Float,
    /// Dropout of attention weights.
    #[serde(rename = "attention_probs_dropout_prob")]
    pub attention_dropout: Float,
    /// Dropout of what the head reads; `dropout` where absent.
    pub classifier_dropout: Option<Float>,
    /// The deviation of initial weights.
    pub initializer_range: Float,
    /// The token that stands for none.
    #[serde(deserialize_with = "token")]
    pub pad_token_id: Option<u32>,
    /// The token that begins a text.
    #[serde(deserialize_with = "token")]
    pub bos_token_id: Option<u32>,
    /// The token that ends a text.
    #[serde(deserialize_with = "token")]
    pub eos_token_id: Option<u32>,
    /// Which of the models that are built so it is.
    #[serde(skip)]
    pub variant: Variant,
    /// What the model is read for.
    #[serde(skip)]
    pub head: HeadConfig,
    /// Whether a model that is read for nothing has the map of its first state (`pooler_output`).
    #[serde(skip)]
    pub has_pooler: bool,
}

impl Default for BertConfig {
    /// BERT-base, 110 million parameters.
    fn default() -> BertConfig {
        BertConfig {
            vocab_size: 30522,
            max_seq_len: 512,
            n_segments: 2,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: 3072,
            activation: Activation::Gelu,
            eps: 1e-12,
            dropout: 0.1,
            attention_dropout: 0.1,
            classifier_dropout: None,
            initializer_range: 0.02,
            pad_token_id: Some(0),
            bos_token_id: None,
            eos_token_id: None,
            variant: Variant::Bert,
            head: HeadConfig { kind: HeadKind::Hidden, ..HeadConfig::default() },
            has_pooler: true,
        }
    }
}

/// The key that [`crate::Pretrained::settle`] puts where a file has no pooler.
pub(super) const POOLER: &str = "add_pooling_layer";

impl BertConfig {
    /// Reads it from `config.json` of a BERT, a RoBERTa or a DistilBERT.
    ///
    /// # Errors
    /// If an option is not supported, or the sizes do not make a model.
    pub fn from_json(config: &Config) -> Result<BertConfig, Error> {
        let (sizes, family) = match config.text("model_type") {
            Some("roberta") => (roberta::config(config)?, "Roberta"),
            Some("distilbert") => (distilbert::config(config)?, "DistilBert"),
            _ => (bert(config)?, "Bert"),
        };
        let head = HeadConfig::of(config, family, HeadKind::Hidden)?;
        if head.kind == HeadKind::LanguageModel {
            config.only(&[("tie_word_embeddings", json!(true))])?;
        }
        sizes.check().map_err(|error| config.wrong(error))?;
        let has_pooler =
            sizes.variant != Variant::DistilBert && config.get(POOLER) != Some(&json!(false));
        Ok(BertConfig { head, has_pooler, ..sizes })
    }

    /// The keys of `config.json`.
    pub fn to_json(&self) -> Map<String, Value> {
        let (mut keys, family) = match self.variant {
            Variant::Bert => (self.keys("bert"), "Bert"),
            Variant::Roberta => (self.keys("roberta"), "Roberta"),
            Variant::DistilBert => (distilbert::keys(self), "DistilBert"),
        };
        keys.extend(self.head.to_json(family, "ForMaskedLM"));
        keys
    }

    fn keys(&self, model_type: &str) -> Map<String, Value> {
        let value = serde_json::to_value(self).expect("plain numbers");
        let mut keys = value.as_object().cloned().unwrap_or_default();
        keys.insert("model_type".into(), json!(model_type));
        keys
    }

    /// All dropout probabilities set to `p`.
    pub fn with_dropout(self, p: Float) -> BertConfig {
        let classifier_dropout = self.classifier_dropout.map(|_| p);
        BertConfig { dropout: p, attention_dropout: p, classifier_dropout, ..self }
    }

    /// Positions that the table has rows for beside those of tokens: RoBERTa counts from the padding
    /// token's id on.
    pub(super) fn first_position(&self) -> usize {
        match self.variant {
            Variant::Roberta => self.pad_token_id.map_or(0, |id| id as usize + 1),
            _ => 0,
        }
    }

    /// The longest text, in tokens.
    pub fn longest_text(&self) -> usize {
        self.max_seq_len.saturating_sub(self.first_position())
    }

    /// How many numbers all parameters hold, if they can be counted at all.
    fn parameter_count(&self) -> Option<usize> {
        let d = self.d_model;
        let block = d.checked_mul(d)?.checked_mul(4)?;
        let block = block.checked_add(d.checked_mul(self.d_ff)?.checked_mul(2)?)?;
        let rows = self.vocab_size.checked_add(self.max_seq_len)?.checked_add(self.n_segments)?;
        block.checked_mul(self.n_layers)?.checked_add(rows.checked_mul(d)?)
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0 or absurd, the heads do not divide the width, or a probability is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let named = [
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.longest_text()),
            ("width", self.d_model),
            ("number of layers", self.n_layers),
            ("number of heads", self.n_heads),
            ("feed-forward width", self.d_ff),
        ];
        let dropouts =
            [self.dropout, self.attention_dropout, self.classifier_dropout.unwrap_or(0.0)];
        sizes::check(&named, (self.d_model, self.n_heads), &dropouts)?;
        sizes::check_count(self.n_layers, self.parameter_count())
    }
}

/// Reads BERT's own keys.
fn bert(config: &Config) -> Result<BertConfig, Error> {
    config.only(&[("model_type", json!("bert"))])?;
    supported(config)?;
    config.read(&json!({}))
}

/// Options that BERT and RoBERTa share and that are not supported.
pub(in crate::models) fn supported(config: &Config) -> Result<(), Error> {
    config.only(&[
        ("is_decoder", json!(false)),
        ("add_cross_attention", json!(false)),
        ("position_embedding_type", json!("absolute")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(values: Value) -> String {
        let values = values.as_object().unwrap().clone();
        let config = Config { path: "config.json".into(), values };
        BertConfig::from_json(&config).unwrap_err().to_string()
    }

    #[test]
    fn options_that_are_not_supported_are_named() {
        assert_eq!(
            error(json!({ "position_embedding_type": "relative_key" })),
            "config.json: position_embedding_type is \"relative_key\"; only \"absolute\" is supported"
        );
        assert_eq!(
            error(json!({ "model_type": "roberta", "is_decoder": true })),
            "config.json: is_decoder is true; only false is supported"
        );
        assert!(error(json!({ "hidden_act": "mish" })).contains("hidden_act: "));
        let untied = json!({ "architectures": ["BertForMaskedLM"], "tie_word_embeddings": false });
        assert_eq!(
            error(untied),
            "config.json: tie_word_embeddings is false; only true is supported"
        );
    }

    #[test]
    fn absurd_sizes_are_errors() {
        let absurd = "beyond what any machine holds";
        assert!(error(json!({ "num_hidden_layers": 1_000_000 })).contains(absurd));
        assert!(error(json!({ "vocab_size": u64::MAX })).contains(absurd));
        assert!(
            error(json!({ "model_type": "distilbert", "hidden_dim": 1u64 << 60 })).contains(absurd)
        );
        assert!(error(json!({ "hidden_size": 10 })).contains("12 heads do not divide"));
    }

    #[test]
    fn roberta_counts_positions_from_its_padding_token_on() {
        let values = json!({ "model_type": "roberta" }).as_object().unwrap().clone();
        let config = Config { path: "config.json".into(), values };
        let config = BertConfig::from_json(&config).unwrap();
        assert_eq!((config.pad_token_id, config.longest_text()), (Some(1), 510));
        let no_room = json!({ "model_type": "roberta", "pad_token_id": 600 });
        assert!(error(no_room).contains("max_position_embeddings is 0"));
    }
}
