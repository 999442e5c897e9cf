//! Batches: sequences side by side.

use crate::Error;
use crate::learner::{Learner, at, mixed};
use crate::sequence::{Sequence, Target};
use autograd::Var;
use tensor::{Targets, Tokens};
use transformer::DecoderOnly;

/// Sequences of a decoder, padded on the right to one length. Attention is causal, so that no token
/// ever sees the padding behind it, and only the positions that predict a target are given scores.
pub struct NextTokens {
    tokens: Tokens,
    /// The positions, counted through all rows, whose next token is a target.
    positions: Vec<u32>,
    /// The targets, row by row.
    pub targets: Targets,
}

impl NextTokens {
    /// # Errors
    /// If a token id is not in the vocabulary, or a row's target is not among its own tokens.
    pub fn new(sequences: &[&Sequence], vocab_size: usize) -> Result<NextTokens, Error> {
        let width = sequences.iter().map(|sequence| sequence.input_len()).max().unwrap_or(0);
        let mut rows = Vec::with_capacity(sequences.len());
        let (mut positions, mut targets) = (Vec::new(), Vec::new());
        for (row, sequence) in sequences.iter().enumerate() {
            let Target::From(first) = sequence.target else { return Err(mixed()) };
            let mut ids = sequence.ids[..sequence.input_len()].to_vec();
            ids.resize(width, 0);
            rows.push(ids);
            for target in first..sequence.ids.len() {
                positions.push((row * width + target - 1) as u32);
                targets.push(sequence.ids[target]);
            }
        }
        let targets = Targets::new(targets, vocab_size)?;
        Ok(NextTokens { tokens: Tokens::batch(&rows, vocab_size)?, positions, targets })
    }

    /// The states at the positions that count: `[targets, d_model]`
    pub fn states(&self, model: &impl DecoderOnly) -> Var {
        let hidden = model.hidden(&self.tokens); // [batch_size, seq_len, d_model]
        at(&hidden, self.positions.clone()).expect("they are in the batch")
    }

    /// The scores at the positions that count: `[targets, vocab_size]`
    pub fn scores(&self, model: &impl DecoderOnly) -> Var {
        model.logits(&self.states(model))
    }
}

/// The sequences in groups of similar length, so that little padding is computed: sorted, and cut
/// wherever another sequence would make the group compute more than an eighth in vain.
pub fn length_buckets<'a>(sequences: &[&'a Sequence]) -> Vec<Vec<&'a Sequence>> {
    let mut sorted = sequences.to_vec();
    sorted.sort_by_key(|sequence| sequence.input_len());
    let mut buckets: Vec<Vec<&Sequence>> = Vec::new();
    let mut tokens = 0;
    for sequence in sorted {
        let len = sequence.input_len();
        match buckets.last_mut() {
            Some(bucket) if (bucket.len() + 1) * len * 7 <= (tokens + len) * 8 => {
                bucket.push(sequence);
                tokens += len;
            }
            _ => {
                buckets.push(vec![sequence]);
                tokens = len;
            }
        }
    }
    buckets
}

/// Scores that are held at once when nothing is learned: 256 MiB of `f32`.
const MAX_SCORES: usize = 1 << 26;

/// The loss of each sequence in nats, and its number of targets, in the order given.
///
/// # Errors
/// If a token id is not in the vocabulary, or a loss is not finite.
pub fn sequence_losses(
    model: &impl Learner,
    sequences: &[Sequence],
    batch_size: usize,
) -> Result<Vec<(f64, usize)>, Error> {
    // The longest come first, so that the first of a batch tells how many fit.
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(sequences[index].input_len()));
    let mut losses = vec![(0.0, 0); sequences.len()];
    let mut rest = &order[..];
    while let Some(&longest) = rest.first() {
        let scores = sequences[longest].input_len() * model.vocab_size();
        let fitting = (MAX_SCORES / scores.max(1)).clamp(1, batch_size.max(1));
        let (indices, later) = rest.split_at(fitting.min(rest.len()));
        rest = later;
        let rows: Vec<&Sequence> = indices.iter().map(|&index| &sequences[index]).collect();
        let mut targets = model.losses(&rows)?.into_iter();
        for (&index, row) in indices.iter().zip(rows) {
            let count = row.target_count();
            let nats: f64 = targets.by_ref().take(count).sum();
            if !nats.is_finite() {
                return Err(Error::settings(format!(
                    "line {}: the loss is {nats}; the model's weights are broken",
                    row.line
                )));
            }
            losses[index] = (nats, count);
        }
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::cross_entropy;
    use tensor::Rng;
    use transformer::{Gpt2, Gpt2Config};

    fn model() -> Gpt2 {
        let config = Gpt2Config {
            vocab_size: 11,
            max_seq_len: 16,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            initializer_range: 0.3,
            ..Gpt2Config::default()
        };
        Gpt2::new(config, &mut Rng::seeded(1)).unwrap()
    }

    fn sequence(len: usize, first_target: usize) -> Sequence {
        let ids = (0..len).map(|i| (i * 7 % 11) as u32).collect();
        Sequence { ids, target: Target::From(first_target), line: 1 }
    }

    #[test]
    fn a_padded_batch_loses_what_its_rows_lose_alone() {
        let model = model();
        let rows = [sequence(5, 2), sequence(12, 4), sequence(9, 1)];
        let alone: Vec<f64> =
            rows.iter().map(|row| f64::from(model.loss_sum(&[row]).unwrap().item())).collect();
        let sum = f64::from(model.loss_sum(&rows.each_ref()).unwrap().item());
        assert!((sum - alone.iter().sum::<f64>()).abs() < 1e-4);
        for (loss, (nats, count)) in alone.iter().zip(sequence_losses(&model, &rows, 2).unwrap()) {
            assert!((loss - nats).abs() < 1e-4 && count > 0);
        }
    }

    #[test]
    fn the_loss_is_that_of_the_targets_alone() {
        let model = model();
        let row = sequence(8, 5);
        let tokens = Tokens::batch(&[&row.ids[..7]], 11).unwrap();
        let mut ids = vec![Targets::IGNORED; 4];
        ids.extend(&row.ids[5..]);
        let targets = Targets::new(ids, 11).unwrap();
        let expected = cross_entropy(&model.forward(&tokens), &targets).item() * 3.0;
        assert!((model.loss_sum(&[&row]).unwrap().item() - expected).abs() < 1e-4);
    }

    #[test]
    fn buckets_hold_every_sequence_once_with_little_padding() {
        let rows: Vec<Sequence> = (0..50).map(|i| sequence(2 + i * 31 % 97, 1)).collect();
        let buckets = length_buckets(&rows.iter().collect::<Vec<_>>());
        assert_eq!(buckets.iter().map(Vec::len).sum::<usize>(), 50);
        for bucket in &buckets {
            let longest = bucket.iter().map(|row| row.input_len()).max().unwrap();
            let tokens: usize = bucket.iter().map(|row| row.input_len()).sum();
            assert!(longest * bucket.len() * 7 <= tokens * 8);
        }
        assert!(buckets.len() < 25);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_an_error() {
        let row = Sequence::whole(vec![1, 2, 11], 1);
        assert!(NextTokens::new(&[&row], 11).is_err());
    }
}
