//! The models, a file or folder each, composed of the same blocks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`gpt2`] | GPT-2: configuration, model, Hugging Face's names |
//! | [`llama`] | Llama, Qwen2, Qwen3 |
//! | [`decoder_only`] | what these have in common |
//! | [`Model`] | whichever of them a checkpoint holds |
//! | [`bert`], [`roberta`], [`distilbert`] | encoders that read in both directions |
//! | [`t5`] | T5 |
//! | [`mod@head`] | what hidden states are read with |
//! | [`encoder_decoder`] | the Transformer of "Attention Is All You Need" |
//! | [`masked_language_model`] | an encoder that fills in masked tokens |

mod any;
pub mod bert;
pub mod decoder_only;
pub mod distilbert;
pub mod encoder_decoder;
pub mod gpt2;
pub mod head;
pub mod llama;
pub mod masked_language_model;
pub mod roberta;
pub mod t5;

pub use any::{Input, Model, Outputs, Saliency};
pub use bert::{Bert, BertConfig};
pub use decoder_only::DecoderOnly;
pub use encoder_decoder::{EncoderDecoder, EncoderDecoderConfig};
pub use gpt2::{Gpt2, Gpt2Config};
pub use head::{DecoderHead, HeadConfig, HeadKind};
pub use llama::{Llama, LlamaConfig};
pub use masked_language_model::{MaskedLanguageModel, MaskedLanguageModelConfig};
pub use t5::{T5, T5Config};
