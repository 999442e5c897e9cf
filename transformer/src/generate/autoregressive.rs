//! What generation asks of a model.

use super::{Generated, Generation, Hooks};
use crate::{Error, Padded};
use tensor::Tensor;

/// A model that scores the next token of rows that it reads piece by piece.
pub trait Autoregressive {
    /// What it keeps of what it has read, row by row.
    type State;

    /// Tokens of the vocabulary.
    fn vocab_size(&self) -> usize;

    /// The longest row, in tokens, if there is such a bound.
    fn max_seq_len(&self) -> Option<usize>;

    /// The tokens that end a row where the settings name none.
    fn end_tokens(&self) -> Vec<u32>;

    /// What the row that answers `ids` begins with.
    fn first_tokens<'a>(&'a self, ids: &'a [u32]) -> &'a [u32];

    /// The state before the first token, of a row for each of `ids`, with room for `capacity` tokens
    /// each.
    ///
    /// # Errors
    /// If an id is beyond the vocabulary.
    fn start(&self, ids: &[&[u32]], capacity: usize) -> Result<Self::State, Error>;

    /// Reads tokens that follow those it has read, `[batch_size, seq_len]`, padded on the left, and
    /// returns the scores of the token after the last, `[batch_size, vocab_size]`.
    fn next_scores(&self, tokens: &Padded, state: &mut Self::State) -> Tensor;

    /// Row `i` becomes what row `rows[i]` was; rows may be repeated and left out.
    fn reorder(&self, state: &mut Self::State, rows: &[usize]);

    /// An error of generation, with what the model knows of its cause.
    fn blamed(&self, error: Error) -> Error {
        error
    }

    /// What the model writes to `ids`, up to and with an end token:
    /// [`generate_batch`](Autoregressive::generate_batch) of one row.
    ///
    /// # Errors
    /// As [`generate_batch`](Autoregressive::generate_batch), and if several sequences are to be
    /// returned.
    fn generate(&self, ids: &[u32], settings: &Generation) -> Result<Vec<u32>, Error>
    where
        Self: Sized,
    {
        if settings.num_return_sequences > 1 {
            let text =
                "generate returns one sequence; for num_return_sequences take generate_batch";
            return Err(Error::Request(text.into()));
        }
        Ok(self.generate_batch(&[ids], settings)?.remove(0))
    }

    /// What the model writes to each row of `ids`, up to and with an end token. Of a decoder that
    /// stands alone the ids are the beginning of the result; of an encoder–decoder they are the
    /// source, and the result begins with the start token.
    ///
    /// Greedily, or with beams, each row gets the same tokens as alone; sampled, row `i` draws from a
    /// generator of its own, fixed by seed and `i`. Where several sequences are returned for each
    /// row, they follow one another. [`Hooks::draws`] can fix draws otherwise.
    ///
    /// # Errors
    /// If settings contradict each other, a row is empty, does not fit the context, or holds an id
    /// beyond the vocabulary; or if the model's scores are not numbers.
    fn generate_batch(
        &self,
        ids: &[impl AsRef<[u32]>],
        settings: &Generation,
    ) -> Result<Vec<Vec<u32>>, Error>
    where
        Self: Sized,
    {
        let rows = self.generate_with(ids, settings, Hooks::default())?;
        Ok(rows.into_iter().map(|row| row.ids).collect())
    }

    /// [`generate_batch`](Autoregressive::generate_batch) with the log-probabilities of what was
    /// chosen, and with [`Hooks`]: tokens told as they are chosen, tokens that may follow, stop texts.
    ///
    /// # Errors
    /// As [`generate_batch`](Autoregressive::generate_batch); and if a hook allows no token, or there
    /// are stop texts but no tokenizer to read them with.
    fn generate_with(
        &self,
        ids: &[impl AsRef<[u32]>],
        settings: &Generation,
        hooks: Hooks<'_>,
    ) -> Result<Vec<Generated>, Error>
    where
        Self: Sized,
    {
        super::rows(self, ids, settings, hooks).map_err(|error| self.blamed(error))
    }
}
