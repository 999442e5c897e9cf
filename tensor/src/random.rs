//! The one seeded generator: initial weights, dropout, shuffling and sampling all draw from it.
//!
//! ChaCha with 8 rounds is a counter: its numbers depend on seed, stream and position alone, so
//! that a tensor can be filled in parallel pieces, one stream each, with the same result on any
//! number of threads.

use crate::{Float, Tensor};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Numbers of one stream: a piece of a tensor that is filled by one thread.
const PIECE: usize = 16 * 1024;

/// A seeded source of random numbers.
///
/// ```
/// use tensor::Rng;
/// assert_eq!(Rng::seeded(7).normal(&[3], 1.0).to_vec(), Rng::seeded(7).normal(&[3], 1.0).to_vec());
/// ```
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The generator that `seed` fixes.
    pub fn seeded(seed: u64) -> Rng {
        Rng(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The generator that `seed` and a list of further numbers (a step, a layer) fix.
    pub fn derived(seed: u64, path: &[u64]) -> Rng {
        path.iter().fold(Rng::seeded(seed), |mut rng, &number| {
            Rng::seeded(rng.next_seed() ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        })
    }

    /// A number that can seed another generator.
    pub fn next_seed(&mut self) -> u64 {
        self.0.random()
    }

    /// A number from [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// An index below `count`.
    ///
    /// # Panics
    /// If `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// `0..count` in random order.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut self.0);
        order
    }

    /// Numbers from the normal distribution with mean 0 and standard deviation `std`.
    pub fn normal(&mut self, shape: &[usize], std: Float) -> Tensor {
        self.fill(shape, |rng| {
            let x: f64 = StandardNormal.sample(rng);
            x as Float * std
        })
    }

    /// Numbers spread evenly over [`low`, `high`).
    pub fn uniform_between(&mut self, shape: &[usize], low: Float, high: Float) -> Tensor {
        self.fill(shape, |rng| {
            let x: f64 = rng.random();
            low + (high - low) * x as Float
        })
    }

    /// Numbers from the normal distribution with mean 0 and standard deviation `std`, each drawn
    /// again until it lies from `low` to `high`.
    ///
    /// # Panics
    /// If less than one number in a thousand would lie there.
    #[track_caller]
    pub fn truncated_normal(
        &mut self,
        shape: &[usize],
        std: Float,
        low: Float,
        high: Float,
    ) -> Tensor {
        let (a, b) = (f64::from(low / std), f64::from(high / std));
        let draws = (0..1000).map(|i| (f64::from(i) + 0.5) / 1000.0 * (b - a) + a);
        let mean_density = draws.map(|x| (-x * x / 2.0).exp()).sum::<f64>() / 1000.0;
        let share = (b - a) * mean_density / (2.0 * std::f64::consts::PI).sqrt();
        assert!(share > 1e-3, "truncated_normal: almost no number lies from {low} to {high}");
        self.fill(shape, |rng| {
            loop {
                let x: f64 = StandardNormal.sample(rng);
                if (a..=b).contains(&x) {
                    return x as Float * std;
                }
            }
        })
    }

    /// 1 with probability `keep`, else 0.
    pub fn bernoulli(&mut self, shape: &[usize], keep: f64) -> Tensor {
        let threshold = (keep * (1u64 << 32) as f64) as u64;
        self.fill(shape, |rng| {
            let draw: u32 = rng.random();
            if u64::from(draw) < threshold { 1.0 } else { 0.0 }
        })
    }

    fn fill(&mut self, shape: &[usize], draw: impl Fn(&mut ChaCha8Rng) -> Float + Sync) -> Tensor {
        let base = ChaCha8Rng::seed_from_u64(self.next_seed());
        Tensor::build(shape, |out| {
            out.par_chunks_mut(PIECE).enumerate().for_each(|(stream, out)| {
                let mut rng = base.clone();
                rng.set_stream(stream as u64);
                out.fill_with(|| draw(&mut rng));
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_mean_and_deviation() {
        let x = Rng::seeded(1).normal(&[100_000], 2.0);
        let mean = x.mean_axes(&[0], false).item();
        let variance = x.map(|x| x * x).mean_axes(&[0], false).item();
        assert!(mean.abs() < 0.03 && (variance - 4.0).abs() < 0.1, "{mean} {variance}");
    }

    #[test]
    fn threads_do_not_change_the_numbers() {
        let draw = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Rng::seeded(3).normal(&[5 * PIECE + 17], 1.0).to_vec())
        };
        assert!(draw(1) == draw(3));
    }

    #[test]
    fn bernoulli_keeps_its_share() {
        let kept = Rng::seeded(5).bernoulli(&[100_000], 0.9).mean_axes(&[0], false).item();
        assert!((kept - 0.9).abs() < 0.01);
        assert_eq!(Rng::seeded(5).bernoulli(&[1000], 1.0).sum().item(), 1000.0);
    }

    #[test]
    fn uniform_numbers_fill_their_range_evenly() {
        let x = Rng::seeded(1).uniform_between(&[100_000], -3.0, 1.0);
        assert!(x.to_vec().iter().all(|x| (-3.0..1.0).contains(x)));
        let variance = (&x * &x).mean_axes(&[0], false).item() - 1.0;
        assert!((x.mean_axes(&[0], false).item() + 1.0).abs() < 0.02);
        assert!((variance - 16.0 / 12.0).abs() < 0.02);
    }

    #[test]
    fn truncated_numbers_stay_inside_with_the_deviation_of_their_formula() {
        let x = Rng::seeded(1).truncated_normal(&[100_000], 2.0, -4.0, 4.0);
        assert!(x.to_vec().iter().all(|x| x.abs() <= 4.0));
        let deviation = (&x * &x).mean_axes(&[0], false).item().sqrt();
        assert!((deviation / 2.0 - 0.8796).abs() < 0.01);
    }

    #[test]
    #[should_panic(expected = "truncated_normal: almost no number lies from 50 to 60")]
    fn a_range_without_numbers_does_not_draw_for_ever() {
        Rng::seeded(1).truncated_normal(&[1], 1.0, 50.0, 60.0);
    }

    #[test]
    fn derived_generators_differ() {
        let mut draws: Vec<u64> =
            (0..50).map(|step| Rng::derived(1, &[step, 2]).next_seed()).collect();
        draws.sort_unstable();
        draws.dedup();
        assert_eq!(draws.len(), 50);
        let mut order = Rng::seeded(2).permutation(100);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
    }
}
