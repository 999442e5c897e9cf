//! (O5) The learning rate over a run: warm-up, then a decay.

use super::one_cycle::one_cycle;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// How the learning rate goes on after the warm-up.
///
/// With t counted from 0, T steps and W of them warm-up, the learning rate is multiplied with
/// ```math
/// \frac{t}{W} \text{ while } t < W, \text{ then with } p = \frac{t - W}{T - W}: \quad
/// 1, \quad 1 - p, \quad \tfrac{1}{2}(1 + \cos \pi p), \quad \sqrt{W / t} \qquad (O5)
/// ```
/// Without warm-up the last is `` $`1 / \sqrt{1 + t / 10^4}`$ ``.
///
/// The first step of a warm-up is therefore taken with learning rate 0, as in Transformers, whose
/// schedules these are. Cosine: Loshchilov & Hutter 2017, eq. 5; inverse square root: Vaswani et
/// al. 2017, eq. 3, which gives a learning rate of its own,
/// `` $`d_{model}^{-1/2} \min(t^{-1/2}, t\, W^{-3/2})`$ ``: that is this schedule's factor one step
/// later, times `` $`(d_{model} W)^{-1/2}`$ ``. [`Schedule::OneCycle`] has an equation of its own,
/// [(O8)](one_cycle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same to the end.
    Constant,
    /// Falls to 0 in a straight line.
    Linear,
    /// Falls to 0 along half a cosine.
    Cosine,
    /// Falls with the square root of the step.
    InverseSqrt,
    /// Rises and falls along half cosines, to nearly 0.
    OneCycle,
}

impl Schedule {
    /// What the learning rate is multiplied with at `step` (from 1) of `steps`.
    pub fn factor(self, step: usize, steps: usize, warmup: usize) -> f64 {
        let t = step.saturating_sub(1);
        if t < warmup && self != Schedule::OneCycle {
            return t as f64 / warmup as f64;
        }
        let progress = t.saturating_sub(warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
        let progress = progress.min(1.0); // steps beyond the last are taken with its rate
        match self {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - progress,
            Schedule::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
            Schedule::InverseSqrt if warmup == 0 => (1.0 + t as f64 / 1e4).powf(-0.5),
            Schedule::InverseSqrt => (warmup as f64 / t as f64).sqrt(),
            Schedule::OneCycle => one_cycle(t, steps, warmup),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn by_hand_o5() {
        let at = |schedule: Schedule, step| schedule.factor(step, 10, 2);
        assert_eq!((at(Schedule::Cosine, 1), at(Schedule::Cosine, 2)), (0.0, 0.5));
        assert_eq!(at(Schedule::Cosine, 3), 1.0);
        assert_relative_eq!(at(Schedule::Cosine, 7), 0.5);
        assert_relative_eq!(at(Schedule::Linear, 5), 0.75);
        assert_relative_eq!(at(Schedule::InverseSqrt, 9), 0.5);
        assert_eq!(at(Schedule::Constant, 10), 1.0);
    }

    #[test]
    fn without_warm_up_it_starts_at_one() {
        for schedule in
            [Schedule::Constant, Schedule::Linear, Schedule::Cosine, Schedule::InverseSqrt]
        {
            assert_eq!(schedule.factor(1, 10, 0), 1.0);
            assert!((0.0..=1.0).contains(&schedule.factor(10, 10, 0)));
        }
    }

    #[test]
    fn the_papers_schedule_is_the_inverse_square_root_to_scale_o5() {
        let (d_model, warmup, steps) = (512.0f64, 40, 1000);
        for t in 1..=999 {
            let paper = (t as f64).powf(-0.5).min(t as f64 * (warmup as f64).powf(-1.5));
            let scale = (d_model * warmup as f64).powf(-0.5);
            let ours = scale * Schedule::InverseSqrt.factor(t + 1, steps, warmup);
            assert_relative_eq!(ours, d_model.powf(-0.5) * paper, max_relative = 1e-12);
        }
    }
}
