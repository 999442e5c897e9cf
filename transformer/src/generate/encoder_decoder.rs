//! Generation by an encoder–decoder: the ids are the source, the result is what the decoder writes.

use super::Autoregressive;
use crate::{Cache, EncoderDecoder, Error, Memory, Padded, T5};
use autograd::Var;
use tensor::{Indices, Tensor};

/// What an encoder–decoder keeps: the source as its encoder read it, which cross-attention turns into
/// keys and values once, and the cache of its decoder.
#[derive(Clone, Debug)]
pub struct Reading {
    source: Padded,
    memory: Memory,
    cache: Cache,
}

/// What the decoder writes to a source: the start token and those that follow it, up to and with the end
/// token of the configuration, unless the settings name others.
///
/// ```
/// use transformer::{Autoregressive, EncoderDecoder, EncoderDecoderConfig, Generation};
/// let config = EncoderDecoderConfig { vocab_size: 11, d_model: 8, ..Default::default() };
/// let model = EncoderDecoder::new(config, &mut tensor::Rng::seeded(1)).unwrap();
/// let beams = Generation { num_beams: 4, ..Generation::default() };
/// let ids = model.generate(&[5, 6, 7], &beams).unwrap();
/// assert_eq!(ids[0], model.config.start_token);
/// ```
impl Autoregressive for EncoderDecoder {
    type State = Reading;

    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn max_seq_len(&self) -> Option<usize> {
        None
    }

    fn end_tokens(&self) -> Vec<u32> {
        vec![self.config.end_token]
    }

    fn first_tokens<'a>(&'a self, _ids: &'a [u32]) -> &'a [u32] {
        std::slice::from_ref(&self.config.start_token)
    }

    fn start(&self, ids: &[&[u32]], capacity: usize) -> Result<Reading, Error> {
        let source = Padded::right(ids, self.config.vocab_size)?;
        let memory = self.encode(&source);
        let cache = Cache::new(self.decoder.blocks.len(), ids.len(), capacity);
        Ok(Reading { source, memory, cache })
    }

    fn next_scores(&self, tokens: &Padded, reading: &mut Reading) -> Tensor {
        let hidden = self.decode(&tokens.tokens, &reading.memory, Some(&mut reading.cache));
        let [batch_size, seq_len, d_model] = [0, 1, 2].map(|axis| hidden.size(axis));
        let last = hidden.narrow(1, seq_len - 1, 1).reshape(&[batch_size, d_model]);
        self.logits(&last).value().clone()
    }

    fn reorder(&self, reading: &mut Reading, rows: &[usize]) {
        reading.reorder(rows);
    }
}

impl Reading {
    pub(super) fn reorder(&mut self, rows: &[usize]) {
        let indices = Indices::new(rows.to_vec(), &[rows.len()]);
        let states = self.memory.states.value().index_select(0, &indices);
        self.source = self.source.select(rows);
        self.memory = Memory { states: Var::constant(states), mask: self.source.mask() };
        self.cache.reorder(rows);
    }
}

/// What the decoder writes to a source: the start token and those that follow it, up to and with the end
/// tokens of the configuration, unless the settings name others.
impl Autoregressive for T5 {
    type State = Reading;

    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn max_seq_len(&self) -> Option<usize> {
        None
    }

    fn end_tokens(&self) -> Vec<u32> {
        self.config.eos_token_id.clone()
    }

    fn first_tokens<'a>(&'a self, _ids: &'a [u32]) -> &'a [u32] {
        self.start_token()
    }

    fn start(&self, ids: &[&[u32]], capacity: usize) -> Result<Reading, Error> {
        let source = Padded::right(ids, self.config.vocab_size)?;
        let memory = self.encode(&source, None);
        let cache = Cache::new(self.decoder.blocks.len(), ids.len(), capacity);
        Ok(Reading { source, memory, cache })
    }

    fn next_scores(&self, tokens: &Padded, reading: &mut Reading) -> Tensor {
        let hidden = self.decode_cached(&tokens.tokens, &reading.memory, &mut reading.cache);
        let [batch_size, seq_len, d_model] = [0, 1, 2].map(|axis| hidden.size(axis));
        let last = hidden.narrow(1, seq_len - 1, 1).reshape(&[batch_size, d_model]);
        self.logits(&last).value().clone()
    }

    fn reorder(&self, reading: &mut Reading, rows: &[usize]) {
        reading.reorder(rows);
    }
}
