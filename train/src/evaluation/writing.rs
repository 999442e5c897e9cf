//! What a model writes to prompts.

use crate::Error;
use crate::sequence::Sequence;
use crate::writing::Batches;
use transformer::{Autoregressive, Generation, Tokenizer};

/// Tokens after the longest prompt at which a text ends that does not end by itself: a model that goes
/// round in circles would otherwise fill its context, row by row.
const LONGEST: usize = 512;

/// What a model wrote to a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The text.
    pub text: String,
    /// Its tokens, the end token included where there is one.
    pub ids: Vec<u32>,
}

/// What the model writes to the prompt of each sequence, greedily, up to the end token, the context's
/// end, or 512 tokens after the longest prompt.
///
/// # Errors
/// If a prompt fills the context.
pub fn write(
    model: &impl Autoregressive,
    tokenizer: &Tokenizer,
    sequences: &[Sequence],
    end: u32,
) -> Result<Vec<Answered>, Error> {
    let prompts: Vec<&[u32]> = sequences.iter().map(Sequence::prompt).collect();
    let first = prompts.iter().map(|prompt| model.first_tokens(prompt).len()).max().unwrap_or(0);
    let most = first + LONGEST;
    let settings = Generation {
        max_length: Some(model.max_seq_len().map_or(most, |context| context.min(most))),
        end_tokens: Some(vec![end]),
        ..Generation::default()
    };
    let mut answers = answers(model, tokenizer, &prompts, &settings)?;
    for answer in &mut answers {
        answer.text = answer.text.strip_prefix(' ').unwrap_or(&answer.text).to_string();
    }
    Ok(answers)
}

/// What the model writes to each prompt, those of similar length side by side.
///
/// # Errors
/// As [`Autoregressive::generate_with`].
pub(crate) fn answers(
    model: &impl Autoregressive,
    tokenizer: &Tokenizer,
    prompts: &[&[u32]],
    settings: &Generation,
) -> Result<Vec<Answered>, Error> {
    let rows: Vec<usize> = (0..prompts.len()).collect();
    let written = Batches { model, tokenizer, prompts }.write(&rows, settings)?.into_iter();
    written.map(|ids| Ok(Answered { text: tokenizer.decode(&ids)?, ids })).collect()
}
