//! Walking back over what was recorded.
//!
//! Going through the nodes from the highest number down visits each after all that used it: no
//! recursion, no sorting of a graph. Each node's saved tensors are let go as soon as its gradient
//! has passed.

use crate::graph::{Backward, Node};
use crate::{Gradient, Parameter, Var, anomaly};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tensor::Tensor;

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
        self.backward_keeping(&[])
    }

    /// [`Var::backward`] that also gives the gradients with respect to `values`, which may be any
    /// that this number was computed from.
    ///
    /// ```
    /// use autograd::Var;
    /// let x = Var::leaf(tensor::Tensor::scalar(3.0));
    /// let hidden = &x * &x;
    /// let gradients = (&hidden * 2.0).backward_keeping(&[&hidden]).unwrap();
    /// assert_eq!(gradients.get(&hidden).unwrap().item(), 2.0);
    /// ```
    ///
    /// # Errors
    /// As [`Var::backward`].
    pub fn backward_keeping(&self, values: &[&Var]) -> Result<Gradients, Error> {
        if self.value().len() != 1 {
            return Err(Error::NotScalar(self.shape().to_vec()));
        }
        let start = self.node().ok_or(Error::NotRecorded)?;
        let kept: BTreeSet<u64> =
            values.iter().filter_map(|value| Some(value.node()?.id)).collect();
        let mut gradients = Gradients::default();
        let mut waiting = Waiting::default();
        waiting.add(start, Tensor::ones(self.shape()).into());
        while let Some((node, gradient)) = waiting.pop() {
            if anomaly::is_looking() {
                anomaly::look_at_gradient(&node, &gradient);
            }
            if node.is_leaf {
                gradients.by_node.insert(node.id, gradient);
                continue;
            }
            if kept.contains(&node.id) {
                gradients.by_node.insert(node.id, gradient.clone());
            }
            waiting.step_back(&node, gradient)?;
        }
        Ok(gradients)
    }
}

/// Nodes that were reached and not yet passed, by their numbers.
#[derive(Default)]
struct Waiting(BTreeMap<u64, Reached>);

struct Reached {
    node: Arc<Node>,
    /// What has come together of its gradient.
    sum: Option<Tensor>,
    /// Gradients of some rows that came first, added last: a table whose transpose makes the scores,
    /// too, would get zeros of its size for them, to which what comes from the scores is added.
    rows: Vec<Gradient>,
}

impl Waiting {
    fn add(&mut self, node: &Arc<Node>, part: Gradient) {
        let new = || Reached { node: node.clone(), sum: None, rows: Vec::new() };
        let reached = self.0.entry(node.id).or_insert_with(new);
        let size: usize = node.shape().iter().product();
        match part {
            Gradient::Rows { part: ref some, .. } if reached.sum.is_none() && some.len() < size => {
                reached.rows.push(part);
            }
            part => part.add_to(&mut reached.sum, node),
        }
    }

    /// The node with the highest number that has a gradient.
    fn pop(&mut self) -> Option<(Arc<Node>, Tensor)> {
        loop {
            let (_, Reached { node, mut sum, rows }) = self.0.pop_last()?;
            rows.into_iter().for_each(|part| part.add_to(&mut sum, &node));
            if let Some(gradient) = sum {
                return Some((node, gradient));
            }
        }
    }

    /// Takes the gradient of a node to its inputs.
    fn step_back(&mut self, node: &Node, gradient: Tensor) -> Result<(), Error> {
        let recorded = node.take().ok_or(Error::AlreadyWalked(node.operation))?;
        tensor::with_precision(recorded.precision, || match recorded.backward {
            Backward::Step(step) => {
                let parts = step(gradient);
                if anomaly::is_looking() {
                    anomaly::look_at_parts(node, &parts);
                }
                assert_eq!(parts.len(), recorded.inputs.len(), "{}: gradients", node.operation);
                for (input, part) in recorded.inputs.iter().zip(parts) {
                    if let Some(input) = input {
                        self.add(input, part);
                    }
                }
            }
            Backward::Again(again) => {
                let value = again();
                let last = value.node().expect("what was recorded once is recorded again");
                self.add(last, gradient.into());
            }
        });
        Ok(())
    }
}

/// Gradients of one number with respect to leaves and to values that were asked for, as a value.
#[derive(Default, Debug)]
pub struct Gradients {
    by_node: BTreeMap<u64, Tensor>,
}

impl Gradients {
    /// The gradient with respect to a leaf, or to a value given to [`Var::backward_keeping`];
    /// `None` if the number does not depend on it.
    pub fn get(&self, value: &Var) -> Option<&Tensor> {
        self.by_node.get(&value.node()?.id)
    }

    /// The gradient of a parameter, to be changed in place.
    pub fn get_mut(&mut self, parameter: &Parameter) -> Option<&mut Tensor> {
        self.by_node.get_mut(&parameter.node()?.id)
    }

    /// Adds the gradients of another number: those of micro-batches make up the batch's.
    pub fn add(&mut self, other: Gradients) {
        for (node, gradient) in other.by_node {
            match self.by_node.get_mut(&node) {
                Some(sum) => sum.apply_zip(&gradient, |sum, x| sum + x),
                None => {
                    self.by_node.insert(node, gradient);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::{Rng, Tokens};

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
    fn rows_are_added_to_what_comes_after_them() {
        let (rng, tokens) = (&mut Rng::seeded(1), Tokens::new([2, 0, 2], 5).unwrap());
        let table = Var::leaf(rng.normal(&[5, 3], 1.0));
        let gradient = |loss: Var| loss.backward().unwrap().get(&table).unwrap().to_vec();
        let before = table.transpose(0, 1);
        let first = gradient(table.embedding(&tokens).matmul(&before).square().sum());
        let rows = table.embedding(&tokens);
        assert_eq!(gradient(rows.matmul(&table.transpose(0, 1)).square().sum()), first);
    }

    #[test]
    fn any_value_can_have_its_gradient_kept() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        let hidden = &x * 3.0;
        let other = &x * 1.0;
        let loss = (&hidden * &hidden).sum();
        let gradients = loss.backward_keeping(&[&hidden, &loss, &other]).unwrap();
        assert_eq!(gradients.get(&hidden).unwrap().to_vec(), [6.0, 12.0]);
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [18.0, 36.0]);
        assert_eq!(gradients.get(&loss).unwrap().item(), 1.0);
        assert!(gradients.get(&other).is_none());
    }

    #[test]
    fn a_value_that_was_not_kept_has_no_gradient() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        let hidden = &x * 3.0;
        assert!((&hidden * &hidden).sum().backward().unwrap().get(&hidden).is_none());
    }

    #[test]
    fn gradients_of_two_numbers_add_up() {
        let (x, y) = (Var::leaf(Tensor::scalar(3.0)), Var::leaf(Tensor::scalar(1.0)));
        let mut sum = (&x * &x).backward().unwrap();
        sum.add((&x * &y).backward().unwrap());
        assert_eq!((sum.get(&x).unwrap().item(), sum.get(&y).unwrap().item()), (7.0, 3.0));
    }
}
