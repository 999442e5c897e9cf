//! What fixes a run, and the order in which it takes rows.

use crate::Error;
use crate::optimizer::{Group, Kind, Numbers, Optimizer, Schedule};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tensor::{Float, Precision, Rng, Tensor};
use transformer::Module;

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
    /// The rule that turns gradients into new weights.
    pub optimizer: Kind,
    /// The numbers of its equation.
    pub numbers: Numbers,
    /// λ, for parameters of two or more dimensions.
    pub weight_decay: f64,
    /// The largest global norm of the gradients.
    pub clip: Option<f64>,
    /// What the learning rate is multiplied with from each block to the one below it.
    pub layer_decay: Option<f64>,
    /// What names of parameters begin with that are not trained.
    pub freeze: Vec<String>,
    /// β of the average of the weights over the steps, if one is kept.
    pub average: Option<f64>,
    /// Precision of matrix products.
    pub precision: Precision,
    /// Whether each block is computed a second time in the backward pass, rather than kept.
    pub recompute: bool,
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
            optimizer: Kind::default(),
            numbers: Numbers::default(),
            weight_decay: 0.0,
            clip: None,
            layer_decay: None,
            freeze: Vec::new(),
            average: None,
            precision: Precision::F32,
            recompute: false,
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
        if self.weight_decay < 0.0 || self.weight_decay.is_nan() {
            return wrong("--weight-decay must be at least 0".into());
        }
        if self.clip.is_some_and(|clip| clip <= 0.0 || clip.is_nan()) {
            return wrong("--clip must be above 0; leave it out to clip nothing".into());
        }
        if let Some(decay) = self.layer_decay.filter(|decay| !(*decay > 0.0 && *decay <= 1.0)) {
            return wrong(format!("--layer-decay is {decay}; it must be above 0 and at most 1"));
        }
        if let Some(decay) = self.average.filter(|decay| !(0.0..1.0).contains(decay)) {
            return wrong(format!("--ema is {decay}; it must be in [0, 1)"));
        }
        self.optimizer.build(&self.numbers, self.weight_decay, self.clip, |all| all).map(|_| ())
    }

    /// The optimizer that they describe, of the parameters of `model`.
    ///
    /// # Errors
    /// If a number is out of range or not this optimizer's.
    pub fn optimizer_for(&self, model: &impl Module) -> Result<Box<dyn Optimizer>, Error> {
        let depths = self.layer_decay.map(|decay| (decay, Depths::of(model)));
        let arrange = |groups: Vec<Group>| match depths {
            Some((decay, depths)) => depths.by_depth(&groups, decay),
            None => groups,
        };
        self.optimizer.build(&self.numbers, self.weight_decay, self.clip, arrange)
    }

    /// Freezes the parameters whose names begin with one of [`Settings::freeze`]; those that were
    /// frozen before stay so.
    ///
    /// # Errors
    /// If no parameter's name begins so.
    pub fn freeze(&self, model: &mut impl Module) -> Result<(), Error> {
        for start in &self.freeze {
            let begins = |name: &str| {
                name.strip_prefix(&**start)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let mut found = false;
            for (name, parameter) in model.parameters_mut() {
                if begins(&name) {
                    parameter.freeze();
                    found = true;
                }
            }
            if !found {
                let names = model.parameters().into_iter().map(|(name, _)| name);
                let mut parts: Vec<String> = names
                    .map(|name| name.split('.').take(2).collect::<Vec<_>>().join("."))
                    .collect();
                parts.dedup();
                return Err(Error::settings(format!(
                    "--freeze {start}: no parameter's name begins so; they begin with {}",
                    parts.join(", ")
                )));
            }
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
}

/// How far from the input parameters lie: the embeddings 0, the blocks from 1, what follows them last.
#[derive(Clone, Copy, Debug)]
struct Depths {
    most: usize,
}

impl Depths {
    fn of(model: &impl Module) -> Depths {
        let names = model.parameters().into_iter().map(|(name, _)| name);
        Depths { most: 2 + names.filter_map(|name| block_of(&name)).max().unwrap_or(0) }
    }

    /// Each group once for each depth, its learning rate multiplied with `decay` for each block above.
    fn by_depth(self, groups: &[Group], decay: f64) -> Vec<Group> {
        let at = |depth: usize| {
            let factor = decay.powi((self.most - depth) as i32);
            groups.iter().map(move |group| {
                let all = group.holds.clone();
                let holds =
                    move |name: &str, value: &Tensor| self.depth(name) == depth && all(name, value);
                let lr_factor = group.lr_factor * factor;
                Group { holds: Arc::new(holds), lr_factor, ..*group }
            })
        };
        (0..=self.most).flat_map(at).collect()
    }

    fn depth(self, name: &str) -> usize {
        match block_of(name) {
            Some(block) => block + 1,
            None if name.contains("embedding") => 0,
            None => self.most,
        }
    }
}

/// The number of the block that a parameter is part of.
fn block_of(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once("blocks.")?;
    rest.split('.').next()?.parse().ok()
}

/// Separate streams of randomness drawn from one seed.
pub(crate) mod stream {
    pub const WEIGHTS: u64 = 0;
    pub const ORDER: u64 = 1;
    pub const DROPOUT: u64 = 2;
    pub const ADAPTERS: u64 = 3;
    pub const MASKS: u64 = 4;
    pub const TOKENS: u64 = 5;
}

/// The order in which a run takes the rows: shuffled anew for each epoch, or as they stand.
#[derive(Clone, Debug)]
pub struct Order {
    settings: Settings,
    rows: usize,
    /// The epoch, and its rows in their order.
    shuffled: Option<(usize, Vec<usize>)>,
}

impl Order {
    /// The order that `settings` fix for `rows` rows.
    pub fn new(settings: &Settings, rows: usize) -> Order {
        Order { settings: settings.clone(), rows, shuffled: None }
    }

    /// The rows of `step` (from 1). The permutation of an epoch is drawn once and kept while the
    /// steps asked for are of that epoch.
    pub fn rows_of_step(&mut self, step: usize) -> Vec<usize> {
        let per_epoch = self.settings.steps_per_epoch(self.rows);
        let (epoch, within) = ((step - 1) / per_epoch, (step - 1) % per_epoch);
        let start = within * self.settings.rows_per_step();
        let rows = start..self.rows.min(start.saturating_add(self.settings.rows_per_step()));
        if !self.settings.shuffle {
            return rows.collect();
        }
        let order = match self.shuffled.take() {
            Some((of, order)) if of == epoch => order,
            _ => self.permutation(epoch),
        };
        self.shuffled.insert((epoch, order)).1[rows].to_vec()
    }

    fn permutation(&self, epoch: usize) -> Vec<usize> {
        Rng::derived(self.settings.seed, &[stream::ORDER, epoch as u64]).permutation(self.rows)
    }
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
            let mut order = Order::new(&settings, 20);
            for epoch in 0..2 {
                let mut rows: Vec<usize> =
                    (1..=4).flat_map(|step| order.rows_of_step(4 * epoch + step)).collect();
                if shuffle {
                    assert!(!rows.is_sorted());
                    rows.sort_unstable();
                }
                assert!(rows.into_iter().eq(0..20));
            }
        }
    }

    /// What each step drew anew before the order was kept for its epoch.
    #[test]
    fn the_order_does_not_depend_on_the_steps_asked_for_before() {
        let settings = Settings { batch_size: 3, seed: 5, ..Settings::default() };
        let mut order = Order::new(&settings, 10);
        let all: Vec<Vec<usize>> = (1..=12).map(|step| order.rows_of_step(step)).collect();
        for step in (1..=12).rev() {
            assert_eq!(order.rows_of_step(step), all[step - 1]);
            assert_eq!(Order::new(&settings, 10).rows_of_step(step), all[step - 1]);
        }
        let whole = Rng::derived(5, &[stream::ORDER, 2]).permutation(10);
        assert_eq!(all[8..12].concat(), whole);
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
        let numbers = Numbers { beta1: Some(1.0), ..Numbers::default() };
        assert_eq!(error(Settings { numbers, ..default() }), "--beta1 is 1; it must be in [0, 1)");
        assert_eq!(
            error(Settings { weight_decay: f64::NAN, ..default() }),
            "--weight-decay must be at least 0"
        );
        assert_eq!(
            error(Settings { clip: Some(0.0), ..default() }),
            "--clip must be above 0; leave it out to clip nothing"
        );
    }
}
