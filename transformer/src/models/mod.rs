//! The models, a file or folder each, composed of the same blocks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`gpt2`] | GPT-2: configuration, model, Hugging Face's names |
//! | [`mod@head`] | what hidden states are read with |
//! | [`encoder_decoder`] | the Transformer of "Attention Is All You Need" |
//! | [`masked_language_model`] | an encoder that fills in masked tokens |

pub mod encoder_decoder;
pub mod gpt2;
pub mod head;
pub mod masked_language_model;

pub use encoder_decoder::{EncoderDecoder, EncoderDecoderConfig};
pub use gpt2::{Gpt2, Gpt2Config};
pub use masked_language_model::{MaskedLanguageModel, MaskedLanguageModelConfig};
