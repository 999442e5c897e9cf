//! Rows as token ids: what is given, and what is to be predicted.

use crate::Error;
use crate::data::Example;
use std::borrow::Cow;
use transformer::Tokenizer;

/// Token ids of a row, or of a block of joined rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The ids, the end token included.
    pub ids: Vec<u32>,
    /// The index of the first id that is to be predicted, at least 1.
    pub first_target: usize,
    /// The line of the row in its file; of a block, the line its first token comes from.
    pub line: usize,
}

impl Sequence {
    /// Tokens that the model reads: all but the last.
    pub fn input_len(&self) -> usize {
        self.ids.len() - 1
    }

    /// Tokens that it must predict.
    pub fn target_count(&self) -> usize {
        self.ids.len() - self.first_target
    }
}

/// Where the sequences of a run come from: memory, a file, or code of one's own.
pub trait Sequences {
    /// How many there are.
    fn count(&self) -> usize;

    /// The sequence `index`, below [`Sequences::count`].
    ///
    /// # Errors
    /// If it cannot be read, or is broken.
    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error>;
}

impl<T: AsRef<[Sequence]>> Sequences for T {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error> {
        Ok(Cow::Borrowed(&self.as_ref()[index]))
    }
}

/// Each example as one sequence: the prompt is given, the target and the end token are predicted.
///
/// # Errors
/// If a text cannot be tokenized.
pub fn prompted(
    examples: &[Example],
    tokenizer: &Tokenizer,
    end: u32,
) -> Result<Vec<Sequence>, Error> {
    let sequence = |example: &Example| {
        let mut ids = tokenizer.encode(&example.prompt)?;
        let first_target = ids.len();
        if first_target == 0 {
            return Err(Error::settings(format!(
                "line {}: the tokenizer makes no token of the prompt; take another tokenizer",
                example.line
            )));
        }
        ids.extend(tokenizer.encode(&example.target)?);
        ids.push(end);
        Ok(Sequence { ids, first_target, line: example.line })
    };
    examples.iter().map(sequence).collect()
}

/// The examples' texts joined, each followed by the end token (rows of ids as they are), and cut
/// into blocks of `seq_len + 1` tokens that overlap by one; what does not fill a block is dropped.
///
/// # Errors
/// If a text cannot be tokenized, there is no tokenizer for a text, or not one block is filled.
pub fn packed(
    examples: &[Example],
    tokenizer: Option<(&Tokenizer, u32)>,
    seq_len: usize,
) -> Result<Vec<Sequence>, Error> {
    let mut ids = Vec::new();
    let mut lines = Vec::new();
    for example in examples {
        ids.append(&mut joined_ids(example, tokenizer)?);
        lines.resize(ids.len(), example.line);
    }
    check_block_fits(ids.len(), seq_len)?;
    let starts = (0..ids.len() - seq_len).step_by(seq_len);
    let block = |start: usize| Sequence {
        ids: ids[start..=start + seq_len].to_vec(),
        first_target: 1,
        line: lines[start],
    };
    Ok(starts.map(block).collect())
}

/// The ids of an example where rows are joined: its text and the end token, or its ids.
///
/// # Errors
/// If the text cannot be tokenized, or there is no tokenizer for it.
pub fn joined_ids(
    example: &Example,
    tokenizer: Option<(&Tokenizer, u32)>,
) -> Result<Vec<u32>, Error> {
    match (&example.ids, tokenizer) {
        (Some(ids), _) => Ok(ids.clone()),
        (None, Some((tokenizer, end))) => {
            let mut ids = tokenizer.encode(&example.target)?;
            ids.push(end);
            Ok(ids)
        }
        (None, None) => Err(no_tokenizer(example.line)),
    }
}

/// # Errors
/// If `count` tokens do not fill one block of `seq_len + 1`.
pub(crate) fn check_block_fits(count: usize, seq_len: usize) -> Result<(), Error> {
    if count > seq_len {
        return Ok(());
    }
    Err(Error::settings(format!(
        "the data holds {count} tokens, one block takes {}; give more text or a smaller --seq-len",
        seq_len + 1
    )))
}

fn no_tokenizer(line: usize) -> Error {
    Error::settings(format!(
        "line {line} holds text, but the model has no tokenizer; give rows of \"ids\", or a model \
         with tokenizer.json"
    ))
}

/// Parts the sequences of which the model can read all tokens from the lines of those it cannot.
pub fn fitting(sequences: Vec<Sequence>, max_len: usize) -> (Vec<Sequence>, Vec<usize>) {
    let (fit, long): (Vec<_>, Vec<_>) =
        sequences.into_iter().partition(|sequence| sequence.input_len() <= max_len);
    (fit, long.into_iter().map(|sequence| sequence.line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpe::train_bpe;

    fn example(ids: Option<Vec<u32>>, target: &str, line: usize) -> Example {
        Example {
            prompt: "colour: red\ndescription:".into(),
            target: target.into(),
            ids,
            line,
            category: None,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn blocks_overlap_by_one_token_and_the_rest_is_dropped() {
        let rows = [example(Some(vec![1, 2, 3, 4]), "", 1), example(Some(vec![5, 6, 7, 8]), "", 2)];
        let blocks = packed(&rows, None, 3).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!((&blocks[0].ids[..], blocks[0].first_target), (&[1, 2, 3, 4][..], 1));
        assert_eq!((&blocks[1].ids[..], blocks[1].line), (&[4, 5, 6, 7][..], 1));
    }

    #[test]
    fn each_text_is_followed_by_the_end_token() {
        let tokenizer = train_bpe(&["red"], 300).unwrap();
        let rows = [example(None, "red", 1), example(None, "red", 2)];
        let blocks = packed(&rows, Some((&tokenizer, 0)), 3).unwrap();
        let red = tokenizer.encode("red").unwrap();
        assert_eq!(blocks[0].ids, [&red[..], &[0], &red, &[0]].concat()[..4]);
    }

    #[test]
    fn only_target_and_end_token_are_predicted() {
        let tokenizer = train_bpe(&["red"], 300).unwrap();
        let sequence = &prompted(&[example(None, " A red one.", 4)], &tokenizer, 0).unwrap()[0];
        let (given, predicted) = sequence.ids.split_at(sequence.first_target);
        assert_eq!(tokenizer.decode(given).unwrap(), "colour: red\ndescription:");
        assert_eq!(tokenizer.decode(predicted).unwrap(), " A red one.");
        assert_eq!((predicted.last(), sequence.line), (Some(&0), 4));
        assert_eq!(sequence.target_count(), predicted.len());
    }

    #[test]
    fn what_cannot_be_a_sequence_is_an_error() {
        let rows = [example(Some(vec![1, 2, 3]), "", 1)];
        assert_eq!(
            packed(&rows, None, 3).unwrap_err().to_string(),
            "the data holds 3 tokens, one block takes 4; give more text or a smaller --seq-len"
        );
        assert_eq!(
            packed(&[example(None, "red", 7)], None, 3).unwrap_err().to_string(),
            "line 7 holds text, but the model has no tokenizer; give rows of \"ids\", or a model \
             with tokenizer.json"
        );
    }

    #[test]
    fn long_rows_are_told_by_their_lines() {
        let rows = [4, 9].map(|len| Sequence { ids: vec![0; len], first_target: 1, line: len });
        let (fit, long) = fitting(rows.to_vec(), 5);
        assert_eq!((fit.len(), long), (1, vec![9]));
    }
}
