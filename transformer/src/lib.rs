//! Transformer layers, models, checkpoints and text generation.
//!
//! | module | what it holds |
//! |---|---|
//! | [`mod@module`] | named parameters: what makes a struct of layers a model |
//! | [`state`], [`Summary`] | parameters in and out of a file, and counted by module |
//! | [`init`] | named distributions of initial weights |
//! | [`Linear`], [`Embedding`], [`LayerNorm`], [`RmsNorm`], [`FeedForward`] | layers |
//! | [`attention`] | scaled dot-product and multi-head attention, to oneself or to an encoder |
//! | [`positions`] | sinusoidal, rotary, relative, linear |
//! | [`block`], [`Stack`] | blocks, and encoders and decoders made of them |
//! | [`Pass`] | what one pass through a stack knows: masks, cache, what to note |
//! | [`cache`] | keys and values of earlier positions |
//! | [`lora`] | low-rank adapters |
//! | [`models`] | GPT-2, the Transformer of "Attention Is All You Need", an encoder that fills in masked tokens |
//! | [`mod@generate`] | greedy decoding, sampling and beam search, of any model that scores the next token |
//! | [`sentence_embedding`] | a vector for a whole text |
//! | [`Saliency`] | what each token of a text has to do with its class |
//! | [`packing`] | matrices in fewer bits, for inference |
//! | [`pretrained`] | models as files hold them, in and out |
//! | [`ChatTemplate`] | a conversation as the text that a model goes on from |
//! | [`Tokenizer`], [`Padded`] | text to token ids and back; rows of unequal length |

mod activation;
pub mod attention;
pub mod block;
pub mod cache;
mod chat;
mod error;
mod feed_forward;
pub mod generate;
pub mod init;
mod layers;
pub mod lora;
pub mod models;
pub mod module;
pub mod packing;
mod padded;
mod pass;
pub mod positions;
pub mod pretrained;
mod sentence;
mod sizes;
mod stack;
pub mod state;
mod summary;
mod tokenizer;

pub use activation::Activation;
pub use attention::{MultiHeadAttention, scaled_dot_product_attention};
pub use block::{Block, DecoderBlock, NormPlacement};
pub use cache::Cache;
pub use chat::{ChatTemplate, Message};
pub use error::Error;
pub use feed_forward::FeedForward;
pub use generate::{
    Autoregressive, EarlyStopping, Generated, Generation, Hooks, Hypothesis, NewToken,
};
pub use init::Init;
pub use layers::{Embedding, LayerNorm, Linear, Norm, RmsNorm};
pub use models::{
    Bert, BertConfig, DecoderHead, DecoderOnly, EncoderDecoder, EncoderDecoderConfig, Gpt2,
    Gpt2Config, HeadConfig, HeadKind, Input, Llama, LlamaConfig, MaskedLanguageModel,
    MaskedLanguageModelConfig, Model, Outputs, Saliency, T5, T5Config,
};
pub use models::{bert, encoder_decoder, gpt2, llama, masked_language_model};
pub use module::Module;
pub use padded::Padded;
pub use pass::{Memory, Pass, Reads, Trace};
pub use pretrained::{Checkpoint, Pretrained};
pub use sentence::sentence_embedding;
pub use stack::{Decoder, Encoder, Stack, with_recomputation};
pub use summary::{Summary, SummaryRow};
pub use tokenizer::{END_OF_TEXT, Encoded, MASK, TextStream, Tokenizer};
