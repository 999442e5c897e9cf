//! (A1) Scaled dot-product attention. Vaswani et al. 2017, section 3.2.1.

mod multi_head;

pub use multi_head::{MultiHeadAttention, Projections};

use autograd::{Mask, Var};
use tensor::Float;

/// Each query's mean of the values, weighed by how well their keys match it.
///
/// ```math
/// \mathrm{Attention}(Q, K, V) = \mathrm{softmax}\Big(\frac{Q K^T}{\sqrt{d_k}} + M\Big) V
/// \qquad (A1)
/// ```
/// `q [.., n_queries, d_k]`, `k [.., n_keys, d_k]`, `v [.., n_keys, d_v]` →
/// `[.., n_queries, d_v]`. `dropout` is the probability that a weight is dropped in training.
/// A query that may attend to nothing gets zeros.
///
/// This is the equation as it stands. Models compute the same by
/// [`autograd::ops::attention::attention`], which never holds all weights at once.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn scaled_dot_product_attention(q: &Var, k: &Var, v: &Var, mask: &Mask, dropout: Float) -> Var {
    let d_k = q.size(-1);
    let scores = q.matmul(&k.transpose(-2, -1)) / (d_k as Float).sqrt(); // [.., n_queries, n_keys]
    let weights = scores.masked(mask).softmax(-1).dropout(dropout); // [.., n_queries, n_keys]
    weights.matmul(v) // [.., n_queries, d_v]
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::gradcheck::gradcheck;
    use autograd::ops::attention::{attention, textbook::attention_weights};
    use tensor::{Rng, Tensor};

    /// Equation (A1) in loops, one query at a time, straight from its definition.
    fn by_definition(q: &Tensor, k: &Tensor, v: &Tensor, causal: bool) -> Vec<Float> {
        let (n, d) = (k.size(0), q.size(1));
        let mut out = Vec::new();
        for i in 0..q.size(0) {
            let seen = if causal { i + 1 } else { n };
            let dot = |j: usize| -> Float {
                (0..d).map(|c| q.data()[i * d + c] * k.data()[j * d + c]).sum()
            };
            let e: Vec<Float> = (0..seen).map(|j| (dot(j) / (d as Float).sqrt()).exp()).collect();
            let sum: Float = e.iter().sum();
            out.extend(
                (0..d).map(|c| (0..seen).map(|j| e[j] / sum * v.data()[j * d + c]).sum::<Float>()),
            );
        }
        out
    }

    #[test]
    fn equals_the_equation_a1() {
        let mut rng = Rng::seeded(1);
        let [q, k, v] = [(); 3].map(|()| rng.normal(&[5, 4], 1.0));
        for (mask, causal) in [(Mask::none(), false), (Mask::causal(), true)] {
            let [q, k, v] = [&q, &k, &v].map(|x| Var::constant(x.clone()));
            let y = scaled_dot_product_attention(&q, &k, &v, &mask, 0.0);
            let expected = by_definition(q.value(), k.value(), v.value(), causal);
            for (a, b) in y.value().to_vec().iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
            let weights = attention_weights(&q, &k, 0.5, None, &mask);
            assert_eq!(weights.matmul(&v).value().to_vec(), y.value().to_vec());
            let [q, k, v] = [&q, &k, &v].map(|x| x.reshape(&[1, 1, 5, 4]));
            let fused = attention(&q, &k, &v, 0.5, &mask);
            for (a, b) in fused.value().to_vec().iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn a_bias_of_minus_infinity_is_a_mask() {
        let mut rng = Rng::seeded(4);
        let [q, k] = [(); 2].map(|()| Var::constant(rng.normal(&[2, 3, 4], 1.0)));
        let bias = Tensor::new([0.0, 0.0, Float::NEG_INFINITY], &[3]);
        let biased = attention_weights(&q, &k, 0.5, Some(&Var::constant(bias)), &Mask::none());
        let mask = Mask::none().with_padding([true, true, false, true, true, false]);
        let masked = attention_weights(&q, &k, 0.5, None, &mask);
        assert_eq!(biased.value().to_vec(), masked.value().to_vec());
    }

    #[test]
    fn extreme_scores_pick_one_value_and_no_keys_give_zeros() {
        let q = Var::constant(Tensor::full(&[1, 1], 1e4));
        let k = Var::constant(Tensor::new([1.0, -1.0], &[2, 1]));
        let v = Var::constant(Tensor::new([3.0, 5.0], &[2, 1]));
        let attend = |mask| scaled_dot_product_attention(&q, &k, &v, &mask, 0.0).item();
        assert_eq!(attend(Mask::none()), 3.0);
        assert_eq!(attend(Mask::none().with_padding([false, false])), 0.0);
    }

    #[test]
    fn gradient() {
        let mut rng = Rng::seeded(2);
        let inputs = [(); 3].map(|()| rng.normal(&[2, 2, 3, 4], 1.0));
        let mask = Mask::causal().with_padding([true, true, true, false, true, true]);
        let attend = |x: &[Var]| scaled_dot_product_attention(&x[0], &x[1], &x[2], &mask, 0.0);
        gradcheck(attend, &inputs).unwrap();
    }
}
