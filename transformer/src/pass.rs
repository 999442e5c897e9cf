//! What one pass through a stack of blocks knows besides its input.

use crate::cache::{Cache, LayerCache};
use crate::positions::Rotation;
use autograd::{Mask, Var};

/// What the blocks of a stack are told: masks, positions, the encoder's output, the cache; and where
/// to note what they saw, if someone asked.
///
/// ```
/// use transformer::Pass;
/// let pass = Pass { mask: autograd::Mask::causal(), ..Pass::default() };
/// assert!(pass.cache.is_none());
/// ```
#[derive(Default)]
pub struct Pass<'a> {
    /// Which positions each position may attend to.
    pub mask: Mask,
    /// Added to the scores of self-attention; broadcast to
    /// `[batch_size, n_heads, n_queries, n_keys]`.
    pub bias: Option<Var>,
    /// The rotation of queries and keys at their positions.
    pub rotation: Option<Rotation>,
    /// What cross-attention reads.
    pub memory: Option<&'a Memory>,
    /// Keys and values of earlier positions, which those of this pass join.
    pub cache: Option<&'a mut Cache>,
    /// Where hidden states and attention weights are noted.
    pub trace: Option<&'a mut Trace>,
    /// The block that is being computed, from 0.
    pub layer: usize,
    /// The positions at which what is computed is read. A stack's blocks compute all but the last,
    /// which computes no others.
    pub reads: Reads,
}

/// Positions of a sequence at which a stack's output is read.
///
/// What attention tells a position, and all that follows, needs the other positions' keys and values,
/// but not their queries. Where a model is read at one position, all else of its last block would be
/// computed for nobody; only where queries, keys and values come of one matrix, all queries come too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// Each.
    #[default]
    All,
    /// The first, as a classifier reads BERT. No mask may be causal.
    First,
    /// The last, as a decoder is read that writes the next token.
    Last,
}

impl Reads {
    /// Those of `x` along `axis`.
    #[track_caller]
    pub(crate) fn of(self, x: &Var, axis: isize) -> Var {
        match self.among(x.size(axis)) {
            None => x.clone(),
            Some(position) => x.narrow(axis, position, 1),
        }
    }

    /// The one position of so many; `None` where all are read.
    pub(crate) fn among(self, seq_len: usize) -> Option<usize> {
        match self {
            Reads::All => None,
            Reads::First => Some(0),
            Reads::Last => Some(seq_len.saturating_sub(1)),
        }
    }
}

impl Pass<'_> {
    /// A pass in which each position sees itself and those before it.
    pub fn causal() -> Self {
        Pass { mask: Mask::causal(), ..Pass::default() }
    }

    /// The cache of the block that is being computed.
    pub fn layer_cache(&mut self) -> Option<&mut LayerCache> {
        let layer = self.layer;
        self.cache.as_mut().map(|cache| &mut cache.layers[layer])
    }

    /// Whether it neither reads a cache nor notes anything.
    pub(crate) fn is_plain(&self) -> bool {
        self.cache.is_none() && self.trace.is_none()
    }

    /// Notes something in the trace, if there is one.
    pub fn note(&mut self, note: impl FnOnce(&mut Trace)) {
        if let Some(trace) = &mut self.trace {
            note(trace);
        }
    }
}

/// An encoder's output, as a decoder reads it.
#[derive(Clone, Debug)]
pub struct Memory {
    /// `[batch_size, n_keys, d_model]`
    pub states: Var,
    /// Which of them are real tokens.
    pub mask: Mask,
}

/// Token embeddings, hidden states and attention weights of one pass.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What the token embedding gives the blocks, `[batch_size, seq_len, d_model]`: of decoders before
    /// positions are added, of BERT after it was normalized with them; T5 does not note it.
    pub token_embeddings: Option<Var>,
    /// The input of each block, and last the output of the stack: `[batch_size, seq_len, d_model]`
    /// each, the last of one position where the pass reads one.
    pub hidden_states: Vec<Var>,
    /// The weights of each block's self-attention: `[batch_size, n_heads, n_queries, n_keys]` each.
    pub attention_weights: Vec<Var>,
    /// The same of each block's cross-attention.
    pub cross_attention_weights: Vec<Var>,
}
