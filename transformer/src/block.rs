//! (T1) The Transformer block, with normalization before each part. Radford et al. 2019, § 2.3.

use crate::cache::LayerCache;
use crate::{FeedForward, LayerNorm, MultiHeadAttention, parameters_of};
use autograd::{Mask, Var};
use tensor::Float;

/// Attention, then a feed-forward network, each added to what it read.
///
/// ```math
/// x' = x + \mathrm{MultiHead}(\mathrm{LN}_1(x)), \qquad
/// y = x' + \mathrm{FFN}(\mathrm{LN}_2(x')) \qquad (T1)
/// ```
/// Departs from Vaswani et al. 2017 as GPT-2 does: they normalize after the sum.
#[derive(Clone, Debug)]
pub struct Block {
    /// LN₁.
    pub norm_1: LayerNorm,
    /// Multi-head attention.
    pub attention: MultiHeadAttention,
    /// LN₂.
    pub norm_2: LayerNorm,
    /// The feed-forward network.
    pub feed_forward: FeedForward,
    /// The probability that a number added to the residual is dropped in training.
    pub dropout: Float,
}
parameters_of!(Block { norm_1, attention, norm_2, feed_forward });

impl Block {
    /// `[batch_size, seq_len, d_model]` → the same.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Var, mask: &Mask, cache: Option<&mut LayerCache>) -> Var {
        let attended = self.attention.forward(&self.norm_1.forward(x), mask, cache);
        let x = x + attended.dropout(self.dropout);
        let fed = self.feed_forward.forward(&self.norm_2.forward(&x));
        x + fed.dropout(self.dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Rng;

    #[test]
    fn equals_the_equation_t1() {
        let mut rng = Rng::seeded(1);
        let block = Block {
            norm_1: LayerNorm::new(8, 1e-5),
            attention: MultiHeadAttention::new(&mut rng, (8, 2), 0.0, 0.3, 0.3),
            norm_2: LayerNorm::new(8, 1e-5),
            feed_forward: FeedForward::new(&mut rng, 8, 32, 0.3, 0.3),
            dropout: 0.1,
        };
        let x = Var::constant(rng.normal(&[2, 3, 8], 1.0));
        let attention = block.attention.forward(&block.norm_1.forward(&x), &Mask::causal(), None);
        let middle = &x + &attention;
        let expected = &middle + &block.feed_forward.forward(&block.norm_2.forward(&middle));
        let y = block.forward(&x, &Mask::causal(), None);
        assert_eq!(y.value().to_vec(), expected.value().to_vec());
    }
}
