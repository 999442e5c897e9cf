//! Walking back over what was recorded.
//!
//! Nodes are numbered as they are made, so that an operation's number is above its inputs'. Going
//! through them from the highest number down visits each after all that used it: no recursion, no
//! sorting of a graph. Each node's saved tensors are let go as soon as its gradient has passed.

use crate::{Parameter, Var};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tensor::Tensor;

pub(crate) type Backward = Box<dyn FnOnce(Tensor) -> Vec<Gradient> + Send>;

/// A recorded operation, or a leaf.
pub(crate) struct Node {
    id: u64,
    pub operation: &'static str,
    shape: Vec<usize>,
    saved_bytes: usize,
    is_leaf: bool,
    /// Taken by the one backward that passes here.
    recorded: Mutex<Option<Recorded>>,
}

pub(crate) struct Recorded {
    pub inputs: Vec<Option<Arc<Node>>>,
    pub backward: Backward,
}

impl Node {
    pub fn leaf(shape: &[usize]) -> Node {
        Node::numbered("leaf", shape, 0, None)
    }

    pub fn operation(
        operation: &'static str,
        shape: &[usize],
        saved_bytes: usize,
        recorded: Recorded,
    ) -> Node {
        Node::numbered(operation, shape, saved_bytes, Some(recorded))
    }

    fn numbered(
        operation: &'static str,
        shape: &[usize],
        saved_bytes: usize,
        recorded: Option<Recorded>,
    ) -> Node {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Node {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            operation,
            shape: shape.to_vec(),
            saved_bytes,
            is_leaf: recorded.is_none(),
            recorded: Mutex::new(recorded),
        }
    }

    fn take(&self) -> Option<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.operation, self.shape)
    }
}

impl Drop for Node {
    /// Drops what only this node keeps alive, one node after the other: a deep graph must not
    /// overflow the stack.
    fn drop(&mut self) {
        let inputs = |recorded: &mut Option<Recorded>| {
            recorded.take().map(|recorded| recorded.inputs).unwrap_or_default()
        };
        let recorded = self.recorded.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = inputs(recorded);
        while let Some(node) = waiting.pop() {
            if let Some(mut node) = node.and_then(Arc::into_inner) {
                let recorded = node.recorded.get_mut().unwrap_or_else(PoisonError::into_inner);
                waiting.append(&mut inputs(recorded));
            }
        }
    }
}

/// The gradient that an operation gives one of its inputs.
pub enum Gradient {
    /// Of the input's shape.
    Dense(Tensor),
    /// Zero but for the entries from `start` along `axis`.
    Slice {
        /// The axis.
        axis: usize,
        /// The first entry along it.
        start: usize,
        /// Their gradients.
        part: Tensor,
    },
    /// Zero but for some rows of a table: row `rows[i]` gets row `i` of `part` added.
    Rows {
        /// The rows, which may repeat.
        rows: Arc<[u32]>,
        /// Their gradients, `[rows.len(), width]`.
        part: Tensor,
    },
    /// Not computed, because the input does not need one.
    NotNeeded,
}

impl From<Tensor> for Gradient {
    fn from(gradient: Tensor) -> Gradient {
        Gradient::Dense(gradient)
    }
}

impl Gradient {
    /// `compute()` if the input needs a gradient.
    pub fn if_needed(needed: bool, compute: impl FnOnce() -> Tensor) -> Gradient {
        if needed { Gradient::Dense(compute()) } else { Gradient::NotNeeded }
    }

    /// Adds this gradient to what has come together for its node.
    fn add_to(self, sum: &mut Option<Tensor>, node: &Node) {
        let zeros = || Tensor::zeros(&node.shape);
        match self {
            Gradient::NotNeeded => {}
            Gradient::Dense(gradient) => {
                let (found, expected) = (gradient.shape(), &node.shape[..]);
                assert_eq!(found, expected, "backward: a gradient for {}", node.operation);
                match sum {
                    Some(sum) => sum.apply_zip(&gradient, |sum, x| sum + x),
                    None => *sum = Some(gradient),
                }
            }
            Gradient::Slice { axis, start, part } => {
                sum.get_or_insert_with(zeros).add_at(axis, start, &part);
            }
            Gradient::Rows { rows, part } => {
                add_rows(sum.get_or_insert_with(zeros), &rows, &part);
            }
        }
    }
}

/// Adds row `i` of `part` to row `rows[i]` of `table`, in order.
fn add_rows(table: &mut Tensor, rows: &[u32], part: &Tensor) {
    let width = table.size(-1);
    let part = part.contiguous();
    let table = table.data_mut();
    for (&row, part) in rows.iter().zip(part.data().chunks_exact(width.max(1))) {
        let start = row as usize * width;
        for (sum, &x) in table[start..start + width].iter_mut().zip(part) {
            *sum += x;
        }
    }
}

/// What went wrong in a backward pass.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It does not start from a single number.
    #[error("backward: a loss is a single number, not {0:?}; sum or average it first")]
    NotScalar(Vec<usize>),
    /// Nothing was recorded.
    #[error(
        "backward: nothing was recorded; the loss does not depend on a parameter, or was computed \
         inside no_grad"
    )]
    NotRecorded,
    /// What was recorded has been used up.
    #[error(
        "backward: {0} has been walked back before; compute the loss again for another backward"
    )]
    AlreadyWalked(&'static str),
}

impl Var {
    /// The gradients of this number with respect to every leaf it depends on.
    ///
    /// ```math
    /// \bar x_i = \sum_{y \,:\, x_i \in \mathrm{inputs}(y)} \bar y \, \frac{\partial y}{\partial x_i}
    /// ```
    /// What was recorded is used up: saved tensors are freed as they have been used.
    ///
    /// # Errors
    /// If this is not a single number, nothing was recorded, or it has been walked back before.
    pub fn backward(&self) -> Result<Gradients, Error> {
        if self.value().len() != 1 {
            return Err(Error::NotScalar(self.shape().to_vec()));
        }
        let start = self.node().ok_or(Error::NotRecorded)?;
        let mut gradients = Gradients::default();
        let mut waiting: BTreeMap<u64, (Arc<Node>, Option<Tensor>)> = BTreeMap::new();
        waiting.insert(start.id, (start.clone(), Some(Tensor::ones(self.shape()))));
        while let Some((id, (node, gradient))) = waiting.pop_last() {
            let Some(gradient) = gradient else { continue };
            if node.is_leaf {
                gradients.by_leaf.insert(id, gradient);
                continue;
            }
            let recorded = node.take().ok_or(Error::AlreadyWalked(node.operation))?;
            let parts = (recorded.backward)(gradient);
            assert_eq!(parts.len(), recorded.inputs.len(), "{}: gradients", node.operation);
            for (input, part) in recorded.inputs.into_iter().zip(parts) {
                if let Some(input) = input {
                    let entry = waiting.entry(input.id).or_insert_with(|| (input.clone(), None));
                    part.add_to(&mut entry.1, &input);
                }
            }
        }
        Ok(gradients)
    }

    /// Bytes that all recorded operations behind this value keep for their backward; a tensor that
    /// two of them keep counts twice.
    pub fn saved_bytes(&self) -> usize {
        let mut waiting: BTreeMap<u64, Arc<Node>> =
            self.node().map(|node| (node.id, node.clone())).into_iter().collect();
        let mut bytes = 0;
        while let Some((_, node)) = waiting.pop_last() {
            bytes += node.saved_bytes;
            let recorded = node.recorded.lock().unwrap_or_else(PoisonError::into_inner);
            let inputs = recorded.iter().flat_map(|recorded| recorded.inputs.iter().flatten());
            waiting.extend(inputs.map(|input| (input.id, input.clone())));
        }
        bytes
    }
}

/// Gradients of one number with respect to leaves, as a value.
#[derive(Default, Debug)]
pub struct Gradients {
    by_leaf: HashMap<u64, Tensor>,
}

impl Gradients {
    /// The gradient with respect to `leaf`, or `None` if the number does not depend on it.
    pub fn get(&self, leaf: &Var) -> Option<&Tensor> {
        self.by_leaf.get(&leaf.node()?.id)
    }

    /// The gradient of a parameter, to be changed in place.
    pub fn get_mut(&mut self, parameter: &Parameter) -> Option<&mut Tensor> {
        self.by_leaf.get_mut(&parameter.node()?.id)
    }

    /// Adds the gradients of another number: those of micro-batches make up the batch's.
    pub fn add(&mut self, other: Gradients) {
        for (leaf, gradient) in other.by_leaf {
            match self.by_leaf.get_mut(&leaf) {
                Some(sum) => sum.apply_zip(&gradient, |sum, x| sum + x),
                None => {
                    self.by_leaf.insert(leaf, gradient);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_used_twice_collects_both_gradients() {
        let x = Var::leaf(Tensor::scalar(3.0));
        let y = &x * &x;
        let loss = &y + &x;
        assert_eq!(loss.backward().unwrap().get(&x).unwrap().item(), 7.0);
    }

    #[test]
    fn a_deep_graph_neither_walks_nor_drops_by_recursion() {
        let x = Var::leaf(Tensor::scalar(1.0));
        let mut y = x.clone();
        for _ in 0..200_000 {
            y = -&y;
        }
        assert_eq!(y.backward().unwrap().get(&x).unwrap().item(), 1.0);
        let mut z = x.clone();
        for _ in 0..200_000 {
            z = -&z;
        }
        drop(z);
    }

    #[test]
    fn backward_says_what_is_wrong() {
        let x = Var::leaf(Tensor::ones(&[2]));
        assert_eq!(
            x.backward().unwrap_err().to_string(),
            "backward: a loss is a single number, not [2]; sum or average it first"
        );
        assert_eq!(
            Var::constant(Tensor::scalar(1.0)).backward().unwrap_err().to_string(),
            "backward: nothing was recorded; the loss does not depend on a parameter, or was \
             computed inside no_grad"
        );
        let loss = x.sum();
        loss.backward().unwrap();
        assert_eq!(
            loss.backward().unwrap_err().to_string(),
            "backward: sum has been walked back before; compute the loss again for another backward"
        );
    }

    #[test]
    fn an_unreached_leaf_has_no_gradient() {
        let (x, y) = (Var::leaf(Tensor::ones(&[2])), Var::leaf(Tensor::ones(&[2])));
        let gradients = x.sum().backward().unwrap();
        assert!(gradients.get(&x).is_some() && gradients.get(&y).is_none());
    }

    #[test]
    fn a_part_that_is_not_needed_leaves_its_input_unreached() {
        let x = Var::leaf(Tensor::scalar(1.0));
        let y = Var::record("none", [&x], Tensor::scalar(1.0), [], |_, []| [Gradient::NotNeeded]);
        assert!(y.backward().unwrap().get(&x).is_none());
    }

    #[test]
    fn saved_bytes_are_counted() {
        let x = Var::leaf(Tensor::ones(&[10]));
        let loss = (&x * &x).sum();
        assert_eq!(loss.saved_bytes(), 2 * 10 * size_of::<tensor::Float>());
    }
}
