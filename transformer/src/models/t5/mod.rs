//! T5: an encoder–decoder whose positions are a bias of the scores, shared by all blocks of a stack.
//! Raffel et al. 2020; v1.1, with gated feed-forward networks: Shazeer 2020.

mod config;
mod names;

pub use config::T5Config;

use crate::attention::Projections;
use crate::block::{NormPlacement, Residual};
use crate::positions::RelativePositionBias;
use crate::pretrained::{Checkpoint, Config, Layout, Pretrained};
use crate::{
    Block, Cache, Decoder, DecoderBlock, Embedding, Encoder, Error, FeedForward, Init, Linear,
    Memory, MultiHeadAttention, Norm, Padded, Pass, RmsNorm, Trace, parameters_of,
};
use autograd::{Var, no_grad};
use serde_json::{Map, Value};
use tensor::{Float, Rng, Tokens};

/// A T5.
///
/// ```
/// use tensor::{Rng, Tokens};
/// use transformer::{Padded, T5, T5Config};
/// let sizes = T5Config { vocab_size: 11, d_model: 8, d_ff: 16, n_layers: 1, ..Default::default() };
/// let model = T5::new(sizes, &mut Rng::seeded(1)).unwrap();
/// let source = Padded::right(&[vec![5, 6, 7]], 11).unwrap();
/// let target = Tokens::batch(&[[0, 5]], 11).unwrap();
/// assert_eq!(model.forward(&source, &target).shape(), [1, 2, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct T5 {
    /// Its sizes.
    pub config: T5Config,
    /// A row for each token of source and target; its transpose is the output layer of v1.0.
    pub embedding: Embedding,
    /// Reads the source.
    pub encoder: Encoder,
    /// What distances add to the encoder's scores.
    pub encoder_distances: RelativePositionBias,
    /// Writes the target.
    pub decoder: Decoder,
    /// What distances add to the scores of the decoder's self-attention.
    pub decoder_distances: RelativePositionBias,
    /// The output layer of v1.1.
    pub head: Option<Linear>,
}
parameters_of!(T5 { embedding, encoder, encoder_distances, decoder, decoder_distances, head });

impl T5 {
    /// Random weights: normal, with the deviations of the paper's published code times
    /// `initializer_factor`.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: T5Config, rng: &mut Rng) -> Result<T5, Error> {
        config.check()?;
        let (d_model, init) = (config.d_model, Inits::of(&config));
        let norm = || Some(Norm::from(RmsNorm::new(d_model, config.eps)));
        let buckets = (config.n_buckets, config.max_distance);
        let distances = |bidirectional, rng: &mut Rng| {
            let n_heads = config.n_heads;
            RelativePositionBias::new(rng, buckets, n_heads, bidirectional, init.model)
        };
        let embedding = Embedding::new(rng, config.vocab_size, d_model, init.one);
        let mut encoder = Vec::new();
        for _ in 0..config.n_layers {
            encoder.push(encoder_block(&config, rng)?);
        }
        let mut decoder = Vec::new();
        for _ in 0..config.n_decoder_layers() {
            decoder.push(decoder_block(&config, rng)?);
        }
        Ok(T5 {
            embedding,
            encoder: Encoder { blocks: encoder, final_norm: norm() },
            encoder_distances: distances(true, rng),
            decoder: Decoder { blocks: decoder, final_norm: norm() },
            decoder_distances: distances(false, rng),
            head: config
                .has_own_output
                .then(|| Linear::without_bias(rng, d_model, config.vocab_size, init.one)),
            config,
        })
    }

    /// Sets the dropout.
    ///
    /// # Errors
    /// If `p` is not in [0, 1).
    pub fn set_dropout(&mut self, p: Float) -> Result<(), Error> {
        let config = T5Config { dropout: p, ..self.config.clone() };
        config.check()?;
        for block in &mut self.encoder.blocks {
            (block.residual.dropout, block.attention.dropout) = (p, p);
            block.feed_forward.dropout = p;
        }
        for block in &mut self.decoder.blocks {
            (block.residual.dropout, block.attention.dropout) = (p, p);
            (block.cross_attention.dropout, block.feed_forward.dropout) = (p, p);
        }
        self.config = config;
        Ok(())
    }

    /// The scores of the next token at each position of the target, which begins with the start
    /// token: `[batch_size, target_len]` → `[batch_size, target_len, vocab_size]`
    ///
    /// # Panics
    /// If source and target have unequal numbers of rows, or another vocabulary.
    #[track_caller]
    pub fn forward(&self, source: &Padded, target: &Tokens) -> Var {
        let memory = self.encode(source, None);
        self.logits(&self.decode(target, &memory, None))
    }

    /// Reads the source: `[batch_size, source_len]` → states `[batch_size, source_len, d_model]`
    ///
    /// # Panics
    /// If the source is of another vocabulary.
    #[track_caller]
    pub fn encode(&self, source: &Padded, trace: Option<&mut Trace>) -> Memory {
        let n = source.tokens.shape()[1];
        let bias = Some(self.encoder_distances.forward(n, n));
        let mut pass = Pass { mask: source.mask(), bias, trace, ..Pass::default() };
        let x = self.embedding.forward(&source.tokens).dropout(self.config.dropout);
        let states = self.encoder.forward(&x, &mut pass).dropout(self.config.dropout);
        Memory { states, mask: source.mask() }
    }

    /// The decoder's hidden states: `[batch_size, target_len]` → `[batch_size, target_len, d_model]`
    ///
    /// # Panics
    /// As [`T5::forward`].
    #[track_caller]
    pub fn decode(&self, target: &Tokens, memory: &Memory, trace: Option<&mut Trace>) -> Var {
        self.run_decoder(target, memory, Pass { trace, ..Pass::causal() }, 0)
    }

    /// [`T5::decode`] of tokens that follow those in the cache, which they join. Nothing is recorded:
    /// a cache has no gradient.
    ///
    /// # Panics
    /// As [`T5::forward`].
    #[track_caller]
    pub fn decode_cached(&self, target: &Tokens, memory: &Memory, cache: &mut Cache) -> Var {
        let start = cache.len();
        cache.advance(&vec![true; target.ids().len()]);
        let pass = Pass { cache: Some(cache), ..Pass::causal() };
        no_grad(|| self.run_decoder(target, memory, pass, start))
    }

    /// The scores of each token from the decoder's hidden states: `[.., d_model]` → `[.., vocab_size]`
    #[track_caller]
    pub fn logits(&self, hidden: &Var) -> Var {
        let scale = (self.config.d_model as Float).powf(-0.5);
        let scaled = if self.config.scales_output { &(hidden * scale) } else { hidden };
        match &self.head {
            Some(head) => head.forward(scaled),
            None => self.embedding.logits(scaled),
        }
    }

    /// The token that a target begins with, alone.
    pub fn start_token(&self) -> &[u32] {
        let token = self.config.start_token.as_ref().or(self.config.pad_token_id.as_ref());
        std::slice::from_ref(token.unwrap_or(&0))
    }

    #[track_caller]
    fn run_decoder(&self, target: &Tokens, memory: &Memory, pass: Pass<'_>, start: usize) -> Var {
        let (sources, targets) = (memory.states.shape(), target.shape());
        if sources[0] != targets[0] {
            let rule = "source and target have unequal numbers of rows";
            tensor::shape::wrong("t5", rule, &[sources, targets], "");
        }
        let bias = Some(self.decoder_distances.forward(targets[1], start + targets[1]));
        let mut pass = Pass { memory: Some(memory), bias, ..pass };
        let x = self.embedding.forward(target).dropout(self.config.dropout);
        self.decoder.forward(&x, &mut pass).dropout(self.config.dropout)
    }
}

/// The distributions of initial weights.
struct Inits {
    one: Init,
    model: Init,
    query: Init,
    heads: Init,
    inner: Init,
}

impl Inits {
    fn of(config: &T5Config) -> Inits {
        let of = |width: usize| match config.initializer_factor {
            0.0 => Init::Zeros,
            factor => Init::Normal(factor / (width as Float).sqrt()),
        };
        Inits {
            one: of(1),
            model: of(config.d_model),
            query: of(config.d_model * config.d_k),
            heads: of(config.n_heads * config.d_k),
            inner: of(config.d_ff),
        }
    }
}

fn encoder_block(config: &T5Config, rng: &mut Rng) -> Result<Block, Error> {
    Ok(Block {
        norm_1: RmsNorm::new(config.d_model, config.eps).into(),
        attention: attention(config, rng),
        norm_2: RmsNorm::new(config.d_model, config.eps).into(),
        feed_forward: feed_forward(config, rng)?,
        residual: Residual { placement: NormPlacement::Pre, dropout: config.dropout },
    })
}

fn decoder_block(config: &T5Config, rng: &mut Rng) -> Result<DecoderBlock, Error> {
    let Block { norm_1, attention: own, norm_2, feed_forward, residual } =
        encoder_block(config, rng)?;
    Ok(DecoderBlock {
        norm_1,
        attention: own,
        norm_2,
        cross_attention: attention(config, rng),
        norm_3: RmsNorm::new(config.d_model, config.eps).into(),
        feed_forward,
        residual,
    })
}

/// Scores are not divided by √d_k: the initial weights of queries are that much smaller.
fn attention(config: &T5Config, rng: &mut Rng) -> MultiHeadAttention {
    let (init, width) = (Inits::of(config), config.n_heads * config.d_k);
    let mut linear = |init| Linear::without_bias(rng, config.d_model, width, init);
    let projections = Projections::Apart {
        w_q: linear(init.query),
        w_k: linear(init.model),
        w_v: linear(init.model),
    };
    MultiHeadAttention {
        projections,
        norm_q: None,
        norm_k: None,
        w_o: Linear::without_bias(rng, width, config.d_model, init.heads),
        n_heads: config.n_heads,
        n_kv_heads: config.n_heads,
        scale: 1.0,
        dropout: config.dropout,
    }
}

fn feed_forward(config: &T5Config, rng: &mut Rng) -> Result<FeedForward, Error> {
    let ((activation, is_gated), init) = (config.activation()?, Inits::of(config));
    let sizes = (config.d_model, config.d_ff);
    let gated = FeedForward::gated(rng, sizes, activation, init.model, init.inner);
    let w_gate = gated.w_gate.filter(|_| is_gated);
    Ok(FeedForward { w_gate, dropout: config.dropout, ..gated })
}

impl Pretrained for T5 {
    fn from_config(config: &Config) -> Result<T5, Error> {
        let config = T5Config::from_json(config)?;
        let empty = T5Config { initializer_factor: 0.0, ..config.clone() };
        Ok(T5 { config, ..T5::new(empty, &mut Rng::seeded(0))? })
    }

    fn config_json(&self) -> Map<String, Value> {
        self.config.to_json()
    }

    fn layout(&self) -> Layout {
        names::layout(self.config.activation().is_ok_and(|(_, is_gated)| is_gated))
    }

    /// Configurations of Transformers 5 do not tell whether the output layer is a matrix of its own.
    fn settle(checkpoint: &mut Checkpoint) {
        let is_own = match checkpoint.tensors.contains_key("shared.weight") {
            true => checkpoint.differ("lm_head.weight", "shared.weight"),
            false => checkpoint.differ("lm_head.weight", "encoder.embed_tokens.weight"),
        };
        checkpoint.config.values.insert(config::OWN_OUTPUT.into(), is_own.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> T5 {
        let config = T5Config {
            vocab_size: 13,
            d_model: 8,
            d_k: 6,
            d_ff: 16,
            n_layers: 2,
            n_decoder_layers: Some(1),
            n_heads: 2,
            ..T5Config::default()
        };
        T5::new(config, &mut Rng::seeded(1)).unwrap()
    }

    fn assert_close(a: &Var, b: &Var) {
        assert_eq!(a.shape(), b.shape());
        assert!((a - b).value().to_vec().iter().all(|d| d.abs() < 1e-4));
    }

    #[test]
    fn a_padded_batch_equals_its_rows_alone() {
        let model = model();
        let sources = [vec![5, 6, 7, 8, 9], vec![3, 4]];
        let source = Padded::right(&sources, 13).unwrap();
        let together = model.forward(&source, &Tokens::batch(&[[0, 2, 3], [0, 7, 9]], 13).unwrap());
        let alone = Padded::right(&sources[1..], 13).unwrap();
        let alone = model.forward(&alone, &Tokens::batch(&[[0, 7, 9]], 13).unwrap());
        assert_close(&together.narrow(0, 1, 1), &alone);
    }

    #[test]
    fn decoding_with_a_cache_equals_decoding_at_once() {
        let model = model();
        let source = Padded::right(&[vec![5, 6, 7], vec![8]], 13).unwrap();
        let target = [[0, 2, 3, 4], [0, 9, 8, 7]];
        let memory = model.encode(&source, None);
        let all = model.decode(&Tokens::batch(&target, 13).unwrap(), &memory, None);
        let mut cache = Cache::new(1, 2, 4);
        for position in 0..4 {
            let next = Tokens::batch(&target.map(|row| [row[position]]), 13).unwrap();
            let hidden = model.decode_cached(&next, &memory, &mut cache);
            assert_close(&hidden, &all.narrow(1, position, 1));
        }
    }

    #[test]
    fn the_scores_of_v1_0_are_scaled() {
        let mut model = model();
        let hidden = Var::constant(Rng::seeded(2).normal(&[1, 1, 8], 1.0));
        let scaled = model.logits(&hidden);
        model.config.scales_output = false;
        assert_close(&(scaled * (8.0 as Float).sqrt()), &model.logits(&hidden));
    }

    #[test]
    #[should_panic(
        expected = "t5: source and target have unequal numbers of rows: [1, 2, 8] and [2, 1]"
    )]
    fn source_and_target_have_as_many_rows() {
        let source = Padded::right(&[vec![5, 6]], 13).unwrap();
        model().forward(&source, &Tokens::batch(&[[0], [0]], 13).unwrap());
    }
}
