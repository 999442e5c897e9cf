//! Low-rank adaptation: a frozen matrix, and a product of two small ones that is trained beside it.
//! Hu et al. 2022; the mathematics is told in `docs/lora.md`.
//!
//! | item | what it is |
//! |---|---|
//! | [`Adapter`] | the two matrices of one affine map, equation (R1) |
//! | [`LoraConfig`], [`Targets`] | which maps are adapted, and how |
//! | [`attach`] | adapters on a model, all else frozen |
//! | [`merge`], [`unmerge`] | the product added to the matrix, and taken off again |
//! | [`save_adapter`], [`open`], [`base_of`] | PEFT's files, out and in |

mod adapter;
mod attach;
mod config;
mod load;
mod merge;
mod peft;
mod save;

pub use adapter::Adapter;
pub use attach::{adapters, attach};
pub use config::{LoraConfig, Targets};
pub use load::{SavedAdapters, base_of, is_adapter, open};
pub use merge::{merge, unmerge};
pub(crate) use save::refuse;
pub use save::save_adapter;
