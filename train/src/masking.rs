//! (M1) Masking: what a masked language model is given, and what it must fill in. Devlin et al.
//! 2019, section 3.1.

use tensor::{Error, Rng, Targets};
use transformer::Padded;

/// How tokens are masked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masking {
    /// The share of tokens that are to be predicted; 0.15 in BERT.
    pub share: f64,
    /// The token that stands for a hidden one.
    pub mask_token: u32,
    /// Tokens below this id, the special ones, are neither hidden nor put in.
    pub first_word: u32,
    /// How many ids the vocabulary has.
    pub vocab_size: usize,
}

impl Masking {
    /// Rows with some tokens hidden, padded on the right, and the hidden tokens as targets.
    ///
    /// ```math
    /// \tilde x_i = \begin{cases}
    /// \text{MASK} & \text{with probability } 0.8\, p \\
    /// \text{a random token} & \text{with } 0.1\, p \\
    /// x_i & \text{else} \end{cases}
    /// \qquad (M1)
    /// ```
    /// p is the share; the target is xᵢ in the first two cases and with another 0.1 p, so that a
    /// token that was left alone may be asked for too. A row in which chance picks none of its words
    /// has one picked; a row of special tokens alone has none.
    ///
    /// # Errors
    /// If an id is not in the vocabulary.
    pub fn apply(
        &self,
        rows: &[impl AsRef<[u32]>],
        rng: &mut Rng,
    ) -> Result<(Padded, Targets), Error> {
        Padded::right(rows, self.vocab_size).map_err(of_tokens)?; // every id is of the vocabulary
        let width = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
        let mut targets = vec![Targets::IGNORED; rows.len() * width];
        let mut given: Vec<Vec<u32>> = rows.iter().map(|row| row.as_ref().to_vec()).collect();
        for (row, targets) in given.iter_mut().zip(targets.chunks_exact_mut(width.max(1))) {
            for index in self.picked(row, rng) {
                targets[index] = row[index];
                row[index] = self.replacement(row[index], rng);
            }
        }
        let targets = Targets::new(targets, self.vocab_size)?;
        Ok((Padded::right(&given, self.vocab_size).map_err(of_tokens)?, targets))
    }

    /// The places of a row that are to be predicted.
    fn picked(&self, row: &[u32], rng: &mut Rng) -> Vec<usize> {
        let words: Vec<usize> = (0..row.len()).filter(|&i| row[i] >= self.first_word).collect();
        let picked: Vec<usize> =
            words.iter().copied().filter(|_| rng.uniform() < self.share).collect();
        match (picked.is_empty(), words.is_empty()) {
            (true, false) => vec![words[rng.below(words.len())]],
            _ => picked,
        }
    }

    fn replacement(&self, token: u32, rng: &mut Rng) -> u32 {
        let words = self.vocab_size - self.first_word as usize;
        match rng.uniform() {
            draw if draw < 0.8 => self.mask_token,
            draw if draw < 0.9 => self.first_word + rng.below(words) as u32,
            _ => token,
        }
    }
}

/// Padding fails for an id alone.
fn of_tokens(error: transformer::Error) -> Error {
    match error {
        transformer::Error::Tensor(error) => error,
        other => unreachable!("{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASKING: Masking = Masking { share: 0.15, mask_token: 1, first_word: 3, vocab_size: 50 };

    #[test]
    fn shares_are_those_of_the_definition_m1() {
        let rows: Vec<Vec<u32>> = (0..400).map(|i| vec![3 + i % 47; 100]).collect();
        let (given, targets) = MASKING.apply(&rows, &mut Rng::seeded(1)).unwrap();
        let words: Vec<u32> = rows.concat();
        let asked = |i: &usize| targets.ids()[*i] != Targets::IGNORED;
        let asked: Vec<usize> = (0..words.len()).filter(asked).collect();
        assert!(asked.iter().all(|&i| targets.ids()[i] == words[i]));
        let share = |count: usize, of: usize| count as f64 / of as f64;
        assert!((share(asked.len(), words.len()) - 0.15).abs() < 0.01);
        let ids = given.tokens.ids();
        let hidden = asked.iter().filter(|&&i| ids[i] == 1).count();
        let left = asked.iter().filter(|&&i| ids[i] == words[i]).count();
        assert!((share(hidden, asked.len()) - 0.8).abs() < 0.02);
        assert!((share(left, asked.len()) - 0.1).abs() < 0.02);
        let unasked = (0..words.len()).filter(|i| targets.ids()[*i] == Targets::IGNORED);
        assert!(unasked.into_iter().all(|i| ids[i] == words[i]));
    }

    #[test]
    fn special_tokens_and_padding_are_left_alone_and_each_row_is_asked_something() {
        let rows = [vec![2, 7], vec![2], vec![2, 8, 9, 10]];
        let (given, targets) = MASKING.apply(&rows, &mut Rng::seeded(2)).unwrap();
        assert_eq!(given.tokens.shape(), [3, 4]);
        assert!((0..3).all(|row| given.tokens.ids()[4 * row] == 2));
        let asked = |row: usize| {
            targets.ids()[4 * row..][..4].iter().filter(|&&id| id != Targets::IGNORED).count()
        };
        assert!(asked(0) == 1 && asked(1) == 0 && asked(2) >= 1);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_an_error() {
        assert!(MASKING.apply(&[vec![50]], &mut Rng::seeded(1)).is_err());
    }
}
