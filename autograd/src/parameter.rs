//! A value that training changes.

use crate::Var;
use crate::graph::Node;
use std::ops::Deref;
use std::sync::Arc;
use tensor::Tensor;

/// A leaf that an optimizer may change; used in equations as the [`Var`] it dereferences to.
///
/// A clone is the same parameter to [`crate::Gradients`], but keeps its own numbers once either is
/// changed; a weight used in two places of a model is one field that both places read.
///
/// ```
/// use autograd::Parameter;
/// use tensor::Tensor;
/// let (mut w, x) = (Parameter::new(Tensor::scalar(3.0)), Parameter::new(Tensor::scalar(2.0)));
/// w.freeze();
/// let gradients = (&*w * &*x).backward().unwrap();
/// assert!(gradients.get(&w).is_none() && gradients.get(&x).unwrap().item() == 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct Parameter {
    var: Var,
    /// What it is to [`crate::Gradients`], also while it is frozen.
    leaf: Arc<Node>,
    /// Declared unused by the task: no gradient is expected to reach it.
    unused: bool,
}

impl Parameter {
    /// A parameter that starts with `value`.
    #[track_caller]
    pub fn new(value: Tensor) -> Parameter {
        let leaf = Arc::new(Node::leaf(value.shape()));
        Parameter { var: Var::with_node(value, leaf.clone()), leaf, unused: false }
    }

    /// Its numbers, to be changed in place.
    pub fn value_mut(&mut self) -> &mut Tensor {
        self.var.value_mut()
    }

    /// Makes it a constant to all that is computed from here on: it gets no gradient, nothing is
    /// saved for one, and optimizers pass it by.
    pub fn freeze(&mut self) {
        self.var = self.var.detach();
    }

    /// Lets it be trained again; it is the same parameter that it was before.
    pub fn unfreeze(&mut self) {
        self.var = Var::with_node(self.value().clone(), self.leaf.clone());
    }

    /// Whether it is not frozen.
    pub fn is_trainable(&self) -> bool {
        self.needs_gradient()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::linear::linear;

    #[test]
    fn a_frozen_parameter_is_a_constant_until_it_is_unfrozen() {
        let mut w = Parameter::new(Tensor::scalar(3.0));
        let x = Parameter::new(Tensor::scalar(2.0));
        let first = (&*w * &*x).backward().unwrap();
        w.freeze();
        assert!(!w.is_trainable() && w.item() == 3.0);
        let frozen = (&*w * &*x).backward().unwrap();
        assert!(frozen.get(&w).is_none() && frozen.get(&x).unwrap().item() == 3.0);
        assert!((&*w * &*w).backward().is_err());
        w.value_mut().data_mut()[0] = 5.0;
        w.unfreeze();
        assert!(w.is_trainable() && w.item() == 5.0);
        assert_eq!(first.get(&w).unwrap().item(), 2.0);
        assert_eq!((&*w * &*x).backward().unwrap().get(&x).unwrap().item(), 5.0);
    }

    #[test]
    fn a_gradient_recorded_before_it_was_frozen_is_passed_by() {
        let mut w = Parameter::new(Tensor::scalar(3.0));
        let loss = &*w * &*w;
        w.freeze();
        assert!(loss.backward().unwrap().get(&w).is_none());
    }

    #[test]
    fn nothing_is_saved_for_the_gradient_of_a_frozen_parameter() {
        let x = Var::leaf(Tensor::ones(&[8, 3]));
        let [mut w, b] = [&[3, 5][..], &[5]].map(|shape| Parameter::new(Tensor::ones(shape)));
        let saved = |w: &Parameter| {
            let one = size_of::<tensor::Float>();
            [linear(&x, w, &b), x.matmul(w), &**w * &*b, &**w / &*b].map(|y| y.saved_bytes() / one)
        };
        assert_eq!(saved(&w), [24 + 15, 24 + 15, 15 + 5, 15 + 5]);
        w.freeze();
        assert_eq!(saved(&w), [15, 15, 15, 20]);
        let gradients = linear(&x, &w, &b).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [5.0; 24]);
    }

    #[test]
    fn freezing_twice_is_freezing_once() {
        let mut w = Parameter::new(Tensor::scalar(3.0));
        w.freeze();
        w.freeze();
        w.unfreeze();
        w.unfreeze();
        assert_eq!((&*w * &*w).backward().unwrap().get(&w).unwrap().item(), 6.0);
    }
}
