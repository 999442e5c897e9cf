//! Llama: a decoder with RMSNorm, rotary positions, grouped heads and SwiGLU. Touvron et al. 2023,
//! section 2.2; [`qwen2`] and [`qwen3`] differ from it in few things.

mod config;
mod names;
pub mod qwen2;
pub mod qwen3;
pub mod rope;

pub use config::LlamaConfig;
pub use rope::Rope;

use super::decoder_only::DecoderOnly;
use super::head::DecoderHead;
use crate::attention::Projections;
use crate::block::{NormPlacement, Residual};
use crate::positions::Rotary;
use crate::pretrained::{Checkpoint, Config, Layout, Pretrained};
use crate::{
    Block, Embedding, Encoder, Error, FeedForward, Init, Linear, MultiHeadAttention, Pass, RmsNorm,
    parameters_of,
};
use autograd::Var;
use serde_json::{Map, Value, json};
use tensor::{Float, Rng, Tokens};

/// A Llama, or one of its descendants.
///
/// ```
/// use tensor::{Rng, Tokens};
/// use transformer::{DecoderOnly, Llama, LlamaConfig};
/// let sizes =
///     LlamaConfig { vocab_size: 11, d_model: 8, d_ff: 16, n_layers: 1, n_heads: 2, ..Default::default() };
/// let model = Llama::new(sizes, &mut Rng::seeded(1)).unwrap();
/// let tokens = Tokens::batch(&[[1, 2, 3]], 11).unwrap();
/// assert_eq!(model.forward(&tokens).shape(), [1, 3, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct Llama {
    /// Its sizes.
    pub config: LlamaConfig,
    /// A row for each token.
    pub token_embedding: Embedding,
    /// The blocks and the normalization after the last.
    pub stack: Encoder,
    /// What the hidden states are read with.
    pub head: DecoderHead,
    rotary: Rotary,
}
parameters_of!(Llama { token_embedding, ..stack, head });

/// Which of Llama's descendants a model is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3, and what has their shape: SmolLM2, TinyLlama.
    #[default]
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3.
    Qwen3,
}

impl Family {
    fn of(config: &Config) -> Result<Family, Error> {
        match config.text("model_type") {
            Some("llama") => Ok(Family::Llama),
            Some("qwen2") => Ok(Family::Qwen2),
            Some("qwen3") => Ok(Family::Qwen3),
            other => Err(config.wrong(format!(
                "model_type is {}; this is no llama, qwen2 or qwen3",
                other.map_or("missing".into(), |name| format!("\"{name}\""))
            ))),
        }
    }

    fn model_type(self) -> &'static str {
        match self {
            Family::Llama => "llama",
            Family::Qwen2 => "qwen2",
            Family::Qwen3 => "qwen3",
        }
    }

    /// What the names of its architectures begin with.
    fn name(self) -> &'static str {
        match self {
            Family::Llama => "Llama",
            Family::Qwen2 => "Qwen2",
            Family::Qwen3 => "Qwen3",
        }
    }

    fn refuse_unsupported(self, config: &Config) -> Result<(), Error> {
        let windows = config.get("layer_types").and_then(Value::as_array);
        if windows.is_some_and(|types| types.iter().any(|kind| kind != "full_attention")) {
            let text = "layer_types names other than \"full_attention\"; only that is supported";
            return Err(config.wrong(text));
        }
        config.only(&[("use_sliding_window", json!(false))])
    }
}

impl Llama {
    /// Random weights: normal with deviation `initializer_range`; biases zero.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: LlamaConfig, rng: &mut Rng) -> Result<Llama, Error> {
        config.check()?;
        let init = match config.initializer_range {
            0.0 => Init::Zeros,
            std => Init::Normal(std),
        };
        let sizes = (config.d_model, config.vocab_size);
        Ok(Llama {
            token_embedding: Embedding::new(rng, config.vocab_size, config.d_model, init)
                .with_padding(config.pad_token_id),
            stack: Encoder {
                blocks: (0..config.n_layers).map(|_| block(&config, init, rng)).collect(),
                final_norm: Some(RmsNorm::new(config.d_model, config.eps).into()),
            },
            head: DecoderHead::new(rng, &config.head, config.tie_word_embeddings, sizes, init),
            rotary: Rotary { frequencies: config.rope.frequencies(config.d_k()) },
            config,
        })
    }
}

impl Llama {
    /// Sets the dropout of attention weights, the only one there is.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        let config = LlamaConfig { attention_dropout: p, ..self.config.clone() };
        config.check()?;
        self.stack.blocks.iter_mut().for_each(|block| block.attention.dropout = p);
        self.config = config;
        Ok(())
    }
}

fn block(config: &LlamaConfig, init: Init, rng: &mut Rng) -> Block {
    let d_model = config.d_model;
    Block {
        norm_1: RmsNorm::new(d_model, config.eps).into(),
        attention: attention(config, init, rng),
        norm_2: RmsNorm::new(d_model, config.eps).into(),
        feed_forward: FeedForward {
            w_gate: Some(linear(rng, (d_model, config.d_ff), config.mlp_bias, init)),
            w_1: linear(rng, (d_model, config.d_ff), config.mlp_bias, init),
            w_2: linear(rng, (config.d_ff, d_model), config.mlp_bias, init),
            activation: config.activation,
            dropout: 0.0,
        },
        residual: Residual { placement: NormPlacement::Pre, dropout: 0.0 },
    }
}

fn attention(config: &LlamaConfig, init: Init, rng: &mut Rng) -> MultiHeadAttention {
    let (d_model, d_k) = (config.d_model, config.d_k());
    let (n_heads, n_kv_heads) = (config.n_heads, config.n_kv_heads());
    let bias = config.attention_bias || config.family == Family::Qwen2;
    let [q, kv] = [n_heads, n_kv_heads].map(|heads| (d_model, heads * d_k));
    let norm = || (config.family == Family::Qwen3).then(|| RmsNorm::new(d_k, config.eps));
    MultiHeadAttention {
        projections: Projections::Apart {
            w_q: linear(rng, q, bias, init),
            w_k: linear(rng, kv, bias, init),
            w_v: linear(rng, kv, bias, init),
        },
        norm_q: norm(),
        norm_k: norm(),
        w_o: linear(rng, (n_heads * d_k, d_model), config.attention_bias, init),
        n_heads,
        n_kv_heads,
        scale: 1.0 / (d_k as Float).sqrt(),
        dropout: config.attention_dropout,
    }
}

fn linear(rng: &mut Rng, (d_in, d_out): (usize, usize), bias: bool, init: Init) -> Linear {
    match bias {
        true => Linear::new(rng, d_in, d_out, init),
        false => Linear::without_bias(rng, d_in, d_out, init),
    }
}

impl DecoderOnly for Llama {
    fn name(&self) -> &'static str {
        self.config.family.model_type()
    }

    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn max_seq_len(&self) -> usize {
        self.config.max_seq_len
    }

    fn n_layers(&self) -> usize {
        self.config.n_layers
    }

    fn end_tokens(&self) -> Vec<u32> {
        self.config.eos_token_id.clone()
    }

    fn head(&self) -> (&DecoderHead, &Embedding) {
        (&self.head, &self.token_embedding)
    }

    #[track_caller]
    fn read(&self, tokens: &Tokens, positions: &Tokens, pass: &mut Pass<'_>) -> Var {
        pass.rotation = Some(self.rotary.at(positions));
        let x = self.token_embedding.forward(tokens);
        pass.note(|trace| trace.token_embeddings = Some(x.clone()));
        self.stack.forward(&x, pass)
    }
}

impl Pretrained for Llama {
    fn from_config(config: &Config) -> Result<Llama, Error> {
        let config = LlamaConfig::from_json(config)?;
        let empty = LlamaConfig { initializer_range: 0.0, ..config.clone() };
        Ok(Llama { config, ..Llama::new(empty, &mut Rng::seeded(0))? })
    }

    fn config_json(&self) -> Map<String, Value> {
        self.config.to_json()
    }

    fn layout(&self) -> Layout {
        names::layout(&self.head)
    }

    /// A file with another output layer than the table is not tied, whatever its configuration says.
    fn settle(checkpoint: &mut Checkpoint) {
        checkpoint.untie("embed_tokens.weight", "lm_head.weight");
    }
}
