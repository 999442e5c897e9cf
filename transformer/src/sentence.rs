//! (Q1) A vector for a whole text. Reimers & Gurevych 2019, section 3.

use crate::Padded;
use autograd::Var;
use tensor::{Float, Tensor};

/// The mean of the tokens' states, of length 1: the product of two texts' vectors is the cosine of
/// the angle between them.
///
/// ```math
/// u = \frac{m}{\lVert m \rVert}, \qquad m = \frac{1}{n} \sum_{i=1}^{n} h_i \qquad (Q1)
/// ```
/// h are the states of the n tokens, padding left out: `[batch_size, seq_len, d_model]` →
/// `[batch_size, d_model]`. The mean of the paper is not of length 1; the models that are searched
/// with make it so.
///
/// ```
/// use autograd::Var;
/// use tensor::Tensor;
/// use transformer::{Padded, sentence_embedding};
/// let text = Padded::right(&[[5, 6]], 10).unwrap();
/// let states = Var::constant(Tensor::new([1.0, 8.0, 5.0, 0.0], &[1, 2, 2]));
/// assert_eq!(sentence_embedding(&states, &text).value().to_vec(), [0.6, 0.8]);
/// ```
///
/// # Panics
/// If the states are not of the text.
#[track_caller]
pub fn sentence_embedding(hidden: &Var, text: &Padded) -> Var {
    let [batch_size, seq_len, d_model] = [0, 1, 2].map(|axis| hidden.size(axis));
    let count = |row: &[bool]| row.iter().filter(|&&is_token| is_token).count().max(1) as Float;
    let rows = text.is_token.chunks(seq_len.max(1));
    let shares = rows.flat_map(|row| {
        let share = 1.0 / count(row);
        row.iter().map(move |&is_token| if is_token { share } else { 0.0 })
    });
    let shares = Tensor::new(shares.collect::<Vec<_>>(), &[batch_size, 1, seq_len]);
    let mean = Var::constant(shares).matmul(hidden).reshape(&[batch_size, d_model]);
    let length = mean.square().sum_axes(&[-1], true).sqrt().clamp(1e-12, Float::MAX);
    &mean / &length
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Rng;

    #[test]
    fn equals_the_equation_q1_without_its_padding() {
        let text = Padded::right(&[vec![1, 2], vec![3]], 5).unwrap();
        let states = Tensor::new([1.0, 0.0, 3.0, 3.0, 0.0, 2.0, 9.0, 9.0], &[2, 2, 2]);
        let vectors = sentence_embedding(&Var::constant(states), &text);
        let expected = [0.8, 0.6, 0.0, 1.0];
        let found = vectors.value().to_vec();
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn every_vector_is_of_length_1() {
        let text = Padded::left(&[vec![1, 2, 3], vec![3]], 5).unwrap();
        let states = Var::constant(Rng::seeded(1).normal(&[2, 3, 8], 1e4));
        let vectors = sentence_embedding(&states, &text);
        let lengths = vectors.square().sum_axes(&[-1], false).value().to_vec();
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5), "{lengths:?}");
    }
}
