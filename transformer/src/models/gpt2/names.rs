//! GPT-2's parameters under Hugging Face's names.

/// Our names and Hugging Face's, part by part.
const NAMES: [(&str, &str); 12] = [
    ("token_embedding", "wte"),
    ("position_embedding", "wpe"),
    ("blocks", "h"),
    ("norm_1", "ln_1"),
    ("norm_2", "ln_2"),
    ("attention", "attn"),
    ("w_qkv", "c_attn"),
    ("w_o", "c_proj"),
    ("feed_forward", "mlp"),
    ("w_1", "c_fc"),
    ("w_2", "c_proj"),
    ("final_norm", "ln_f"),
];

/// `blocks.0.attention.w_o.bias` → `transformer.h.0.attn.c_proj.bias`
pub fn hugging_face_name(name: &str) -> String {
    let part = |part: &str| -> String {
        let known = NAMES.iter().find(|(ours, _)| *ours == part);
        match (known, part) {
            (Some((_, theirs)), _) => (*theirs).into(),
            (None, "gamma") => "weight".into(),
            (None, "beta") => "bias".into(),
            (None, other) => other.into(),
        }
    };
    format!("transformer.{}", name.split('.').map(part).collect::<Vec<_>>().join("."))
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
