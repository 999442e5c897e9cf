//! Rows of unequal length side by side.

use crate::Error;
use autograd::{Mask, Var};
use std::sync::Arc;
use tensor::{Indices, Tokens};

/// Token ids of several rows, the shorter ones padded, and which of them are real.
///
/// ```
/// use transformer::Padded;
/// let batch = Padded::right(&[vec![5, 6], vec![7]], 10).unwrap();
/// assert_eq!(batch.tokens.ids(), [5, 6, 7, 0]);
/// assert_eq!(*batch.is_token, [true, true, true, false]);
/// ```
#[derive(Clone, Debug)]
pub struct Padded {
    /// `[batch_size, seq_len]`; padding is token 0.
    pub tokens: Tokens,
    /// Row by row whether each is a real token.
    pub is_token: Arc<[bool]>,
}

impl Padded {
    /// Padding after the tokens, as encoders and training have it.
    ///
    /// # Errors
    /// If an id is not below `vocab_size`.
    pub fn right(rows: &[impl AsRef<[u32]>], vocab_size: usize) -> Result<Padded, Error> {
        Padded::with(rows, vocab_size, |_, _| 0)
    }

    /// Padding before the tokens, as generation has it.
    ///
    /// # Errors
    /// If an id is not below `vocab_size`.
    pub fn left(rows: &[impl AsRef<[u32]>], vocab_size: usize) -> Result<Padded, Error> {
        Padded::with(rows, vocab_size, |width, len| width - len)
    }

    fn with(
        rows: &[impl AsRef<[u32]>],
        vocab_size: usize,
        start: impl Fn(usize, usize) -> usize,
    ) -> Result<Padded, Error> {
        let rows: Vec<&[u32]> = rows.iter().map(AsRef::as_ref).collect();
        let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut ids = vec![0; rows.len() * width];
        let mut is_token = vec![false; ids.len()];
        for (index, row) in rows.iter().enumerate() {
            Tokens::new(*row, vocab_size)?; // so that an error names the position in its row
            let first = index * width + start(width, row.len());
            ids[first..first + row.len()].copy_from_slice(row);
            is_token[first..first + row.len()].fill(true);
        }
        let tokens = Tokens::new(ids, vocab_size)?.reshape(&[rows.len(), width]);
        Ok(Padded { tokens, is_token: is_token.into() })
    }

    /// Row by row each position's number among its row's tokens, from 0. Padding has that of the next
    /// token.
    pub fn positions(&self) -> Vec<u32> {
        let width = self.tokens.shape()[1].max(1);
        let rows = self.is_token.chunks(width).map(|row| {
            row.iter().scan(0, |count, &is_token| {
                let position = *count;
                *count += u32::from(is_token);
                Some(position)
            })
        });
        rows.flatten().collect()
    }

    /// What of `hidden` stands at each row's last token: `[batch_size, seq_len, d_model]` →
    /// `[batch_size, d_model]`
    ///
    /// # Panics
    /// If a row has no token, or the shapes do not fit.
    #[track_caller]
    pub fn last_tokens(&self, hidden: &Var) -> Var {
        let [batch_size, seq_len, d_model] = [0, 1, 2].map(|axis| hidden.size(axis));
        let last = |(row, is_token): (usize, &[bool])| {
            let last = is_token.iter().rposition(|&is_token| is_token);
            row * seq_len + last.expect("a row has a token")
        };
        let rows: Vec<usize> = self.is_token.chunks(seq_len.max(1)).enumerate().map(last).collect();
        let all = hidden.reshape(&[batch_size * seq_len, d_model]);
        all.index_select(0, &Indices::new(rows, &[batch_size]))
    }

    /// The mask of a decoder: tokens before a position and itself, no padding.
    pub fn causal_mask(&self) -> Mask {
        match self.is_token.iter().all(|&is_token| is_token) {
            true => Mask::causal(),
            false => Mask::causal().with_padding(self.is_token.clone()),
        }
    }

    /// The rows that `rows` names, in that order.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Padded {
        let width = self.tokens.shape()[1];
        let pick = |row: &usize| row * width..(row + 1) * width;
        let ids = rows.iter().flat_map(|row| self.tokens.ids()[pick(row)].to_vec());
        let is_token = rows.iter().flat_map(|row| self.is_token[pick(row)].to_vec()).collect();
        let tokens = Tokens::new(ids.collect::<Vec<_>>(), self.tokens.vocab_size());
        let tokens = tokens.expect("they were checked before").reshape(&[rows.len(), width]);
        Padded { tokens, is_token }
    }

    /// A mask that hides the padding from every query.
    pub fn mask(&self) -> Mask {
        match self.is_token.contains(&false) {
            true => Mask::none().with_padding(self.is_token.clone()),
            false => Mask::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_on_either_side() {
        let rows = [vec![1], vec![], vec![2, 3]];
        let right = Padded::right(&rows, 5).unwrap();
        assert_eq!(right.tokens.ids(), [1, 0, 0, 0, 2, 3]);
        let left = Padded::left(&rows, 5).unwrap();
        assert_eq!(left.tokens.ids(), [0, 1, 0, 0, 2, 3]);
        assert_eq!(*left.is_token, [false, true, false, false, true, true]);
        assert_eq!(left.tokens.shape(), [3, 2]);
    }

    #[test]
    fn rows_are_selected_in_any_order_and_number() {
        let all = Padded::right(&[vec![1], vec![2, 3]], 5).unwrap();
        let some = all.select(&[1, 0, 1]);
        assert_eq!(some.tokens.ids(), [2, 3, 1, 0, 2, 3]);
        assert_eq!(*some.is_token, [true, true, true, false, true, true]);
        assert_eq!(all.select(&[]).tokens.shape(), [0, 2]);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_an_error() {
        let error = Padded::left(&[vec![1], vec![1, 5]], 5).unwrap_err().to_string();
        assert_eq!(
            error,
            "token id 5 at position 1 is beyond the vocabulary of 5 tokens (ids 0 to 4)"
        );
    }
}
