//! The parameters of Llama and its descendants under Hugging Face's names.

use crate::models::head::DecoderHead;
use crate::pretrained::Layout;

const LAYOUT: Layout = Layout {
    prefix: "model.",
    prefix_in_files: None,
    linears: &[
        ("blocks.*.attention.w_q", "model.layers.*.self_attn.q_proj"),
        ("blocks.*.attention.w_k", "model.layers.*.self_attn.k_proj"),
        ("blocks.*.attention.w_v", "model.layers.*.self_attn.v_proj"),
        ("blocks.*.attention.w_o", "model.layers.*.self_attn.o_proj"),
        ("blocks.*.feed_forward.w_gate", "model.layers.*.mlp.gate_proj"),
        ("blocks.*.feed_forward.w_1", "model.layers.*.mlp.up_proj"),
        ("blocks.*.feed_forward.w_2", "model.layers.*.mlp.down_proj"),
        ("head.output", "lm_head"),
        ("head.classes", "score"),
        ("head.span", "qa_outputs"),
    ],
    others: &[
        ("token_embedding", "model.embed_tokens"),
        ("blocks.*.norm_1", "model.layers.*.input_layernorm"),
        ("blocks.*.attention.norm_q", "model.layers.*.self_attn.q_norm"),
        ("blocks.*.attention.norm_k", "model.layers.*.self_attn.k_norm"),
        ("blocks.*.norm_2", "model.layers.*.post_attention_layernorm"),
        ("final_norm", "model.norm"),
    ],
    aliases: &[("model.embed_tokens.weight", "lm_head.weight")],
    ignored: &["layers.*.self_attn.rotary_emb", "rotary_emb", "lm_head", "score", "qa_outputs"],
};

/// Transformers names the body of a model with a head for spans `transformer`.
pub(super) fn layout(head: &DecoderHead) -> Layout {
    let prefix_in_files = matches!(head, DecoderHead::Span(_)).then_some("transformer.");
    Layout { prefix_in_files, ..LAYOUT }
}
