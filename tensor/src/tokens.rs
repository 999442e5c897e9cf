//! Token ids, checked once, where they enter; they are not tensors.

use crate::{Error, shape};
use std::sync::Arc;

/// Token ids of a known vocabulary, in a shape such as `[batch_size, seq_len]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Arc<[u32]>,
    shape: Vec<usize>,
    vocab_size: usize,
}

impl Tokens {
    /// A sequence of ids, shape `[ids.len()]`.
    ///
    /// # Errors
    /// If an id is not below `vocab_size`.
    pub fn new(ids: impl Into<Arc<[u32]>>, vocab_size: usize) -> Result<Tokens, Error> {
        let ids = ids.into();
        check(ids.iter().copied(), vocab_size)?;
        Ok(Tokens { shape: vec![ids.len()], ids, vocab_size })
    }

    /// Rows of equal length, shape `[rows, length]`.
    ///
    /// # Errors
    /// If the lengths differ or an id is not below `vocab_size`.
    pub fn batch(rows: &[impl AsRef<[u32]>], vocab_size: usize) -> Result<Tokens, Error> {
        let expected = rows.first().map_or(0, |row| row.as_ref().len());
        for (row, ids) in rows.iter().enumerate() {
            let found = ids.as_ref().len();
            if found != expected {
                return Err(Error::UnequalRows { row, found, expected });
            }
        }
        let ids: Vec<u32> = rows.iter().flat_map(|row| row.as_ref()).copied().collect();
        Ok(Tokens::new(ids, vocab_size)?.reshape(&[rows.len(), expected]))
    }

    /// The same ids in another shape.
    ///
    /// # Panics
    /// If the number of ids differs.
    #[track_caller]
    pub fn reshape(mut self, shape: &[usize]) -> Tokens {
        if shape.iter().product::<usize>() != self.ids.len() {
            shape::wrong("reshape", "the number of ids differs", &[&self.shape, shape], "");
        }
        self.shape = shape.to_vec();
        self
    }

    /// The ids in row-major order.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many ids the vocabulary has.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}

/// Token ids to be predicted; some places may hold [`Targets::IGNORED`] and count for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    ids: Arc<[u32]>,
    vocab_size: usize,
}

impl Targets {
    /// Marks a place whose prediction does not count.
    pub const IGNORED: u32 = u32::MAX;

    /// Targets, one for each row of the scores they are compared with.
    ///
    /// # Errors
    /// If an id that is not [`Targets::IGNORED`] is not below `vocab_size`.
    pub fn new(ids: impl Into<Arc<[u32]>>, vocab_size: usize) -> Result<Targets, Error> {
        let ids = ids.into();
        let named = |id: &u32| if *id == Targets::IGNORED { 0 } else { *id };
        check(ids.iter().map(named), vocab_size)?;
        Ok(Targets { ids, vocab_size })
    }

    /// The ids, ignored ones included.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// `count` of them from `first` on.
    ///
    /// # Panics
    /// If there are not as many.
    #[track_caller]
    pub fn narrow(&self, first: usize, count: usize) -> Targets {
        let ids = self.ids[first..first + count].into();
        Targets { ids, vocab_size: self.vocab_size }
    }

    /// How many targets count.
    pub fn count(&self) -> usize {
        self.ids.iter().filter(|&&id| id != Targets::IGNORED).count()
    }

    /// How many ids the vocabulary has.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}

fn check(ids: impl Iterator<Item = u32>, vocab_size: usize) -> Result<(), Error> {
    for (position, id) in ids.enumerate() {
        if id as usize >= vocab_size {
            return Err(Error::TokenBeyondVocabulary { id, position, vocab_size });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_beyond_the_vocabulary_is_an_error() {
        let error = Tokens::new([3, 10], 10).unwrap_err();
        assert_eq!(
            error.to_string(),
            "token id 10 at position 1 is beyond the vocabulary of 10 tokens (ids 0 to 9)"
        );
        assert!(Targets::new([3, 10], 10).is_err());
    }

    #[test]
    fn a_batch_needs_rows_of_equal_length() {
        let error = Tokens::batch(&[vec![1, 2], vec![3]], 10).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 1 of the batch has 1 tokens, the first has 2; pad them first"
        );
        assert_eq!(Tokens::batch(&[[1, 2], [3, 4]], 10).unwrap().shape(), [2, 2]);
    }

    #[test]
    fn ignored_targets_do_not_count() {
        let targets = Targets::new([3, Targets::IGNORED, 4], 10).unwrap();
        assert_eq!(targets.count(), 2);
    }
}
