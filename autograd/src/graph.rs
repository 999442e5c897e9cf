//! The record of a computation: nodes, each an operation or a leaf.
//!
//! Nodes are numbered as they are made, so that an operation's number is above its inputs'.

use crate::{Gradient, Var};
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tensor::{Precision, Tensor};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// What walks back through a node.
pub(crate) enum Backward {
    /// Turns ∂L/∂value into one gradient for each input.
    Step(Box<dyn FnOnce(Tensor) -> Vec<Gradient> + Send>),
    /// Computes the value again, recorded this time.
    Again(Box<dyn FnOnce() -> Var + Send>),
}

pub(crate) struct Recorded {
    pub inputs: Vec<Option<Arc<Node>>>,
    pub backward: Backward,
    /// The products of a backward are as precise as those of its forward, wherever it runs.
    pub precision: Precision,
}

/// A recorded operation, or a leaf.
pub(crate) struct Node {
    pub id: u64,
    pub operation: &'static str,
    /// The line that called the operation, outside of this crate.
    pub location: &'static Location<'static>,
    pub is_leaf: bool,
    shape: Vec<usize>,
    saved_bytes: usize,
    /// Taken by the one backward that passes here.
    recorded: Mutex<Option<Recorded>>,
}

impl Node {
    #[track_caller]
    pub fn leaf(shape: &[usize]) -> Node {
        Node::numbered("leaf", shape, 0, None)
    }

    #[track_caller]
    pub fn operation(
        operation: &'static str,
        shape: &[usize],
        saved_bytes: usize,
        recorded: Recorded,
    ) -> Node {
        Node::numbered(operation, shape, saved_bytes, Some(recorded))
    }

    #[track_caller]
    fn numbered(
        operation: &'static str,
        shape: &[usize],
        saved_bytes: usize,
        recorded: Option<Recorded>,
    ) -> Node {
        Node {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            operation,
            location: Location::caller(),
            is_leaf: recorded.is_none(),
            shape: shape.to_vec(),
            saved_bytes,
            recorded: Mutex::new(recorded),
        }
    }

    /// The number above all nodes made so far.
    pub fn next_id() -> u64 {
        NEXT.load(Ordering::Relaxed)
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn take(&self) -> Option<Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Calls `visit` once with this node and each one behind it, from the highest number down;
    /// what lies behind a node is gone through only where `visit` says so.
    pub fn for_each(self: &Arc<Node>, mut visit: impl FnMut(&Arc<Node>) -> bool) {
        let mut waiting = BTreeMap::from([(self.id, self.clone())]);
        while let Some((_, node)) = waiting.pop_last() {
            if visit(&node) {
                let recorded = node.recorded.lock().unwrap_or_else(PoisonError::into_inner);
                let inputs = recorded.iter().flat_map(|recorded| recorded.inputs.iter().flatten());
                waiting.extend(inputs.map(|input| (input.id, input.clone())));
            }
        }
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

impl Var {
    /// Bytes that all recorded operations behind this value keep for their backward; a tensor that
    /// two of them keep counts twice.
    pub fn saved_bytes(&self) -> usize {
        let mut bytes = 0;
        if let Some(node) = self.node() {
            node.for_each(|node| {
                bytes += node.saved_bytes;
                true
            });
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::Var;
    use tensor::Tensor;

    #[test]
    fn saved_bytes_are_counted() {
        let x = Var::leaf(Tensor::ones(&[10]));
        let loss = (&x * &x).sum();
        assert_eq!(loss.saved_bytes(), 2 * 10 * size_of::<tensor::Float>());
    }
}
