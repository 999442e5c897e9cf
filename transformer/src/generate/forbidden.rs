//! Tokens that may not follow: those that would complete a forbidden sequence, and the end before it is
//! time.

use super::ngrams::forbid;
use tensor::Float;

/// Forbids the last token of each of `sequences` where those before it are what `history` ends with.
///
/// ```
/// let mut scores = [0.0; 4];
/// let sequences = [vec![3], vec![1, 2], vec![3, 0]];
/// transformer::generate::bad_words(&[0, 1], &mut scores, &sequences);
/// let none = f64::NEG_INFINITY as tensor::Float;
/// assert_eq!(scores, [0.0, 0.0, none, none]);
/// ```
pub fn bad_words(history: &[u32], scores: &mut [Float], sequences: &[Vec<u32>]) {
    for sequence in sequences {
        if let Some((last, before)) = sequence.split_last()
            && history.ends_with(before)
        {
            forbid(scores, *last);
        }
    }
}

/// Forbids the tokens that end a text while it has less than `least` tokens.
pub fn min_length(len: usize, scores: &mut [Float], least: usize, end_tokens: &[u32]) {
    if len < least {
        end_tokens.iter().for_each(|&id| forbid(scores, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Float = Float::NEG_INFINITY;

    #[test]
    fn a_sequence_is_forbidden_at_its_end() {
        let sequences = [vec![0, 1, 2], vec![], vec![9], vec![2, 0]];
        let mut scores = [0.0; 3];
        bad_words(&[2, 0, 1], &mut scores, &sequences);
        assert_eq!(scores, [0.0, 0.0, NONE]);
        let mut scores = [0.0; 3];
        bad_words(&[1], &mut scores, &sequences);
        assert_eq!(scores, [0.0; 3]);
    }

    #[test]
    fn the_end_waits() {
        let mut scores = [0.0; 3];
        min_length(4, &mut scores, 4, &[1]);
        assert_eq!(scores, [0.0; 3]);
        min_length(3, &mut scores, 4, &[1, 7]);
        assert_eq!(scores, [0.0, NONE, 0.0]);
    }
}
