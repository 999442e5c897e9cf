//! The Transformer of "Attention Is All You Need": an encoder that reads a source, and a decoder that
//! writes a target while it attends to what was read. Vaswani et al. 2017.

use crate::block::Residual;
use crate::positions::sinusoidal;
use crate::{
    Activation, Block, Cache, Decoder, DecoderBlock, Embedding, Encoder, Error, FeedForward, Init,
    LayerNorm, Memory, MultiHeadAttention, Norm, NormPlacement, Padded, Pass, Trace, parameters_of,
    sizes,
};
use autograd::{Var, no_grad};
use serde::{Deserialize, Serialize};
use tensor::{Float, Rng, Targets, Tokens};

/// The sizes of an encoder–decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderDecoderConfig {
    /// Tokens of the vocabulary that source and target share.
    pub vocab_size: usize,
    /// The width of the residual streams.
    pub d_model: usize,
    /// Blocks of the encoder, and as many of the decoder.
    pub n_layers: usize,
    /// Attention heads of each block.
    pub n_heads: usize,
    /// The width inside the feed-forward networks.
    pub d_ff: usize,
    /// Dropout of the embeddings, and of what is added to the residual streams (section 5.4).
    pub dropout: Float,
    /// Where the blocks normalize.
    pub placement: NormPlacement,
    /// ε of the layer normalizations.
    pub eps: Float,
    /// The token that each target begins with.
    pub start_token: u32,
    /// The token that each target ends with.
    pub end_token: u32,
}

impl Default for EncoderDecoderConfig {
    /// The paper's base model (table 3), with its vocabulary for English–German.
    fn default() -> EncoderDecoderConfig {
        EncoderDecoderConfig {
            vocab_size: 37000,
            d_model: 512,
            n_layers: 6,
            n_heads: 8,
            d_ff: 2048,
            dropout: 0.1,
            placement: NormPlacement::Post,
            eps: 1e-6,
            start_token: 0,
            end_token: 1,
        }
    }
}

impl EncoderDecoderConfig {
    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// If a size is 0, the heads do not divide the width, a token is not in the vocabulary, or the
    /// dropout is not in [0, 1).
    pub fn check(&self) -> Result<(), Error> {
        let named = [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("d_ff", self.d_ff),
        ];
        sizes::check(&named, (self.d_model, self.n_heads), &[self.dropout])?;
        for (name, token) in [("start_token", self.start_token), ("end_token", self.end_token)] {
            if token as usize >= self.vocab_size {
                return Err(Error::Request(format!(
                    "{name} {token} is beyond the vocabulary of {} tokens",
                    self.vocab_size
                )));
            }
        }
        Ok(())
    }
}

/// An encoder–decoder. One table is the embedding of source and target and, transposed, the output
/// layer (section 3.4).
///
/// ```
/// use tensor::{Rng, Tokens};
/// use transformer::{EncoderDecoder, EncoderDecoderConfig, Padded};
/// let sizes = EncoderDecoderConfig { vocab_size: 11, d_model: 8, n_layers: 1, ..Default::default() };
/// let model = EncoderDecoder::new(sizes, &mut Rng::seeded(1)).unwrap();
/// let source = Padded::right(&[vec![5, 6, 7]], 11).unwrap();
/// let target = Tokens::batch(&[[0, 5]], 11).unwrap();
/// assert_eq!(model.forward(&source, &target).shape(), [1, 2, 11]);
/// ```
#[derive(Clone, Debug)]
pub struct EncoderDecoder {
    /// Its sizes.
    pub config: EncoderDecoderConfig,
    /// A row for each token; its transpose is the output layer.
    pub embedding: Embedding,
    /// Reads the source.
    pub encoder: Encoder,
    /// Writes the target.
    pub decoder: Decoder,
}
parameters_of!(EncoderDecoder { embedding, encoder, decoder });

impl EncoderDecoder {
    /// Random weights: matrices from Xavier's uniform distribution, embeddings normal with deviation
    /// 1 / √d_model, so that scaled by √d_model they are of the size of the positions; biases zero.
    /// The paper names no initialization; these are common to its reimplementations.
    ///
    /// # Errors
    /// If the sizes do not make a model.
    pub fn new(config: EncoderDecoderConfig, rng: &mut Rng) -> Result<EncoderDecoder, Error> {
        config.check()?;
        let init = Init::Normal((config.d_model as Float).powf(-0.5));
        let embedding = Embedding::new(rng, config.vocab_size, config.d_model, init);
        let norm = || Norm::from(LayerNorm::new(config.d_model, config.eps));
        let final_norm = || (config.placement == NormPlacement::Pre).then(norm);
        let encoder = Encoder {
            blocks: (0..config.n_layers).map(|_| encoder_block(&config, rng)).collect(),
            final_norm: final_norm(),
        };
        let decoder = Decoder {
            blocks: (0..config.n_layers).map(|_| decoder_block(&config, rng)).collect(),
            final_norm: final_norm(),
        };
        Ok(EncoderDecoder { embedding, encoder, decoder, config })
    }

    /// The scores of the next token at each position of the target, which begins with the start
    /// token: `[batch_size, target_len]` → `[batch_size, target_len, vocab_size]`
    ///
    /// # Panics
    /// If source and target have unequal numbers of rows, or another vocabulary.
    #[track_caller]
    pub fn forward(&self, source: &Padded, target: &Tokens) -> Var {
        let memory = self.encode(source);
        self.logits(&self.decode(target, &memory, None))
    }

    /// [`EncoderDecoder::forward`] with the hidden states and attention weights of encoder and
    /// decoder.
    ///
    /// # Panics
    /// As [`EncoderDecoder::forward`].
    #[track_caller]
    pub fn forward_traced(&self, source: &Padded, target: &Tokens) -> (Var, [Trace; 2]) {
        let [mut encoder, mut decoder] = [Trace::default(), Trace::default()];
        let memory = self.run_encoder(source, Some(&mut encoder));
        let hidden = self.run_decoder(target, &memory, None, Some(&mut decoder));
        (self.logits(&hidden), [encoder, decoder])
    }

    /// Reads the source: `[batch_size, source_len]` → states `[batch_size, source_len, d_model]`
    ///
    /// # Panics
    /// If the source is of another vocabulary.
    #[track_caller]
    pub fn encode(&self, source: &Padded) -> Memory {
        self.run_encoder(source, None)
    }

    /// The decoder's hidden states, `[batch_size, target_len, d_model]`. With a cache, the target's
    /// tokens follow those that the cache has seen, and nothing is recorded: a cache has no gradient.
    ///
    /// # Panics
    /// As [`EncoderDecoder::forward`].
    #[track_caller]
    pub fn decode(&self, target: &Tokens, memory: &Memory, cache: Option<&mut Cache>) -> Var {
        match cache {
            Some(cache) => no_grad(|| self.run_decoder(target, memory, Some(cache), None)),
            None => self.run_decoder(target, memory, None, None),
        }
    }

    /// The scores of each token from hidden states: `[.., d_model]` → `[.., vocab_size]`
    #[track_caller]
    pub fn logits(&self, hidden: &Var) -> Var {
        self.embedding.logits(hidden)
    }

    /// What the decoder is given and what it is to predict: each row behind the start token, and each
    /// row with the end token behind it. Padding counts for nothing.
    ///
    /// # Errors
    /// If an id is not in the vocabulary.
    pub fn teacher_forcing(&self, rows: &[impl AsRef<[u32]>]) -> Result<(Tokens, Targets), Error> {
        let EncoderDecoderConfig { vocab_size, start_token, end_token, .. } = self.config;
        let given = rows.iter().map(|row| [&[start_token], row.as_ref()].concat());
        let given = Padded::right(&given.collect::<Vec<_>>(), vocab_size)?;
        let width = given.tokens.shape()[1];
        let mut targets = vec![Targets::IGNORED; rows.len() * width];
        for (row, targets) in rows.iter().zip(targets.chunks_exact_mut(width.max(1))) {
            let row = row.as_ref();
            targets[..row.len()].copy_from_slice(row);
            targets[row.len()] = end_token;
        }
        Ok((given.tokens, Targets::new(targets, vocab_size)?))
    }

    #[track_caller]
    fn run_encoder(&self, source: &Padded, trace: Option<&mut Trace>) -> Memory {
        let x = self.embed(&source.tokens, 0);
        let mut pass = Pass { mask: source.mask(), trace, ..Pass::default() };
        Memory { states: self.encoder.forward(&x, &mut pass), mask: source.mask() }
    }

    #[track_caller]
    fn run_decoder(
        &self,
        target: &Tokens,
        memory: &Memory,
        mut cache: Option<&mut Cache>,
        trace: Option<&mut Trace>,
    ) -> Var {
        let (sources, targets) = (memory.states.shape(), target.shape());
        if sources[0] != targets[0] {
            let rule = "source and target have unequal numbers of rows";
            tensor::shape::wrong("encoder_decoder", rule, &[sources, targets], "");
        }
        let mut start = 0;
        if let Some(cache) = &mut cache {
            start = cache.len();
            cache.advance(&vec![true; target.ids().len()]);
        }
        let x = self.embed(target, start);
        let mut pass = Pass { memory: Some(memory), cache, trace, ..Pass::causal() };
        self.decoder.forward(&x, &mut pass)
    }

    /// Embeddings times √d_model, plus positions (sections 3.4 and 3.5).
    #[track_caller]
    fn embed(&self, tokens: &Tokens, start: usize) -> Var {
        let [_, seq_len] = tokens.shape() else {
            let rule = "tokens are not [batch_size, seq_len]";
            tensor::shape::wrong("encoder_decoder", rule, &[tokens.shape()], "")
        };
        let d_model = self.config.d_model;
        let scaled = self.embedding.forward(tokens) * (d_model as Float).sqrt();
        let x = scaled + Var::constant(sinusoidal(start, *seq_len, d_model));
        x.dropout(self.config.dropout)
    }
}

fn encoder_block(config: &EncoderDecoderConfig, rng: &mut Rng) -> Block {
    let DecoderBlock { norm_1, attention, norm_2, feed_forward, residual, .. } =
        decoder_block(config, rng);
    Block { norm_1, attention, norm_2, feed_forward, residual }
}

fn decoder_block(config: &EncoderDecoderConfig, rng: &mut Rng) -> DecoderBlock {
    let EncoderDecoderConfig { d_model, d_ff, n_heads, placement, dropout, .. } = *config;
    let norm = || Norm::from(LayerNorm::new(d_model, config.eps));
    let init = Init::XavierUniform;
    let mut attention = || MultiHeadAttention::apart(rng, (d_model, n_heads), init, init);
    DecoderBlock {
        norm_1: norm(),
        attention: attention(),
        norm_2: norm(),
        cross_attention: attention(),
        norm_3: norm(),
        feed_forward: FeedForward::new(rng, (d_model, d_ff), Activation::Relu, init, init),
        residual: Residual { placement, dropout },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(placement: NormPlacement) -> EncoderDecoder {
        let config = EncoderDecoderConfig {
            vocab_size: 13,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            d_ff: 16,
            placement,
            ..EncoderDecoderConfig::default()
        };
        EncoderDecoder::new(config, &mut Rng::seeded(1)).unwrap()
    }

    fn assert_close(a: &Var, b: &Var) {
        assert_eq!(a.shape(), b.shape());
        assert!((a - b).value().to_vec().iter().all(|d| d.abs() < 1e-5));
    }

    #[test]
    fn a_padded_batch_equals_its_rows_alone() {
        for placement in [NormPlacement::Pre, NormPlacement::Post] {
            let model = model(placement);
            let sources = [vec![5, 6, 7, 8, 9], vec![3, 4]];
            let source = Padded::right(&sources, 13).unwrap();
            let target = Tokens::batch(&[[0, 2, 3], [0, 7, 9]], 13).unwrap();
            let together = model.forward(&source, &target);
            for (row, ids) in sources.iter().enumerate() {
                let alone = Padded::right(std::slice::from_ref(ids), 13).unwrap();
                let target = Tokens::batch(&[&target.ids()[3 * row..][..3]], 13).unwrap();
                assert_close(&together.narrow(0, row, 1), &model.forward(&alone, &target));
            }
        }
    }

    #[test]
    fn decoding_with_a_cache_equals_decoding_at_once() {
        let model = model(NormPlacement::Post);
        let source = Padded::right(&[vec![5, 6, 7], vec![8]], 13).unwrap();
        let target = [[0, 2, 3, 4], [0, 9, 8, 7]];
        let memory = model.encode(&source);
        let all = model.decode(&Tokens::batch(&target, 13).unwrap(), &memory, None);
        let mut cache = Cache::new(2, 2, 4);
        for position in 0..4 {
            let next = Tokens::batch(&target.map(|row| [row[position]]), 13).unwrap();
            let hidden = model.decode(&next, &memory, Some(&mut cache));
            assert_close(&hidden, &all.narrow(1, position, 1));
        }
    }

    #[test]
    fn a_later_target_changes_no_earlier_score_and_a_trace_notes_every_block() {
        let model = model(NormPlacement::Pre);
        let source = Padded::right(&[vec![5, 6, 7]], 13).unwrap();
        let scores = |ids| model.forward(&source, &Tokens::batch(&[ids], 13).unwrap());
        let (a, b) = (scores([0, 2, 3]), scores([0, 2, 9]));
        assert_close(&a.narrow(1, 0, 2), &b.narrow(1, 0, 2));
        let target = Tokens::batch(&[[0, 2, 3]], 13).unwrap();
        let (logits, [encoder, decoder]) = model.forward_traced(&source, &target);
        assert_close(&logits, &a);
        assert_eq!((encoder.hidden_states.len(), encoder.attention_weights.len()), (3, 2));
        assert_eq!(decoder.cross_attention_weights[1].shape(), [1, 2, 3, 3]);
        let sums = decoder.cross_attention_weights[1].value().sum_axes(&[-1], false);
        assert!(sums.to_vec().iter().all(|sum| (sum - 1.0).abs() < 1e-5));
    }

    #[test]
    fn teacher_forcing_shifts_by_one() {
        let model = model(NormPlacement::Post);
        let (given, targets) = model.teacher_forcing(&[vec![5, 6], vec![7]]).unwrap();
        assert_eq!(given.ids(), [0, 5, 6, 0, 7, 0]);
        assert_eq!(targets.ids(), [5, 6, 1, 7, 1, Targets::IGNORED]);
        let none: [Vec<u32>; 0] = [];
        assert_eq!(model.teacher_forcing(&none).unwrap().0.shape(), [0, 0]);
    }

    #[test]
    #[should_panic(expected = "encoder_decoder: source and target have unequal numbers of rows: \
                               [1, 2, 8] and [2, 1]")]
    fn source_and_target_have_as_many_rows() {
        let source = Padded::right(&[vec![5, 6]], 13).unwrap();
        model(NormPlacement::Post).forward(&source, &Tokens::batch(&[[0], [0]], 13).unwrap());
    }

    #[test]
    fn sizes_that_make_no_model_are_errors() {
        let base = EncoderDecoderConfig::default;
        let error = |config: EncoderDecoderConfig| config.check().unwrap_err().to_string();
        assert_eq!(
            error(EncoderDecoderConfig { d_ff: 0, ..base() }),
            "the model's d_ff is 0; it must be at least 1"
        );
        assert_eq!(
            error(EncoderDecoderConfig { n_heads: 7, ..base() }),
            "7 heads do not divide a width of 512; choose a width that is a multiple of the heads"
        );
        assert_eq!(
            error(EncoderDecoderConfig { end_token: 37000, ..base() }),
            "end_token 37000 is beyond the vocabulary of 37000 tokens"
        );
        assert_eq!(
            error(EncoderDecoderConfig { dropout: 1.0, ..base() }),
            "a dropout of 1 is not in [0, 1)"
        );
    }
}
