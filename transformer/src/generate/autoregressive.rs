//! What generation asks of a model.

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
}
