//! Optimizers: from gradients to new weights.

pub mod adamw;
pub mod clip;
pub mod schedule;

pub use adamw::{AdamW, Group};
pub use schedule::Schedule;

/// Why a step was not taken. The weights are as they were before it.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A parameter got no gradient.
    #[error(
        "parameter {0} got no gradient: the loss does not depend on it; declare it unused if the \
         task does not need it"
    )]
    Unreached(String),
    /// A gradient is NaN or infinite.
    #[error(
        "the gradient of parameter {0} is not finite; lower the learning rate, or look for a \
         division by zero or a logarithm of zero in the loss"
    )]
    NotFinite(String),
}
