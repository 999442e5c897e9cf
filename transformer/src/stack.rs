//! Blocks one after the other: encoders and decoders. Vaswani et al. 2017, section 3.1.

use crate::block::Layer;
use crate::module::{Parts, PartsMut};
use crate::pass::Reads;
use crate::{Block, DecoderBlock, Module, Norm, Pass, module};
use autograd::{Var, checkpoint};
use std::cell::Cell;

/// Blocks one after the other, and the normalization that ends a stack of (T1) blocks.
#[derive(Clone, Debug)]
pub struct Stack<B> {
    /// The blocks.
    pub blocks: Vec<B>,
    /// The normalization after the last block.
    pub final_norm: Option<Norm>,
}

/// A stack of blocks that read one sequence.
pub type Encoder = Stack<Block>;
/// A stack of blocks that read a sequence and an encoder's output.
pub type Decoder = Stack<DecoderBlock>;

impl<B: Module> Module for Stack<B> {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        self.blocks.collect(&module::join(path, "blocks"), found);
        self.final_norm.collect(&module::join(path, "final_norm"), found);
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        self.blocks.collect_mut(&module::join(path, "blocks"), found);
        self.final_norm.collect_mut(&module::join(path, "final_norm"), found);
    }
}

thread_local! {
    static IS_RECOMPUTING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `compute` with stacks that keep the input of each block alone for the backward pass, which
/// computes the block a second time: less memory, more time, the same bits. See
/// [`autograd::checkpoint()`]. A pass with a cache or a trace is computed as ever.
pub fn with_recomputation<T>(compute: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_RECOMPUTING.set(self.0);
        }
    }
    let _restore = Restore(IS_RECOMPUTING.replace(true));
    compute()
}

fn recomputed<B: Layer + Clone + Send + 'static>(block: &B, x: &Var, pass: &Pass<'_>) -> Var {
    let (block, layer) = (block.clone(), pass.layer);
    let (mask, bias, rotation) = (pass.mask.clone(), pass.bias.clone(), pass.rotation.clone());
    let (memory, reads) = (pass.memory.cloned(), pass.reads);
    let forward = move |x: &[Var]| {
        let (mask, bias, rotation) = (mask.clone(), bias.clone(), rotation.clone());
        let memory = memory.as_ref();
        let mut pass = Pass { mask, bias, rotation, memory, layer, reads, ..Pass::default() };
        block.forward(&x[0], &mut pass)
    };
    checkpoint(forward, &[x])
}

impl<B: Layer + Clone + Send + 'static> Stack<B> {
    /// `[batch_size, seq_len, d_model]` → the same, or `[batch_size, 1, d_model]` where the pass reads
    /// one position.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        let (mut x, reads) = (x.clone(), pass.reads);
        for (layer, block) in self.blocks.iter().enumerate() {
            pass.layer = layer;
            pass.reads = if layer + 1 == self.blocks.len() { reads } else { Reads::All };
            pass.note(|trace| trace.hidden_states.push(x.clone()));
            x = match IS_RECOMPUTING.get() && pass.is_plain() {
                true => recomputed(block, &x, pass),
                false => block.forward(&x, pass),
            };
        }
        pass.reads = reads;
        let y = self.final_norm.as_ref().map_or_else(|| x.clone(), |norm| norm.forward(&x));
        pass.note(|trace| trace.hidden_states.push(y.clone()));
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{NormPlacement, Residual};
    use crate::positions::Rotary;
    use crate::{Activation, FeedForward, Init, LayerNorm, Memory, MultiHeadAttention};
    use autograd::{Mask, with_dropout};
    use tensor::{Float, Rng, Tokens};

    const INIT: Init = Init::Normal(0.3);

    fn decoder() -> Decoder {
        let mut rng = Rng::seeded(2);
        let norm = || Norm::from(LayerNorm::new(8, 1e-5));
        let block = |rng: &mut Rng| DecoderBlock {
            norm_1: norm(),
            attention: MultiHeadAttention::joined(rng, (8, 2), INIT, INIT),
            norm_2: norm(),
            cross_attention: MultiHeadAttention::apart(rng, (8, 2), INIT, INIT),
            norm_3: norm(),
            feed_forward: FeedForward::new(rng, (8, 16), Activation::Relu, INIT, INIT),
            residual: Residual { placement: NormPlacement::Pre, dropout: 0.2 },
        };
        Decoder { blocks: (0..3).map(|_| block(&mut rng)).collect(), final_norm: Some(norm()) }
    }

    #[test]
    fn a_position_read_alone_is_what_it_is_among_all() {
        let (mut stack, mut rng) = (decoder(), Rng::seeded(3));
        let [x, states] = [[2, 6, 8], [2, 5, 8]].map(|s| Var::leaf(rng.normal(&s, 1.0)));
        let memory = Memory { states: states.clone(), mask: Mask::none() };
        let padded =
            Mask::none().with_padding([[true; 6], [true, true, true, true, false, false]].concat());
        let turned =
            Rotary::new(4, 100.0)
                .at(&Tokens::batch(&[[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]], 9).unwrap());
        let bias = Var::leaf(rng.normal(&[1, 2, 6, 6], 1.0));
        let cases =
            [(Reads::First, Mask::none()), (Reads::First, padded), (Reads::Last, Mask::causal())];
        for (reads, mask) in cases {
            for placement in [NormPlacement::Pre, NormPlacement::Post] {
                for (rotation, bias) in [(Some(&turned), None), (None, Some(&bias))] {
                    stack.blocks.iter_mut().for_each(|block| block.residual.placement = placement);
                    let run = |reads: Reads| {
                        let (mask, memory) = (mask.clone(), Some(&memory));
                        let (rotation, bias) = (rotation.cloned(), bias.cloned());
                        let pass = Pass { mask, rotation, bias, memory, reads, ..Pass::default() };
                        stack.forward(&x, &mut { pass })
                    };
                    let (alone, among) = (run(reads), reads.of(&run(Reads::All), 1));
                    assert!(alone.shape() == among.shape() && alone.shape() == [2, 1, 8]);
                    let parameters = stack.parameters();
                    let [a, b] = [alone, among].map(|y| {
                        let gradients = (&y * &y).sum().backward().unwrap();
                        let weights = parameters.iter().map(|(_, parameter)| &***parameter);
                        let all = weights.chain([&x, &states]).chain(bias);
                        let all = all.map(|value| gradients.get(value).unwrap().to_vec());
                        all.chain([y.value().to_vec()]).flatten().collect::<Vec<Float>>()
                    });
                    let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs()));
                    assert!(far.fold(0.0, Float::max) < 1e-4);
                }
            }
        }
    }

    #[test]
    fn recomputation_changes_no_bit_and_keeps_less() {
        let (stack, mut rng) = (decoder(), Rng::seeded(3));
        let [x, states] = [[2, 6, 8], [2, 5, 8]].map(|s| Var::leaf(rng.normal(&s, 1.0)));
        let bias = Var::leaf(rng.normal(&[1, 2, 6, 6], 1.0));
        let memory = Memory { states: states.clone(), mask: Mask::none() };
        let run = || {
            with_dropout(Rng::seeded(4), || {
                let pass =
                    Pass { bias: Some(bias.clone()), memory: Some(&memory), ..Pass::causal() };
                let y = stack.forward(&x, &mut { pass });
                (&y * &y).sum()
            })
        };
        let (plain, again) = (run(), with_recomputation(run));
        assert!(again.saved_bytes() * 2 < plain.saved_bytes());
        assert_eq!(plain.item(), again.item());
        let bits = |loss: Var| -> Vec<Vec<Float>> {
            let gradients = loss.backward().unwrap();
            let weights = stack.parameters().into_iter().map(|(_, parameter)| &**parameter);
            let all = weights.chain([&x, &states, &bias]);
            all.map(|value| gradients.get(value).unwrap().to_vec()).collect()
        };
        assert!(bits(plain) == bits(again));
    }
}
