//! (P4) ALiBi: attention with linear biases. Press, Smith & Lewis 2022, section 3.

use tensor::{Float, Tensor};

/// A penalty for each score that grows with the distance, at a rate of its own for each head.
///
/// ```math
/// e_{h,q,k} = \frac{q \cdot k}{\sqrt{d_k}} - m_h\, |q - k|, \qquad m_h = 2^{-8 (h + 1) / H}
/// \qquad (P4)
/// ```
/// The last query is aligned with the last key → `[n_heads, n_queries, n_keys]`. The paper defines
/// it for causal attention and, as here, powers of two as numbers of heads; other numbers use the
/// same formula.
///
/// ```
/// let bias = transformer::positions::alibi(2, 1, 3);
/// assert_eq!(bias.to_vec()[..3], [-0.125, -0.0625, 0.0]);
/// ```
pub fn alibi(n_heads: usize, n_queries: usize, n_keys: usize) -> Tensor {
    let past = n_keys.saturating_sub(n_queries);
    Tensor::build(&[n_heads, n_queries, n_keys], |out| {
        for (row, out) in out.chunks_exact_mut(n_keys.max(1)).enumerate() {
            let (head, q) = (row / n_queries, row % n_queries + past);
            let slope = (-8.0 * (head + 1) as f64 / n_heads as f64).exp2();
            for (k, out) in out.iter_mut().enumerate() {
                *out = (-slope * q.abs_diff(k) as f64) as Float;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_equation_p4() {
        let bias = alibi(8, 3, 4);
        for (head, q, k, expected) in [(0, 0, 0, -0.5), (0, 2, 3, 0.0), (7, 0, 3, -2.0 / 256.0)] {
            let found = bias.data()[(head * 3 + q) * 4 + k];
            assert_eq!(found, expected, "head {head}, query {q}, key {k}");
        }
    }

    #[test]
    fn an_extreme_no_key() {
        assert_eq!(alibi(4, 2, 0).shape(), [4, 2, 0]);
    }
}
