//! `attendant train --prepare`

use super::Arguments;
use crate::Error;
use crate::cli::Common;
use crate::cli::model::Loaded;
use crate::cli::output::{lines, print};
use crate::data::{Task, stream_rows};
use crate::token_file::{TokenWriter, prepare};
use serde_json::json;
use std::path::Path;
use std::time::Instant;
use transformer::Tokenizer;

/// Writes the rows as a token file.
pub fn run(arguments: &Arguments, path: &Path, common: &Common) -> Result<(), Error> {
    let start = Instant::now();
    if arguments.task() != Task::LanguageModel {
        return Err(Error::Usage("--prepare is for --task language-model".into()));
    }
    if path.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Error::Usage(format!(
            "--prepare {}: the name of a token file ends in .safetensors",
            path.display()
        )));
    }
    let vocabulary = Vocabulary::of(arguments)?;
    let rows = stream_rows(&arguments.data)?;
    let made_from = arguments.data.display().to_string();
    let writer = TokenWriter::create(path, vocabulary.size, &made_from)?;
    let with_end = vocabulary.tokenizer.as_ref().zip(vocabulary.end);
    let prepared = prepare(rows, with_end, writer)?;
    let result = json!({
        "file": path.display().to_string(),
        "rows": prepared.rows,
        "tokens": prepared.tokens,
        "vocab_size": vocabulary.size,
        "seconds": start.elapsed().as_secs_f64(),
    });
    print(if common.json { result.to_string() } else { lines(&result) })
}

/// What turns texts into ids.
struct Vocabulary {
    tokenizer: Option<Tokenizer>,
    end: Option<u32>,
    size: usize,
}

impl Vocabulary {
    /// That of the model or tokenizer that the arguments name.
    fn of(arguments: &Arguments) -> Result<Vocabulary, Error> {
        let vocabulary = Vocabulary::named(arguments)?;
        if vocabulary.tokenizer.is_some() && vocabulary.end.is_none() {
            return Err(Error::settings(
                "the tokenizer has no end token, <|endoftext|>, to follow each row",
            ));
        }
        Ok(vocabulary)
    }

    fn named(arguments: &Arguments) -> Result<Vocabulary, Error> {
        if let Some(source) = &arguments.tokenizer {
            let tokenizer = source.read()?;
            let (end, size) = (tokenizer.end_of_text(), tokenizer.vocab_size());
            return Ok(Vocabulary { tokenizer: Some(tokenizer), end, size });
        }
        if let Some(preset) = arguments.preset() {
            let size = arguments.vocab_size.unwrap_or(preset.vocab_size());
            return Ok(Vocabulary { tokenizer: None, end: None, size });
        }
        if arguments.model().is_empty() {
            return Err(Error::Usage(
                "--prepare needs --tokenizer, or the --model that it is for".into(),
            ));
        }
        let loaded = Loaded::open(Path::new(arguments.model()))?;
        let (end, size) = (loaded.end_tokens().first().copied(), loaded.model.vocab_size());
        Ok(Vocabulary { tokenizer: loaded.tokenizer, end, size })
    }
}
