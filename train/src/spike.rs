//! A loss that jumps: the first sign of a learning rate that is too high, or of rows that are not
//! what they should be.

use std::fmt;

/// How much one step changes mean and variance.
const SMOOTHING: f64 = 0.05;

/// Steps to be seen before mean and variance mean something.
const STEPS_SEEN: usize = 20;

/// Deviations above the mean that make a spike.
const DEVIATIONS: f64 = 6.0;

/// A deviation counts as this share of the mean at least, so that no loss that hardly moves is
/// called a spike.
const SMALLEST_DEVIATION: f64 = 0.01;

/// Finds the steps whose loss is far above that of the steps before.
///
/// ```math
/// \ell_t > \mu_{t-1} + 6\, \sigma_{t-1},\qquad
/// \mu_t = \mu_{t-1} + \alpha (\ell_t - \mu_{t-1}),\qquad
/// \sigma^2_t = (1 - \alpha)\big(\sigma^2_{t-1} + \alpha (\ell_t - \mu_{t-1})^2\big)
/// ```
/// with α = 0.05, once 20 steps were seen. A spike changes mean and variance as if its loss lay
/// where spikes begin, so that it hardly moves what it is measured by, and a loss that stays high
/// is in time taken for the new mean.
///
/// Source: West 1979, "Updating mean and variance estimates", with the weights of an exponential
/// average (Finch 2009, section 9).
///
/// ```
/// let mut spikes = train::spike::SpikeDetector::default();
/// let losses = (1..=40).map(|step| if step == 30 { 9.0 } else { 3.0 - 0.01 * step as f64 });
/// let found = (1..).zip(losses).filter_map(|(step, loss)| spikes.step(step, loss));
/// assert_eq!(found.map(|spike| spike.step).collect::<Vec<_>>(), [30]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpikeDetector {
    mean: f64,
    variance: f64,
    seen: usize,
    is_in_spike: bool,
}

/// A loss far above that of the steps before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// The step.
    pub step: usize,
    /// Its loss.
    pub loss: f64,
    /// The smoothed mean before it.
    pub mean: f64,
    /// How many deviations it lies above.
    pub deviations: f64,
}

impl fmt::Display for Spike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "step {}: the loss jumped to {:.4}, {:.0} deviations above its mean of {:.4}; if it \
             does not come down again, lower --lr, set --clip, or look at the rows of this step",
            self.step, self.loss, self.deviations, self.mean
        )
    }
}

impl SpikeDetector {
    /// Looks at the loss of the next step; gives a spike at its first step only.
    pub fn step(&mut self, step: usize, loss: f64) -> Option<Spike> {
        if loss.is_nan() {
            return None;
        }
        let deviation = self.variance.sqrt().max(SMALLEST_DEVIATION * self.mean.abs());
        let limit = self.mean + DEVIATIONS * deviation;
        let is_spike = self.seen >= STEPS_SEEN && loss > limit;
        let begins = is_spike && !self.is_in_spike;
        let spike = begins.then(|| Spike {
            step,
            loss,
            mean: self.mean,
            deviations: (loss - self.mean) / deviation,
        });
        self.is_in_spike = is_spike;
        self.update(if is_spike { limit } else { loss });
        spike
    }

    fn update(&mut self, loss: f64) {
        self.seen += 1;
        if self.seen == 1 {
            self.mean = loss;
            return;
        }
        let difference = loss - self.mean;
        self.mean += SMOOTHING * difference;
        self.variance = (1.0 - SMOOTHING) * (self.variance + SMOOTHING * difference * difference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(losses: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let mut spikes = SpikeDetector::default();
        let steps = (1..).zip(losses).filter_map(|(step, loss)| spikes.step(step, loss));
        steps.map(|spike| spike.step).collect()
    }

    /// 3 and 3.2 by turns, but where a step is told.
    fn with(steps: usize, told: &[(usize, f64)]) -> impl Iterator<Item = f64> {
        (1..=steps).map(move |step| {
            let told = told.iter().find(|(at, _)| *at == step).map(|(_, loss)| *loss);
            told.unwrap_or(if step % 2 == 0 { 3.2 } else { 3.0 })
        })
    }

    #[test]
    fn a_jump_is_a_spike_and_noise_is_none() {
        assert!(found(with(60, &[])).is_empty());
        assert!(found(with(60, &[(50, 3.4)])).is_empty());
        assert_eq!(found(with(60, &[(50, 5.0)])), [50]);
    }

    #[test]
    fn each_spike_is_told_once() {
        let told = [(40, 6.0), (41, 6.0), (42, 5.5), (80, 7.0)];
        assert_eq!(found(with(100, &told)), [40, 80]);
    }

    #[test]
    fn the_first_steps_are_not_judged() {
        assert!(found(with(30, &[(20, 50.0)])).is_empty());
        assert_eq!(found(with(30, &[(21, 50.0)])), [21]);
    }

    #[test]
    fn a_new_level_is_taken_for_the_mean_in_time() {
        let mut spikes = SpikeDetector::default();
        let losses = (1..=300).map(|step| if step <= 50 { 2.0 } else { 4.0 });
        let steps: Vec<usize> = (1..)
            .zip(losses)
            .filter_map(|(step, loss)| spikes.step(step, loss).map(|spike| spike.step))
            .collect();
        assert_eq!(steps, [51]);
        assert!((spikes.mean - 4.0).abs() < 1e-3, "{}", spikes.mean);
    }

    #[test]
    fn extreme_losses() {
        assert!(found([0.0; 50]).is_empty());
        assert!(found([f64::NAN; 50]).is_empty());
        assert_eq!(found(with(60, &[(30, f64::INFINITY), (50, 9.0)])), [30, 50]);
        assert!(found((0..500).map(|step| 11.0 * 0.99f64.powi(step))).is_empty());
    }

    #[test]
    fn says_what_and_what_to_do() {
        let spike = Spike { step: 7, loss: 9.5, mean: 2.25, deviations: 8.2 };
        assert_eq!(
            spike.to_string(),
            "step 7: the loss jumped to 9.5000, 8 deviations above its mean of 2.2500; if it does \
             not come down again, lower --lr, set --clip, or look at the rows of this step"
        );
    }
}
