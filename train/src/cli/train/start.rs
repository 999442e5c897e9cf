//! What a run starts from: its data, its model, and the sequences that both make.

use super::Arguments;
use crate::Error;
use crate::bpe::train_bpe;
use crate::cli::model::{Loaded, check_vocabulary};
use crate::data::{Example, Task, read_rows};
use crate::sequence::{Sequence, Sequences, fitting, packed, prompted};
use crate::token_file::TokenFile;
use std::path::Path;
use tensor::Rng;
use transformer::{Gpt2, Tokenizer};

/// What a data file holds.
pub enum Data {
    /// Rows, all in memory.
    Rows(Vec<Example>),
    /// A token file, on disk.
    Tokens(TokenFile),
}

impl Data {
    /// # Errors
    /// If the file or a row is broken, or the task does not take a token file.
    pub fn read(path: &Path, task: Task) -> Result<Data, Error> {
        let is_token_file = path.extension().is_some_and(|extension| extension == "safetensors");
        if !is_token_file {
            return Ok(Data::Rows(read_rows(path)?.examples(task)?));
        }
        if task != Task::LanguageModel {
            return Err(Error::Usage(format!(
                "{}: a token file is for --task language-model; give rows",
                path.display()
            )));
        }
        Ok(Data::Tokens(TokenFile::open(path)?))
    }

    /// The rows; none of a token file.
    pub fn examples(&self) -> &[Example] {
        match self {
            Data::Rows(examples) => examples,
            Data::Tokens(_) => &[],
        }
    }

    /// # Errors
    /// If it holds an id that the model does not have, or, as a token file, was made for a larger
    /// vocabulary.
    pub fn check_ids(&self, path: &Path, vocab_size: usize) -> Result<(), Error> {
        let file = path.display().to_string();
        for example in self.examples() {
            example.check_ids(&file, vocab_size)?;
        }
        match self {
            Data::Tokens(tokens) if tokens.vocab_size() > vocab_size => {
                Err(Error::settings(format!(
                    "{file}: was made for a vocabulary of {} tokens, the model has {vocab_size}; \
                     prepare it with the model's tokenizer",
                    tokens.vocab_size()
                )))
            }
            _ => Ok(()),
        }
    }
}

/// The model to start from, its tokenizer and end token.
pub struct Start {
    /// The model.
    pub model: Gpt2,
    /// Its tokenizer, if it has one.
    pub tokenizer: Option<Tokenizer>,
    /// What ends a text.
    pub end: Option<u32>,
}

impl Start {
    /// # Errors
    /// If the tokenizer has more tokens than the model.
    pub fn check(&self) -> Result<(), Error> {
        let vocab_size = self.model.config.vocab_size;
        self.tokenizer.as_ref().map_or(Ok(()), |tokenizer| check_vocabulary(tokenizer, vocab_size))
    }
}

impl Arguments {
    /// The model to start from, its tokenizer and end token.
    pub fn start(&self, examples: &[Example], seed: u64) -> Result<Start, Error> {
        let Some(preset) = self.preset() else {
            let folder = Path::new(self.model());
            if !folder.exists() {
                return Err(Error::settings(format!(
                    "{}: neither a preset (gpt2, mini, tiny) nor a folder",
                    self.model()
                )));
            }
            let loaded = Loaded::open(folder)?;
            let end = loaded.end_tokens().first().copied();
            let (mut model, tokenizer) = loaded.into_gpt2()?;
            model.set_dropout(self.dropout)?;
            return Ok(Start { model, tokenizer, end });
        };
        let has_text = examples.iter().any(|example| example.ids.is_none());
        let mut config = preset.config().with_dropout(self.dropout);
        config.n_layers = self.n_layers.unwrap_or(config.n_layers);
        config.d_model = self.d_model.unwrap_or(config.d_model);
        config.n_heads = self.n_heads.unwrap_or(config.n_heads);
        config.vocab_size = self.vocab_size.unwrap_or(config.vocab_size);
        config.check()?;
        let tokenizer = match &self.tokenizer {
            Some(path) => Some(Tokenizer::from_file(path)?),
            None if has_text => {
                let texts = examples.iter().flat_map(|e| [&e.prompt[..], &e.target[..]]);
                let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
                Some(train_bpe(&texts, config.vocab_size)?)
            }
            None => None,
        };
        let end = tokenizer.as_ref().and_then(Tokenizer::end_of_text);
        config.vocab_size = tokenizer.as_ref().map_or(config.vocab_size, Tokenizer::vocab_size);
        config.eos_token_id = end;
        let model = Gpt2::new(config, &mut Rng::derived(seed, &[0]))?;
        Ok(Start { model, tokenizer, end })
    }

    /// The sequences of a file.
    pub fn sequences(&self, data: Data, start: &Start) -> Result<Box<dyn Sequences>, Error> {
        let context = start.model.config.max_seq_len;
        let seq_len = self.seq_len.unwrap_or(context);
        if seq_len > context {
            return Err(Error::settings(format!(
                "--seq-len {seq_len} is longer than the model's context of {context} tokens"
            )));
        }
        Ok(match data {
            Data::Rows(examples) => Box::new(self.sequences_of_rows(&examples, start, seq_len)?),
            Data::Tokens(file) => Box::new(file.blocks(seq_len)?),
        })
    }

    fn sequences_of_rows(
        &self,
        examples: &[Example],
        start: &Start,
        seq_len: usize,
    ) -> Result<Vec<Sequence>, Error> {
        let with_end = start.tokenizer.as_ref().zip(start.end);
        if self.task() == Task::LanguageModel {
            return packed(examples, with_end, seq_len);
        }
        let (tokenizer, end) = with_end.ok_or_else(|| {
            Error::settings(format!(
                "{}: has no tokenizer with an end token, which this task needs",
                self.model()
            ))
        })?;
        let all = prompted(examples, tokenizer, end)?;
        let count = all.len();
        let (fit, long) = fitting(all, seq_len);
        if let Some(line) = long.first() {
            eprintln!(
                "warning: {} of {count} rows are longer than {seq_len} tokens and were left out; \
                 the first is line {line}",
                long.len()
            );
        }
        if fit.is_empty() {
            return Err(Error::settings(format!(
                "all {count} rows are longer than {seq_len} tokens; give a larger --seq-len, or a \
                 model with a longer context"
            )));
        }
        Ok(fit)
    }
}
