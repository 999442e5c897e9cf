//! The training loop: rows to losses, losses to gradients, gradients to new weights.

use crate::batch::length_buckets;
use crate::optimizer::clip::global_norm;
use crate::optimizer::{Average, Optimizer};
use crate::sequence::{Sequence, Sequences};
use crate::settings::stream;
pub use crate::settings::{Order, Settings};
use crate::{Error, Learner};
use autograd::{Gradients, with_dropout};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use tensor::{Float, Rng, with_precision};
use transformer::with_recomputation;

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
    /// The loss on rows held back, where it was measured after this step, in nats a target token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f64>,
}

/// Trains `model` on `sequences`; `observe` is told of each step as it is done.
///
/// # Errors
/// As [`Trainer::new`] and [`Trainer::step`], and those of `observe`.
pub fn train(
    model: &mut impl Learner,
    sequences: &dyn Sequences,
    settings: &Settings,
    mut observe: impl FnMut(&StepReport) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut trainer = Trainer::new(model, sequences, settings)?;
    while let Some(report) = trainer.step()? {
        observe(&report)?;
    }
    trainer.finish()
}

/// A run: a model, the rows it learns from, and what is remembered from step to step.
///
/// All that is random in a step is drawn from the seed and the step's number, so that a run which
/// goes on from step n needs the weights, the optimizer's memory and n alone.
pub struct Trainer<'a, M> {
    model: &'a mut M,
    sequences: &'a dyn Sequences,
    settings: &'a Settings,
    /// What turns gradients into new weights.
    pub(crate) optimizer: Box<dyn Optimizer>,
    /// The average of the weights over the steps, if the settings ask for one.
    pub(crate) average: Option<Average>,
    /// Whether the gradients of a step are kept until the next.
    pub keeps_gradients: bool,
    last_gradients: Option<Gradients>,
    order: Order,
    step: usize,
}

impl<'a, M: Learner> Trainer<'a, M> {
    /// A run before its first step. Parameters that the settings freeze are frozen here.
    ///
    /// # Errors
    /// If settings are out of range or name no parameter, or there is no sequence.
    pub fn new(
        model: &'a mut M,
        sequences: &'a dyn Sequences,
        settings: &'a Settings,
    ) -> Result<Self, Error> {
        settings.check()?;
        if sequences.count() == 0 {
            return Err(Error::settings("there is no row to train on"));
        }
        settings.freeze(model)?;
        if model.trainable_count() == 0 {
            return Err(Error::settings("every parameter is frozen; there is nothing to train"));
        }
        let optimizer = settings.optimizer_for(model)?;
        let average = settings.average.map(|decay| Average::new(decay, model));
        let order = Order::new(settings, sequences.count());
        Ok(Trainer {
            model,
            sequences,
            settings,
            optimizer,
            average,
            keeps_gradients: false,
            last_gradients: None,
            order,
            step: 0,
        })
    }

    /// What fixes the run.
    pub fn settings(&self) -> &Settings {
        self.settings
    }

    /// Reads what the optimizer remembered.
    ///
    /// # Errors
    /// As [`Optimizer::load_state`].
    pub fn load_optimizer(&mut self, path: &Path) -> Result<(), Error> {
        self.optimizer.load_state(&*self.model, path)
    }

    /// Goes on after `step`, whose weights and memory were loaded.
    pub fn resume_after(&mut self, step: usize) {
        self.step = step;
    }

    /// The model as it is.
    pub fn model(&self) -> &M {
        self.model
    }

    /// The model as it is, to be changed: to load weights.
    pub fn model_mut(&mut self) -> &mut M {
        self.model
    }

    /// Calls `use_it` with the model whose weights are the average over the steps, where there is
    /// one, and else as they are.
    pub fn with_average<T>(&mut self, use_it: impl FnOnce(&M) -> T) -> T {
        let Some(average) = &mut self.average else { return use_it(self.model) };
        average.swap(self.model);
        let result = use_it(self.model);
        average.swap(self.model);
        result
    }

    /// The gradients of the last step before clipping, where they were kept.
    pub fn last_gradients(&self) -> Option<&Gradients> {
        self.last_gradients.as_ref()
    }

    /// The rows of a step, from 1.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn rows(&mut self, step: usize) -> Result<Vec<Sequence>, Error> {
        let rows = self.order.rows_of_step(step).into_iter();
        rows.map(|row| Ok(self.sequences.of_step(row, step)?.into_owned())).collect()
    }

    /// Takes the next step; `None` when all are taken.
    ///
    /// ```math
    /// \theta \leftarrow \mathrm{Optimizer}\Big(\theta,\; \nabla_\theta \frac{1}{n}
    /// \sum_{i=1}^{n} -\log p_\theta(t_i \mid t_{<i})\Big)
    /// ```
    /// n counts the targets of all micro-batches of the step.
    ///
    /// # Errors
    /// If a row cannot be read, an id is not in the vocabulary, or the loss or a gradient is not
    /// finite or does not reach a parameter: then weights and memory are as before the step.
    pub fn step(&mut self) -> Result<Option<StepReport>, Error> {
        if self.step >= self.settings.steps {
            return Ok(None);
        }
        self.last_gradients = None;
        let (start, step) = (Instant::now(), self.step + 1);
        let rows = self.rows(step)?;
        let failed = |reason: String| Error::Step {
            step,
            lines: rows.iter().map(|row| row.line).collect(),
            reason,
        };
        let (loss, gradients) = self.gradients(&rows, step)?;
        let settings = self.settings;
        let lr = settings.lr * settings.schedule.factor(step, settings.steps, settings.warmup);
        if !loss.is_finite() {
            // A gradient that is not finite either names its parameter, which tells more.
            global_norm(&*self.model, &gradients).map_err(|error| failed(error.to_string()))?;
            return Err(failed(format!(
                "the loss is {loss}; lower the learning rate, or look at the data"
            )));
        }
        let grad_norm = self.optimizer.step(self.model, &gradients, lr);
        let grad_norm = grad_norm.map_err(|error| failed(error.to_string()))?;
        if let Some(average) = &mut self.average {
            average.update(self.model);
        }
        self.last_gradients = self.keeps_gradients.then_some(gradients);
        self.step = step;
        let tokens = rows.iter().map(Sequence::input_len).sum();
        let seconds = start.elapsed().as_secs_f64();
        Ok(Some(StepReport { step, loss, lr, grad_norm, tokens, seconds, valid_loss: None }))
    }

    /// The loss of each step has looked at the weights before it; this looks at the last ones.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn finish(&self) -> Result<(), Error> {
        for (name, parameter) in self.model.parameters() {
            if parameter.is_trainable() && !parameter.value().sum().item().is_finite() {
                let reason =
                    format!("parameter {name} is no longer finite; lower the learning rate");
                return Err(Error::Step { step: self.step, lines: Vec::new(), reason });
            }
        }
        Ok(())
    }

    /// The loss of some rows and its gradients, as `step` computes them.
    ///
    /// # Errors
    /// If an id is not in the vocabulary, or nothing can be learned.
    pub fn gradients(&self, rows: &[Sequence], step: usize) -> Result<(f64, Gradients), Error> {
        let settings = self.settings;
        let compute = || gradients_of_step(self.model, rows, settings, step);
        with_precision(settings.precision, || match settings.recompute {
            true => with_recomputation(compute),
            false => compute(),
        })
    }
}

fn gradients_of_step(
    model: &impl Learner,
    rows: &[Sequence],
    settings: &Settings,
    step: usize,
) -> Result<(f64, Gradients), Error> {
    let targets: usize = rows.iter().map(Sequence::target_count).sum();
    let rows: Vec<&Sequence> = rows.iter().collect();
    let (mut loss, mut gradients) = (0.0, Gradients::default());
    let mut part = 0;
    for micro_batch in rows.chunks(settings.batch_size) {
        for bucket in length_buckets(micro_batch) {
            part += 1;
            let rng = Rng::derived(settings.seed, &[stream::DROPOUT, step as u64, part]);
            let share = with_dropout(rng, || model.loss_sum(&bucket))? / targets as Float;
            loss += f64::from(share.item());
            let failed = |error: autograd::Error| Error::Step {
                step,
                lines: bucket.iter().map(|row| row.line).collect(),
                reason: error.to_string(),
            };
            gradients.add(share.backward().map_err(failed)?);
        }
    }
    Ok((loss, gradients))
}
