//! The tokenizer of a preset: a file's, or one made of the data.

use super::Arguments;
use super::data::Data;
use crate::bpe::{SMALLEST_VOCABULARY, add_mask, mark_ends, train_bpe};
use crate::characters::train_characters;
use crate::data::Task;
use crate::{Error, Preset};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use transformer::{Gpt2Config, Tokenizer};

/// What `--tokenizer` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Byte pairs, trained on the data.
    Bpe,
    /// The characters of the data.
    Characters,
    /// A `tokenizer.json`.
    File(PathBuf),
}

impl From<OsString> for Source {
    /// A file that is named as one of the others is told from it by its folder: `./bpe`.
    fn from(text: OsString) -> Source {
        match text.to_str() {
            Some("bpe") => Source::Bpe,
            Some("characters") => Source::Characters,
            _ => Source::File(text.into()),
        }
    }
}

impl Source {
    /// The tokenizer that stands in a file.
    ///
    /// # Errors
    /// If the file can't be read, or it is one that is made of rows, all of which would be needed.
    pub fn read(&self) -> Result<Tokenizer, Error> {
        let name = match self {
            Source::File(path) => return Ok(Tokenizer::from_file(path)?),
            Source::Bpe => "bpe",
            Source::Characters => "characters",
        };
        Err(Error::Usage(format!(
            "--prepare reads row by row and makes no tokenizer; give the path of a tokenizer.json \
             rather than --tokenizer {name}"
        )))
    }
}

impl Arguments {
    /// The tokenizer of a preset; `None` where the data holds ids and none was named. One that was made
    /// of the data before stands in the run's `checkpoint`.
    ///
    /// # Errors
    /// If a file can't be read, or the data or the vocabulary is too small.
    pub fn preset_tokenizer(
        &self,
        preset: Preset,
        data: &Data,
        checkpoint: Option<&Path>,
    ) -> Result<Option<Tokenizer>, Error> {
        let tokenizer = self.bare_tokenizer(preset, data, checkpoint)?;
        Ok(if self.hides() { tokenizer.map(add_mask) } else { tokenizer })
    }

    /// Whether tokens are hidden, so that a token stands for those.
    fn hides(&self) -> bool {
        self.task() == Task::MaskedLanguageModel
    }

    fn bare_tokenizer(
        &self,
        preset: Preset,
        data: &Data,
        checkpoint: Option<&Path>,
    ) -> Result<Option<Tokenizer>, Error> {
        let vocab_size = self.vocab_size.unwrap_or(preset.vocab_size());
        Gpt2Config { vocab_size, ..Gpt2Config::default() }.check()?; // before it is trained for
        if let Some(source @ Source::File(_)) = &self.tokenizer {
            return Ok(Some(source.read()?));
        }
        let texts = self.texts(data);
        if texts.is_empty() {
            return match self.tokenizer {
                None => Ok(None),
                Some(_) => Err(Error::settings(format!(
                    "{}: holds ids and no text to make a tokenizer of; give --tokenizer the path of \
                     the tokenizer.json that they came from",
                    data.path.display()
                ))),
            };
        }
        if let Some(before) = checkpoint.map(Tokenizer::find).transpose()?.flatten() {
            return Ok(Some(before));
        }
        let is_characters = self.tokenizer == Some(Source::Characters);
        if self.hides() && vocab_size <= SMALLEST_VOCABULARY && !is_characters {
            return Err(Error::Usage(format!(
                "--vocab-size {vocab_size} is too small: a byte-level vocabulary with a mask has at \
                 least {} tokens",
                SMALLEST_VOCABULARY + 1
            )));
        }
        let vocab_size = vocab_size.saturating_sub(usize::from(self.hides()));
        let tokenizer = match is_characters {
            true => train_characters(&texts, vocab_size)?,
            false => train_bpe(&texts, vocab_size)?,
        };
        Ok(Some(if preset.reads_whole_texts() { mark_ends(tokenizer)? } else { tokenizer }))
    }

    /// What the model will read or write; of a classifier, not the labels.
    fn texts<'a>(&self, data: &'a Data) -> Vec<&'a str> {
        let texts = data.examples().iter().flat_map(|example| match self.task() {
            Task::Classify | Task::MaskedLanguageModel => [&example.prompt[..], ""],
            _ => [&example.prompt[..], &example.target[..]],
        });
        texts.filter(|text| !text.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_name() {
        let source = |text: &str| Source::from(OsString::from(text));
        assert_eq!(source("bpe"), Source::Bpe);
        assert_eq!(source("characters"), Source::Characters);
        for path in ["./bpe", "characters/", "Characters", "t.json"] {
            assert_eq!(source(path), Source::File(path.into()));
        }
    }

    #[test]
    fn what_is_made_of_rows_is_not_read() {
        assert_eq!(
            Source::Characters.read().unwrap_err().to_string(),
            "--prepare reads row by row and makes no tokenizer; give the path of a tokenizer.json \
             rather than --tokenizer characters"
        );
    }
}
