//! The training loop: batches to losses, losses to gradients, gradients to new weights.

use crate::Error;
use crate::batch::{Batch, length_buckets};
use crate::optimizer::{AdamW, Schedule};
use crate::sequence::Sequence;
use autograd::{Gradients, with_dropout};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use tensor::{Float, Rng};
use transformer::{Gpt2, Module};

/// What fixes a run, besides its data and the model it starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Steps to take.
    pub steps: usize,
    /// Rows of one micro-batch.
    pub batch_size: usize,
    /// Micro-batches of one step.
    pub accumulate: usize,
    /// The highest learning rate.
    pub lr: f64,
    /// Steps over which the learning rate rises from 0.
    pub warmup: usize,
    /// How it goes on.
    pub schedule: Schedule,
    /// AdamW's λ, for parameters of two or more dimensions.
    pub weight_decay: f64,
    /// AdamW's β₁.
    pub beta1: f64,
    /// AdamW's β₂.
    pub beta2: f64,
    /// AdamW's ε.
    pub eps: f64,
    /// The largest global norm of the gradients.
    pub clip: Option<f64>,
    /// Whether the rows are shuffled anew for each epoch, or taken in the file's order.
    pub shuffle: bool,
    /// What fixes the order of rows and dropout.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            steps: 1000,
            batch_size: 8,
            accumulate: 1,
            lr: 5e-4,
            warmup: 0,
            schedule: Schedule::Cosine,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip: None,
            shuffle: true,
            seed: 0,
        }
    }
}

impl Settings {
    /// # Errors
    /// If a setting is out of range; says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Usage(text));
        for (name, value) in [
            ("steps", self.steps),
            ("batch-size", self.batch_size),
            ("accumulate", self.accumulate),
        ] {
            if value == 0 {
                return wrong(format!("--{name} is 0; it must be at least 1"));
            }
        }
        if !(self.lr > 0.0 && (self.lr as Float).is_finite()) {
            return wrong(format!("--lr is {}; it must be a positive number", self.lr));
        }
        if self.warmup >= self.steps && self.warmup > 0 {
            return wrong(format!(
                "--warmup {} leaves nothing of {} steps; it must be smaller",
                self.warmup, self.steps
            ));
        }
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return wrong(format!("--{name} is {beta}; it must be in [0, 1)"));
            }
        }
        if !(self.eps > 0.0 && self.weight_decay >= 0.0) {
            return wrong("--eps must be above 0 and --weight-decay at least 0".into());
        }
        if self.clip.is_some_and(|clip| clip <= 0.0 || clip.is_nan()) {
            return wrong("--clip must be above 0; leave it out to clip nothing".into());
        }
        Ok(())
    }

    /// Rows of one step.
    pub fn rows_per_step(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulate)
    }

    /// Steps of one epoch over `rows`; the last takes what is left.
    pub fn steps_per_epoch(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows_per_step())
    }

    /// The rows of `step` (from 1), of `rows` in all.
    pub fn rows_of_step(&self, step: usize, rows: usize) -> Vec<usize> {
        let per_epoch = self.steps_per_epoch(rows);
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        let order = if self.shuffle {
            Rng::derived(self.seed, &[stream::ORDER, epoch as u64]).permutation(rows)
        } else {
            (0..rows).collect()
        };
        let start = within * self.rows_per_step();
        order[start..rows.min(start.saturating_add(self.rows_per_step()))].to_vec()
    }
}

/// Separate streams of randomness drawn from one seed.
mod stream {
    pub const ORDER: u64 = 1;
    pub const DROPOUT: u64 = 2;
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step, from 1.
    pub step: usize,
    /// Its loss before the update, in nats a target token.
    pub loss: f64,
    /// Its learning rate.
    pub lr: f64,
    /// The global norm of its gradients before clipping.
    pub grad_norm: f64,
    /// Tokens the model read, padding aside.
    pub tokens: usize,
    /// Its time.
    pub seconds: f64,
}

/// Trains `model` on `sequences`; `observe` is told of each step as it is done.
///
/// ```math
/// \theta \leftarrow \mathrm{AdamW}\Big(\theta,\; \nabla_\theta \frac{1}{n}
/// \sum_{i=1}^{n} -\log p_\theta(t_i \mid t_{<i})\Big)
/// ```
/// n counts the target tokens of all micro-batches of the step.
///
/// # Errors
/// If settings are out of range, there is no sequence, an id is not in the vocabulary, or a
/// gradient does not reach a parameter or is not finite.
pub fn train(
    model: &mut Gpt2,
    sequences: &[Sequence],
    settings: &Settings,
    mut observe: impl FnMut(&StepReport) -> Result<(), Error>,
) -> Result<(), Error> {
    settings.check()?;
    if sequences.is_empty() {
        return Err(Error::settings("there is no row to train on"));
    }
    let mut optimizer = AdamW::new(settings.weight_decay);
    optimizer.beta1 = settings.beta1;
    optimizer.beta2 = settings.beta2;
    optimizer.eps = settings.eps;
    optimizer.clip = settings.clip;
    for step in 1..=settings.steps {
        let start = Instant::now();
        let rows = settings.rows_of_step(step, sequences.len());
        let rows: Vec<&Sequence> = rows.into_iter().map(|row| &sequences[row]).collect();
        let (loss, gradients) = gradients_of_step(model, &rows, settings, step)?;
        let lr = settings.lr * settings.schedule.factor(step, settings.steps, settings.warmup);
        let grad_norm = optimizer
            .step(model, &gradients, lr)
            .map_err(|error| Error::Step { step, reason: error.to_string() })?;
        let tokens = rows.iter().map(|row| row.input_len()).sum();
        let seconds = start.elapsed().as_secs_f64();
        observe(&StepReport { step, loss, lr, grad_norm, tokens, seconds })?;
    }
    check_weights(model, settings.steps)
}

/// The loss of each step has looked at the weights before it; this looks at the last ones.
fn check_weights(model: &Gpt2, step: usize) -> Result<(), Error> {
    for (name, parameter) in model.parameters() {
        if !parameter.value().sum().item().is_finite() {
            let reason = format!("parameter {name} is no longer finite; lower the learning rate");
            return Err(Error::Step { step, reason });
        }
    }
    Ok(())
}

fn gradients_of_step(
    model: &Gpt2,
    rows: &[&Sequence],
    settings: &Settings,
    step: usize,
) -> Result<(f64, Gradients), Error> {
    let targets: usize = rows.iter().map(|row| row.target_count()).sum();
    let (mut loss, mut gradients) = (0.0, Gradients::default());
    let mut part = 0;
    for micro_batch in rows.chunks(settings.batch_size) {
        for bucket in length_buckets(micro_batch) {
            part += 1;
            let batch = Batch::new(&bucket, model.config.vocab_size)?;
            let rng = Rng::derived(settings.seed, &[stream::DROPOUT, step as u64, part]);
            let share = with_dropout(rng, || batch.loss_sum(model)) / targets as Float;
            loss += f64::from(share.item());
            let failed = |error: autograd::Error| Error::Step { step, reason: error.to_string() };
            gradients.add(share.backward().map_err(failed)?);
        }
    }
    if !loss.is_finite() {
        let reason = format!("the loss is {loss}; lower the learning rate, or look at the data");
        return Err(Error::Step { step, reason });
    }
    Ok((loss, gradients))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_each_row_once() {
        for shuffle in [true, false] {
            let settings =
                Settings { batch_size: 3, accumulate: 2, shuffle, ..Settings::default() };
            assert_eq!(settings.steps_per_epoch(20), 4);
            for epoch in 0..2 {
                let mut rows: Vec<usize> =
                    (1..=4).flat_map(|step| settings.rows_of_step(4 * epoch + step, 20)).collect();
                if shuffle {
                    assert!(!rows.is_sorted());
                    rows.sort_unstable();
                }
                assert!(rows.into_iter().eq(0..20));
            }
        }
    }

    #[test]
    fn settings_out_of_range_are_errors() {
        let error = |settings: Settings| settings.check().unwrap_err().to_string();
        let default = Settings::default;
        assert_eq!(
            error(Settings { batch_size: 0, ..default() }),
            "--batch-size is 0; it must be at least 1"
        );
        assert_eq!(
            error(Settings { lr: 0.0, ..default() }),
            "--lr is 0; it must be a positive number"
        );
        assert_eq!(
            error(Settings { steps: 5, warmup: 5, ..default() }),
            "--warmup 5 leaves nothing of 5 steps; it must be smaller"
        );
        assert_eq!(
            error(Settings { beta1: 1.0, ..default() }),
            "--beta1 is 1; it must be in [0, 1)"
        );
        assert_eq!(
            error(Settings { clip: Some(0.0), ..default() }),
            "--clip must be above 0; leave it out to clip nothing"
        );
    }
}
