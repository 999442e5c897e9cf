//! Baselines: what a score must beat to mean something.

mod nearest;
mod ngram;

pub use nearest::NearestProduct;
pub use ngram::NGram;
