//! Pretrained models: from files to a model, and back.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Checkpoint`] | configuration and tensors as files hold them |
//! | [`Config`] | `config.json` |
//! | [`save_gguf`], [`GgufOptions`] | models as GGUF files |
//! | [`mod@hub`] | models of the Hugging Face Hub |
//! | [`Layout`] | our names of parameters and Hugging Face's |
//! | [`Pretrained`] | what an architecture says of itself to be loaded and saved |

mod checkpoint;
mod config;
mod gguf;
pub mod hub;
mod layout;
mod load;
mod save;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub(crate) use config::{read_text, token, tokens};
pub use gguf::{GgufOptions, save_gguf};
pub use hub::resolve;
pub use layout::{Layout, Named};
pub use load::Report;
pub use save::write_json;

use crate::{Error, Module};
use serde_json::{Map, Value};
use std::path::Path;
use tensor::Rng;
use tensor::packed::Format;

/// What a model's folder may hold beside configuration and weights.
pub const BESIDE_WEIGHTS: [&str; 12] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "chat_template.jinja",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// Whether a path names a GGUF file.
pub fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gguf")
}

/// A model that files hold.
///
/// An architecture gives the first three; the others are made of them.
pub trait Pretrained: Module + Sized {
    /// The model that a configuration describes. Its parameters are zeros or ones that take no memory
    /// ([`crate::Init`]): sizes are looked at before weights are.
    ///
    /// # Errors
    /// If the configuration describes no such model, or one with an option that is not supported.
    fn from_config(config: &Config) -> Result<Self, Error>;

    /// The configuration, as `config.json` has it.
    fn config_json(&self) -> Map<String, Value>;

    /// The names of its parameters in files.
    fn layout(&self) -> Layout;

    /// Writes into the configuration what it leaves open and the tensors tell.
    fn settle(_checkpoint: &mut Checkpoint) {}

    /// Loads a model from a folder in Hugging Face's layout, or a GGUF file. The weights stay in the file's memory
    /// map until they are changed.
    ///
    /// # Errors
    /// If a file is missing or broken, an option of the configuration is not supported, or the
    /// weights do not fit the configuration.
    fn from_pretrained(source: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::from_checkpoint(Checkpoint::open(source.as_ref())?)?.0)
    }

    /// The model of a checkpoint, and what of it found no use.
    ///
    /// # Errors
    /// As [`Pretrained::from_pretrained`].
    fn from_checkpoint(checkpoint: Checkpoint) -> Result<(Self, Report), Error> {
        load::model(checkpoint, None)
    }

    /// The same with a fresh head: parameters of the head that the checkpoint does not hold, or holds
    /// of other sizes, are drawn anew with deviation 0.02, biases zero, scales one.
    ///
    /// # Errors
    /// As [`Pretrained::from_pretrained`].
    fn with_fresh_head(checkpoint: Checkpoint, rng: &mut Rng) -> Result<(Self, Report), Error> {
        load::model(checkpoint, Some(rng))
    }

    /// Saves `config.json`, `generation_config.json` and `model.safetensors`, as Transformers loads
    /// them.
    ///
    /// # Errors
    /// If a file can't be written, or the model has adapters.
    fn save(&self, folder: &Path) -> Result<(), Error> {
        save::model(self, folder, None)
    }

    /// The same with numbers of two bytes: F16 or BF16.
    ///
    /// # Errors
    /// As [`Pretrained::save`], and if the format is another.
    fn save_as(&self, folder: &Path, format: Format) -> Result<(), Error> {
        save::model(self, folder, Some(format))
    }
}
