//! A model's folder and its tokenizer, as the commands take them.

use crate::Error;
use std::path::{Path, PathBuf};
use transformer::{Gpt2, Pretrained, Tokenizer};

/// A model loaded from a folder.
pub struct Loaded {
    /// Its weights.
    pub model: Gpt2,
    /// Its tokenizer, if the folder has one.
    pub tokenizer: Option<Tokenizer>,
    folder: PathBuf,
}

impl Loaded {
    /// # Errors
    /// If a file is missing or broken, or the tokenizer has more tokens than the model.
    pub fn from_folder(folder: &Path) -> Result<Loaded, Error> {
        let model = Gpt2::from_pretrained(folder)?;
        let has_tokenizer = folder.join("tokenizer.json").exists();
        let tokenizer = has_tokenizer.then(|| Tokenizer::from_file(folder)).transpose()?;
        if let Some(tokenizer) = &tokenizer {
            check_vocabulary(tokenizer, model.config.vocab_size)?;
        }
        Ok(Loaded { model, tokenizer, folder: folder.into() })
    }

    /// # Errors
    /// If the folder has no tokenizer.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::settings(format!(
                "{}: has no tokenizer.json; give --ids, or rows of \"ids\"",
                self.folder.display()
            ))
        })
    }

    /// The token that ends a text: the configuration's, else the tokenizer's. An id that the model
    /// does not have is none.
    pub fn end_token(&self) -> Option<u32> {
        let of_tokenizer = || self.tokenizer.as_ref().and_then(Tokenizer::end_of_text);
        let end = self.model.config.eos_token_id.or_else(of_tokenizer)?;
        ((end as usize) < self.model.config.vocab_size).then_some(end)
    }

    /// # Errors
    /// If nothing ends a text.
    pub fn required_end_token(&self) -> Result<u32, Error> {
        self.end_token().ok_or_else(|| {
            Error::settings(format!(
                "{}: names no end token (eos_token_id in config.json)",
                self.folder.display()
            ))
        })
    }
}

/// # Errors
/// If the tokenizer makes ids that the model does not have.
pub fn check_vocabulary(tokenizer: &Tokenizer, vocab_size: usize) -> Result<(), Error> {
    if tokenizer.vocab_size() > vocab_size {
        return Err(Error::settings(format!(
            "the tokenizer has {} tokens, the model {vocab_size}; they do not belong together",
            tokenizer.vocab_size()
        )));
    }
    Ok(())
}
