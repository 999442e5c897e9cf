//! The blocks of a Transformer: (T1) normalization before each part, (T2) after it, and (T3) the
//! decoder's block with cross-attention. Vaswani et al. 2017, section 3.1; Radford et al. 2019,
//! section 2.3; Xiong et al. 2020, table 1.

use crate::pass::Reads;
use crate::{FeedForward, MultiHeadAttention, Norm, Pass, parameters_of};
use autograd::Var;
use serde::{Deserialize, Serialize};
use tensor::Float;

/// Where a block normalizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormPlacement {
    /// What each part reads (T1): GPT-2, Llama, T5. The stack needs a normalization at its end.
    Pre,
    /// Each sum (T2): Vaswani et al. 2017, BERT.
    Post,
}

/// What adds a part of a block to what it read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Where it normalizes.
    pub placement: NormPlacement,
    /// The probability that a number added is dropped in training.
    pub dropout: Float,
}

impl Residual {
    /// x + f(LN(x)), or LN(x + f(x)).
    #[track_caller]
    fn add(self, x: &Var, norm: &Norm, part: impl FnOnce(&Var) -> Var) -> Var {
        self.add_at(Reads::All, x, norm, part)
    }

    /// The same at some positions, where f gives no more than these.
    #[track_caller]
    fn add_at(self, at: Reads, x: &Var, norm: &Norm, part: impl FnOnce(&Var) -> Var) -> Var {
        let read = at.of(x, 1);
        match self.placement {
            NormPlacement::Pre => read + part(&norm.forward(x)).dropout(self.dropout),
            NormPlacement::Post => norm.forward(&(read + part(x).dropout(self.dropout))),
        }
    }
}

/// A layer of a [`crate::Stack`].
pub trait Layer {
    /// `[batch_size, seq_len, d_model]` → the same, or of one position where the pass reads one.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var;
}

/// Attention, then a feed-forward network, each added to what it read: the block of an encoder and,
/// with a causal mask, of a decoder that stands alone.
///
/// ```math
/// x' = x + \mathrm{MultiHead}(\mathrm{LN}_1(x)), \qquad
/// y = x' + \mathrm{FFN}(\mathrm{LN}_2(x')) \qquad (T1)
/// ```
/// or, with the normalization after the sum,
/// ```math
/// x' = \mathrm{LN}_1(x + \mathrm{MultiHead}(x)), \qquad
/// y = \mathrm{LN}_2(x' + \mathrm{FFN}(x')) \qquad (T2)
/// ```
#[derive(Clone, Debug)]
pub struct Block {
    /// LN₁.
    pub norm_1: Norm,
    /// Multi-head attention.
    pub attention: MultiHeadAttention,
    /// LN₂.
    pub norm_2: Norm,
    /// The feed-forward network.
    pub feed_forward: FeedForward,
    /// Where it normalizes, and its dropout.
    pub residual: Residual,
}
parameters_of!(Block { norm_1, attention, norm_2, feed_forward });

impl Layer for Block {
    #[track_caller]
    fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        let (reads, attention) = (pass.reads, &self.attention);
        let x = self.residual.add_at(reads, x, &self.norm_1, |x| attention.forward(x, pass));
        self.residual.add(&x, &self.norm_2, |x| self.feed_forward.forward(x))
    }
}

/// Self-attention, attention to the encoder's output, then a feed-forward network.
///
/// ```math
/// x' = x \oplus \mathrm{MultiHead}(x, x), \quad x'' = x' \oplus \mathrm{MultiHead}(x', c), \quad
/// y = x'' \oplus \mathrm{FFN}(x'') \qquad (T3)
/// ```
/// c is the encoder's output, and ⊕ adds and normalizes as in (T1) or (T2).
#[derive(Clone, Debug)]
pub struct DecoderBlock {
    /// Of the self-attention.
    pub norm_1: Norm,
    /// Self-attention.
    pub attention: MultiHeadAttention,
    /// Of the cross-attention.
    pub norm_2: Norm,
    /// Attention to the encoder's output.
    pub cross_attention: MultiHeadAttention,
    /// Of the feed-forward network.
    pub norm_3: Norm,
    /// The feed-forward network.
    pub feed_forward: FeedForward,
    /// Where it normalizes, and its dropout.
    pub residual: Residual,
}
parameters_of!(DecoderBlock { norm_1, attention, norm_2, cross_attention, norm_3, feed_forward });

impl Layer for DecoderBlock {
    #[track_caller]
    fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        let (reads, attention, cross) = (pass.reads, &self.attention, &self.cross_attention);
        let x = self.residual.add_at(reads, x, &self.norm_1, |x| attention.forward(x, pass));
        let x = self.residual.add(&x, &self.norm_2, |x| cross.forward_to_memory(x, pass));
        self.residual.add(&x, &self.norm_3, |x| self.feed_forward.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Init, LayerNorm, Memory, RmsNorm};
    use autograd::Mask;
    use tensor::Rng;

    const INIT: Init = Init::Normal(0.3);

    fn block(rng: &mut Rng, placement: NormPlacement) -> Block {
        Block {
            norm_1: LayerNorm::new(8, 1e-5).into(),
            attention: MultiHeadAttention::joined(rng, (8, 2), INIT, INIT),
            norm_2: RmsNorm::new(8, 1e-5).into(),
            feed_forward: FeedForward::new(rng, (8, 32), Activation::Relu, INIT, INIT),
            residual: Residual { placement, dropout: 0.1 },
        }
    }

    #[test]
    fn equals_the_equation_t1() {
        let mut rng = Rng::seeded(1);
        let block = block(&mut rng, NormPlacement::Pre);
        let x = Var::constant(rng.normal(&[2, 3, 8], 1.0));
        let attended = block.attention.forward(&block.norm_1.forward(&x), &mut Pass::causal());
        let middle = &x + &attended;
        let expected = &middle + &block.feed_forward.forward(&block.norm_2.forward(&middle));
        let y = block.forward(&x, &mut Pass::causal());
        assert_eq!(y.value().to_vec(), expected.value().to_vec());
    }

    #[test]
    fn equals_the_equation_t2() {
        let mut rng = Rng::seeded(1);
        let block = block(&mut rng, NormPlacement::Post);
        let x = Var::constant(rng.normal(&[2, 3, 8], 1.0));
        let attended = block.attention.forward(&x, &mut Pass::default());
        let middle = block.norm_1.forward(&(&x + &attended));
        let expected = block.norm_2.forward(&(&middle + &block.feed_forward.forward(&middle)));
        let y = block.forward(&x, &mut Pass::default());
        assert_eq!(y.value().to_vec(), expected.value().to_vec());
    }

    #[test]
    fn equals_the_equation_t3() {
        let mut rng = Rng::seeded(2);
        let inner = block(&mut rng, NormPlacement::Post);
        let block = DecoderBlock {
            norm_1: inner.norm_1.clone(),
            attention: inner.attention.clone(),
            norm_2: LayerNorm::new(8, 1e-5).into(),
            cross_attention: MultiHeadAttention::apart(&mut rng, (8, 2), INIT, INIT),
            norm_3: inner.norm_2.clone(),
            feed_forward: inner.feed_forward.clone(),
            residual: inner.residual,
        };
        let [x, states] = [[2, 3, 8], [2, 5, 8]].map(|s| Var::constant(rng.normal(&s, 1.0)));
        let memory = Memory { states, mask: Mask::none() };
        let pass = || Pass { memory: Some(&memory), ..Pass::causal() };
        let first = block.norm_1.forward(&(&x + &block.attention.forward(&x, &mut pass())));
        let crossed = block.cross_attention.forward_to_memory(&first, &mut pass());
        let second = block.norm_2.forward(&(&first + &crossed));
        let expected = block.norm_3.forward(&(&second + &block.feed_forward.forward(&second)));
        let y = block.forward(&x, &mut pass());
        assert_eq!(y.value().to_vec(), expected.value().to_vec());
    }
}
