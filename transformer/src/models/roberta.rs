//! RoBERTa: BERT trained longer, on whole texts: one segment, and positions that are counted from the
//! padding token's id on. Liu et al. 2019.

use super::bert::{self, BertConfig, Variant};
use crate::Error;
use crate::pretrained::{Config, Layout};
use serde_json::json;

/// Reads RoBERTa's keys: BERT's, with other defaults.
pub(super) fn config(config: &Config) -> Result<BertConfig, Error> {
    bert::supported(config)?;
    let defaults =
        json!({ "vocab_size": 50265, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2 });
    Ok(BertConfig { variant: Variant::Roberta, ..config.read(&defaults)? })
}

/// RoBERTa's parameters under Hugging Face's names.
pub(super) const LAYOUT: Layout = Layout {
    prefix: "roberta.",
    prefix_in_files: None,
    linears: &[
        ("blocks.*.attention.w_q", "roberta.encoder.layer.*.attention.self.query"),
        ("blocks.*.attention.w_k", "roberta.encoder.layer.*.attention.self.key"),
        ("blocks.*.attention.w_v", "roberta.encoder.layer.*.attention.self.value"),
        ("blocks.*.attention.w_o", "roberta.encoder.layer.*.attention.output.dense"),
        ("blocks.*.feed_forward.w_1", "roberta.encoder.layer.*.intermediate.dense"),
        ("blocks.*.feed_forward.w_2", "roberta.encoder.layer.*.output.dense"),
        ("head.pooler", "roberta.pooler.dense"),
        ("head.transform", "lm_head.dense"),
        ("head.dense", "classifier.dense"),
        ("head.classes", "classifier.out_proj"),
        ("head.span", "qa_outputs"),
    ],
    others: &[
        ("token_embedding", "roberta.embeddings.word_embeddings"),
        ("position_embedding", "roberta.embeddings.position_embeddings"),
        ("segment_embedding", "roberta.embeddings.token_type_embeddings"),
        ("embedding_norm", "roberta.embeddings.LayerNorm"),
        ("blocks.*.norm_1", "roberta.encoder.layer.*.attention.output.LayerNorm"),
        ("blocks.*.norm_2", "roberta.encoder.layer.*.output.LayerNorm"),
        ("head.norm", "lm_head.layer_norm"),
        ("head.bias", "lm_head.bias"),
    ],
    aliases: &[
        ("roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"),
        ("lm_head.bias", "lm_head.decoder.bias"),
    ],
    ignored: &["embeddings.position_ids", "pooler", "lm_head", "classifier", "qa_outputs"],
};
