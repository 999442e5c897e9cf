//! The normal distribution cut off at two bounds. Robert 1995, "Simulation of truncated normal
//! variables", sections 2.1 and 2.2.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

/// A number of the standard normal distribution, given that it lies in [low, high].
///
/// Candidates come from the distribution that fits the interval best, and are taken with the
/// probability that corrects for it; about every third or better is, wherever the bounds are.
pub(super) fn sample(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    if high <= 0.0 {
        return -sample(rng, -high, -low);
    }
    if low > 0.0 {
        return tail(rng, low, high);
    }
    let wide = high - low > (2.0 * std::f64::consts::PI).sqrt();
    loop {
        if wide {
            let x = StandardNormal.sample(rng);
            if (low..=high).contains(&x) {
                return x;
            }
        } else {
            let x = low + (high - low) * rng.random::<f64>();
            if rng.random::<f64>() < (-x * x / 2.0).exp() {
                return x;
            }
        }
    }
}

/// [`sample`] for `low` above 0: from an exponential distribution that starts there, or evenly
/// from an interval so short that most of the exponential's numbers would lie beyond it.
fn tail(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    let root = (low * low + 4.0).sqrt();
    let rate = (low + root) / 2.0;
    let longest = 2.0 / (low + root) * ((low * low - low * root) / 4.0 + 0.5).exp();
    loop {
        let (x, accepted) = if high - low < longest {
            let x = low + (high - low) * rng.random::<f64>();
            (x, ((low * low - x * x) / 2.0).exp())
        } else {
            let step: f64 = Exp1.sample(rng);
            let x = low + step / rate;
            (x, (-(x - rate) * (x - rate) / 2.0).exp())
        };
        if x <= high && rng.random::<f64>() < accepted {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// The density of the standard normal distribution, but for its factor.
    fn density(x: f64) -> f64 {
        (-x * x / 2.0).exp()
    }

    #[test]
    fn numbers_have_the_mean_of_the_density_between_the_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let infinite = f64::INFINITY;
        for (low, high) in [
            (-2.0, 2.0),
            (-0.1, 0.3),
            (-infinite, 0.5),
            (0.5, 0.7),
            (1.0, infinite),
            (3.0, 9.0),
            (-9.0, -3.0),
            (8.0, 8.01),
        ] {
            let count = 20_000;
            let draws: Vec<f64> = (0..count).map(|_| sample(&mut rng, low, high)).collect();
            assert!(draws.iter().all(|x| (low..=high).contains(x)));
            // A midpoint sum over the interval, cut where nothing is left.
            let (from, to) = (low.max(-12.0), high.min(12.0));
            let width = (to - from) / 50_000.0;
            let points = (0..50_000).map(|i| from + (f64::from(i) + 0.5) * width);
            let mass: f64 = points.clone().map(density).sum();
            let mean = points.clone().map(|x| x * density(x)).sum::<f64>() / mass;
            let variance = points.map(|x| (x - mean).powi(2) * density(x)).sum::<f64>() / mass;
            let found = draws.iter().sum::<f64>() / f64::from(count);
            let error = (variance / f64::from(count)).sqrt();
            assert!((found - mean).abs() < 4.0 * error, "[{low}, {high}]: {found} {mean}");
        }
    }
}
