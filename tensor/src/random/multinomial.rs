//! Drawing positions with given probabilities.

use super::Rng;
use crate::{Float, Indices, Tensor, shape};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};
use rayon::prelude::*;

impl Rng {
    /// `count` positions for each row of `probabilities`, which need not sum to one; with
    /// replacement, or each position at most once.
    ///
    /// `[size]` → `[count]`, `[rows, size]` → `[rows, count]`. Without replacement, positions come
    /// in the order in which they would be drawn one after the other: position i has the key
    /// Eᵢ/pᵢ with Eᵢ from the exponential distribution, and the smallest keys are taken
    /// (Efraimidis & Spirakis 2006, algorithm A).
    ///
    /// ```
    /// let p = tensor::Tensor::new([0.0, 3.0, 0.0], &[3]);
    /// assert_eq!(tensor::Rng::seeded(1).multinomial(&p, 2, true).positions(), [1, 1]);
    /// ```
    ///
    /// # Panics
    /// If the rank is not 1 or 2, a probability is negative or not finite, or a row has none above
    /// 0, or fewer than `count` without replacement.
    #[track_caller]
    pub fn multinomial(
        &mut self,
        probabilities: &Tensor,
        count: usize,
        with_replacement: bool,
    ) -> Indices {
        let shape = probabilities.shape();
        if !(1..=2).contains(&shape.len()) {
            shape::wrong("multinomial", "the rank must be 1 or 2", &[shape], "");
        }
        let size = shape[shape.len() - 1];
        let probabilities = probabilities.contiguous();
        let rows: Vec<&[Float]> = match size {
            0 => vec![&[]; shape::count(&shape[..shape.len() - 1])],
            _ => probabilities.data().chunks_exact(size).collect(),
        };
        rows.iter().for_each(|row| check(row, count, with_replacement));
        let draw = if with_replacement { draw_any } else { draw_distinct };
        let base = ChaCha8Rng::seed_from_u64(self.next_seed());
        let draws: Vec<Vec<usize>> = rows
            .par_iter()
            .enumerate()
            .map(|(stream, row)| {
                let mut rng = base.clone();
                rng.set_stream(stream as u64);
                draw(&mut rng, row, count)
            })
            .collect();
        let drawn = [&shape[..shape.len() - 1], &[count]].concat();
        Indices::new(draws.concat(), &drawn)
    }
}

#[track_caller]
fn check(row: &[Float], count: usize, with_replacement: bool) {
    if let Some(i) = row.iter().position(|&p| !(p.is_finite() && p >= 0.0)) {
        panic!("multinomial: probability {} at position {i} is not from 0 to ∞", row[i]);
    }
    let possible = row.iter().filter(|&&p| p > 0.0).count();
    let needed = if with_replacement { count.min(1) } else { count };
    assert!(
        possible >= needed,
        "multinomial: {count} positions to draw, but {possible} have a probability above 0"
    );
}

fn draw_any(rng: &mut ChaCha8Rng, row: &[Float], count: usize) -> Vec<usize> {
    let mut total = 0.0;
    let add = |&p: &Float| {
        total += f64::from(p);
        total
    };
    let up_to: Vec<f64> = row.iter().map(add).collect();
    let one = |_| {
        let place = rng.random::<f64>() * total;
        up_to.partition_point(|&sum| sum <= place)
    };
    (0..count).map(one).collect()
}

fn draw_distinct(rng: &mut ChaCha8Rng, row: &[Float], count: usize) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = Vec::with_capacity(row.len());
    for (i, &p) in row.iter().enumerate().filter(|&(_, &p)| p > 0.0) {
        let exponential: f64 = Exp1.sample(rng);
        keys.push((exponential / f64::from(p), i));
    }
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if (1..keys.len()).contains(&count) {
        keys.select_nth_unstable_by(count - 1, order);
    }
    keys.truncate(count);
    keys.sort_unstable_by(order);
    keys.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Rng, Tensor, testing};
    use proptest::prelude::*;

    /// The share of each position among `drawn`.
    fn shares(drawn: impl Iterator<Item = usize>, size: usize) -> Vec<f64> {
        let mut counts = vec![0.0; size];
        let mut total = 0.0;
        drawn.for_each(|i| (counts[i] += 1.0, total += 1.0).0);
        counts.into_iter().map(|count| count / total).collect()
    }

    #[test]
    fn positions_come_as_often_as_they_are_probable() {
        let p = Tensor::new([1.0, 0.0, 3.0, 4.0, 2.0, 2.0, 2.0, 2.0], &[2, 4]);
        let mut rng = Rng::seeded(4);
        let drawn = rng.multinomial(&p, 40_000, true);
        assert_eq!(drawn.shape(), [2, 40_000]);
        let first = shares(drawn.positions()[..40_000].iter().copied(), 4);
        for (share, expected) in first.iter().zip([0.125, 0.0, 0.375, 0.5]) {
            assert!((share - expected).abs() < 0.01 && (*share == 0.0) == (expected == 0.0));
        }
        // Without replacement: 2 after 3 with probability 1/2 · 3/4, and so on.
        let many = p.narrow(0, 0, 1).broadcast_to(&[20_000, 4]);
        let drawn = rng.multinomial(&many, 2, false);
        let (pairs, _) = drawn.positions().as_chunks::<2>();
        let second = shares(pairs.iter().map(|pair| pair[1]), 4);
        let expected_of_2 = 0.5 * 0.75 + 0.125 * 3.0 / 7.0;
        assert!((second[2] - expected_of_2).abs() < 0.015, "{second:?}");
    }

    proptest! {
        #[test]
        fn distinct_positions_are_distinct(x in testing::view(1..3), seed in 0u64..99) {
            let p = x.square() + 0.1;
            let size = p.size(-1);
            let all = Rng::seeded(seed).multinomial(&p, size, false);
            prop_assert_eq!(all.shape(), p.shape());
            for row in all.positions().chunks(size.max(1)) {
                let mut row = row.to_vec();
                row.sort_unstable();
                prop_assert!(row.into_iter().eq(0..size));
            }
        }
    }

    #[test]
    fn threads_do_not_change_the_positions() {
        let p = Rng::seeded(1).uniform_between(&[64, 100], 0.0, 1.0);
        let draw = |threads, with_replacement| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Rng::seeded(2).multinomial(&p, 9, with_replacement))
        };
        assert_eq!(draw(1, true), draw(3, true));
        assert_eq!(draw(1, false), draw(3, false));
    }

    #[test]
    #[should_panic(expected = "multinomial: probability -1 at position 1 is not from 0 to ∞")]
    fn probabilities_are_not_negative() {
        Rng::seeded(1).multinomial(&Tensor::new([1.0, -1.0], &[2]), 1, true);
    }

    #[test]
    #[should_panic(expected = "multinomial: 2 positions to draw, but 1 have a probability above 0")]
    fn there_must_be_enough_to_draw() {
        Rng::seeded(1).multinomial(&Tensor::new([1.0, 0.0], &[2]), 2, false);
    }

    #[test]
    #[should_panic(expected = "multinomial: the rank must be 1 or 2: [1, 1, 1]")]
    fn probabilities_are_a_list_or_a_matrix() {
        Rng::seeded(1).multinomial(&Tensor::ones(&[1, 1, 1]), 1, true);
    }
}
