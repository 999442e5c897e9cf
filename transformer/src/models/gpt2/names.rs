//! GPT-2's parameters under Hugging Face's names.

use crate::pretrained::Layout;

/// GPT-2's affine maps lie in files as ours do, `[d_in, d_out]`; those of its heads do not.
pub(super) const LAYOUT: Layout = Layout {
    prefix: "transformer.",
    prefix_in_files: None,
    linears: &[("head.output", "lm_head"), ("head.classes", "score"), ("head.span", "qa_outputs")],
    others: &[
        ("token_embedding", "transformer.wte"),
        ("position_embedding", "transformer.wpe"),
        ("blocks.*.norm_1", "transformer.h.*.ln_1"),
        ("blocks.*.attention.w_qkv", "transformer.h.*.attn.c_attn"),
        ("blocks.*.attention.w_o", "transformer.h.*.attn.c_proj"),
        ("blocks.*.norm_2", "transformer.h.*.ln_2"),
        ("blocks.*.feed_forward.w_1", "transformer.h.*.mlp.c_fc"),
        ("blocks.*.feed_forward.w_2", "transformer.h.*.mlp.c_proj"),
        ("final_norm", "transformer.ln_f"),
    ],
    aliases: &[("transformer.wte.weight", "lm_head.weight")],
    ignored: &["h.*.attn.bias", "h.*.attn.masked_bias", "lm_head", "score", "qa_outputs"],
};

/// `blocks.0.attention.w_o.bias` → `transformer.h.0.attn.c_proj.bias`; a name that is not one of
/// GPT-2's parameters stays.
pub fn hugging_face_name(name: &str) -> String {
    LAYOUT.in_file(name).map_or_else(|| name.to_string(), |named| named.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_hugging_faces() {
        assert_eq!(
            hugging_face_name("blocks.3.attention.w_o.bias"),
            "transformer.h.3.attn.c_proj.bias"
        );
        assert_eq!(hugging_face_name("final_norm.gamma"), "transformer.ln_f.weight");
        assert_eq!(hugging_face_name("token_embedding.weight"), "transformer.wte.weight");
    }
}
