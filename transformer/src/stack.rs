//! Blocks one after the other: encoders and decoders. Vaswani et al. 2017, section 3.1.

use crate::block::Layer;
use crate::{Block, DecoderBlock, Module, Norm, Pass, module};
use autograd::{Parameter, Var};

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
    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Parameter)>) {
        self.blocks.collect(&module::join(path, "blocks"), found);
        self.final_norm.collect(&module::join(path, "final_norm"), found);
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut Vec<(String, &'a mut Parameter)>) {
        self.blocks.collect_mut(&module::join(path, "blocks"), found);
        self.final_norm.collect_mut(&module::join(path, "final_norm"), found);
    }
}

impl<B: Layer> Stack<B> {
    /// `[batch_size, seq_len, d_model]` → the same.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Var, pass: &mut Pass<'_>) -> Var {
        let mut x = x.clone();
        for (layer, block) in self.blocks.iter().enumerate() {
            pass.layer = layer;
            pass.note(|trace| trace.hidden_states.push(x.clone()));
            x = block.forward(&x, pass);
        }
        let y = self.final_norm.as_ref().map_or_else(|| x.clone(), |norm| norm.forward(&x));
        pass.note(|trace| trace.hidden_states.push(y.clone()));
        y
    }
}
