//! The architectures of GGUF files that are read, and their tensors under Hugging Face's names.

use tensor::Tensor;

/// An architecture, as `general.architecture` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    Gpt2,
    Llama,
    Qwen2,
    Qwen3,
}

/// Their names of a model's parts, and Hugging Face's.
type Parts = &'static [(&'static str, &'static str)];

const LLAMA: Parts = &[
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
    ("output", "lm_head"),
    ("blk.*.attn_norm", "model.layers.*.input_layernorm"),
    ("blk.*.attn_q", "model.layers.*.self_attn.q_proj"),
    ("blk.*.attn_k", "model.layers.*.self_attn.k_proj"),
    ("blk.*.attn_v", "model.layers.*.self_attn.v_proj"),
    ("blk.*.attn_output", "model.layers.*.self_attn.o_proj"),
    ("blk.*.attn_q_norm", "model.layers.*.self_attn.q_norm"),
    ("blk.*.attn_k_norm", "model.layers.*.self_attn.k_norm"),
    ("blk.*.ffn_norm", "model.layers.*.post_attention_layernorm"),
    ("blk.*.ffn_gate", "model.layers.*.mlp.gate_proj"),
    ("blk.*.ffn_up", "model.layers.*.mlp.up_proj"),
    ("blk.*.ffn_down", "model.layers.*.mlp.down_proj"),
];

const GPT2: Parts = &[
    ("token_embd", "transformer.wte"),
    ("position_embd", "transformer.wpe"),
    ("output_norm", "transformer.ln_f"),
    ("output", "lm_head"),
    ("blk.*.attn_norm", "transformer.h.*.ln_1"),
    ("blk.*.attn_qkv", "transformer.h.*.attn.c_attn"),
    ("blk.*.attn_output", "transformer.h.*.attn.c_proj"),
    ("blk.*.ffn_norm", "transformer.h.*.ln_2"),
    ("blk.*.ffn_up", "transformer.h.*.mlp.c_fc"),
    ("blk.*.ffn_down", "transformer.h.*.mlp.c_proj"),
];

impl Architecture {
    pub const ALL: [Architecture; 4] =
        [Architecture::Gpt2, Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3];

    /// Its name, which is also its `model_type`.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Gpt2 => "gpt2",
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
        }
    }

    pub fn of(name: &str) -> Option<Architecture> {
        Architecture::ALL.into_iter().find(|architecture| architecture.name() == name)
    }

    /// The class of its language model in Transformers.
    pub fn class(self) -> &'static str {
        match self {
            Architecture::Gpt2 => "GPT2LMHeadModel",
            Architecture::Llama => "LlamaForCausalLM",
            Architecture::Qwen2 => "Qwen2ForCausalLM",
            Architecture::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    fn parts(self) -> Parts {
        if self == Architecture::Gpt2 { GPT2 } else { LLAMA }
    }

    /// Hugging Face's name of a tensor of a GGUF file.
    pub fn hugging_face(self, name: &str) -> Option<String> {
        self.parts().iter().find_map(|(ours, theirs)| renamed(name, ours, theirs))
    }

    /// A GGUF file's name of Hugging Face's tensor.
    pub fn gguf(self, name: &str) -> Option<String> {
        self.parts().iter().find_map(|(ours, theirs)| renamed(name, theirs, ours))
    }

    /// Whether Hugging Face's matrix of this name is the transpose of the file's: GPT-2's are
    /// `[d_in, d_out]` there.
    pub fn is_transposed(self, hugging_face: &str) -> bool {
        let conv = [".c_attn.weight", ".c_proj.weight", ".c_fc.weight"];
        self == Architecture::Gpt2 && conv.iter().any(|end| hugging_face.ends_with(end))
    }

    /// How many heads the rows of this matrix or bias are of, if the file holds them in another
    /// order. llama.cpp turns neighbours (2j, 2j + 1) of a head by one angle where Hugging Face
    /// turns (j, j + d_k/2), so that files of Llama have the rows of queries and keys permuted.
    pub fn turned_heads(self, hugging_face: &str, heads: [usize; 2]) -> Option<usize> {
        let path = hugging_face.rsplit_once('.').map_or("", |(path, _)| path);
        match path.rsplit('.').next() {
            Some("q_proj") if self == Architecture::Llama => Some(heads[0]),
            Some("k_proj") if self == Architecture::Llama => Some(heads[1]),
            _ => None,
        }
    }
}

/// `name` under its other name, if it is `from` and a leaf, a number in place of the star.
fn renamed(name: &str, from: &str, to: &str) -> Option<String> {
    let (path, leaf) = name.rsplit_once('.')?;
    let Some((before, after)) = from.split_once('*') else {
        return (path == from).then(|| format!("{to}.{leaf}"));
    };
    let number = path.strip_prefix(before)?.strip_suffix(after)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{}.{leaf}", to.replace('*', number)))
}

/// Which row of the other order each row of `heads` heads is: of a head's `2 n` rows, row `c n + j`
/// in Hugging Face's order is row `2 j + c` in the file's.
pub(super) fn row_order(rows: usize, heads: usize, to_file: bool) -> Vec<usize> {
    let d_k = rows / heads;
    let of = |row: usize| {
        let (head, within) = (row / d_k, row % d_k);
        let place = match to_file {
            false => within % (d_k / 2) * 2 + within / (d_k / 2),
            true => within % 2 * (d_k / 2) + within / 2,
        };
        head * d_k + place
    };
    (0..rows).map(of).collect()
}

/// The rows of a matrix, or entries of a bias, in the other order; packed rows stay packed.
pub(super) fn reordered(tensor: &Tensor, heads: usize, to_file: bool) -> Option<Tensor> {
    let rows = *tensor.shape().first()?;
    let pairs = heads.checked_mul(2).filter(|&pairs| pairs > 0)?;
    if tensor.rank() > 2 || !rows.is_multiple_of(pairs) {
        return None;
    }
    let matrix = tensor.reshape(&[rows, tensor.len() / rows.max(1)]);
    let picked = matrix.contiguous().pick_rows(&row_order(rows, heads, to_file));
    Some(picked.reshape(tensor.shape()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let pairs = [
            (
                Architecture::Llama,
                "blk.12.attn_q.weight",
                "model.layers.12.self_attn.q_proj.weight",
            ),
            (Architecture::Qwen2, "output.weight", "lm_head.weight"),
            (Architecture::Qwen3, "output_norm.weight", "model.norm.weight"),
            (Architecture::Gpt2, "blk.0.ffn_up.bias", "transformer.h.0.mlp.c_fc.bias"),
        ];
        for (architecture, ours, theirs) in pairs {
            assert_eq!(architecture.hugging_face(ours).as_deref(), Some(theirs));
            assert_eq!(architecture.gguf(theirs).as_deref(), Some(ours));
        }
        assert_eq!(Architecture::Llama.hugging_face("blk.x.attn_q.weight"), None);
        assert_eq!(Architecture::Llama.hugging_face("rope_freqs.weight"), None);
        assert_eq!(Architecture::of("qwen3"), Some(Architecture::Qwen3));
    }

    #[test]
    fn rows_of_each_head_change_places_and_back() {
        assert_eq!(row_order(8, 2, false), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(row_order(6, 1, false), [0, 2, 4, 1, 3, 5]);
        assert_eq!(row_order(6, 1, true), [0, 3, 1, 4, 2, 5]);
        let x = Tensor::new([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[6]);
        let there = reordered(&x, 1, true).unwrap();
        assert_eq!(there.to_vec(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(reordered(&there, 1, false).unwrap().to_vec(), x.to_vec());
        assert!([0, 2, usize::MAX].iter().all(|&heads| reordered(&x, heads, true).is_none()));
    }

    #[test]
    fn only_llamas_queries_and_keys_are_turned() {
        let turned = |architecture: Architecture, name: &str| {
            architecture.turned_heads(&format!("model.layers.0.self_attn.{name}"), [4, 2])
        };
        assert_eq!(turned(Architecture::Llama, "q_proj.weight"), Some(4));
        assert_eq!(turned(Architecture::Llama, "k_proj.bias"), Some(2));
        assert_eq!(turned(Architecture::Llama, "v_proj.weight"), None);
        assert_eq!(turned(Architecture::Llama, "q_norm.weight"), None);
        assert_eq!(turned(Architecture::Qwen2, "q_proj.weight"), None);
    }
}
