//! Text to token ids and back, over the `tokenizers` crate (pure Rust).

mod files;
pub(crate) mod gguf;
mod stream;
mod validate;
mod words;

pub use stream::TextStream;

use crate::Error;
use crate::pretrained::{is_gguf, resolve};
use std::path::Path;
use tokenizers::utils::truncation::{TruncationParams, truncate_encodings};
use tokenizers::{Encoding, PostProcessor};

/// The name of the token that ends a text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// The name of the token that stands for a hidden one; BERT's. RoBERTa's is `<mask>`.
pub const MASK: &str = "[MASK]";

/// A tokenizer, as `tokenizer.json`, GPT-2's, BERT's or a GGUF's files describe it.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

/// A text, or a pair of them, as an encoder reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids, with the special tokens that the model expects.
    pub ids: Vec<u32>,
    /// Which text each token belongs to: BERT's segments.
    pub token_types: Vec<u32>,
    /// The bytes of its text that each token stands for, `(start, end)`; of special tokens `(0, 0)`.
    pub offsets: Vec<(usize, usize)>,
    /// Whether each is a special token that was added.
    pub is_special: Vec<bool>,
}

impl Tokenizer {
    /// Reads the tokenizer of a model: from a folder in Hugging Face's layout (`tokenizer.json`, else
    /// GPT-2's `vocab.json` and `merges.txt`, else BERT's `vocab.txt`), from a `tokenizer.json`, from
    /// a GGUF file, or from the Hub (`hf:ORG/NAME`).
    ///
    /// # Errors
    /// If there is none, or it can't be read, or is not a tokenizer.
    pub fn from_pretrained(source: impl AsRef<Path>) -> Result<Tokenizer, Error> {
        let source = source.as_ref();
        Tokenizer::find(source)?.ok_or_else(|| Error::Tokenizer {
            path: source.into(),
            reason: "has no tokenizer: no tokenizer.json, no vocab.json with merges.txt, no \
                     vocab.txt"
                .into(),
        })
    }

    /// [`Tokenizer::from_pretrained`], `None` where a folder has none.
    ///
    /// # Errors
    /// If it can't be read, or is not a tokenizer.
    pub fn find(source: &Path) -> Result<Option<Tokenizer>, Error> {
        let source = &*resolve(source)?;
        match is_gguf(source) {
            true => gguf::read(source),
            false => files::read(source),
        }
    }

    /// Reads `tokenizer.json`, or the one in a folder.
    ///
    /// # Errors
    /// If the file can't be read or is not a tokenizer.
    pub fn from_file(path: &Path) -> Result<Tokenizer, Error> {
        match path.is_dir() {
            true => files::read_json(&path.join("tokenizer.json")),
            false => files::read_json(path),
        }
    }

    /// Wraps a tokenizer made elsewhere. Texts are neither cut nor padded, whatever it says.
    pub fn from_inner(mut inner: tokenizers::Tokenizer) -> Tokenizer {
        inner.with_truncation(None).expect("no truncation is always possible");
        inner.with_padding(None);
        Tokenizer { inner }
    }

    /// The tokenizer of the `tokenizers` crate, to be changed.
    pub fn into_inner(self) -> tokenizers::Tokenizer {
        self.inner
    }

    pub(crate) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
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
        let encoding = self.inner.encode_fast(text, false).map_err(not_tokenized)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The token ids of a text with the special tokens around it that the tokenizer names, as encoders
    /// and classifiers read it: [`Tokenizer::encode_text`] of any length.
    ///
    /// # Errors
    /// If the tokenizer can't encode it.
    pub fn encode_special(&self, text: &str) -> Result<Vec<u32>, Error> {
        Ok(self.encode_text(text, None)?.ids)
    }

    /// A text with the special tokens around it that the model was trained with, as the tokenizer says:
    /// `[CLS] … [SEP]`, `<s> … </s>`, `… </s>`, or none. Of a text longer than `max_len` tokens, special
    /// ones included, the end is cut off.
    ///
    /// # Errors
    /// If the tokenizer can't encode it, or the special tokens alone are more than `max_len`.
    pub fn encode_text(&self, text: &str, max_len: Option<usize>) -> Result<Encoded, Error> {
        let encoding = self.inner.encode(text, false).map_err(not_tokenized)?;
        self.finish(encoding, None, max_len)
    }

    /// Two texts, such as a question and its context, as [`Tokenizer::encode_text`] has one. Where
    /// both together are too long, tokens are cut off the end of the longer one.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_pair(
        &self,
        text: &str,
        pair: &str,
        max_len: Option<usize>,
    ) -> Result<Encoded, Error> {
        let encode = |text| self.inner.encode(text, false).map_err(not_tokenized);
        self.finish(encode(text)?, Some(encode(pair)?), max_len)
    }

    fn finish(
        &self,
        mut text: Encoding,
        mut pair: Option<Encoding>,
        max_len: Option<usize>,
    ) -> Result<Encoded, Error> {
        if let Some(max_len) = max_len {
            let post = self.inner.get_post_processor();
            let special = post.map_or(0, |post| post.added_tokens(pair.is_some()));
            let max_length = max_len.checked_sub(special).ok_or_else(|| {
                Error::Request(format!(
                    "at most {max_len} tokens were asked for, but {special} special ones are added \
                     to each text; ask for more"
                ))
            })?;
            let cut = TruncationParams { max_length, ..TruncationParams::default() };
            (text, pair) = truncate_encodings(text, pair, &cut).map_err(not_tokenized)?;
        }
        let whole = self.inner.post_process(text, pair, true).map_err(not_tokenized)?;
        Ok(Encoded {
            ids: whole.get_ids().to_vec(),
            token_types: whole.get_type_ids().to_vec(),
            offsets: whole.get_offsets().to_vec(),
            is_special: whole.get_special_tokens_mask().iter().map(|&mask| mask == 1).collect(),
        })
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// If the tokenizer can't decode them.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.inner.decode(ids, true).map_err(not_decoded)
    }

    /// The text of token ids, with special tokens as they are written.
    ///
    /// # Errors
    /// If the tokenizer can't decode them.
    pub fn decode_special(&self, ids: &[u32]) -> Result<String, Error> {
        self.inner.decode(ids, false).map_err(not_decoded)
    }

    /// Whether an id is that of a special token.
    pub fn is_special(&self, id: u32) -> bool {
        let token = self.inner.id_to_token(id);
        token.is_some_and(|token| self.inner.get_added_vocabulary().is_special_token(&token))
    }

    /// Tokens of the vocabulary, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token, written as the vocabulary has it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The id of the token that ends a text, if there is one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.token_id(END_OF_TEXT)
    }

    /// The id of the token that stands for a hidden one, `[MASK]` or `<mask>`, if there is one.
    pub fn mask_token(&self) -> Option<u32> {
        self.token_id(MASK).or_else(|| self.token_id("<mask>"))
    }
}

fn not_tokenized(error: tokenizers::Error) -> Error {
    Error::Request(format!("the text cannot be tokenized: {error}"))
}

fn not_decoded(error: tokenizers::Error) -> Error {
    Error::Request(format!("the ids cannot be decoded: {error}"))
}
