//! (A1) Scaled dot-product attention and (A3) multi-head attention. Vaswani et al. 2017,
//! sections 3.2.1 and 3.2.2.

use crate::cache::LayerCache;
use crate::{Linear, parameters_of};
use autograd::{Mask, Var};
use tensor::{Float, Rng};

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
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn scaled_dot_product_attention(q: &Var, k: &Var, v: &Var, mask: &Mask, dropout: Float) -> Var {
    let d_k = q.size(-1);
    let scores = q.matmul(&k.transpose(-2, -1)) / (d_k as Float).sqrt(); // [.., n_queries, n_keys]
    let weights = scores.masked(mask).softmax(-1).dropout(dropout); // [.., n_queries, n_keys]
    weights.matmul(v) // [.., n_queries, d_v]
}

/// Attention of several heads over one sequence, each in its own subspace.
///
/// ```math
/// \mathrm{MultiHead}(x) = \mathrm{Concat}(head_1, \dots, head_h)\, W^O, \quad
/// head_i = \mathrm{Attention}(x W_i^Q, x W_i^K, x W_i^V) \qquad (A3)
/// ```
/// The projections of all heads lie side by side in one matrix, as in GPT-2, and have biases.
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    /// W^Q, W^K and W^V of all heads, `[d_model, 3 · d_model]`.
    pub w_qkv: Linear,
    /// W^O, `[d_model, d_model]`.
    pub w_o: Linear,
    /// The number of heads.
    pub n_heads: usize,
    /// The probability that a weight is dropped in training.
    pub dropout: Float,
}
parameters_of!(MultiHeadAttention { w_qkv, w_o });

impl MultiHeadAttention {
    /// Weights from normal distributions: W^Q, W^K, W^V with deviation `std`, W^O with
    /// `residual_std`.
    pub fn new(
        rng: &mut Rng,
        (d_model, n_heads): (usize, usize),
        dropout: Float,
        std: Float,
        residual_std: Float,
    ) -> MultiHeadAttention {
        MultiHeadAttention {
            w_qkv: Linear::new(rng, d_model, 3 * d_model, std),
            w_o: Linear::new(rng, d_model, d_model, residual_std),
            n_heads,
            dropout,
        }
    }

    /// `[batch_size, seq_len, d_model]` → the same; with a cache, keys and values of earlier
    /// positions come before those of `x`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Var, mask: &Mask, cache: Option<&mut LayerCache>) -> Var {
        let d_model = x.size(-1);
        let projected = self.w_qkv.forward(x).split(-1, [d_model; 3]);
        let [q, k, v] = projected.map(|x| self.split_heads(&x)); // [batch, n_heads, seq_len, d_k]
        let (k, v) = match cache {
            Some(cache) => cache.extend(&k, &v), // [batch, n_heads, n_keys, d_k]
            None => (k, v),
        };
        let heads = scaled_dot_product_attention(&q, &k, &v, mask, self.dropout);
        self.w_o.forward(&heads.transpose(1, 2).reshape(x.shape()))
    }

    /// `[batch, seq_len, d_model]` → `[batch, n_heads, seq_len, d_k]`
    fn split_heads(&self, x: &Var) -> Var {
        let d_k = x.size(-1) / self.n_heads;
        x.reshape(&[x.size(0), x.size(1), self.n_heads, d_k]).transpose(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::gradcheck::gradcheck;
    use tensor::Tensor;

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
        }
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

    #[test]
    fn equals_the_equation_a3_head_by_head() {
        let mut rng = Rng::seeded(3);
        let layer = MultiHeadAttention::new(&mut rng, (6, 2), 0.0, 0.5, 0.5);
        let x = Var::constant(rng.normal(&[1, 4, 6], 1.0));
        let columns = |start| {
            let w = layer.w_qkv.weight.narrow(1, start, 3);
            x.matmul(&w) + layer.w_qkv.bias.narrow(0, start, 3)
        };
        let head = |i: usize| {
            let [q, k, v] = [0, 6, 12].map(|part| columns(part + 3 * i));
            scaled_dot_product_attention(&q, &k, &v, &Mask::causal(), 0.0)
        };
        let heads = Tensor::concat(&[head(0).value(), head(1).value()], -1);
        let expected = layer.w_o.forward(&Var::constant(heads)).into_value();
        let y = layer.forward(&x, &Mask::causal(), None).into_value();
        assert!((y - expected).data().iter().all(|difference| difference.abs() < 1e-5));
    }
}
