//! The cumulative sum along an axis.

use crate::{Float, Tensor, par, shape};

impl Tensor {
    /// The sum of each entry and those before it along `axis`, added up in double precision.
    ///
    /// ```math
    /// y_i = \sum_{j \le i} x_j
    /// ```
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 2.0, 3.0], &[3]);
    /// assert_eq!(x.cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Tensor {
        let axis = shape::axis("cumsum", &self.shape, axis);
        if self.is_empty() {
            return self.clone();
        }
        let [_, size, inner] = shape::around(&self.shape, axis);
        let width = size * inner;
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            par::for_rows(out, width, |first, rows| {
                let mut sums = vec![0.0; inner];
                let x = x[first * width..].chunks_exact(width);
                for (out, x) in rows.chunks_exact_mut(width).zip(x) {
                    sums.fill(0.0);
                    let slices = out.chunks_exact_mut(inner).zip(x.chunks_exact(inner));
                    slices.for_each(|(out, x)| add_and_copy(x, &mut sums, out));
                }
            });
        })
    }
}

fn add_and_copy(x: &[Float], sums: &mut [f64], out: &mut [Float]) {
    for ((out, sum), &x) in out.iter_mut().zip(sums).zip(x) {
        *sum += f64::from(x);
        *out = *sum as Float;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::testing::{assert_same, counting, naive, number, view};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cumsum_equals_a_naive_loop(x in view(1..4), axis in 0usize..3) {
            let axis = axis % x.rank();
            let expected = naive(x.shape(), |index| {
                let mut place = index.to_vec();
                let sum = (0..=index[axis]).fold(0.0, |sum, i| {
                    place[axis] = i;
                    sum + f64::from(number(&x, &place))
                });
                sum as Float
            });
            assert_same(&x.cumsum(axis as isize), &expected);
        }
    }

    #[test]
    fn a_long_sum_stays_exact() {
        let x = Tensor::full(&[200_000], 0.1);
        let last = x.cumsum(0).narrow(0, 199_999, 1).item();
        assert!((last - 20_000.0).abs() < 0.01, "{last}");
    }

    #[test]
    fn infinities_and_nan_pass_on() {
        let x = Tensor::new([1.0, Float::INFINITY, 1.0, Float::NEG_INFINITY, 1.0], &[5]);
        let y = x.cumsum(0).to_vec();
        assert_eq!(y[..3], [1.0, Float::INFINITY, Float::INFINITY]);
        assert!(y[3].is_nan() && y[4].is_nan());
    }

    #[test]
    fn threads_do_not_change_large_results() {
        let x = Rng::seeded(1).normal(&[60, 40, 30], 1.0);
        let compute = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| x.cumsum(1).to_vec())
        };
        let one = compute(1);
        assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
    }

    #[test]
    #[should_panic(expected = "cumsum: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn cumsum_needs_the_axis() {
        counting(&[2, 3]).cumsum(2);
    }
}
