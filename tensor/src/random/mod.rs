//! The one seeded generator: initial weights, dropout, shuffling and sampling all draw from it.
//!
//! ChaCha with 8 rounds is a counter: its numbers depend on seed, stream and position alone, so
//! that a tensor can be filled in parallel pieces, one stream each, with the same result on any
//! number of threads.

mod multinomial;
mod truncated;

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

    /// Numbers from the uniform distribution over [low, high).
    ///
    /// ```
    /// let x = tensor::Rng::seeded(1).uniform_between(&[9], -1.0, 1.0);
    /// assert!(x.data().iter().all(|x| (-1.0..1.0).contains(x)));
    /// ```
    ///
    /// # Panics
    /// Unless `low` is below `high` and both are finite.
    #[track_caller]
    pub fn uniform_between(&mut self, shape: &[usize], low: Float, high: Float) -> Tensor {
        assert!(
            low < high && low.is_finite() && high.is_finite(),
            "uniform_between: [{low}, {high}) is not an interval"
        );
        let (start, end) = (f64::from(low), f64::from(high));
        let largest = high.next_down();
        self.fill(shape, |rng| {
            let share: f64 = rng.random();
            // Rounding to `Float` may reach the end, which is excluded.
            ((start + (end - start) * share) as Float).clamp(low, largest)
        })
    }

    /// Numbers from the normal distribution with mean 0 and standard deviation `std` before it is
    /// cut off at `low` and `high`, as in PyTorch's `trunc_normal_`.
    ///
    /// Robert 1995, "Simulation of truncated normal variables", section 2.
    ///
    /// ```
    /// let x = tensor::Rng::seeded(1).truncated_normal(&[9], 0.02, -0.04, 0.04);
    /// assert!(x.data().iter().all(|x| x.abs() <= 0.04));
    /// ```
    ///
    /// # Panics
    /// Unless `low` is below `high` and `std` is above 0 and finite.
    #[track_caller]
    pub fn truncated_normal(
        &mut self,
        shape: &[usize],
        std: Float,
        low: Float,
        high: Float,
    ) -> Tensor {
        assert!(low < high, "truncated_normal: [{low}, {high}] is not an interval");
        assert!(
            std > 0.0 && std.is_finite(),
            "truncated_normal: the standard deviation {std} is not above 0 and finite"
        );
        let deviation = f64::from(std);
        let (start, end) = (f64::from(low) / deviation, f64::from(high) / deviation);
        self.fill(shape, |rng| {
            ((truncated::sample(rng, start, end) * deviation) as Float).clamp(low, high)
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
    fn bernoulli_keeps_its_share() {
        let kept = Rng::seeded(5).bernoulli(&[100_000], 0.9).mean_axes(&[0], false).item();
        assert!((kept - 0.9).abs() < 0.01);
        assert_eq!(Rng::seeded(5).bernoulli(&[1000], 1.0).sum().item(), 1000.0);
    }

    #[test]
    fn uniform_numbers_fill_their_interval() {
        let x = Rng::seeded(6).uniform_between(&[100_000], -1.0, 3.0);
        assert!((x.mean().item() - 1.0).abs() < 0.02);
        assert!((x.var(1).item() - 16.0 / 12.0).abs() < 0.02);
        assert!(x.min().item() >= -1.0 && x.min().item() < -0.99);
        assert!(x.max().item() < 3.0 && x.max().item() > 2.99);
        let narrow = Rng::seeded(6).uniform_between(&[1000], 1.0, (1.0 as Float).next_up());
        assert!(narrow.data().iter().all(|&x| x == 1.0));
        let widest = Rng::seeded(6).uniform_between(&[1000], Float::MIN / 4.0, Float::MAX / 4.0);
        assert!(widest.data().iter().all(|x| x.is_finite()));
    }

    #[test]
    fn truncated_numbers_stay_inside_also_far_from_the_mean() {
        let x = Rng::seeded(7).truncated_normal(&[3, 1000], 0.5, -1.0, 1.0);
        assert!(x.data().iter().all(|x| x.abs() <= 1.0) && x.mean().item().abs() < 0.03);
        // The deviation of a normal distribution cut off at two deviations is 0.8796 of its own.
        assert!((x.var(1).item().sqrt() - 0.4398).abs() < 0.02);
        let far = Rng::seeded(7).truncated_normal(&[100], 1.0, 1e4, Float::INFINITY);
        assert!(far.data().iter().all(|&x| (1e4..1.0001e4).contains(&x)));
    }

    #[test]
    fn every_distribution_gives_the_same_numbers_for_any_threads_and_shape() {
        type Draw = fn(&mut Rng, &[usize]) -> Tensor;
        let draws: [Draw; 4] = [
            |rng, shape| rng.uniform_between(shape, 0.0, 1.0),
            |rng, shape| rng.normal(shape, 1.0),
            |rng, shape| rng.truncated_normal(shape, 1.0, -0.5, 2.0),
            |rng, shape| rng.bernoulli(shape, 0.5),
        ];
        for draw in draws {
            let with = |threads, shape: &[usize]| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| draw(&mut Rng::seeded(3), shape)).to_vec()
            };
            let one = with(1, &[3, PIECE]);
            assert!([2, 3, 7].into_iter().all(|threads| with(threads, &[PIECE, 3]) == one));
            assert!(with(1, &[0, 2]).is_empty() && with(1, &[]).len() == 1);
        }
    }

    #[test]
    #[should_panic(expected = "uniform_between: [1, 1) is not an interval")]
    fn an_interval_has_a_length() {
        Rng::seeded(1).uniform_between(&[1], 1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "truncated_normal: [2, -2] is not an interval")]
    fn bounds_have_an_order() {
        Rng::seeded(1).truncated_normal(&[1], 1.0, 2.0, -2.0);
    }

    #[test]
    #[should_panic(
        expected = "truncated_normal: the standard deviation 0 is not above 0 and finite"
    )]
    fn a_deviation_is_positive() {
        Rng::seeded(1).truncated_normal(&[1], 0.0, -2.0, 2.0);
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
