//! Bootstrap intervals: how far a figure would move with other rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How often the rows are drawn anew.
const RESAMPLES: usize = 1_000;

/// A figure with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure, of all rows.
    pub value: f64,
    /// The interval's low and high end.
    pub ci95: [f64; 2],
}

impl Estimate {
    /// The estimate of a rising function of the figure: perplexity is `loss.map(f64::exp)`.
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Estimate {
        Estimate { value: rising(self.value), ci95: self.ci95.map(&rising) }
    }
}

/// The percentile bootstrap of a figure of `n_rows` rows.
///
/// The rows are drawn anew with replacement, as many as there are, 1,000 times; the interval
/// runs from the 2.5 % to the 97.5 % quantile of the figure's values. `figure` is given the
/// numbers of the rows drawn, `0..n_rows` for the value itself. A seed fixes the draws, so that
/// two figures of the same rows are taken of the same draws.
///
/// ```math
/// [\,q_{0.025}(\hat\theta^*),\; q_{0.975}(\hat\theta^*)\,], \quad
/// \hat\theta^*_b = \theta(x_{i_1}, \dots, x_{i_n}), \; i_j \sim \mathcal{U}\{1..n\}
/// ```
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
pub fn bootstrap(n_rows: usize, seed: u64, figure: impl Fn(&[usize]) -> f64) -> Estimate {
    let mut rows: Vec<usize> = (0..n_rows).collect();
    let value = figure(&rows);
    if n_rows == 0 {
        return Estimate { value, ci95: [value; 2] };
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |_| {
        rows.fill_with(|| rng.random_range(0..n_rows));
        figure(&rows)
    };
    let mut values: Vec<f64> = (0..RESAMPLES).map(&mut draw).collect();
    values.sort_by(f64::total_cmp);
    Estimate { value, ci95: [quantile(&values, 0.025), quantile(&values, 0.975)] }
}

/// The bootstrap of a ratio of sums over rows, each row a `(numerator, denominator)`.
///
/// Each rate fits it: a mean has denominators of 1, bits per byte has bits over bytes, a loss has
/// nats over tokens. A ratio whose denominators are all 0 is 0.
///
/// ```math
/// \theta = \sum_i a_i \Big/ \sum_i b_i
/// ```
pub fn ratio_of_sums(rows: &[(f64, f64)], seed: u64) -> Estimate {
    bootstrap(rows.len(), seed, |drawn| ratio(rows, drawn))
}

/// The ratio of the sums over the rows drawn; 0 where the denominators are.
pub fn ratio(rows: &[(f64, f64)], drawn: &[usize]) -> f64 {
    let numerator: f64 = drawn.iter().map(|&row| rows[row].0).sum();
    let denominator: f64 = drawn.iter().map(|&row| rows[row].1).sum();
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

/// By how much one system's figure is above another's on the same rows: the bootstrap of the
/// difference, both figures taken of the same draws.
///
/// ```math
/// \hat\delta = \theta_{\mathrm{ours}}(x) - \theta_{\mathrm{theirs}}(x), \quad
/// [\,q_{0.025}(\hat\delta^*),\; q_{0.975}(\hat\delta^*)\,]
/// ```
/// An interval above 0 says that ours is better, one that holds 0 that these rows do not tell. It
/// is narrower than the two figures' own intervals let one think, since rows that are hard for both
/// move both.
///
/// Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation" (2004),
/// section 3; Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
pub fn paired_difference(
    n_rows: usize,
    seed: u64,
    ours: impl Fn(&[usize]) -> f64,
    theirs: impl Fn(&[usize]) -> f64,
) -> Estimate {
    bootstrap(n_rows, seed, |rows| ours(rows) - theirs(rows))
}

/// The quantile of rising values, between two of them on the line that joins them.
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_the_normal_ones() {
        // 400 rows, half of them 1: standard error 0.5 / 20, interval 0.5 ± 1.96 · 0.025
        let rows: Vec<_> = (0..400).map(|row| (f64::from(row % 2), 1.0)).collect();
        let estimate = ratio_of_sums(&rows, 1);
        assert_eq!(estimate.value, 0.5);
        approx::assert_abs_diff_eq!(estimate.ci95[0], 0.451, epsilon = 0.006);
        approx::assert_abs_diff_eq!(estimate.ci95[1], 0.549, epsilon = 0.006);
    }

    #[test]
    fn a_seed_fixes_the_draws() {
        let rows: Vec<_> = (0..50).map(|row| (f64::from(row).sin(), 1.0)).collect();
        assert_eq!(ratio_of_sums(&rows, 7), ratio_of_sums(&rows, 7));
        assert_ne!(ratio_of_sums(&rows, 7).ci95, ratio_of_sums(&rows, 8).ci95);
    }

    #[test]
    fn rows_weigh_by_their_denominators() {
        let equal = Estimate { value: 0.5, ci95: [0.5; 2] };
        assert_eq!(ratio_of_sums(&[(1.0, 2.0), (3.0, 6.0), (0.0, 0.0)], 0).value, 0.5);
        assert_eq!(ratio_of_sums(&[(1.0, 2.0), (3.0, 6.0)], 0), equal);
        assert_eq!(ratio_of_sums(&[], 0).value, 0.0);
        assert_eq!(ratio_of_sums(&[(0.0, 0.0)], 0).value, 0.0);
    }

    fn mean(values: &[f64]) -> impl Fn(&[usize]) -> f64 {
        |rows| rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len().max(1) as f64
    }

    #[test]
    fn a_system_does_not_differ_from_itself() {
        let values: Vec<_> = (0..50).map(|row| f64::from(row).sin()).collect();
        let none = Estimate { value: 0.0, ci95: [0.0; 2] };
        assert_eq!(paired_difference(50, 3, mean(&values), mean(&values)), none);
        assert_eq!(paired_difference(0, 3, mean(&[]), mean(&[])), none);
    }

    #[test]
    fn a_constant_shift_is_found_whatever_the_rows_drawn() {
        let theirs: Vec<_> = (0..64).map(|row| f64::from(row * row % 17)).collect();
        let ours: Vec<_> = theirs.iter().map(|x| x + 0.25).collect();
        let shift = |difference: Estimate| difference.ci95.map(|x| (x - 0.25).abs() < 1e-12);
        let found = paired_difference(64, 3, mean(&ours), mean(&theirs));
        assert_eq!((found.value, shift(found)), (0.25, [true; 2]));
        let alone = bootstrap(64, 3, mean(&ours));
        assert!(alone.ci95[1] - alone.ci95[0] > 1.0, "{alone:?}");
    }

    #[test]
    fn independent_noise_makes_the_normal_interval() {
        // each of the four pairs of 0 and 1 alike often: the difference has standard deviation
        // √½, standard error √½ / 20, interval 0 ± 1.96 · 0.0354
        let [ours, theirs] = [1, 2]
            .map(|bit| -> Vec<f64> { (0..400).map(|row| f64::from(row / bit % 2)).collect() });
        let found = paired_difference(400, 1, mean(&ours), mean(&theirs));
        assert_eq!(found.value, 0.0);
        approx::assert_abs_diff_eq!(found.ci95[0], -0.0693, epsilon = 0.008);
        approx::assert_abs_diff_eq!(found.ci95[1], 0.0693, epsilon = 0.008);
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0], 0.5), 1.5);
        assert_eq!(quantile(&[4.0], 0.975), 4.0);
    }

    #[test]
    fn an_estimate_is_written_as_value_and_interval() {
        let estimate = Estimate { value: 0.0, ci95: [-1.0, 1.0] }.map(|x| x + 1.0);
        let json = serde_json::to_string(&estimate).unwrap();
        assert_eq!(json, r#"{"value":1.0,"ci95":[0.0,2.0]}"#);
    }
}
