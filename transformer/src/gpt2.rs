//! GPT-2: a stack of blocks between an embedding and its transpose. Radford et al. 2019.

use crate::{
    Block, Cache, Embedding, Error, FeedForward, LayerNorm, Module, MultiHeadAttention,
    parameters_of,
};
use autograd::{Mask, Var, no_grad};
use serde::{Deserialize, Serialize};
use tensor::{Float, Rng, Tokens};

/// More blocks than this are a wrong number.
const MAX_LAYERS: usize = 1000;

/// The sizes of a GPT-2, under Hugging Face's names in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpt2Config {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// The longest sequence, in tokens.
    #[serde(rename = "n_positions")]
    pub max_seq_len: usize,
    /// The width of the residual stream.
    #[serde(rename = "n_embd")]
    pub d_model: usize,
    /// The number of blocks.
    #[serde(rename = "n_layer")]
    pub n_layers: usize,
    /// Attention heads of each block.
    #[serde(rename = "n_head")]
    pub n_heads: usize,
    /// The width inside the feed-forward network; 4 · d_model where absent.
    #[serde(rename = "n_inner")]
    pub d_ff: Option<usize>,
    /// Dropout of what is added to the residual stream.
    #[serde(rename = "resid_pdrop")]
    pub dropout: Float,
    /// Dropout of the embeddings.
    #[serde(rename = "embd_pdrop")]
    pub embedding_dropout: Float,
    /// Dropout of attention weights.
    #[serde(rename = "attn_pdrop")]
    pub attention_dropout: Float,
    /// ε of the layer normalizations.
    #[serde(rename = "layer_norm_epsilon")]
    pub eps: Float,
    /// The deviation of initial weights.
    pub initializer_range: Float,
    /// The token that ends a text.
    pub eos_token_id: Option<u32>,
}

impl Default for Gpt2Config {
    /// GPT-2 with 124 million parameters.
    fn default() -> Gpt2Config {
        Gpt2Config {
            vocab_size: 50257,
            max_seq_len: 1024,
            d_model: 768,
            n_layers: 12,
            n_heads: 12,
            d_ff: None,
            dropout: 0.1,
            embedding_dropout: 0.1,
            attention_dropout: 0.1,
            eps: 1e-5,
            initializer_range: 0.02,
            eos_token_id: Some(50256),
        }
    }
}

impl Gpt2Config {
    /// All three dropout probabilities set to `p`.
    pub fn with_dropout(self, p: Float) -> Gpt2Config {
        Gpt2Config { dropout: p, embedding_dropout: p, attention_dropout: p, ..self }
    }

    /// How many numbers all parameters hold, if they can be counted at all.
    fn parameter_count(&self) -> Option<usize> {
        let d = self.d_model;
        let d_ff = self.d_ff.map_or(d.checked_mul(4), Some)?;
        let block =
            d.checked_mul(d)?.checked_mul(4)?.checked_add(d.checked_mul(d_ff)?.checked_mul(2)?)?;
        let tables = self.vocab_size.checked_add(self.max_seq_len)?.checked_mul(d)?;
        let all = block.checked_mul(self.n_layers)?.checked_add(tables)?;
        (all < 1 << 48).then_some(all)
    }

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0 or absurd, the heads do not divide the width, or a probability is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("n_positions", self.max_seq_len),
            ("n_embd", self.d_model),
            ("n_layer", self.n_layers),
            ("n_head", self.n_heads),
            ("n_inner", self.d_ff.unwrap_or(1)),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Request(format!("the model's {name} is 0; it must be at least 1")));
        }
        if self.n_layers > MAX_LAYERS || self.parameter_count().is_none() {
            return Err(Error::Request(
                "the model's sizes are beyond what any machine holds; look for a wrong number"
                    .into(),
            ));
        }
        if !self.d_model.is_multiple_of(self.n_heads) {
            return Err(Error::Request(format!(
                "{} heads do not divide a width of {}; choose a width that is a multiple of the \
                 heads",
                self.n_heads, self.d_model
            )));
        }
        for p in [self.dropout, self.embedding_dropout, self.attention_dropout] {
            if !(0.0..1.0).contains(&p) {
                return Err(Error::Request(format!("a dropout of {p} is not in [0, 1)")));
            }
        }
        Ok(())
    }
}

/// A GPT-2 language model.
///
/// ```
/// use tensor::{Rng, Tokens};
/// use transformer::{Gpt2, Gpt2Config};
/// let config =
///     Gpt2Config { vocab_size: 11, d_model: 8, n_layers: 1, n_heads: 2, ..Gpt2Config::default() };
/// let model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
/// let tokens = Tokens::batch(&[[1, 2, 3]], 11).unwrap();
/// assert_eq!(model.forward(&tokens).shape(), [1, 3, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct Gpt2 {
    /// Its sizes.
    pub config: Gpt2Config,
    /// A row for each token; its transpose is the output layer.
    pub token_embedding: Embedding,
    /// A row for each position.
    pub position_embedding: Embedding,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The normalization after the last block.
    pub final_norm: LayerNorm,
}
parameters_of!(Gpt2 { token_embedding, position_embedding, blocks, final_norm });

impl Gpt2 {
    /// Random weights: normal with deviation 0.02 (`initializer_range`), those that write to the
    /// residual stream divided by √(2 · n_layers) (section 2.3 of the paper); biases zero.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: Gpt2Config, rng: &mut Rng) -> Result<Gpt2, Error> {
        config.check()?;
        let (d_model, std) = (config.d_model, config.initializer_range);
        Ok(Gpt2 {
            token_embedding: Embedding::new(rng, config.vocab_size, d_model, std),
            position_embedding: Embedding::new(rng, config.max_seq_len, d_model, std),
            blocks: (0..config.n_layers).map(|_| Gpt2::new_block(&config, rng)).collect(),
            final_norm: LayerNorm::new(d_model, config.eps),
            config,
        })
    }

    fn new_block(config: &Gpt2Config, rng: &mut Rng) -> Block {
        let (d_model, std) = (config.d_model, config.initializer_range);
        let residual_std = std / (2.0 * config.n_layers as Float).sqrt();
        let heads = (d_model, config.n_heads);
        let d_ff = config.d_ff.unwrap_or(4 * d_model);
        Block {
            norm_1: LayerNorm::new(d_model, config.eps),
            attention: MultiHeadAttention::new(
                rng,
                heads,
                config.attention_dropout,
                std,
                residual_std,
            ),
            norm_2: LayerNorm::new(d_model, config.eps),
            feed_forward: FeedForward::new(rng, d_model, d_ff, std, residual_std),
            dropout: config.dropout,
        }
    }

    /// Sets all three dropout probabilities.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        let config = self.config.clone().with_dropout(p);
        config.check()?;
        for block in &mut self.blocks {
            block.dropout = p;
            block.attention.dropout = p;
        }
        self.config = config;
        Ok(())
    }

    /// The scores of the next token at each position:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, vocab_size]`
    ///
    /// # Panics
    /// If the sequences are longer than the context, or of another vocabulary.
    #[track_caller]
    pub fn forward(&self, tokens: &Tokens) -> Var {
        self.logits(&self.hidden(tokens))
    }

    /// The output of the last normalization:
    /// `[batch_size, seq_len]` → `[batch_size, seq_len, d_model]`
    ///
    /// # Panics
    /// As [`Gpt2::forward`].
    #[track_caller]
    pub fn hidden(&self, tokens: &Tokens) -> Var {
        let seq_len = Gpt2::seq_len(tokens);
        let positions = self.positions((0..seq_len as u32).collect(), &[seq_len]);
        self.stack(tokens, &positions, &Mask::causal(), None)
    }

    /// The scores of each token from hidden states: `[.., d_model]` → `[.., vocab_size]`
    pub fn logits(&self, hidden: &Var) -> Var {
        self.token_embedding.logits(hidden)
    }

    /// As [`Gpt2::hidden`] for positions that follow those in the cache, which they join.
    /// `is_token` tells padding (to the left) from tokens, row by row. Nothing is recorded: a cache
    /// has no gradient.
    ///
    /// # Panics
    /// As [`Gpt2::forward`], or if `is_token` is not of the tokens' shape.
    #[track_caller]
    pub fn hidden_cached(&self, tokens: &Tokens, is_token: &[bool], cache: &mut Cache) -> Var {
        let seq_len = Gpt2::seq_len(tokens);
        assert_eq!(is_token.len(), tokens.ids().len(), "is_token: one for each token");
        let mut positions = Vec::with_capacity(tokens.ids().len());
        for (row, new) in cache.is_token.iter_mut().zip(is_token.chunks(seq_len.max(1))) {
            for &is_token in new {
                positions.push(row.iter().filter(|&&seen| seen).count() as u32);
                row.push(is_token);
            }
        }
        let positions = self.positions(positions, tokens.shape());
        let mask = Mask::causal();
        let mask = match cache.is_token.iter().flatten().all(|&is_token| is_token) {
            true => mask,
            false => mask.with_padding(cache.is_token.concat()),
        };
        no_grad(|| self.stack(tokens, &positions, &mask, Some(cache)))
    }

    #[track_caller]
    fn positions(&self, positions: Vec<u32>, shape: &[usize]) -> Tokens {
        match Tokens::new(positions, self.config.max_seq_len) {
            Ok(positions) => positions.reshape(shape),
            Err(_) => tensor::shape::wrong(
                "gpt2",
                &format!("the context holds {} positions", self.config.max_seq_len),
                &[shape],
                "cut the sequence",
            ),
        }
    }

    #[track_caller]
    fn seq_len(tokens: &Tokens) -> usize {
        match tokens.shape() {
            [_, seq_len] => *seq_len,
            shape => {
                tensor::shape::wrong("gpt2", "tokens are not [batch_size, seq_len]", &[shape], "")
            }
        }
    }

    fn stack(
        &self,
        tokens: &Tokens,
        at: &Tokens,
        mask: &Mask,
        mut cache: Option<&mut Cache>,
    ) -> Var {
        let x = self.token_embedding.forward(tokens) + self.position_embedding.forward(at);
        let mut x = x.dropout(self.config.embedding_dropout);
        for (layer, block) in self.blocks.iter().enumerate() {
            let cache = cache.as_mut().map(|cache| &mut cache.layers[layer]);
            x = block.forward(&x, mask, cache);
        }
        self.final_norm.forward(&x)
    }

    /// Hugging Face's names of the parameters, in the order of [`Module::parameters`].
    pub fn hugging_face_names(&self) -> Vec<String> {
        self.parameters().into_iter().map(|(name, _)| hugging_face_name(&name)).collect()
    }
}

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
    fn sizes_that_make_no_model_are_errors() {
        let config = Gpt2Config { d_model: 10, n_heads: 4, ..Gpt2Config::default() };
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "4 heads do not divide a width of 10; choose a width that is a multiple of the heads"
        );
        let config = Gpt2Config { n_layers: 0, ..Gpt2Config::default() };
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "the model's n_layer is 0; it must be at least 1"
        );
    }

    #[test]
    fn absurd_sizes_are_errors() {
        let error = "the model's sizes are beyond what any machine holds; look for a wrong number";
        let base = Gpt2Config::default;
        for config in [
            Gpt2Config { n_layers: 1_000_000_000, ..base() },
            Gpt2Config { vocab_size: usize::MAX, ..base() },
            Gpt2Config { d_model: 1 << 40, n_heads: 1, ..base() },
            Gpt2Config { d_ff: Some(usize::MAX / 2), ..base() },
        ] {
            assert_eq!(config.check().unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn names_become_hugging_faces() {
        assert_eq!(
            hugging_face_name("blocks.3.attention.w_o.bias"),
            "transformer.h.3.attn.c_proj.bias"
        );
        assert_eq!(hugging_face_name("final_norm.gamma"), "transformer.ln_f.weight");
        assert_eq!(hugging_face_name("token_embedding.weight"), "transformer.wte.weight");
    }

    #[test]
    #[should_panic(expected = "gpt2: the context holds 4 positions: [5]; cut the sequence")]
    fn a_sequence_longer_than_the_context_is_a_bug() {
        let config = Gpt2Config {
            vocab_size: 5,
            max_seq_len: 4,
            d_model: 4,
            n_layers: 1,
            n_heads: 1,
            ..Gpt2Config::default()
        };
        let model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
        model.forward(&Tokens::batch(&[[0; 5]], 5).unwrap());
    }
}
