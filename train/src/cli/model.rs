//! A model's files and its tokenizer, as the commands take them.

use crate::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tensor::Rng;
use transformer::pretrained::{Config, Report, resolve};
use transformer::{Checkpoint, Model, Tokenizer, lora};

/// A model loaded from its files.
pub struct Loaded {
    /// Its weights.
    pub model: Model,
    /// Its tokenizer, if there is one.
    pub tokenizer: Option<Tokenizer>,
    source: PathBuf,
    base: Option<PathBuf>,
}

impl Loaded {
    /// Loads a model, and tells on stderr of tensors that found no use.
    ///
    /// # Errors
    /// If a file is missing or broken, or the tokenizer has more tokens than the model.
    pub fn open(source: &Path) -> Result<Loaded, Error> {
        Loaded::with(source, Model::from_checkpoint)
    }

    /// Loads a model as a classifier of these labels, its head drawn anew where it has another.
    ///
    /// # Errors
    /// As [`Loaded::open`], and if the architecture has no classifier.
    pub fn classifier(source: &Path, labels: &[String], rng: &mut Rng) -> Result<Loaded, Error> {
        Loaded::with(source, |checkpoint| Model::classifier(checkpoint, labels, rng))
    }

    /// Loads an encoder as a masked language model, its head drawn anew where it has none for that.
    ///
    /// # Errors
    /// As [`Loaded::open`], and if the model is no encoder.
    pub fn masked_language_model(source: &Path, rng: &mut Rng) -> Result<Loaded, Error> {
        Loaded::with(source, |checkpoint| Model::masked_language_model(checkpoint, rng))
    }

    fn with(
        source: &Path,
        model: impl FnOnce(Checkpoint) -> Result<(Model, Report), transformer::Error>,
    ) -> Result<Loaded, Error> {
        let source = &resolve(source)?;
        let (model, report) = model(Checkpoint::open(source)?)?;
        if let Some(first) = report.unexpected.first() {
            eprintln!(
                "warning: {} tensors of {} found no use; the first is {first}",
                report.unexpected.len(),
                source.display()
            );
        }
        let base = lora::base_of(source)?.map(|base| resolve(&base)).transpose()?;
        let tokenizer = match (Tokenizer::find(source)?, &base) {
            (None, Some(base)) => Tokenizer::find(base)?,
            (found, _) => found,
        };
        if let Some(tokenizer) = &tokenizer {
            check_vocabulary(tokenizer, model.vocab_size())?;
        }
        Ok(Loaded { model, tokenizer, source: source.into(), base })
    }

    /// Where it came from.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The base model of adapters.
    pub fn base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    /// # Errors
    /// If the model does not score the next token.
    pub fn require_language_model(&self) -> Result<(), Error> {
        match self.model.is_language_model() {
            true => Ok(()),
            false => Err(Error::settings(format!(
                "{}: is a {} without a head that scores the next token",
                self.source.display(),
                self.model.model_type()
            ))),
        }
    }

    /// # Errors
    /// If there is no tokenizer.
    pub fn tokenizer(&self) -> Result<&Tokenizer, Error> {
        self.tokenizer.as_ref().ok_or_else(|| {
            Error::settings(format!(
                "{}: has no tokenizer.json; give --ids, or rows of \"ids\"",
                self.source.display()
            ))
        })
    }

    /// The longest text that is read whole, in tokens: the context, or what the makers of a model for
    /// sentences set (`max_seq_length` in `sentence_bert_config.json`).
    ///
    /// # Errors
    /// If that file is broken.
    pub fn longest_text(&self) -> Result<Option<usize>, Error> {
        let files = self.base.as_ref().unwrap_or(&self.source);
        let path = files.join("sentence_bert_config.json");
        let most = match path.exists() {
            true => Config::from_file(&path)?.get("max_seq_length").and_then(Value::as_u64),
            false => None,
        };
        let most = most.and_then(|most| usize::try_from(most).ok());
        Ok(self.model.max_seq_len().into_iter().chain(most).min())
    }

    /// The tokens that end a text: the configuration's, else the tokenizer's. Ids that the model does
    /// not have are none.
    pub fn end_tokens(&self) -> Vec<u32> {
        let mut tokens = self.model.end_tokens();
        if tokens.is_empty() {
            tokens.extend(self.tokenizer.as_ref().and_then(Tokenizer::end_of_text));
        }
        tokens.retain(|&id| (id as usize) < self.model.vocab_size());
        tokens
    }

    /// The first of them.
    ///
    /// # Errors
    /// If nothing ends a text.
    pub fn required_end_token(&self) -> Result<u32, Error> {
        self.end_tokens().first().copied().ok_or_else(|| {
            Error::settings(format!(
                "{}: names no end token (eos_token_id in config.json)",
                self.source.display()
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
