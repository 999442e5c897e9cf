//! What the training steps of other Rust libraries have in common.
//!
//! | module | what it holds |
//! |---|---|
//! | [`step`] | the command line, the token ids, the settings of the optimizer |
//! | [`weights`] | GPT-2's weights, from a folder that `train_step --write-model` wrote |
//! | [`turns`] | one step at a time, when another program says so |
//!
//! The programs `candle` and `burn` are the peers of `train_step` of the library's own benches: forward,
//! loss, backward, clipping to global norm 1, AdamW with decay on matrices, from the same weights and
//! ids. `cargo bench --bench peers` in the folder above lets them take turns with it.

pub mod step;
pub mod turns;
pub mod weights;

/// Whatever went wrong.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
