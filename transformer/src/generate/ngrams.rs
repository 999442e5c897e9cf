//! (S6) No n tokens in a row stand there twice. Paulus, Xiong & Socher 2017, section 2.5.

use tensor::Float;

/// Forbids each token that would repeat `n` tokens in a row of `history`.
///
/// ```math
/// x_i \leftarrow -\infty \quad \text{if } (y_{t-n+2}, \dots, y_t, i) \text{ is } (y_{j-n+1},
/// \dots, y_j) \text{ for a } j \le t \qquad (S6)
/// ```
/// y are the t tokens so far, the prompt's too.
///
/// ```
/// let mut scores = [0.0; 4];
/// transformer::generate::no_repeat_ngrams(&[1, 2, 3, 1], &mut scores, 2);
/// assert_eq!(scores, [0.0, 0.0, f64::NEG_INFINITY as tensor::Float, 0.0]); // after 1 came 2
/// ```
pub fn no_repeat_ngrams(history: &[u32], scores: &mut [Float], n: usize) {
    if n == 0 || history.len() < n {
        return;
    }
    let ending = &history[history.len() + 1 - n..];
    for window in history.windows(n) {
        let (last, first) = window.split_last().expect("n is not 0");
        if first == ending {
            forbid(scores, *last);
        }
    }
}

/// Gives a token the score −∞; one beyond the vocabulary has none.
pub(super) fn forbid(scores: &mut [Float], id: u32) {
    if let Some(score) = scores.get_mut(id as usize) {
        *score = Float::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forbidden(history: &[u32], n: usize) -> Vec<u32> {
        let mut scores = [0.0; 6];
        no_repeat_ngrams(history, &mut scores, n);
        (0..6).filter(|&id| scores[id as usize] == Float::NEG_INFINITY).collect()
    }

    #[test]
    fn by_hand_s6() {
        assert_eq!(forbidden(&[1, 2, 3, 1, 2], 3), [3]);
        assert_eq!(forbidden(&[1, 2, 1, 3, 1], 2), [2, 3]);
        assert_eq!(forbidden(&[4, 0, 4], 1), [0, 4]);
        assert!(forbidden(&[1, 2], 3).is_empty() && forbidden(&[], 1).is_empty());
        assert!(forbidden(&[1, 1], 0).is_empty());
    }

    proptest! {
        #[test]
        fn forbids_what_would_repeat(
            history in prop::collection::vec(0u32..4, 0..12),
            n in 1usize..5,
        ) {
            let forbidden = forbidden(&history, n);
            for id in 0..6 {
                let whole = [&history[..], &[id]].concat();
                let mut windows = whole.windows(n);
                let last = windows.next_back();
                let repeats = last.is_some_and(|last| windows.any(|window| window == last));
                prop_assert_eq!(forbidden.contains(&id), repeats);
            }
        }
    }
}
