//! Rows as token ids: what is given, and what is to be predicted.

mod length;

pub use length::{cut, fitting};

use crate::Error;
use crate::data::Example;
use std::borrow::Cow;
use transformer::Tokenizer;

/// Token ids of a row, or of a block of joined rows, and what is to be learned of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The ids: of all that a decoder reads and writes, its end token included; elsewhere of the text
    /// that is read.
    pub ids: Vec<u32>,
    /// What is to be learned.
    pub target: Target,
    /// The line of the row in its file; of a block, the line its first token comes from.
    pub line: usize,
}

/// What is to be learned of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Its own ids from this index on, at least 1, each from those before it.
    From(usize),
    /// The class of the text.
    Class(u32),
    /// The ids of another text, its end token included.
    Text(Vec<u32>),
    /// What stood where tokens are hidden: their places, in ascending order, and ids. None before
    /// they are hidden.
    Hidden(Vec<(u32, u32)>),
}

impl Sequence {
    /// A sequence of which all but the first id is to be predicted.
    pub fn whole(ids: Vec<u32>, line: usize) -> Sequence {
        Sequence { ids, target: Target::From(1), line }
    }

    /// Tokens that the model reads: of its own ids all but the last, which nothing follows.
    pub fn input_len(&self) -> usize {
        match &self.target {
            Target::From(_) => self.ids.len() - 1,
            Target::Class(_) | Target::Hidden(_) => self.ids.len(),
            Target::Text(text) => self.ids.len() + text.len(),
        }
    }

    /// The tokens of its longest text, as the model reads it.
    pub fn longest(&self) -> usize {
        match &self.target {
            Target::Text(text) => self.ids.len().max(text.len()),
            _ => self.input_len(),
        }
    }

    /// The ids that a model is given to write the target.
    pub fn prompt(&self) -> &[u32] {
        match self.target {
            Target::From(first) => &self.ids[..first],
            _ => &self.ids,
        }
    }

    /// What is to be predicted: tokens, or one class.
    pub fn target_count(&self) -> usize {
        match &self.target {
            Target::From(first) => self.ids.len() - first,
            Target::Class(_) => 1,
            Target::Text(text) => text.len(),
            Target::Hidden(hidden) => hidden.len(),
        }
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

    /// The same as a step, from 1, learns it: of what is drawn anew each time, what is drawn for that
    /// step.
    ///
    /// # Errors
    /// As [`Sequences::get`].
    fn of_step(&self, index: usize, _step: usize) -> Result<Cow<'_, Sequence>, Error> {
        self.get(index)
    }
}

impl<T: AsRef<[Sequence]>> Sequences for T {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error> {
        Ok(Cow::Borrowed(&self.as_ref()[index]))
    }
}

/// Each example as one sequence of a decoder: the prompt is given, the target and the end token are
/// predicted.
///
/// # Errors
/// If a text cannot be tokenized, or there is no tokenizer for it.
pub fn prompted(
    examples: &[Example],
    tokenizer: Option<(&Tokenizer, u32)>,
) -> Result<Vec<Sequence>, Error> {
    let sequence = |example: &Example| {
        let mut ids = match &example.ids {
            Some(ids) => ids.clone(),
            None => with(tokenizer, example)?.0.encode(&example.prompt)?,
        };
        let first_target = ids.len();
        some(&ids, "prompt", example)?;
        ids.extend(target_ids(example, tokenizer, &example.target)?);
        Ok(Sequence { ids, target: Target::From(first_target), line: example.line })
    };
    examples.iter().map(sequence).collect()
}

/// Each example as a source, with the special tokens that the tokenizer puts around it, and the text
/// that an encoder–decoder is to write, the end token last.
///
/// # Errors
/// If a text cannot be tokenized, or there is no tokenizer for it.
pub fn pairs(
    examples: &[Example],
    tokenizer: Option<(&Tokenizer, u32)>,
) -> Result<Vec<Sequence>, Error> {
    let sequence = |example: &Example| {
        let ids = match &example.ids {
            Some(ids) => ids.clone(),
            None => with(tokenizer, example)?.0.encode_special(&example.prompt)?,
        };
        let target = Target::Text(target_ids(example, tokenizer, example.target_text())?);
        Ok(Sequence { ids, target, line: example.line })
    };
    examples.iter().map(sequence).collect()
}

/// Each example as a text, with the special tokens that the tokenizer puts around it, and its class:
/// the place of its label among `labels`.
///
/// # Errors
/// If a text cannot be tokenized, there is no tokenizer for it, or a label is none of `labels`.
pub fn labelled(
    examples: &[Example],
    tokenizer: Option<&Tokenizer>,
    labels: &[String],
) -> Result<Vec<Sequence>, Error> {
    let sequence = |example: &Example| {
        let ids = match (&example.ids, tokenizer) {
            (Some(ids), _) => ids.clone(),
            (None, Some(tokenizer)) => tokenizer.encode_special(&example.prompt)?,
            (None, None) => return Err(no_tokenizer(example.line)),
        };
        some(&ids, "text", example)?;
        let class = labels.iter().position(|label| *label == example.target).ok_or_else(|| {
            Error::settings(format!(
                "line {}: label {:?} was never seen in training; the classes are {}",
                example.line,
                example.target,
                labels.join(", ")
            ))
        })?;
        Ok(Sequence { ids, target: Target::Class(class as u32), line: example.line })
    };
    examples.iter().map(sequence).collect()
}

/// The ids of what is to be written, the end token last.
fn target_ids(
    example: &Example,
    tokenizer: Option<(&Tokenizer, u32)>,
    text: &str,
) -> Result<Vec<u32>, Error> {
    if let Some(ids) = &example.target_ids {
        return Ok(ids.clone());
    }
    let (tokenizer, end) = with(tokenizer, example)?;
    let mut ids = tokenizer.encode(text)?;
    ids.push(end);
    Ok(ids)
}

fn with<'a>(
    tokenizer: Option<(&'a Tokenizer, u32)>,
    example: &Example,
) -> Result<(&'a Tokenizer, u32), Error> {
    tokenizer.ok_or_else(|| no_tokenizer(example.line))
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
    let block = |start: usize| Sequence::whole(ids[start..=start + seq_len].to_vec(), lines[start]);
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

/// # Errors
/// If there is no token of what the model is given.
fn some(ids: &[u32], given: &str, example: &Example) -> Result<(), Error> {
    if !ids.is_empty() {
        return Ok(());
    }
    Err(Error::settings(format!(
        "line {}: the tokenizer makes no token of the {given}; fill it in, remove the row, or take a \
         tokenizer that adds special ones",
        example.line
    )))
}

fn no_tokenizer(line: usize) -> Error {
    Error::settings(format!(
        "line {line} holds text, but the model has no tokenizer; give rows of \"ids\", or a model \
         with tokenizer.json"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpe::{mark_ends, train_bpe};

    fn example(ids: Option<Vec<u32>>, target: &str, line: usize) -> Example {
        let prompt = "colour: red\ndescription:".into();
        Example { prompt, target: target.into(), ids, line, ..Example::default() }
    }

    #[test]
    fn blocks_overlap_by_one_token_and_the_rest_is_dropped() {
        let rows = [example(Some(vec![1, 2, 3, 4]), "", 1), example(Some(vec![5, 6, 7, 8]), "", 2)];
        let blocks = packed(&rows, None, 3).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0], Sequence::whole(vec![1, 2, 3, 4], 1));
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
        let sequence =
            &prompted(&[example(None, " A red one.", 4)], Some((&tokenizer, 0))).unwrap()[0];
        let Target::From(first) = sequence.target else { panic!("of another kind") };
        let (given, predicted) = sequence.ids.split_at(first);
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
    fn a_source_and_its_text_stand_apart() {
        let tokenizer = train_bpe(&["red"], 300).unwrap();
        let pair = &pairs(&[example(None, " A red one.", 4)], Some((&tokenizer, 0))).unwrap()[0];
        assert_eq!(tokenizer.decode(&pair.ids).unwrap(), "colour: red\ndescription:");
        let Target::Text(text) = &pair.target else { panic!("of another kind") };
        assert_eq!(tokenizer.decode(text).unwrap(), "A red one.");
        assert_eq!(text.last(), Some(&0));
        let ids = Example { target_ids: Some(vec![5, 6]), ..example(Some(vec![3]), "", 1) };
        let expected = Sequence { ids: vec![3], target: Target::Text(vec![5, 6]), line: 1 };
        assert_eq!(pairs(std::slice::from_ref(&ids), None).unwrap(), [expected]);
        let joined = Sequence { ids: vec![3, 5, 6], target: Target::From(1), line: 1 };
        assert_eq!(prompted(&[ids], None).unwrap(), [joined]);
    }

    #[test]
    fn a_label_is_a_place_among_the_labels() {
        let labels = ["bad".to_string(), "good".to_string()];
        let rows = [example(Some(vec![3]), "good", 1), example(Some(vec![4]), "fair", 2)];
        let first = &labelled(&rows[..1], None, &labels).unwrap()[0];
        assert_eq!((&first.target, first.input_len()), (&Target::Class(1), 1));
        assert_eq!(
            labelled(&rows, None, &labels).unwrap_err().to_string(),
            "line 2: label \"fair\" was never seen in training; the classes are bad, good"
        );
    }

    #[test]
    fn a_blank_text_is_its_special_tokens() {
        let tokenizer = train_bpe(&["red"], 300).unwrap();
        let blank = Example { prompt: String::new(), ..example(None, "good", 3) };
        let sequences =
            |tokenizer| labelled(std::slice::from_ref(&blank), Some(tokenizer), &["good".into()]);
        assert_eq!(
            sequences(&tokenizer).unwrap_err().to_string(),
            "line 3: the tokenizer makes no token of the text; fill it in, remove the row, or take a \
             tokenizer that adds special ones"
        );
        assert_eq!(sequences(&mark_ends(tokenizer.clone()).unwrap()).unwrap()[0].ids, [0, 0]);
    }
}
