//! The list of operations as the tests walk it: each with its text and its cases.

use crate::Var;
use tensor::{Float, Indices, Rng, Tensor};

/// An operation of the list.
pub(crate) struct Operation {
    /// The name of its file and module.
    pub name: &'static str,
    /// The text of its file.
    pub source: &'static str,
    /// What it is checked on.
    pub cases: fn() -> Vec<Case>,
}

/// One application of an operation, whose gradient is checked against finite differences; a large
/// one is computed on several numbers of threads instead.
pub(crate) struct Case {
    pub inputs: Vec<Tensor>,
    pub apply: Box<Apply>,
}

type Apply = dyn Fn(&[Var]) -> Var + Send + Sync;

impl Case {
    /// On inputs of the given shapes, drawn from the standard normal distribution.
    pub fn new<const N: usize>(
        shapes: [&[usize]; N],
        apply: impl Fn(&[Var]) -> Var + Send + Sync + 'static,
    ) -> Case {
        let mut rng = Rng::seeded(0xCA5E);
        Case::of(shapes.map(|shape| rng.normal(shape, 1.0)), apply)
    }

    /// On the given inputs.
    pub fn of(
        inputs: impl Into<Vec<Tensor>>,
        apply: impl Fn(&[Var]) -> Var + Send + Sync + 'static,
    ) -> Case {
        Case { inputs: inputs.into(), apply: Box::new(apply) }
    }

    /// The same with each number of its inputs mapped: into the domain of a logarithm, or away from
    /// a kink, where finite differences say nothing.
    pub fn map(mut self, f: impl Fn(Float) -> Float + Sync) -> Case {
        self.inputs = self.inputs.iter().map(|input| input.map(&f)).collect();
        self
    }

    /// Whether it is for threads rather than for finite differences.
    pub fn is_large(&self) -> bool {
        self.inputs.iter().map(Tensor::len).sum::<usize>() > 2000
    }
}

/// Positions of `shape` along an axis of `size`, among which some repeat.
pub(crate) fn positions(shape: &[usize], size: usize) -> Indices {
    let mut rng = Rng::seeded(0xCA5E);
    let positions: Vec<usize> = (0..shape.iter().product()).map(|_| rng.below(size)).collect();
    Indices::new(positions, shape)
}
