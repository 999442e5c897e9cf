//! Text to token ids and back, over the `tokenizers` crate (pure Rust).

use crate::Error;
use std::path::Path;

/// The name of the token that ends a text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// A tokenizer, as `tokenizer.json` describes it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or the one in a folder.
    ///
    /// # Errors
    /// If the file can't be read or is not a tokenizer.
    pub fn from_file(path: &Path) -> Result<Tokenizer, Error> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.into() };
        let text = std::fs::read_to_string(&file).map_err(|source| Error::Io {
            path: file.clone(),
            action: "read",
            source,
        })?;
        let inner = text.parse().map_err(|error| Error::Tokenizer {
            path: file,
            reason: format!("not a tokenizer: {error}"),
        })?;
        Ok(Tokenizer { inner })
    }

    /// Wraps a tokenizer made elsewhere.
    pub fn from_inner(inner: tokenizers::Tokenizer) -> Tokenizer {
        Tokenizer { inner }
    }

    /// Writes it as `tokenizer.json` into `folder`.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join("tokenizer.json");
        self.inner.save(&path, false).map_err(|error| Error::Tokenizer {
            path,
            reason: format!("cannot be written: {error}"),
        })
    }

    /// The token ids of a text, no special tokens added.
    ///
    /// # Errors
    /// If the tokenizer can't encode it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self.inner.encode_fast(text, false);
        let failed = |error| Error::Request(format!("the text cannot be tokenized: {error}"));
        Ok(encoding.map_err(failed)?.get_ids().to_vec())
    }

    /// The token ids of a text with the special tokens that the tokenizer puts around it, as encoders
    /// and classifiers read it.
    ///
    /// # Errors
    /// If the tokenizer can't encode it.
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self.inner.encode_fast(text, true);
        let failed = |error| Error::Request(format!("the text cannot be tokenized: {error}"));
        Ok(encoding.map_err(failed)?.get_ids().to_vec())
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// If the tokenizer can't decode them.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        let failed = |error| Error::Request(format!("the ids cannot be decoded: {error}"));
        self.inner.decode(ids, true).map_err(failed)
    }

    /// Tokens of the vocabulary, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of the token that ends a text, if there is one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.inner.token_to_id(END_OF_TEXT)
    }
}
