//! Reverse-mode automatic differentiation: each operation with its gradient.
//!
//! A [`Var`] is a tensor that remembers how it was computed. Operations on it are recorded;
//! [`Var::backward`] walks the record back and returns the [`Gradients`] as a value.
//!
//! ```
//! use autograd::{Parameter, Var};
//! use tensor::Tensor;
//! let w = Parameter::new(Tensor::new([3.0], &[1]));
//! let loss = (&*w * &*w).sum(); // w², whose derivative is 2w
//! let gradients = loss.backward().unwrap();
//! assert_eq!(gradients.get(&w).unwrap().item(), 6.0);
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Var`], [`Parameter`] | a value and the node that made it |
//! | [`Gradients`] | walking back, and what came of it; [`Var::on_gradient`] sees it on its way |
//! | [`Kept`], [`Var::made_again_by`] | values that are cheaper to make again than to keep |
//! | [`checkpoint()`] | computing again instead of keeping |
//! | [`detect_anomaly`] | where the first NaN came from |
//! | [`ops`] | one file an operation: equation, forward, backward, tests |
//! | [`scope`] | `no_grad`, and the randomness of dropout |
//! | [`gradcheck`] | derivatives against finite differences, for one's own operations too |

mod anomaly;
mod backward;
mod checkpoint;
pub mod gradcheck;
mod gradient;
mod graph;
mod hook;
pub mod ops;
mod parameter;
mod recipe;
pub mod scope;
mod var;

pub use anomaly::{Anomaly, Pass, detect_anomaly};
pub use backward::{Error, Gradients};
pub use checkpoint::checkpoint;
pub use gradient::Gradient;
pub use ops::binary_cross_entropy::binary_cross_entropy_with_logits;
pub use ops::cross_entropy::{
    cross_entropy, cross_entropy_smoothed, cross_entropy_smoothed_sum, cross_entropy_sum,
};
pub use ops::masked::Mask;
pub use ops::mse::mse;
pub use parameter::Parameter;
pub use recipe::Kept;
pub use scope::{no_grad, with_dropout};
pub use var::Var;
