//! DistilBERT: BERT with half its blocks, no segments and no pooler, taught by BERT. Sanh et al.
//! 2019.

use super::bert::{BertConfig, Variant};
use crate::pretrained::{Config, Layout, token};
use crate::{Activation, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tensor::Float;

/// ε of its layer normalizations; no configuration names it.
const EPS: Float = 1e-12;

/// The keys of its `config.json`.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Keys {
    vocab_size: usize,
    max_position_embeddings: usize,
    n_layers: usize,
    n_heads: usize,
    dim: usize,
    hidden_dim: usize,
    dropout: Float,
    attention_dropout: Float,
    activation: Activation,
    initializer_range: Float,
    qa_dropout: Float,
    seq_classif_dropout: Float,
    #[serde(deserialize_with = "token")]
    pad_token_id: Option<u32>,
    #[serde(deserialize_with = "token")]
    bos_token_id: Option<u32>,
    #[serde(deserialize_with = "token")]
    eos_token_id: Option<u32>,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            vocab_size: 30522,
            max_position_embeddings: 512,
            n_layers: 6,
            n_heads: 12,
            dim: 768,
            hidden_dim: 3072,
            dropout: 0.1,
            attention_dropout: 0.1,
            activation: Activation::Gelu,
            initializer_range: 0.02,
            qa_dropout: 0.1,
            seq_classif_dropout: 0.2,
            pad_token_id: Some(0),
            bos_token_id: None,
            eos_token_id: None,
        }
    }
}

/// Reads its keys.
pub(super) fn config(config: &Config) -> Result<BertConfig, Error> {
    let keys: Keys = config.read(&json!({}))?;
    Ok(BertConfig {
        vocab_size: keys.vocab_size,
        max_seq_len: keys.max_position_embeddings,
        n_segments: 0,
        d_model: keys.dim,
        n_layers: keys.n_layers,
        n_heads: keys.n_heads,
        d_ff: keys.hidden_dim,
        activation: keys.activation,
        eps: EPS,
        dropout: keys.dropout,
        attention_dropout: keys.attention_dropout,
        classifier_dropout: Some(keys.seq_classif_dropout),
        initializer_range: keys.initializer_range,
        pad_token_id: keys.pad_token_id,
        bos_token_id: keys.bos_token_id,
        eos_token_id: keys.eos_token_id,
        variant: Variant::DistilBert,
        has_pooler: false,
        ..BertConfig::default()
    })
}

/// Its keys, of sizes.
pub(super) fn keys(config: &BertConfig) -> Map<String, Value> {
    let keys = Keys {
        vocab_size: config.vocab_size,
        max_position_embeddings: config.max_seq_len,
        n_layers: config.n_layers,
        n_heads: config.n_heads,
        dim: config.d_model,
        hidden_dim: config.d_ff,
        dropout: config.dropout,
        attention_dropout: config.attention_dropout,
        activation: config.activation,
        initializer_range: config.initializer_range,
        qa_dropout: config.dropout,
        seq_classif_dropout: config.classifier_dropout.unwrap_or(config.dropout),
        pad_token_id: config.pad_token_id,
        bos_token_id: config.bos_token_id,
        eos_token_id: config.eos_token_id,
    };
    let value = serde_json::to_value(keys).expect("plain numbers");
    let mut keys = value.as_object().cloned().unwrap_or_default();
    keys.insert("model_type".into(), json!("distilbert"));
    keys
}

/// DistilBERT's parameters under Hugging Face's names.
pub(super) const LAYOUT: Layout = Layout {
    prefix: "distilbert.",
    prefix_in_files: None,
    linears: &[
        ("blocks.*.attention.w_q", "distilbert.transformer.layer.*.attention.q_lin"),
        ("blocks.*.attention.w_k", "distilbert.transformer.layer.*.attention.k_lin"),
        ("blocks.*.attention.w_v", "distilbert.transformer.layer.*.attention.v_lin"),
        ("blocks.*.attention.w_o", "distilbert.transformer.layer.*.attention.out_lin"),
        ("blocks.*.feed_forward.w_1", "distilbert.transformer.layer.*.ffn.lin1"),
        ("blocks.*.feed_forward.w_2", "distilbert.transformer.layer.*.ffn.lin2"),
        ("head.transform", "vocab_transform"),
        ("head.dense", "pre_classifier"),
        ("head.classes", "classifier"),
        ("head.span", "qa_outputs"),
    ],
    others: &[
        ("token_embedding", "distilbert.embeddings.word_embeddings"),
        ("position_embedding", "distilbert.embeddings.position_embeddings"),
        ("embedding_norm", "distilbert.embeddings.LayerNorm"),
        ("blocks.*.norm_1", "distilbert.transformer.layer.*.sa_layer_norm"),
        ("blocks.*.norm_2", "distilbert.transformer.layer.*.output_layer_norm"),
        ("head.norm", "vocab_layer_norm"),
        ("head.bias", "vocab_projector.bias"),
    ],
    aliases: &[("distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight")],
    ignored: &[
        "embeddings.position_ids",
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
        "pre_classifier",
        "classifier",
        "qa_outputs",
    ],
};
