//! Low-rank adaptation: a frozen matrix, and a product of two small ones that is trained beside it.
//! Hu et al. 2022; the mathematics is told in `docs/lora.md`.
//!
//! | item | what it is |
//! |---|---|
//! | [`Adapter`] | the two matrices of one affine map, equation (R1) |
//! | [`LoraConfig`], [`Targets`] | which maps are adapted, and how |
//! | [`attach`] | adapters on a model, all else frozen |
//! | [`merge`], [`unmerge`] | the product added to the matrix, and taken off again |

mod adapter;
mod attach;
mod config;
mod merge;

pub use adapter::Adapter;
pub use attach::{adapters, attach};
pub use config::{LoraConfig, Targets};
pub use merge::{merge, unmerge};
