//! A value that remembers how it was computed.

use crate::graph::{Backward, Node, Recorded};
use crate::recipe::Recipe;
use crate::{Gradient, anomaly, scope};
use std::sync::Arc;
use tensor::{Float, Tensor};

/// A tensor in a computation whose gradient may be asked for.
///
/// The graph is owned by what was computed from it: when a loss is dropped, so is all that was
/// recorded for it.
#[derive(Clone)]
pub struct Var {
    value: Tensor,
    node: Option<Arc<Node>>,
    recipe: Option<Arc<Recipe>>,
}

impl Var {
    /// A value whose gradient nobody will ask for.
    pub fn constant(value: Tensor) -> Var {
        Var { value, node: None, recipe: None }
    }

    /// A value whose gradient can be asked for: see [`crate::Gradients::get`].
    #[track_caller]
    pub fn leaf(value: Tensor) -> Var {
        let node = Node::leaf(value.shape());
        Var::with_node(value, Arc::new(node))
    }

    pub(crate) fn with_node(value: Tensor, node: Arc<Node>) -> Var {
        Var { value, node: Some(node), recipe: None }
    }

    /// Records an operation: its name, its inputs, its value, the tensors it saves, and its
    /// backward, which turns ∂L/∂value and the saved tensors into one gradient for each input.
    ///
    /// This is how every operation of the library is made, and how a new one is made outside it:
    ///
    /// ```
    /// use autograd::Var;
    /// use tensor::Tensor;
    /// /// x³, with derivative 3x²
    /// fn cube(x: &Var) -> Var {
    ///     let y = x.value().map(|x| x * x * x);
    ///     Var::record("cube", [x], y, [x.value().clone()], |dy, [x]| {
    ///         [(dy * x.map(|x| 3.0 * x * x)).into()]
    ///     })
    /// }
    /// let x = Var::leaf(Tensor::scalar(2.0));
    /// assert_eq!(cube(&x).backward().unwrap().get(&x).unwrap().item(), 12.0);
    /// ```
    ///
    /// # Panics
    /// In backward, if a gradient has another shape than its input.
    #[track_caller]
    pub fn record<const INPUTS: usize, const SAVED: usize>(
        operation: &'static str,
        inputs: [&Var; INPUTS],
        value: Tensor,
        saved: [Tensor; SAVED],
        backward: impl FnOnce(Tensor, [Tensor; SAVED]) -> [Gradient; INPUTS] + Send + 'static,
    ) -> Var {
        let bytes = saved.iter().map(Tensor::bytes).sum();
        Var::record_all(operation, &inputs, value, bytes, move |dy| backward(dy, saved).into())
    }

    /// [`Var::record`] for a number of inputs that is known only at run time; `saved_bytes` are
    /// the bytes that `backward` keeps.
    #[track_caller]
    pub fn record_all(
        operation: &'static str,
        inputs: &[&Var],
        value: Tensor,
        saved_bytes: usize,
        backward: impl FnOnce(Tensor) -> Vec<Gradient> + Send + 'static,
    ) -> Var {
        if anomaly::is_looking() {
            anomaly::look_at_value(operation, inputs, &value);
        }
        if !scope::is_recording() || !inputs.iter().any(|input| input.needs_gradient()) {
            return Var::constant(value);
        }
        let recorded = Recorded {
            inputs: inputs.iter().map(|input| input.node.clone()).collect(),
            backward: Backward::Step(Box::new(backward)),
            precision: tensor::precision(),
        };
        let node = Node::operation(operation, value.shape(), saved_bytes, recorded);
        Var::with_node(value, Arc::new(node))
    }

    /// The tensor.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// The tensor, without the record of how it was computed.
    pub fn into_value(self) -> Tensor {
        self.value
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// The size of one axis; negative counts from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.value.size(axis)
    }

    /// The one number of a value that holds a single one.
    ///
    /// # Panics
    /// If it holds none or several.
    #[track_caller]
    pub fn item(&self) -> Float {
        self.value.item()
    }

    /// The tensor to be saved for a backward, or an empty one in its place: `needed` says whether
    /// another input's gradient will ask for it.
    pub fn saved_if(&self, needed: bool) -> Tensor {
        saved_if(needed, &self.value)
    }

    /// The same value, cut off from its past: no gradient flows through it.
    pub fn detach(&self) -> Var {
        Var::constant(self.value.clone())
    }

    /// Whether it depends on a leaf.
    pub fn needs_gradient(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    pub(crate) fn recipe(&self) -> Option<&Arc<Recipe>> {
        self.recipe.as_ref()
    }

    pub(crate) fn recipe_mut(&mut self) -> &mut Option<Arc<Recipe>> {
        &mut self.recipe
    }

    pub(crate) fn value_mut(&mut self) -> &mut Tensor {
        &mut self.value
    }
}

/// `value`, or an empty tensor in its place.
pub(crate) fn saved_if(needed: bool, value: &Tensor) -> Tensor {
    if needed { value.clone() } else { Tensor::zeros(&[0]) }
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operation = self.node.as_ref().map_or("constant", |node| node.operation);
        write!(f, "{} ({operation})", self.value)
    }
}
