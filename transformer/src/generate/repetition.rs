//! (S5) Repetition penalty: tokens that were there before become less probable. Keskar et al. 2019,
//! section 4.1.

use tensor::Float;

/// Makes each token that `history` holds less probable, however often it holds it.
///
/// ```math
/// x_i \leftarrow \begin{cases} x_i / \theta & x_i \ge 0 \\ x_i\,\theta & x_i < 0 \end{cases}
/// \quad \text{for } i \in \{y_1, \dots, y_t\} \qquad (S5)
/// ```
/// y are the tokens so far, the prompt's too, and θ is the penalty; below 1 it is a reward. Departs from
/// the paper, which divides scores below 0 too and so rewards them: this is the definition of Hugging
/// Face's Transformers.
///
/// ```
/// let mut scores = [2.0, -1.0, 3.0];
/// transformer::generate::repetition_penalty(&[1, 0, 0], &mut scores, 2.0);
/// assert_eq!(scores, [1.0, -2.0, 3.0]);
/// ```
pub fn repetition_penalty(history: &[u32], scores: &mut [Float], penalty: Float) {
    let mut seen = history.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for id in seen {
        if let Some(score) = scores.get_mut(id as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_s5() {
        let mut scores = [3.0, -3.0, 0.0, 3.0, Float::NEG_INFINITY];
        repetition_penalty(&[4, 0, 1, 0, 2, 9], &mut scores, 1.5);
        assert_eq!(scores, [2.0, -4.5, 0.0, 3.0, Float::NEG_INFINITY]);
    }
}
