//! (M1) Masking: what a masked language model is given, and what it must fill in. Devlin et al.
//! 2019, section 3.1.

use tensor::{Error, Rng, Targets};
use transformer::{Padded, Tokenizer};

/// The share of tokens that BERT hides: Devlin et al. 2019, section 3.1.
pub const SHARE: f64 = 0.15;

/// How tokens are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct Masking {
    /// The share of tokens that are to be predicted; in BERT [`SHARE`].
    pub share: f64,
    /// The token that stands for a hidden one.
    pub mask_token: u32,
    /// The special tokens, in ascending order, which are neither hidden nor put in.
    pub special: Vec<u32>,
    /// How many ids the vocabulary has.
    pub vocab_size: usize,
}

impl Masking {
    /// BERT's, with a tokenizer's tokens; `None` where it has none that stands for a hidden one.
    pub fn of(tokenizer: &Tokenizer) -> Option<Masking> {
        let vocab_size = tokenizer.vocab_size();
        let special = (0..vocab_size as u32).filter(|&id| tokenizer.is_special(id)).collect();
        Some(Masking { share: SHARE, mask_token: tokenizer.mask_token()?, special, vocab_size })
    }

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
            for (place, id) in self.hide(row, rng) {
                targets[place as usize] = id;
            }
        }
        let targets = Targets::new(targets, self.vocab_size)?;
        Ok((Padded::right(&given, self.vocab_size).map_err(of_tokens)?, targets))
    }

    /// Hides some tokens of one row; gives their places, in ascending order, and what stood there.
    pub fn hide(&self, row: &mut [u32], rng: &mut Rng) -> Vec<(u32, u32)> {
        let hidden = self.picked(row, rng).into_iter().map(|index| {
            let id = row[index];
            row[index] = self.replacement(id, rng);
            (index as u32, id)
        });
        hidden.collect()
    }

    /// Whether a token is none of the special ones.
    pub fn is_word(&self, id: u32) -> bool {
        self.special.binary_search(&id).is_err()
    }

    /// The places of a row that are to be predicted.
    fn picked(&self, row: &[u32], rng: &mut Rng) -> Vec<usize> {
        let words: Vec<usize> = (0..row.len()).filter(|&i| self.is_word(row[i])).collect();
        let picked: Vec<usize> =
            words.iter().copied().filter(|_| rng.uniform() < self.share).collect();
        match (picked.is_empty(), words.is_empty()) {
            (true, false) => vec![words[rng.below(words.len())]],
            _ => picked,
        }
    }

    fn replacement(&self, token: u32, rng: &mut Rng) -> u32 {
        let words = self.vocab_size - self.special.len();
        match rng.uniform() {
            draw if draw < 0.8 => self.mask_token,
            draw if draw < 0.9 => self.word(rng.below(words) as u32),
            _ => token,
        }
    }

    /// The id of a word, counted from 0 past the special tokens.
    fn word(&self, number: u32) -> u32 {
        self.special.iter().fold(number, |id, &special| if id >= special { id + 1 } else { id })
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

    fn masking() -> Masking {
        Masking { share: SHARE, mask_token: 1, special: vec![0, 1, 2], vocab_size: 50 }
    }

    #[test]
    fn shares_are_those_of_the_definition_m1() {
        let rows: Vec<Vec<u32>> = (0..400).map(|i| vec![3 + i % 47; 100]).collect();
        let (given, targets) = masking().apply(&rows, &mut Rng::seeded(1)).unwrap();
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
        let (given, targets) = masking().apply(&rows, &mut Rng::seeded(2)).unwrap();
        assert_eq!(given.tokens.shape(), [3, 4]);
        assert!((0..3).all(|row| given.tokens.ids()[4 * row] == 2));
        let asked = |row: usize| {
            targets.ids()[4 * row..][..4].iter().filter(|&&id| id != Targets::IGNORED).count()
        };
        assert!(asked(0) == 1 && asked(1) == 0 && asked(2) >= 1);
    }

    #[test]
    fn special_tokens_may_stand_anywhere() {
        let masking = Masking { share: 1.0, mask_token: 5, special: vec![0, 3, 5], vocab_size: 6 };
        assert_eq!([0, 1, 2].map(|number| masking.word(number)), [1, 2, 4]);
        let mut rng = Rng::seeded(1);
        let mut put_in = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut row = [0, 1, 3, 4, 5];
            assert_eq!(masking.hide(&mut row, &mut rng), [(1, 1), (3, 4)]);
            assert_eq!([row[0], row[2], row[4]], [0, 3, 5]);
            put_in.extend([row[1], row[3]]);
        }
        assert_eq!(put_in.into_iter().collect::<Vec<_>>(), [1, 2, 4, 5]);
    }

    #[test]
    fn a_tokenizer_tells_its_special_tokens() {
        let bare = crate::bpe::train_bpe(&["the theme"], 270).unwrap();
        assert_eq!(Masking::of(&bare), None);
        let words = bare.vocab_size();
        let masking = Masking::of(&crate::bpe::add_mask(bare)).unwrap();
        assert_eq!((masking.mask_token as usize, masking.vocab_size), (words, words + 1));
        assert_eq!(masking.special, [0, words as u32]);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_an_error() {
        assert!(masking().apply(&[vec![50]], &mut Rng::seeded(1)).is_err());
    }
}
