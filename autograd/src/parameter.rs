//! A value that training changes.

use crate::Var;
use std::ops::Deref;
use tensor::Tensor;

/// A leaf that an optimizer may change; used in equations as the [`Var`] it dereferences to.
///
/// A clone is the same parameter to [`crate::Gradients`], but keeps its own numbers once either is
/// changed; a weight used in two places of a model is one field that both places read.
#[derive(Clone, Debug)]
pub struct Parameter {
    var: Var,
    /// Declared unused by the task: no gradient is expected to reach it.
    unused: bool,
}

impl Parameter {
    /// A parameter that starts with `value`.
    pub fn new(value: Tensor) -> Parameter {
        Parameter { var: Var::leaf(value), unused: false }
    }

    /// Its numbers, to be changed in place.
    pub fn value_mut(&mut self) -> &mut Tensor {
        self.var.value_mut()
    }

    /// Declares that the task does not use it: then a gradient that does not reach it is no error.
    pub fn declare_unused(&mut self) {
        self.unused = true;
    }

    /// Whether it was declared unused.
    pub fn is_declared_unused(&self) -> bool {
        self.unused
    }
}

impl Deref for Parameter {
    type Target = Var;
    fn deref(&self) -> &Var {
        &self.var
    }
}
