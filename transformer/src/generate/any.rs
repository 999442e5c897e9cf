//! Generation by a model of whatever architecture.

use super::{Autoregressive, Reading};
use crate::{Cache, Error, Model, Padded};
use tensor::Tensor;

/// What a [`Model`] keeps of what it has read.
#[derive(Clone, Debug)]
pub enum AnyState {
    /// Of a decoder that stands alone.
    Decoder(Cache),
    /// Of an encoder–decoder.
    EncoderDecoder(Reading),
}

impl Autoregressive for Model {
    type State = AnyState;

    fn vocab_size(&self) -> usize {
        Model::vocab_size(self)
    }

    fn max_seq_len(&self) -> Option<usize> {
        Model::max_seq_len(self)
    }

    fn end_tokens(&self) -> Vec<u32> {
        Model::end_tokens(self)
    }

    fn first_tokens<'a>(&'a self, ids: &'a [u32]) -> &'a [u32] {
        match self {
            Model::T5(model) => model.first_tokens(ids),
            _ => ids,
        }
    }

    fn start(&self, ids: &[&[u32]], capacity: usize) -> Result<AnyState, Error> {
        self.check_writes()?;
        match self {
            Model::Gpt2(model) => model.start(ids, capacity).map(AnyState::Decoder),
            Model::Llama(model) => model.start(ids, capacity).map(AnyState::Decoder),
            Model::T5(model) => model.start(ids, capacity).map(AnyState::EncoderDecoder),
            Model::Bert(_) => unreachable!("it writes nothing"),
        }
    }

    fn next_scores(&self, tokens: &Padded, state: &mut AnyState) -> Tensor {
        match (self, state) {
            (Model::Gpt2(model), AnyState::Decoder(cache)) => model.next_scores(tokens, cache),
            (Model::Llama(model), AnyState::Decoder(cache)) => model.next_scores(tokens, cache),
            (Model::T5(model), AnyState::EncoderDecoder(reading)) => {
                model.next_scores(tokens, reading)
            }
            _ => unreachable!("another model's state"),
        }
    }

    fn reorder(&self, state: &mut AnyState, rows: &[usize]) {
        match state {
            AnyState::Decoder(cache) => cache.reorder(rows),
            AnyState::EncoderDecoder(reading) => reading.reorder(rows),
        }
    }

    fn blamed(&self, error: Error) -> Error {
        Model::blamed(self, error)
    }
}
