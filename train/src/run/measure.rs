//! What is measured while a model learns: its loss on rows held back, and what it writes.

use crate::batch::sequence_losses;
use crate::samples::Sample;
use crate::sequence::{Sequence, Sequences, Target};
use crate::{Error, Learner};
use autograd::no_grad;
use transformer::{Autoregressive, Generation, Model, Tokenizer};

/// Sequences that are in memory together when a loss is measured.
const SEQUENCES_AT_ONCE: usize = 1024;
/// Rows that are computed side by side.
const BATCH_SIZE: usize = 16;
/// Rows that a sample is written for.
const SAMPLES: usize = 3;
/// Tokens of a sample.
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

/// What the model writes to the first rows, greedily; nothing where there is no tokenizer.
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
    let mut samples = Vec::new();
    for index in 0..sequences.count().min(SAMPLES) {
        let row = sequences.get(index)?;
        let sample = match &row.target {
            Target::Class(class) => told(model, tokenizer, &row, *class as usize)?,
            Target::From(first) => {
                let given =
                    if *first == 1 { BEGINNING.min(row.ids.len() / 2).max(1) } else { *first };
                let (prompt, target) = row.ids.split_at(given);
                written(model, tokenizer, end, prompt, target)?
            }
            Target::Text(target) => written(model, tokenizer, end, &row.ids, target)?,
        };
        samples.push(Sample { step, ..sample });
    }
    Ok(samples)
}

fn told(
    model: &Model,
    tokenizer: &Tokenizer,
    row: &Sequence,
    class: usize,
) -> Result<Sample, Error> {
    let (scores, _) = no_grad(|| model.scores(&[row]))?;
    let scores = scores.value().to_vec();
    let best = (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let label = |class: usize| model.labels().get(class).cloned().unwrap_or_default();
    let (text, target) = (label(best), Some(label(class)));
    Ok(Sample { step: 0, prompt: tokenizer.decode(&row.ids)?, text, target })
}

fn written(
    model: &Model,
    tokenizer: &Tokenizer,
    end: Option<u32>,
    prompt: &[u32],
    target: &[u32],
) -> Result<Sample, Error> {
    let room = Autoregressive::max_seq_len(model).map_or(SAMPLE_LEN, |most| {
        most.saturating_sub(if model.is_encoder_decoder() { 1 } else { prompt.len() })
    });
    let settings = Generation {
        max_new_tokens: Some(SAMPLE_LEN.min(room)),
        end_tokens: end.map(|end| vec![end]),
        ..Generation::default()
    };
    let text = match room {
        0 => String::new(),
        _ => {
            let ids = model.generate(prompt, &settings)?;
            tokenizer.decode(&ids[model.first_tokens(prompt).len()..])?
        }
    };
    let (prompt, target) = (tokenizer.decode(prompt)?, Some(tokenizer.decode(target)?));
    Ok(Sample { step: 0, prompt, text, target })
}
