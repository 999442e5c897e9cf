//! BERT's parameters under Hugging Face's names.

use crate::pretrained::Layout;

pub(super) const LAYOUT: Layout = Layout {
    prefix: "bert.",
    prefix_in_files: None,
    linears: &[
        ("blocks.*.attention.w_q", "bert.encoder.layer.*.attention.self.query"),
        ("blocks.*.attention.w_k", "bert.encoder.layer.*.attention.self.key"),
        ("blocks.*.attention.w_v", "bert.encoder.layer.*.attention.self.value"),
        ("blocks.*.attention.w_o", "bert.encoder.layer.*.attention.output.dense"),
        ("blocks.*.feed_forward.w_1", "bert.encoder.layer.*.intermediate.dense"),
        ("blocks.*.feed_forward.w_2", "bert.encoder.layer.*.output.dense"),
        ("head.pooler", "bert.pooler.dense"),
        ("head.transform", "cls.predictions.transform.dense"),
        ("head.dense", "bert.pooler.dense"),
        ("head.classes", "classifier"),
        ("head.span", "qa_outputs"),
    ],
    others: &[
        ("token_embedding", "bert.embeddings.word_embeddings"),
        ("position_embedding", "bert.embeddings.position_embeddings"),
        ("segment_embedding", "bert.embeddings.token_type_embeddings"),
        ("embedding_norm", "bert.embeddings.LayerNorm"),
        ("blocks.*.norm_1", "bert.encoder.layer.*.attention.output.LayerNorm"),
        ("blocks.*.norm_2", "bert.encoder.layer.*.output.LayerNorm"),
        ("head.norm", "cls.predictions.transform.LayerNorm"),
        ("head.bias", "cls.predictions.bias"),
    ],
    aliases: &[
        ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
        ("cls.predictions.bias", "cls.predictions.decoder.bias"),
    ],
    ignored: &["embeddings.position_ids", "pooler", "cls", "classifier", "qa_outputs"],
};
