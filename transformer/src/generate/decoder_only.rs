//! Generation by a decoder that stands alone: the ids are the beginning of the result.

use super::Autoregressive;
use crate::{Cache, DecoderOnly, Error, Padded, Reads};
use tensor::Tensor;

impl<M: DecoderOnly> Autoregressive for M {
    type State = Cache;

    fn vocab_size(&self) -> usize {
        DecoderOnly::vocab_size(self)
    }

    fn max_seq_len(&self) -> Option<usize> {
        Some(DecoderOnly::max_seq_len(self))
    }

    fn end_tokens(&self) -> Vec<u32> {
        DecoderOnly::end_tokens(self)
    }

    fn first_tokens<'a>(&'a self, ids: &'a [u32]) -> &'a [u32] {
        ids
    }

    fn start(&self, ids: &[&[u32]], capacity: usize) -> Result<Cache, Error> {
        Ok(Cache::new(self.n_layers(), ids.len(), capacity))
    }

    fn next_scores(&self, tokens: &Padded, cache: &mut Cache) -> Tensor {
        let last = self.read_cached(Reads::Last, &tokens.tokens, &tokens.is_token, cache);
        self.logits(&last.reshape(&[last.size(0), last.size(2)])).value().clone()
    }

    fn reorder(&self, cache: &mut Cache, rows: &[usize]) {
        cache.reorder(rows);
    }
}
