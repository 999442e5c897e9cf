//! How well a model predicts targets.

use super::Scores;
use crate::batch::sequence_losses;
use crate::data::Example;
use crate::metrics::{bits_per_byte, ratio};
use crate::sequence::Sequence;
use crate::{Error, Learner};

/// Rows that are computed side by side.
const BATCH_SIZE: usize = 32;

/// The `loss` in nats a target token, the `perplexity`, which is e to it, and, where `bytes` tell
/// how long each row's text is, `bits_per_byte`.
///
/// # Errors
/// If an id is not in the model's vocabulary, or a loss is not finite.
pub fn likelihood(
    model: &impl Learner,
    sequences: &[Sequence],
    bytes: Option<&[usize]>,
) -> Result<Scores<'static>, Error> {
    let losses = sequence_losses(model, sequences, BATCH_SIZE)?;
    let rows: Vec<(f64, f64)> = losses.iter().map(|&(nats, n)| (nats, n as f64)).collect();
    let same_rows = rows.clone();
    let scores = Scores::new(rows.len())
        .with_ratio("loss", rows)
        .with("perplexity", move |drawn| ratio(&same_rows, drawn).exp());
    Ok(match bytes {
        Some(bytes) => scores.and(bits(losses.iter().map(|&(nats, _)| nats), bytes)),
        None => scores,
    })
}

/// `bits_per_byte` of rows that cost these nats and have these bytes.
pub(super) fn bits(nats: impl Iterator<Item = f64>, bytes: &[usize]) -> Scores<'static> {
    let rows = nats.zip(bytes).map(|(nats, &bytes)| (bits_per_byte(nats, 1), bytes as f64));
    Scores::new(bytes.len()).with_ratio("bits_per_byte", rows.collect())
}

/// Bytes of each example's target, the space before it aside: that of the description alone.
pub fn target_bytes(examples: &[Example]) -> Vec<usize> {
    examples.iter().map(|example| example.target_text().len()).collect()
}
