//! Rows become a token file, a few at a time.

use super::TokenWriter;
use crate::Error;
use crate::data::{DataError, Row, Task};
use crate::sequence::joined_ids;
use rayon::prelude::*;
use transformer::Tokenizer;

/// Rows that are tokenized side by side.
const ROWS_AT_ONCE: usize = 512;

/// What a token file was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Rows that were read.
    pub rows: u64,
    /// Ids that were written.
    pub tokens: u64,
}

/// Writes the rows of a language model (`text` or `ids`) as one token file: each text is followed
/// by the end token, rows of ids are taken as they are. No more than a few rows are in memory.
///
/// ```no_run
/// use train::data::stream_rows;
/// use train::token_file::{TokenWriter, prepare};
/// let tokenizer = transformer::Tokenizer::from_file("tokenizer.json".as_ref())?;
/// let end = tokenizer.end_of_text().ok_or("no end token")?;
/// let writer = TokenWriter::create("a.safetensors".as_ref(), tokenizer.vocab_size(), "a.jsonl")?;
/// prepare(stream_rows("a.jsonl")?, Some((&tokenizer, end)), writer)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If a row is broken, has text that cannot be tokenized or ids beyond the vocabulary, or the file
/// cannot be written; no file is left then.
pub fn prepare(
    rows: impl IntoIterator<Item = Result<Row, DataError>>,
    tokenizer: Option<(&Tokenizer, u32)>,
    mut writer: TokenWriter,
) -> Result<Prepared, Error> {
    let mut rows = rows.into_iter();
    let mut count = 0;
    loop {
        let some: Vec<_> = rows.by_ref().take(ROWS_AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        count += some.len() as u64;
        let vocab_size = writer.vocab_size();
        let ids: Vec<_> =
            some.into_par_iter().map(|row| ids_of_row(row?, tokenizer, vocab_size)).collect();
        for ids in ids {
            writer.push(&ids?)?;
        }
    }
    Ok(Prepared { rows: count, tokens: writer.finish()? })
}

fn ids_of_row(
    row: Row,
    tokenizer: Option<(&Tokenizer, u32)>,
    vocab_size: usize,
) -> Result<Vec<u32>, Error> {
    let example = Task::LanguageModel.example(&row)?;
    example.check_ids(&row.file, vocab_size)?;
    joined_ids(&example, tokenizer)
}

#[cfg(test)]
mod tests {
    use super::super::TokenFile;
    use super::*;
    use crate::bpe::train_bpe;
    use crate::data::parse_rows;
    use crate::sequence::packed;

    #[test]
    fn a_file_holds_the_ids_that_are_packed_in_memory() {
        let line = |i: usize| match i % 3 {
            0 => format!("{{\"ids\":[{i}, 3]}}\n"),
            _ => format!("{{\"text\":\"the {i} lamps\"}}\n"),
        };
        let text: String = (0..297).map(line).collect();
        let rows = parse_rows("a.jsonl", text.repeat(4).as_bytes()).unwrap();
        let tokenizer = train_bpe(&["the lamps"], 300).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let writer = TokenWriter::create(&path, 300, "a.jsonl").unwrap();
        let stream = rows.rows.iter().cloned().map(Ok);
        let prepared = prepare(stream, Some((&tokenizer, 0)), writer).unwrap();
        let examples = rows.examples(Task::LanguageModel).unwrap();
        let blocks = packed(&examples, Some((&tokenizer, 0)), 1).unwrap();
        let mut expected = vec![blocks[0].ids[0]];
        expected.extend(blocks.iter().map(|block| block.ids[1]));
        let file = TokenFile::open(&path).unwrap();
        assert_eq!(file.ids(0..file.token_count()).unwrap(), expected);
        assert_eq!(prepared, Prepared { rows: 4 * 297, tokens: expected.len() as u64 });
    }

    #[test]
    fn a_wrong_row_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let error = |text: &str| {
            let rows = parse_rows("a.jsonl", text.as_bytes()).unwrap().rows;
            let writer = TokenWriter::create(&path, 300, "").unwrap();
            let error = prepare(rows.into_iter().map(Ok), None, writer).unwrap_err();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            error.to_string()
        };
        assert_eq!(
            error("{\"ids\":[1]}\n{\"ids\":[2,300]}\n"),
            "a.jsonl, line 2: field \"ids\": token id 300 is beyond the vocabulary of 300 tokens"
        );
        assert_eq!(
            error("{\"ids\":[1]}\n\n{\"text\":\"red\"}\n"),
            "line 3 holds text, but the model has no tokenizer; give rows of \"ids\", or a model \
             with tokenizer.json"
        );
    }
}
