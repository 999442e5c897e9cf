//! The sizes of a Llama, a Qwen2 or a Qwen3.

use super::rope::Rope;
use super::{Family, qwen2, qwen3};
use crate::models::head::{HeadConfig, HeadKind};
use crate::pretrained::{Config, token, tokens};
use crate::{Activation, Error, sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tensor::Float;

/// Heads as wide as this are a wrong number.
const MAX_HEAD_WIDTH: usize = 1 << 20;

/// The sizes of a Llama, a Qwen2 or a Qwen3, under Hugging Face's names in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// Which of the three it is.
    #[serde(skip)]
    pub family: Family,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence, in tokens.
    #[serde(rename = "max_position_embeddings")]
    pub max_seq_len: usize,
    /// The width of the residual stream.
    #[serde(rename = "hidden_size")]
    pub d_model: usize,
    /// The number of blocks.
    #[serde(rename = "num_hidden_layers")]
    pub n_layers: usize,
    /// Heads of queries of each block.
    #[serde(rename = "num_attention_heads")]
    pub n_heads: usize,
    /// Heads of keys and values; as many as of queries where absent.
    #[serde(rename = "num_key_value_heads")]
    pub n_kv_heads: Option<usize>,
    /// The width of a head; d_model / n_heads where absent.
    #[serde(rename = "head_dim")]
    pub d_k: Option<usize>,
    /// The width inside the feed-forward network.
    #[serde(rename = "intermediate_size")]
    pub d_ff: usize,
    /// The nonlinearity of the gate.
    #[serde(rename = "hidden_act")]
    pub activation: Activation,
    /// Whether the maps of attention have biases; Qwen2's to queries, keys and values always have.
    #[serde(default)]
    pub attention_bias: bool,
    /// Whether the maps of the feed-forward network have biases.
    #[serde(default)]
    pub mlp_bias: bool,
    /// Dropout of attention weights.
    pub attention_dropout: Float,
    /// ε of the normalizations.
    #[serde(rename = "rms_norm_eps")]
    pub eps: Float,
    /// The deviation of initial weights.
    pub initializer_range: Float,
    /// Whether the output layer is the transposed embedding.
    pub tie_word_embeddings: bool,
    /// The token that begins a text.
    #[serde(default, deserialize_with = "token")]
    pub bos_token_id: Option<u32>,
    /// The tokens that end a text.
    #[serde(default, deserialize_with = "tokens")]
    pub eos_token_id: Vec<u32>,
    /// The token that stands for none.
    #[serde(default, deserialize_with = "token")]
    pub pad_token_id: Option<u32>,
    /// How positions become angles.
    #[serde(skip)]
    pub rope: Rope,
    /// What the model is read for.
    #[serde(skip)]
    pub head: HeadConfig,
}

impl Default for LlamaConfig {
    /// Llama with 7 billion parameters.
    fn default() -> LlamaConfig {
        LlamaConfig {
            family: Family::Llama,
            vocab_size: 32000,
            max_seq_len: 2048,
            d_model: 4096,
            n_layers: 32,
            n_heads: 32,
            n_kv_heads: None,
            d_k: None,
            d_ff: 11008,
            activation: Activation::Silu,
            attention_bias: false,
            mlp_bias: false,
            attention_dropout: 0.0,
            eps: 1e-6,
            initializer_range: 0.02,
            tie_word_embeddings: false,
            bos_token_id: Some(1),
            eos_token_id: vec![2],
            pad_token_id: None,
            rope: Rope::default(),
            head: HeadConfig::default(),
        }
    }
}

impl LlamaConfig {
    /// Reads it from `config.json`.
    ///
    /// # Errors
    /// If an option is not supported, or the sizes do not make a model.
    pub fn from_json(config: &Config) -> Result<LlamaConfig, Error> {
        let family = Family::of(config)?;
        family.refuse_unsupported(config)?;
        let absent = match family {
            Family::Llama => LlamaConfig::default(),
            Family::Qwen2 => qwen2::defaults(),
            Family::Qwen3 => qwen3::defaults(),
        };
        let sizes: LlamaConfig =
            config.read(&serde_json::to_value(&absent).expect("plain numbers"))?;
        let head = HeadConfig::of(config, family.name(), HeadKind::LanguageModel)?;
        let read = LlamaConfig { family, head, rope: Rope::of(config)?, ..sizes };
        read.check().map_err(|error| config.wrong(error))?;
        Ok(read)
    }

    /// The keys of `config.json`.
    pub fn to_json(&self) -> Map<String, Value> {
        let value = serde_json::to_value(self).expect("plain numbers");
        let mut keys = value.as_object().cloned().unwrap_or_default();
        keys.insert("model_type".into(), json!(self.family.model_type()));
        keys.insert("num_key_value_heads".into(), json!(self.n_kv_heads()));
        keys.insert("head_dim".into(), json!(self.d_k()));
        if let [one] = self.eos_token_id[..] {
            keys.insert("eos_token_id".into(), json!(one));
        } else if self.eos_token_id.is_empty() {
            keys.insert("eos_token_id".into(), Value::Null);
        }
        keys.extend(self.rope.to_json());
        keys.extend(self.head.to_json(self.family.name(), "ForCausalLM"));
        keys
    }

    /// Heads of keys and values.
    pub fn n_kv_heads(&self) -> usize {
        self.n_kv_heads.unwrap_or(self.n_heads)
    }

    /// The width of a head.
    pub fn d_k(&self) -> usize {
        self.d_k.unwrap_or(self.d_model / self.n_heads)
    }

    /// How many numbers the matrices hold, if they can be counted at all.
    fn parameter_count(&self) -> Option<usize> {
        let d = self.d_model;
        let heads = self.n_heads.checked_add(self.n_kv_heads())?.checked_mul(2)?;
        let attention = heads.checked_mul(self.d_k())?.checked_mul(d)?;
        let block = attention.checked_add(d.checked_mul(self.d_ff)?.checked_mul(3)?)?;
        let tables = self.vocab_size.checked_mul(d)?.checked_mul(2)?;
        let all = block.checked_mul(self.n_layers)?.checked_add(tables)?;
        (all < 1 << 48 && self.d_k() < MAX_HEAD_WIDTH).then_some(all)
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0 or absurd, heads cannot be shared out, a head's width is odd, or a probability
    /// is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Request(text));
        let named = [
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_seq_len),
            ("hidden_size", self.d_model),
            ("num_hidden_layers", self.n_layers),
            ("num_attention_heads", self.n_heads),
            ("num_key_value_heads", self.n_kv_heads()),
            ("head_dim", self.d_k.unwrap_or(1)),
            ("intermediate_size", self.d_ff),
        ];
        let heads = if self.d_k.is_some() { (0, 1) } else { (self.d_model, self.n_heads) };
        sizes::check(&named, heads, &[self.attention_dropout])?;
        if !self.n_heads.is_multiple_of(self.n_kv_heads()) {
            return wrong(format!(
                "num_key_value_heads is {}; it must divide the {} heads of queries",
                self.n_kv_heads(),
                self.n_heads
            ));
        }
        if !self.d_k().is_multiple_of(2) {
            return wrong(format!("heads of {} numbers cannot be turned in pairs", self.d_k()));
        }
        sizes::check_count(self.n_layers, self.parameter_count())
    }
}
