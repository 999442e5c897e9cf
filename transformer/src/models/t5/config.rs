//! The sizes of a T5.

use crate::models::head::{HeadConfig, HeadKind};
use crate::pretrained::{Config, token, tokens};
use crate::{Activation, Error, sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tensor::Float;

/// The sizes of a T5, under Hugging Face's names in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct T5Config {
    /// Tokens of the vocabulary that source and target share.
    pub vocab_size: usize,
    /// The width of the residual streams.
    pub d_model: usize,
    /// The width of a head; the heads together need not be as wide as the residual stream.
    #[serde(rename = "d_kv")]
    pub d_k: usize,
    /// The width inside the feed-forward networks.
    pub d_ff: usize,
    /// Blocks of the encoder.
    #[serde(rename = "num_layers")]
    pub n_layers: usize,
    /// Blocks of the decoder; as many as of the encoder where absent.
    #[serde(rename = "num_decoder_layers")]
    pub n_decoder_layers: Option<usize>,
    /// Attention heads of each block.
    #[serde(rename = "num_heads")]
    pub n_heads: usize,
    /// How many numbers each head has for distances.
    #[serde(rename = "relative_attention_num_buckets")]
    pub n_buckets: usize,
    /// Distances from this one on share a number.
    #[serde(rename = "relative_attention_max_distance")]
    pub max_distance: usize,
    /// Dropout, wherever there is any.
    #[serde(rename = "dropout_rate")]
    pub dropout: Float,
    /// ε of the normalizations.
    #[serde(rename = "layer_norm_epsilon")]
    pub eps: Float,
    /// What the deviations of initial weights are multiplied with.
    pub initializer_factor: Float,
    /// The nonlinearity of the feed-forward networks, `gated-` before it where they have a gate.
    #[serde(rename = "feed_forward_proj")]
    pub feed_forward: String,
    /// The token that a target begins with.
    #[serde(rename = "decoder_start_token_id", deserialize_with = "token")]
    pub start_token: Option<u32>,
    /// The tokens that end a text.
    #[serde(deserialize_with = "tokens")]
    pub eos_token_id: Vec<u32>,
    /// The token that stands for none.
    #[serde(deserialize_with = "token")]
    pub pad_token_id: Option<u32>,
    /// Whether what the output layer reads is divided by √d_model: v1.0.
    #[serde(rename = "scale_decoder_outputs", skip_deserializing)]
    pub scales_output: bool,
    /// Whether the output layer is a matrix of its own: v1.1.
    #[serde(skip)]
    pub has_own_output: bool,
    /// What the model is read for.
    #[serde(skip)]
    pub head: HeadConfig,
}

impl Default for T5Config {
    /// T5-small, 60 million parameters.
    fn default() -> T5Config {
        T5Config {
            vocab_size: 32128,
            d_model: 512,
            d_k: 64,
            d_ff: 2048,
            n_layers: 6,
            n_decoder_layers: None,
            n_heads: 8,
            n_buckets: 32,
            max_distance: 128,
            dropout: 0.1,
            eps: 1e-6,
            initializer_factor: 1.0,
            feed_forward: "relu".into(),
            start_token: Some(0),
            eos_token_id: vec![1],
            pad_token_id: Some(0),
            scales_output: true,
            has_own_output: false,
            head: HeadConfig::default(),
        }
    }
}

/// The key that [`crate::Pretrained::settle`] puts where a file has an output layer of its own.
pub(super) const OWN_OUTPUT: &str = "has_own_output";

impl T5Config {
    /// Reads it from `config.json`. Whether the output is scaled is told by `scale_decoder_outputs`,
    /// and where that is absent, by `tie_word_embeddings`.
    ///
    /// # Errors
    /// If an option is not supported, or the sizes do not make a model.
    pub fn from_json(config: &Config) -> Result<T5Config, Error> {
        config.only(&[("model_type", json!("t5")), ("is_decoder", json!(false))])?;
        let head = HeadConfig::of(config, "T5", HeadKind::LanguageModel)?;
        if matches!(head.kind, HeadKind::Classification | HeadKind::Span) {
            let name = config.architecture().unwrap_or_default();
            return Err(config.wrong(format!(
                "architectures names {name}; T5Model and T5ForConditionalGeneration are supported"
            )));
        }
        let sizes: T5Config = config.read(&json!({}))?;
        let truth = |key| config.get(key).map(|value| value == &json!(true));
        let scales_output =
            truth("scale_decoder_outputs").or(truth("tie_word_embeddings")).unwrap_or(true);
        let has_own_output =
            head.kind == HeadKind::LanguageModel && truth(OWN_OUTPUT).unwrap_or(false);
        let read = T5Config { head, scales_output, has_own_output, ..sizes };
        read.check().map_err(|error| config.wrong(error))?;
        Ok(read)
    }

    /// The keys of `config.json`.
    pub fn to_json(&self) -> Map<String, Value> {
        let value = serde_json::to_value(self).expect("plain numbers");
        let mut keys = value.as_object().cloned().unwrap_or_default();
        keys.insert("model_type".into(), json!("t5"));
        keys.insert("is_encoder_decoder".into(), json!(true));
        keys.insert("num_decoder_layers".into(), json!(self.n_decoder_layers()));
        keys.insert("tie_word_embeddings".into(), json!(!self.has_own_output));
        if let [one] = self.eos_token_id[..] {
            keys.insert("eos_token_id".into(), json!(one));
        }
        keys.extend(self.head.to_json("T5", "ForConditionalGeneration"));
        keys
    }

    /// Blocks of the decoder.
    pub fn n_decoder_layers(&self) -> usize {
        self.n_decoder_layers.unwrap_or(self.n_layers)
    }

    /// The nonlinearity of the feed-forward networks, and whether they have a gate.
    ///
    /// # Errors
    /// If there is no such nonlinearity.
    pub fn activation(&self) -> Result<(Activation, bool), Error> {
        // Transformers takes "gated-gelu" for the form through tanh, with which v1.1 was trained.
        let (name, is_gated) = match self.feed_forward.strip_prefix("gated-") {
            Some("gelu") => ("gelu_new", true),
            Some(name) => (name, true),
            None => (self.feed_forward.as_str(), false),
        };
        let activation = serde_json::from_value(json!(name)).map_err(|_| {
            Error::Request(format!(
                "feed_forward_proj is \"{}\"; it is a nonlinearity such as relu, gelu or silu, \
                 gated- before it where there is a gate",
                self.feed_forward
            ))
        })?;
        Ok((activation, is_gated))
    }

    /// How many numbers the matrices hold, if they can be counted at all.
    fn parameter_count(&self) -> Option<usize> {
        let d = self.d_model;
        let attention = d.checked_mul(self.n_heads)?.checked_mul(self.d_k)?.checked_mul(4)?;
        let feed_forward = d.checked_mul(self.d_ff)?.checked_mul(3)?;
        let block = attention.checked_mul(2)?.checked_add(feed_forward)?;
        let blocks = self.n_layers.checked_add(self.n_decoder_layers())?;
        let tables = self.vocab_size.checked_mul(d)?.checked_mul(2)?;
        let distances = self.n_buckets.checked_mul(self.n_heads)?;
        block.checked_mul(blocks)?.checked_add(tables)?.checked_add(distances)
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0 or absurd, distances do not fit their buckets, the nonlinearity is unknown, or
    /// the dropout is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let named = [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_k),
            ("d_ff", self.d_ff),
            ("num_layers", self.n_layers),
            ("num_decoder_layers", self.n_decoder_layers()),
            ("num_heads", self.n_heads),
        ];
        sizes::check(&named, (0, 1), &[self.dropout])?;
        if self.n_buckets < 4 || self.max_distance <= self.n_buckets / 2 {
            return Err(Error::Request(format!(
                "relative_attention_num_buckets {} and relative_attention_max_distance {} do not go \
                 together: at least 4, and more than half of them",
                self.n_buckets, self.max_distance
            )));
        }
        self.activation()?;
        let layers = self.n_layers.max(self.n_decoder_layers());
        sizes::check_count(layers, self.parameter_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: Value) -> Result<T5Config, Error> {
        let values = values.as_object().unwrap().clone();
        T5Config::from_json(&Config { path: "config.json".into(), values })
    }

    #[test]
    fn the_scaling_is_told_by_either_key() {
        let scales = |values| read(values).unwrap().scales_output;
        assert!(scales(json!({})) && scales(json!({ "tie_word_embeddings": true })));
        assert!(!scales(json!({ "tie_word_embeddings": false })));
        let both =
            |scale: bool| json!({ "tie_word_embeddings": !scale, "scale_decoder_outputs": scale });
        assert!(scales(both(true)) && !scales(both(false)));
    }

    #[test]
    fn nonlinearities_and_gates() {
        let of =
            |name: &str| read(json!({ "feed_forward_proj": name })).unwrap().activation().unwrap();
        assert_eq!(of("relu"), (Activation::Relu, false));
        assert_eq!(of("gated-gelu"), (Activation::GeluTanh, true));
        assert_eq!(of("gated-silu"), (Activation::Silu, true));
        let error = read(json!({ "feed_forward_proj": "gated-mish" })).unwrap_err().to_string();
        assert!(error.starts_with("config.json: feed_forward_proj is \"gated-mish\";"), "{error}");
    }

    #[test]
    fn what_makes_no_model_is_an_error() {
        let error = |values| read(values).unwrap_err().to_string();
        assert!(
            error(json!({ "num_layers": 1u64 << 40 })).contains("beyond what any machine holds")
        );
        assert!(error(json!({ "d_kv": u64::MAX })).contains("beyond what any machine holds"));
        assert!(error(json!({ "num_decoder_layers": 0 })).contains("num_decoder_layers is 0"));
        assert!(
            error(json!({ "relative_attention_max_distance": 8 })).contains("do not go together")
        );
        assert_eq!(
            error(json!({ "architectures": ["T5ForQuestionAnswering"] })),
            "config.json: architectures names T5ForQuestionAnswering; T5Model and \
             T5ForConditionalGeneration are supported"
        );
    }
}
