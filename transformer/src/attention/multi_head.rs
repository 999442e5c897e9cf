//! (A3) Multi-head attention, over one sequence or from one to another. Vaswani et al. 2017, section
//! 3.2.2; fewer heads of keys and values than of queries: Ainslie et al. 2023.

use crate::init::Init;
use crate::module::{Parts, PartsMut};
use crate::pass::Reads;
use crate::{Linear, Memory, Module, Pass, RmsNorm, module, parameters_of};
use autograd::ops::attention::textbook::attention_weights;
use autograd::ops::attention::{attention, self_attention};
use autograd::{Mask, Var, scope};
use tensor::{Float, Rng};

/// Attention of several heads, each in its own subspace.
///
/// ```math
/// \mathrm{MultiHead}(x, c) = \mathrm{Concat}(head_1, \dots, head_h)\, W^O, \quad
/// head_i = \mathrm{Attention}(x W_i^Q, c W_i^K, c W_i^V) \qquad (A3)
/// ```
/// c is x itself in self-attention, the encoder's output in cross-attention. With fewer heads of
/// keys and values, each serves a group of query heads that lie side by side (Ainslie et al. 2023,
/// section 2.2).
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    /// W^Q, W^K and W^V of all heads.
    pub projections: Projections,
    /// Normalizes each head's queries before they are turned, in Qwen3.
    pub norm_q: Option<RmsNorm>,
    /// The same of keys.
    pub norm_k: Option<RmsNorm>,
    /// W^O, `[n_heads · d_k, d_model]`.
    pub w_o: Linear,
    /// Heads of queries.
    pub n_heads: usize,
    /// Heads of keys and values; it divides `n_heads`.
    pub n_kv_heads: usize,
    /// What scores are multiplied with: 1 / √d_k.
    pub scale: Float,
    /// The probability that a weight is dropped in training.
    pub dropout: Float,
}
parameters_of!(MultiHeadAttention { ..projections, norm_q, norm_k, w_o });

/// The maps to queries, keys and values; the heads' columns lie side by side.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a block has one: the difference is not worth an allocation
pub enum Projections {
    /// All in one matrix, as in GPT-2: `[d_model, (n_heads + 2 · n_kv_heads) · d_k]`.
    Joined {
        /// W^Q, W^K, W^V.
        w_qkv: Linear,
    },
    /// A matrix each.
    Apart {
        /// W^Q, `[d_model, n_heads · d_k]`.
        w_q: Linear,
        /// W^K, `[d_model, n_kv_heads · d_k]`.
        w_k: Linear,
        /// W^V, of the same shape.
        w_v: Linear,
    },
}

impl Module for Projections {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        let named = match self {
            Projections::Joined { w_qkv } => vec![("w_qkv", w_qkv)],
            Projections::Apart { w_q, w_k, w_v } => vec![("w_q", w_q), ("w_k", w_k), ("w_v", w_v)],
        };
        named.into_iter().for_each(|(name, w)| w.collect(&module::join(path, name), found));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        let named = match self {
            Projections::Joined { w_qkv } => vec![("w_qkv", w_qkv)],
            Projections::Apart { w_q, w_k, w_v } => vec![("w_q", w_q), ("w_k", w_k), ("w_v", w_v)],
        };
        named.into_iter().for_each(|(name, w)| w.collect_mut(&module::join(path, name), found));
    }
}

impl MultiHeadAttention {
    /// With W^Q, W^K, W^V in one matrix drawn by `init`, W^O by `residual_init`, biases zero.
    pub fn joined(
        rng: &mut Rng,
        (d_model, n_heads): (usize, usize),
        init: Init,
        residual_init: Init,
    ) -> MultiHeadAttention {
        let w_qkv = Linear::new(rng, d_model, 3 * d_model, init);
        let w_o = Linear::new(rng, d_model, d_model, residual_init);
        MultiHeadAttention::of(Projections::Joined { w_qkv }, w_o, n_heads, d_model / n_heads)
    }

    /// With a matrix for each projection drawn by `init`, W^O by `residual_init`, biases zero.
    pub fn apart(
        rng: &mut Rng,
        (d_model, n_heads): (usize, usize),
        init: Init,
        residual_init: Init,
    ) -> MultiHeadAttention {
        let [w_q, w_k, w_v] = [(); 3].map(|()| Linear::new(rng, d_model, d_model, init));
        let w_o = Linear::new(rng, d_model, d_model, residual_init);
        let projections = Projections::Apart { w_q, w_k, w_v };
        MultiHeadAttention::of(projections, w_o, n_heads, d_model / n_heads)
    }

    fn of(projections: Projections, w_o: Linear, n_heads: usize, d_k: usize) -> MultiHeadAttention {
        MultiHeadAttention {
            projections,
            norm_q: None,
            norm_k: None,
            w_o,
            n_heads,
            n_kv_heads: n_heads,
            scale: 1.0 / (d_k as Float).sqrt(),
            dropout: 0.0,
        }
    }

    /// The same with groups of query heads that share `n_kv_heads` of keys and values: W^K and W^V
    /// drawn anew, of that many heads.
    ///
    /// # Panics
    /// If the projections are in one matrix, or the heads cannot be shared out.
    #[track_caller]
    pub fn with_kv_heads(mut self, rng: &mut Rng, n_kv_heads: usize, init: Init) -> Self {
        let (n_heads, rest) = (self.n_heads, self.n_heads.checked_rem(n_kv_heads));
        assert!(rest == Some(0), "attention: {n_kv_heads} heads do not divide {n_heads}");
        let Projections::Apart { w_q, w_k, w_v } = &mut self.projections else {
            panic!("attention: the projections are in one matrix; take MultiHeadAttention::apart")
        };
        let [d_model, width] = [w_q.weight.size(0), w_q.weight.size(1) / n_heads * n_kv_heads];
        for w in [w_k, w_v] {
            *w = Linear::new(rng, d_model, width, init);
        }
        self.n_kv_heads = n_kv_heads;
        self
    }

    /// Self-attention: `[batch_size, seq_len, d_model]` → the same, or of the one position that the
    /// pass reads. With a cache in the pass, keys and values of earlier positions come before those
    /// of `x`.
    ///
    /// # Panics
    /// If the shapes do not fit, or the first position is read under a causal mask.
    #[track_caller]
    pub fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        // A causal mask takes queries for the last positions.
        assert!(
            pass.reads != Reads::First || !pass.mask.is_causal(),
            "attention: the first position is read under a causal mask"
        );
        let fused = self.is_fused(pass);
        if let (Projections::Joined { w_qkv }, true) = (&self.projections, fused)
            && self.norm_q.is_none()
            && pass.rotation.is_none()
            && pass.cache.is_none()
            && pass.reads == Reads::All
        {
            let (qkv, heads) = (w_qkv.forward(x), [self.n_heads, self.n_kv_heads]);
            return self.w_o.forward(&self_attention(&qkv, heads, self.scale, &pass.mask));
        }
        let [q, k, v] = self.project(x, pass.reads); // [batch_size, heads, seq_len, d_k]
        let normalized = |norm: &Option<RmsNorm>, x: Var| match norm {
            Some(norm) => norm.forward(&x),
            None => x,
        };
        let [q, k] = [normalized(&self.norm_q, q), normalized(&self.norm_k, k)];
        let [q, k] = match &pass.rotation {
            Some(rotation) => [rotation.of(pass.reads).rotate(&q), rotation.rotate(&k)],
            None => [q, k],
        };
        let (k, v) = match pass.layer_cache() {
            Some(cache) => cache.extend(&k, &v), // [batch_size, n_kv_heads, n_keys, d_k]
            None => (k, v),
        };
        if fused {
            return self.join(&attention(&q, &k, &v, self.scale, &pass.mask));
        }
        let bias = pass.bias.as_ref().map(|bias| pass.reads.of(bias, -2));
        let weights = self.weights(&q, &k, bias.as_ref(), &pass.mask);
        pass.note(|trace| trace.attention_weights.push(weights.clone()));
        self.join(&self.weigh(&weights, &v))
    }

    /// Cross-attention to the pass's memory: `[batch_size, seq_len, d_model]` → the same. With a
    /// cache in the pass, the memory's keys and values are computed once.
    ///
    /// # Panics
    /// If the shapes do not fit, the pass has no memory, or the projections are in one matrix.
    #[track_caller]
    pub fn forward_to_memory(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        let memory: &Memory = pass.memory.expect("cross-attention: the pass has no memory");
        let Projections::Apart { w_q, w_k, w_v } = &self.projections else {
            panic!("cross-attention: the projections are in one matrix")
        };
        let q = split_heads(&w_q.forward(x), self.n_heads);
        let keys_and_values = || {
            let [k, v] = [w_k, w_v].map(|w| w.forward(&memory.states));
            (split_heads(&k, self.n_kv_heads), split_heads(&v, self.n_kv_heads))
        };
        let (k, v) = match pass.layer_cache() {
            Some(cache) => cache.memory(keys_and_values),
            None => keys_and_values(),
        };
        if self.is_fused(pass) {
            return self.join(&attention(&q, &k, &v, self.scale, &memory.mask));
        }
        let weights = self.weights(&q, &k, None, &memory.mask);
        pass.note(|trace| trace.cross_attention_weights.push(weights.clone()));
        self.join(&self.weigh(&weights, &v))
    }

    /// Whether nobody asks for the weights themselves: to note them, to bias them, to drop some.
    fn is_fused(&self, pass: &Pass<'_>) -> bool {
        let drops = self.dropout > 0.0 && scope::is_dropping();
        pass.trace.is_none() && pass.bias.is_none() && !drops
    }

    /// Queries, of the positions that are read alone, keys and values,
    /// `[batch_size, heads, seq_len, d_k]` each.
    #[track_caller]
    fn project(&self, x: &Var, reads: Reads) -> [Var; 3] {
        let heads = [self.n_heads, self.n_kv_heads, self.n_kv_heads];
        let projected = match &self.projections {
            Projections::Joined { w_qkv } => {
                let d_k = w_qkv.weight.size(1) / (self.n_heads + 2 * self.n_kv_heads);
                let [q, k, v] = w_qkv.forward(x).split(-1, heads.map(|heads| heads * d_k));
                [reads.of(&q, 1), k, v]
            }
            Projections::Apart { w_q, w_k, w_v } => {
                [w_q.forward(&reads.of(x, 1)), w_k.forward(x), w_v.forward(x)]
            }
        };
        std::array::from_fn(|i| split_heads(&projected[i], heads[i]))
    }

    /// `[batch_size, n_heads, n_queries, n_keys]`
    #[track_caller]
    fn weights(&self, q: &Var, k: &Var, bias: Option<&Var>, mask: &Mask) -> Var {
        if self.n_kv_heads == self.n_heads {
            return attention_weights(q, k, self.scale, bias, mask);
        }
        let bias = bias.map(|bias| self.by_group(bias));
        let (q, k) = (self.by_group(q), self.by_group(k));
        let weights = attention_weights(&q, &k, self.scale, bias.as_ref(), mask);
        let [batch_size, .., n_queries, n_keys] = weights.shape() else { unreachable!() };
        weights.reshape(&[*batch_size, self.n_heads, *n_queries, *n_keys])
    }

    /// Each head's sums of values: `[batch_size, n_heads, n_queries, d_k]`
    #[track_caller]
    fn weigh(&self, weights: &Var, v: &Var) -> Var {
        let weights = weights.dropout(self.dropout);
        if self.n_kv_heads == self.n_heads {
            return weights.matmul(v);
        }
        let heads = self.by_group(&weights).matmul(&self.by_group(v));
        heads.reshape(&[weights.size(0), self.n_heads, weights.size(-2), v.size(-1)])
    }

    /// The heads side by side, through W^O: `[batch_size, n_queries, d_model]`
    #[track_caller]
    fn join(&self, heads: &Var) -> Var {
        let [batch_size, n_queries, width] = [heads.size(0), heads.size(2), heads.size(3)];
        let shape = [batch_size, n_queries, self.n_heads * width];
        self.w_o.forward(&heads.transpose(1, 2).reshape(&shape))
    }

    /// `[.., heads, m, n]` → `[.., n_kv_heads, heads / n_kv_heads, m, n]`, so that a head of keys
    /// broadcasts over its group of queries; a bias may have one head for all.
    fn by_group(&self, x: &Var) -> Var {
        let missing = 3usize.saturating_sub(x.shape().len());
        let shape = [&vec![1; missing], x.shape()].concat();
        let (batch, last) = shape.split_at(shape.len() - 3);
        let heads = match last[0] {
            1 => [1, 1],
            heads => [self.n_kv_heads, heads / self.n_kv_heads],
        };
        x.reshape(&[batch, &heads, &last[1..]].concat())
    }
}

/// `[batch_size, seq_len, heads · d_k]` → `[batch_size, heads, seq_len, d_k]`
fn split_heads(x: &Var, heads: usize) -> Var {
    x.reshape(&[x.size(0), x.size(1), heads, x.size(-1) / heads]).transpose(1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::Rotary;
    use crate::{Trace, scaled_dot_product_attention};
    use autograd::Parameter;
    use tensor::{Tensor, Tokens};

    const INIT: Init = Init::Normal(0.5);

    fn close(a: &Var, b: &Var) -> bool {
        a.shape() == b.shape() && (a - b).value().to_vec().iter().all(|d| d.abs() < 1e-5)
    }

    #[test]
    fn equals_the_equation_a3_head_by_head() {
        let mut rng = Rng::seeded(3);
        let layer = MultiHeadAttention::joined(&mut rng, (6, 2), INIT, INIT);
        let x = Var::constant(rng.normal(&[1, 4, 6], 1.0));
        let Projections::Joined { w_qkv } = &layer.projections else { unreachable!() };
        let columns = |start| x.matmul(&w_qkv.weight.narrow(1, start, 3));
        let head = |i: usize| {
            let [q, k, v] = [0, 6, 12].map(|part| columns(part + 3 * i));
            scaled_dot_product_attention(&q, &k, &v, &Mask::causal(), 0.0)
        };
        let heads = Tensor::concat(&[head(0).value(), head(1).value()], -1);
        let expected = layer.w_o.forward(&Var::constant(heads));
        assert!(close(&layer.forward(&x, &mut Pass::causal()), &expected));
    }

    #[test]
    fn grouped_heads_equal_heads_whose_keys_and_values_are_repeated() {
        let mut rng = Rng::seeded(4);
        let grouped = MultiHeadAttention::apart(&mut rng, (8, 4), INIT, INIT);
        let grouped = grouped.with_kv_heads(&mut rng, 2, INIT);
        let mut plain = grouped.clone();
        plain.n_kv_heads = 4;
        let Projections::Apart { w_k, w_v, .. } = &mut plain.projections else { unreachable!() };
        for w in [w_k, w_v] {
            let [a, b] = [0, 2].map(|start| w.weight.value().narrow(1, start, 2));
            w.weight = Parameter::new(Tensor::concat(&[&a, &a, &b, &b], 1));
            w.bias = Some(Parameter::new(Tensor::zeros(&[8])));
        }
        let x = Var::constant(rng.normal(&[2, 3, 8], 1.0));
        let mask = Mask::causal().with_padding([true, true, true, false, true, true]);
        let biases = [&[4, 3, 3][..], &[3, 3]].map(|s| Var::constant(rng.normal(s, 1.0)));
        let rotation = Rotary::new(2, 100.0).at(&Tokens::new([0, 1, 2], 3).unwrap());
        for bias in biases {
            let forward = |layer: &MultiHeadAttention| {
                let (bias, rotation) = (Some(bias.clone()), Some(rotation.clone()));
                let mask = mask.clone();
                layer.forward(&x, &mut Pass { mask, bias, rotation, ..Pass::default() })
            };
            assert!(close(&forward(&grouped), &forward(&plain)));
        }
    }

    #[test]
    #[should_panic(expected = "attention: the first position is read under a causal mask")]
    fn a_causal_mask_has_no_first_position() {
        let layer = MultiHeadAttention::joined(&mut Rng::seeded(1), (6, 2), INIT, INIT);
        let x = Var::constant(Tensor::ones(&[1, 2, 6]));
        layer.forward(&x, &mut Pass { reads: Reads::First, ..Pass::causal() });
    }

    #[test]
    fn cross_attention_reads_the_memory_and_not_its_padding() {
        let mut rng = Rng::seeded(5);
        let layer = MultiHeadAttention::apart(&mut rng, (6, 2), INIT, INIT);
        let [x, short] = [[1, 4, 6], [1, 2, 6]].map(|s| Var::constant(rng.normal(&s, 1.0)));
        let padding = Var::constant(rng.normal(&[1, 1, 6], 1e4));
        let long = Tensor::concat(&[short.value(), padding.value()], 1);
        let memory = Memory { states: short, mask: Mask::none() };
        let mask = Mask::none().with_padding([true, true, false]);
        let padded = Memory { states: Var::constant(long), mask };
        let forward = |memory| {
            layer.forward_to_memory(&x, &mut Pass { memory: Some(memory), ..Pass::default() })
        };
        assert!(close(&forward(&memory), &forward(&padded)));
    }

    #[test]
    fn the_fused_form_equals_the_textbook_that_a_trace_is_taken_of() {
        let mut rng = Rng::seeded(6);
        let joined = MultiHeadAttention::joined(&mut rng, (8, 4), INIT, INIT);
        let apart = MultiHeadAttention::apart(&mut rng, (8, 4), INIT, INIT);
        let apart = apart.with_kv_heads(&mut rng, 2, INIT);
        let x = Var::constant(rng.normal(&[2, 5, 8], 1.0));
        let memory =
            Memory { states: Var::constant(rng.normal(&[2, 3, 8], 1.0)), mask: Mask::none() };
        for layer in [&joined, &apart] {
            let mut trace = Trace::default();
            let mut seen = Pass { trace: Some(&mut trace), ..Pass::causal() };
            let textbook = layer.forward(&x, &mut seen);
            assert_eq!(trace.attention_weights[0].shape(), [2, 4, 5, 5]);
            assert!(close(&layer.forward(&x, &mut Pass::causal()), &textbook));
        }
        let mut trace = Trace::default();
        let mut pass = Pass { memory: Some(&memory), ..Pass::default() };
        let fused = apart.forward_to_memory(&x, &mut pass);
        pass.trace = Some(&mut trace);
        assert!(close(&fused, &apart.forward_to_memory(&x, &mut pass)));
    }

    #[test]
    #[should_panic(expected = "attention: 3 heads do not divide 4")]
    fn heads_must_be_shared_out() {
        let mut rng = Rng::seeded(1);
        MultiHeadAttention::apart(&mut rng, (8, 4), INIT, INIT).with_kv_heads(&mut rng, 3, INIT);
    }
}
