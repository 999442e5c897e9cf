//! T5's parameters under Hugging Face's names.

use crate::pretrained::Layout;

/// The affine maps; those into the feed-forward networks are named after whether there is a gate.
macro_rules! linears {
    ($($inner:tt)*) => {
        &[
            ("encoder.blocks.*.attention.w_q", "encoder.block.*.layer.0.SelfAttention.q"),
            ("encoder.blocks.*.attention.w_k", "encoder.block.*.layer.0.SelfAttention.k"),
            ("encoder.blocks.*.attention.w_v", "encoder.block.*.layer.0.SelfAttention.v"),
            ("encoder.blocks.*.attention.w_o", "encoder.block.*.layer.0.SelfAttention.o"),
            ("encoder.blocks.*.feed_forward.w_2", "encoder.block.*.layer.1.DenseReluDense.wo"),
            ("decoder.blocks.*.attention.w_q", "decoder.block.*.layer.0.SelfAttention.q"),
            ("decoder.blocks.*.attention.w_k", "decoder.block.*.layer.0.SelfAttention.k"),
            ("decoder.blocks.*.attention.w_v", "decoder.block.*.layer.0.SelfAttention.v"),
            ("decoder.blocks.*.attention.w_o", "decoder.block.*.layer.0.SelfAttention.o"),
            ("decoder.blocks.*.cross_attention.w_q", "decoder.block.*.layer.1.EncDecAttention.q"),
            ("decoder.blocks.*.cross_attention.w_k", "decoder.block.*.layer.1.EncDecAttention.k"),
            ("decoder.blocks.*.cross_attention.w_v", "decoder.block.*.layer.1.EncDecAttention.v"),
            ("decoder.blocks.*.cross_attention.w_o", "decoder.block.*.layer.1.EncDecAttention.o"),
            ("decoder.blocks.*.feed_forward.w_2", "decoder.block.*.layer.2.DenseReluDense.wo"),
            ("head", "lm_head"),
            $($inner)*
        ]
    };
}

/// Of v1.0.
const PLAIN: Layout = Layout {
    prefix: "",
    prefix_in_files: None,
    linears: linears![
        ("encoder.blocks.*.feed_forward.w_1", "encoder.block.*.layer.1.DenseReluDense.wi"),
        ("decoder.blocks.*.feed_forward.w_1", "decoder.block.*.layer.2.DenseReluDense.wi"),
    ],
    others: &[
        ("embedding", "shared"),
        ("encoder.blocks.*.norm_1", "encoder.block.*.layer.0.layer_norm"),
        ("encoder.blocks.*.norm_2", "encoder.block.*.layer.1.layer_norm"),
        ("encoder.final_norm", "encoder.final_layer_norm"),
        (
            "encoder_distances.table",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias",
        ),
        ("decoder.blocks.*.norm_1", "decoder.block.*.layer.0.layer_norm"),
        ("decoder.blocks.*.norm_2", "decoder.block.*.layer.1.layer_norm"),
        ("decoder.blocks.*.norm_3", "decoder.block.*.layer.2.layer_norm"),
        ("decoder.final_norm", "decoder.final_layer_norm"),
        (
            "decoder_distances.table",
            "decoder.block.0.layer.0.SelfAttention.relative_attention_bias",
        ),
    ],
    aliases: &[
        ("shared.weight", "encoder.embed_tokens.weight"),
        ("shared.weight", "decoder.embed_tokens.weight"),
    ],
    ignored: &[
        "encoder.embed_tokens",
        "decoder.embed_tokens",
        "decoder.block.*.layer.1.EncDecAttention.relative_attention_bias",
        "lm_head",
    ],
};

/// Of v1.1.
const GATED: Layout = Layout {
    linears: linears![
        ("encoder.blocks.*.feed_forward.w_gate", "encoder.block.*.layer.1.DenseReluDense.wi_0"),
        ("encoder.blocks.*.feed_forward.w_1", "encoder.block.*.layer.1.DenseReluDense.wi_1"),
        ("decoder.blocks.*.feed_forward.w_gate", "decoder.block.*.layer.2.DenseReluDense.wi_0"),
        ("decoder.blocks.*.feed_forward.w_1", "decoder.block.*.layer.2.DenseReluDense.wi_1"),
    ],
    ..PLAIN
};

pub(super) fn layout(is_gated: bool) -> Layout {
    if is_gated { GATED } else { PLAIN }
}
