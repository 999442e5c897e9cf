//! The training loop: batches to losses, losses to gradients, gradients to new weights.

use crate::Error;
use crate::batch::{Batch, length_buckets};
use crate::sequence::{Sequence, Sequences};
use crate::settings::stream;
pub use crate::settings::{Order, Settings};
use autograd::{Gradients, with_dropout};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use tensor::{Float, Rng};
use transformer::{DecoderOnly, Module};

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
/// \theta \leftarrow \mathrm{Optimizer}\Big(\theta,\; \nabla_\theta \frac{1}{n}
/// \sum_{i=1}^{n} -\log p_\theta(t_i \mid t_{<i})\Big)
/// ```
/// n counts the target tokens of all micro-batches of the step.
///
/// # Errors
/// If settings are out of range, there is no sequence or it cannot be read, an id is not in the
/// vocabulary, or a gradient does not reach a parameter or is not finite.
pub fn train(
    model: &mut (impl DecoderOnly + Module),
    sequences: &dyn Sequences,
    settings: &Settings,
    mut observe: impl FnMut(&StepReport) -> Result<(), Error>,
) -> Result<(), Error> {
    settings.check()?;
    if sequences.count() == 0 {
        return Err(Error::settings("there is no row to train on"));
    }
    let mut optimizer = settings.optimizer()?;
    let mut order = Order::new(settings, sequences.count());
    for step in 1..=settings.steps {
        let start = Instant::now();
        let rows = order.rows_of_step(step).into_iter().map(|row| sequences.get(row));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<&Sequence> = rows.iter().map(|row| &**row).collect();
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
fn check_weights(model: &impl Module, step: usize) -> Result<(), Error> {
    for (name, parameter) in model.parameters() {
        if !parameter.value().sum().item().is_finite() {
            let reason = format!("parameter {name} is no longer finite; lower the learning rate");
            return Err(Error::Step { step, reason });
        }
    }
    Ok(())
}

fn gradients_of_step(
    model: &impl DecoderOnly,
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
            let batch = Batch::new(&bucket, model.vocab_size())?;
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
