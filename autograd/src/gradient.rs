//! What an operation's backward gives each of its inputs.

use crate::graph::Node;
use std::sync::Arc;
use tensor::Tensor;

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
    pub(crate) fn add_to(self, sum: &mut Option<Tensor>, node: &Node) {
        let zeros = || Tensor::zeros(node.shape());
        match self {
            Gradient::NotNeeded => {}
            Gradient::Dense(gradient) => {
                let (found, expected) = (gradient.shape(), node.shape());
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
