//! Transformer layers, models, checkpoints and text generation.
//!
//! | module | what it holds |
//! |---|---|
//! | [`module`] | named parameters: what makes a struct of layers a model |
//! | [`Linear`], [`Embedding`], [`LayerNorm`], [`FeedForward`] | layers |
//! | [`attention`] | scaled dot-product and multi-head attention |
//! | [`Block`] | the Transformer block |
//! | [`gpt2`] | GPT-2: configuration, model, Hugging Face's names |
//! | [`cache`] | keys and values of earlier positions |
//! | [`mod@generate`] | greedy decoding and sampling |
//! | [`checkpoint`] | folders in Hugging Face's layout, in and out |
//! | [`Tokenizer`] | text to token ids and back |

pub mod attention;
mod block;
pub mod cache;
pub mod checkpoint;
mod error;
mod feed_forward;
pub mod generate;
pub mod gpt2;
mod layers;
pub mod module;
mod tokenizer;

pub use attention::{MultiHeadAttention, scaled_dot_product_attention};
pub use block::Block;
pub use cache::Cache;
pub use error::Error;
pub use feed_forward::FeedForward;
pub use generate::Generation;
pub use gpt2::{Gpt2, Gpt2Config};
pub use layers::{Embedding, LayerNorm, Linear};
pub use module::Module;
pub use tokenizer::{END_OF_TEXT, Tokenizer};
