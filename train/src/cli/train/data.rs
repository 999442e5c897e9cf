//! The data of a run: rows in memory or a token file, and the sequences that a model makes of them.

use super::Arguments;
use super::start::Start;
use crate::Error;
use crate::data::{Example, Task, count_in, read_rows};
use crate::masked_rows::{MaskedRows, whole_texts};
use crate::masking::Masking;
use crate::sequence::{Sequence, Sequences, cut, fitting, labelled, packed, pairs, prompted};
use crate::token_file::TokenFile;
use crate::word_dropout::WordDropout;
use std::path::{Path, PathBuf};
use transformer::Tokenizer;

/// What a data file holds.
pub struct Data {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub contents: Contents,
}

/// Rows or tokens.
pub enum Contents {
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
        let contents = match (is_token_file, task) {
            (false, _) => Contents::Rows(read_rows(path)?.examples(task)?),
            (true, Task::LanguageModel) => Contents::Tokens(TokenFile::open(path)?),
            (true, _) => {
                return Err(Error::Usage(format!(
                    "{}: a token file is for --task language-model; give rows",
                    path.display()
                )));
            }
        };
        Ok(Data { path: path.into(), contents })
    }

    /// The rows; none of a token file.
    pub fn examples(&self) -> &[Example] {
        match &self.contents {
            Contents::Rows(examples) => examples,
            Contents::Tokens(_) => &[],
        }
    }

    /// # Errors
    /// If it holds an id that the model does not have, or, as a token file, was made for a larger
    /// vocabulary.
    pub fn check_ids(&self, vocab_size: usize) -> Result<(), Error> {
        let file = self.path.display().to_string();
        for example in self.examples() {
            example.check_ids(&file, vocab_size)?;
        }
        match &self.contents {
            Contents::Tokens(tokens) if tokens.vocab_size() > vocab_size => {
                Err(Error::settings(format!(
                    "{file}: was made for a vocabulary of {} tokens, the model has {vocab_size}; \
                     prepare it with the model's tokenizer",
                    tokens.vocab_size()
                )))
            }
            _ => Ok(()),
        }
    }

    /// How many of its rows stand in `other` too.
    pub fn rows_in(&self, other: &Data) -> usize {
        count_in(self.examples(), other.examples())
    }

    /// The labels of all rows, each once, in order: numbers by their size, else by their letters.
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> =
            self.examples().iter().map(|example| example.target.clone()).collect();
        match labels.iter().all(|label| label.parse::<i64>().is_ok()) {
            true => labels.sort_by_key(|label| label.parse::<i64>().ok()),
            false => labels.sort(),
        }
        labels.dedup();
        labels
    }
}

impl Arguments {
    /// The sequences of a file.
    ///
    /// # Errors
    /// If a text cannot be tokenized, a label is unknown, or nothing that fits the model is left.
    pub fn sequences(
        &self,
        data: Data,
        start: &Start,
        seed: u64,
    ) -> Result<Box<dyn Sequences>, Error> {
        let context = start.model.max_seq_len();
        let seq_len = self.seq_len.or(context);
        if let (Some(context), Some(seq_len)) = (context, seq_len)
            && seq_len > context
        {
            return Err(Error::settings(format!(
                "--seq-len {seq_len} is longer than the model's context of {context} tokens"
            )));
        }
        let block_len = || {
            seq_len.ok_or_else(|| {
                Error::Usage("the model has no longest context; add --seq-len".into())
            })
        };
        let path = data.path;
        Ok(match data.contents {
            Contents::Tokens(file) => Box::new(file.blocks(block_len()?)?),
            Contents::Rows(examples) if self.task() == Task::LanguageModel => {
                Box::new(packed(&examples, start.tokenizer_and_end(), block_len()?)?)
            }
            Contents::Rows(examples) => {
                let all = self
                    .sequences_of_rows(&examples, start)
                    .map_err(|error| error.in_file(&path))?;
                let rows = self.short_enough(all, seq_len, &path)?;
                match self.task() {
                    Task::MaskedLanguageModel => Box::new(self.masked(rows, start, seed, &path)?),
                    Task::Classify => Box::new(WordDropout::new(rows, self.word_dropout, seed)),
                    _ => Box::new(rows),
                }
            }
        })
    }

    /// Rows of which each step hides tokens; how many have none to hide is told on stderr.
    fn masked(
        &self,
        rows: Vec<Sequence>,
        start: &Start,
        seed: u64,
        path: &Path,
    ) -> Result<MaskedRows, Error> {
        let (count, (_, masking)) = (rows.len(), self.tokenizer_and_mask(start)?);
        let (rows, empty) = MaskedRows::new(rows, masking, seed);
        if rows.count() == 0 {
            return Err(Error::settings(format!(
                "{}: no row holds a token that could be hidden, only special ones",
                path.display()
            )));
        }
        if let Some(line) = empty.first() {
            eprintln!(
                "warning: {}: {} of {count} rows hold special tokens alone and were left out; the \
                 first is line {line}",
                path.display(),
                empty.len(),
            );
        }
        Ok(rows)
    }

    fn tokenizer_and_mask<'a>(&self, start: &'a Start) -> Result<(&'a Tokenizer, Masking), Error> {
        let Some(tokenizer) = &start.tokenizer else {
            return Err(Error::settings(format!(
                "{}: has no tokenizer, which tells the token that stands for hidden ones; give a \
                 --tokenizer or rows of text",
                self.model()
            )));
        };
        let masking = Masking::of(tokenizer).ok_or_else(|| {
            Error::settings(format!(
                "{}: its tokenizer has no token that stands for hidden ones, [MASK] or <mask>",
                self.model()
            ))
        })?;
        Ok((tokenizer, Masking { share: self.mask_share, ..masking }))
    }

    fn sequences_of_rows(
        &self,
        examples: &[Example],
        start: &Start,
    ) -> Result<Vec<Sequence>, Error> {
        match self.task() {
            Task::MaskedLanguageModel => whole_texts(examples, self.tokenizer_and_mask(start)?.0),
            Task::Classify => labelled(examples, start.tokenizer.as_ref(), start.model.labels()),
            _ if start.model.is_encoder_decoder() => pairs(examples, start.tokenizer_and_end()),
            _ => prompted(examples, start.tokenizer_and_end()),
        }
    }

    /// The sequences without those that are too long, or with these cut; how many is told on stderr.
    fn short_enough(
        &self,
        all: Vec<Sequence>,
        seq_len: Option<usize>,
        path: &Path,
    ) -> Result<Vec<Sequence>, Error> {
        let Some(seq_len) = seq_len else { return Ok(all) };
        let count = all.len();
        let tell = |lines: &[usize], what: &str| {
            if let Some(line) = lines.first() {
                eprintln!(
                    "warning: {}: {} of {count} rows are longer than {seq_len} tokens and were \
                     {what}; the first is line {line}",
                    path.display(),
                    lines.len(),
                );
            }
        };
        let kept = if self.cut {
            let (kept, shortened, left_out) = cut(all, seq_len);
            tell(&shortened, "cut");
            tell(&left_out, "left out, for the prompt alone is too long");
            kept
        } else {
            let (kept, long) = fitting(all, seq_len);
            tell(&long, "left out");
            kept
        };
        if kept.is_empty() {
            return Err(Error::settings(format!(
                "{}: all {count} rows are longer than {seq_len} tokens; give a larger --seq-len, \
                 a model with a longer context, or --cut",
                path.display()
            )));
        }
        Ok(kept)
    }
}
