//! What is measured while a model learns: its loss on rows held back, and what it writes.

use crate::batch::sequence_losses;
use crate::evaluation;
use crate::learner::mixed;
use crate::masked_rows::fill_in;
use crate::samples::Sample;
use crate::sequence::{Sequence, Sequences, Target};
use crate::{Error, Learner};
use transformer::{Autoregressive, Generation, Model, Tokenizer};

/// Sequences that are in memory together when a loss is measured.
const SEQUENCES_AT_ONCE: usize = 1024;
/// Rows that are computed side by side.
const BATCH_SIZE: usize = 16;
/// Rows that a sample is written for.
const SAMPLES: usize = 3;
/// Tokens of the sample behind the longest prompt.
const SAMPLE_LEN: usize = 64;
/// Tokens of a text that a sample goes on from where the whole text is learned.
const BEGINNING: usize = 16;

/// The loss of all targets, in nats a target.
///
/// # Errors
/// If a row cannot be read, or a loss is not finite.
pub fn mean_loss(model: &impl Learner, sequences: &dyn Sequences) -> Result<f64, Error> {
    let (mut nats, mut targets) = (0.0, 0);
    for start in (0..sequences.count()).step_by(SEQUENCES_AT_ONCE) {
        let end = sequences.count().min(start + SEQUENCES_AT_ONCE);
        let some = (start..end).map(|index| Ok(sequences.get(index)?.into_owned()));
        let some = some.collect::<Result<Vec<Sequence>, Error>>()?;
        for (loss, count) in sequence_losses(model, &some, BATCH_SIZE)? {
            nats += loss;
            targets += count;
        }
    }
    Ok(nats / targets as f64)
}

/// What the model writes to the first rows, greedily, or the classes that it tells; nothing where there
/// is no tokenizer.
///
/// # Errors
/// If a row cannot be read, or the model's scores are not numbers.
pub(super) fn samples(
    model: &Model,
    tokenizer: Option<&Tokenizer>,
    end: Option<u32>,
    sequences: &dyn Sequences,
    step: usize,
) -> Result<Vec<Sample>, Error> {
    let Some(tokenizer) = tokenizer else { return Ok(Vec::new()) };
    let count = sequences.count().min(SAMPLES);
    let rows = (0..count).map(|index| Ok(sequences.get(index)?.into_owned()));
    let mut rows = rows.collect::<Result<Vec<Sequence>, Error>>()?;
    if rows.iter().all(|row| matches!(row.target, Target::Hidden(_))) {
        return filled(model, tokenizer, &rows, step);
    }
    // A prompt that fills the context leaves no room to write.
    let context = model.max_seq_len();
    rows.retain(|row| context.is_none_or(|context| parts(row).0.len() < context));
    let is_classifier = rows.iter().all(|row| matches!(row.target, Target::Class(_)));
    let texts: Vec<String> = match is_classifier {
        true => {
            let told = evaluation::classify(model, &rows)?.into_iter();
            told.map(|told| model.labels()[told.class].clone()).collect()
        }
        false => {
            let prompts: Vec<&[u32]> = rows.iter().map(|row| parts(row).0).collect();
            let first = prompts.iter().map(|prompt| model.first_tokens(prompt).len()).max();
            let most = first.unwrap_or(0) + SAMPLE_LEN;
            let settings = Generation {
                max_length: Some(context.map_or(most, |context| context.min(most))),
                end_tokens: end.map(|end| vec![end]),
                ..Generation::default()
            };
            let answers = evaluation::answers(model, tokenizer, &prompts, &settings)?.into_iter();
            answers.map(|answer| answer.text).collect()
        }
    };
    let sample = |(row, text): (&Sequence, String)| {
        let (prompt, target) = parts(row);
        let target = match row.target {
            Target::Class(class) => model.labels()[class as usize].clone(),
            _ => tokenizer.decode(target)?,
        };
        Ok(Sample { step, prompt: tokenizer.decode(prompt)?, text, target: Some(target) })
    };
    rows.iter().zip(texts).map(sample).collect()
}

/// What the model fills in where tokens of texts are hidden.
fn filled(
    model: &Model,
    tokenizer: &Tokenizer,
    rows: &[Sequence],
    step: usize,
) -> Result<Vec<Sample>, Error> {
    let sample = |(row, told): (&Sequence, Vec<u32>)| {
        let Target::Hidden(hidden) = &row.target else { return Err(mixed()) };
        let with = |ids: &mut dyn Iterator<Item = u32>| {
            let mut text = row.ids.clone();
            hidden.iter().zip(ids).for_each(|((place, _), id)| text[*place as usize] = id);
            tokenizer.decode(&text)
        };
        Ok(Sample {
            step,
            prompt: tokenizer.decode_special(&row.ids)?,
            text: with(&mut told.into_iter())?,
            target: Some(with(&mut hidden.iter().map(|(_, id)| *id))?),
        })
    };
    rows.iter().zip(fill_in(model, rows)?).map(sample).collect()
}

/// What a row gives, and what is to be written; of a text that is learned as a whole, its beginning
/// and the rest.
fn parts(row: &Sequence) -> (&[u32], &[u32]) {
    match &row.target {
        Target::From(1) => row.ids.split_at(BEGINNING.min(row.ids.len() / 2).max(1)),
        Target::From(first) => row.ids.split_at(*first),
        Target::Text(text) => (&row.ids, text),
        Target::Class(_) | Target::Hidden(_) => (&row.ids, &[]),
    }
}
