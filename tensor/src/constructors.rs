//! Tensors from a rule: ranges, even steps, the identity, and constants in another's shape.

use crate::{Float, Tensor};

impl Tensor {
    /// The numbers from `start` on in steps of `step`, as long as they come before `end`.
    ///
    /// ```math
    /// y_i = \mathrm{start} + i \cdot \mathrm{step}, \qquad
    /// 0 \le i < \lceil (\mathrm{end} - \mathrm{start}) / \mathrm{step} \rceil
    /// ```
    /// ```
    /// assert_eq!(tensor::Tensor::arange(0.0, 6.0, 2.0).to_vec(), [0.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a number is not finite or the step is 0.
    #[track_caller]
    pub fn arange(start: Float, end: Float, step: Float) -> Tensor {
        let finite = start.is_finite() && end.is_finite() && step.is_finite();
        assert!(
            finite && step != 0.0,
            "arange: {start} to {end} in steps of {step} is no range; the step must not be 0"
        );
        let (first, step) = (f64::from(start), f64::from(step));
        let count = ((f64::from(end) - first) / step).ceil().max(0.0) as usize;
        Tensor::build(&[count], |out| {
            for (i, out) in out.iter_mut().enumerate() {
                *out = (first + i as f64 * step) as Float;
            }
        })
    }

    /// `count` numbers at even distances from `start` to `end`, both included.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::linspace(0.0, 1.0, 3).to_vec(), [0.0, 0.5, 1.0]);
    /// ```
    pub fn linspace(start: Float, end: Float, count: usize) -> Tensor {
        let (first, last) = (f64::from(start), f64::from(end));
        let step = (last - first) / count.saturating_sub(1).max(1) as f64;
        Tensor::build(&[count], |out| {
            for (i, out) in out.iter_mut().enumerate() {
                // From the nearer end, so that both are exact.
                let from_start = 2 * i < count || count == 1;
                let back = (count - 1 - i) as f64;
                let x = if from_start { first + i as f64 * step } else { last - back * step };
                *out = x as Float;
            }
        })
    }

    /// The identity matrix, [n, n].
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::eye(2).to_vec(), [1.0, 0.0, 0.0, 1.0]);
    /// ```
    pub fn eye(n: usize) -> Tensor {
        let mut identity = Tensor::zeros(&[n, n]);
        identity.data_mut().iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
        identity
    }

    /// `value` everywhere, in this tensor's shape.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::eye(2).full_like(3.0).to_vec(), [3.0; 4]);
    /// ```
    pub fn full_like(&self, value: Float) -> Tensor {
        Tensor::full(&self.shape, value)
    }

    /// Zeros in this tensor's shape.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::eye(2).zeros_like().to_vec(), [0.0; 4]);
    /// ```
    pub fn zeros_like(&self) -> Tensor {
        Tensor::zeros(&self.shape)
    }

    /// Ones in this tensor's shape.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::eye(2).ones_like().to_vec(), [1.0; 4]);
    /// ```
    pub fn ones_like(&self) -> Tensor {
        Tensor::ones(&self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_equal_a_naive_loop(start in -9i8..9, end in -9i8..9, step in 1i8..5) {
            let (mut up, mut x) = (Vec::new(), start);
            while x < end {
                up.push(Float::from(x));
                x += step;
            }
            let [start, end, step] = [start, end, step].map(Float::from);
            prop_assert_eq!(Tensor::arange(start, end, step).to_vec(), up.clone());
            let down: Vec<Float> = up.iter().map(|x| 0.0 - x).collect();
            prop_assert_eq!(Tensor::arange(-start, -end, -step).to_vec(), down);
        }

        #[test]
        fn even_steps_are_even_and_keep_their_ends(
            start in -9.0f32..9.0, end in -9.0f32..9.0, count in 2usize..50,
        ) {
            let (start, end) = (Float::from(start), Float::from(end));
            let x = Tensor::linspace(start, end, count).to_vec();
            prop_assert_eq!((x[0], x[count - 1], x.len()), (start, end, count));
            let step = (end - start) / (count - 1) as Float;
            prop_assert!(x.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() < 1e-5));
        }

        #[test]
        fn constants_take_the_shape_of_any_view(x in testing::view(0..4)) {
            for (y, value) in [(x.zeros_like(), 0.0), (x.ones_like(), 1.0), (x.full_like(2.5), 2.5)] {
                prop_assert_eq!(y.shape(), x.shape());
                prop_assert!(y.to_vec().iter().all(|&y| y == value));
            }
        }
    }

    #[test]
    fn extremes_of_size() {
        assert_eq!(Tensor::arange(1.0, 1.0, 0.1).shape(), [0]);
        assert_eq!(Tensor::arange(0.0, 1.0, 0.1).shape(), [10]);
        assert_eq!(Tensor::linspace(2.0, 5.0, 0).shape(), [0]);
        assert_eq!(Tensor::linspace(2.0, 5.0, 1).to_vec(), [2.0]);
        assert_eq!((Tensor::eye(0).shape(), Tensor::eye(1).to_vec()), (&[0, 0][..], vec![1.0]));
        let x = Tensor::arange(0.0, 9.0, 1.0).reshape(&[3, 3]);
        assert_eq!(x.matmul(&Tensor::eye(3)).to_vec(), x.to_vec());
    }

    #[test]
    #[should_panic(expected = "arange: 0 to 1 in steps of 0 is no range; the step must not be 0")]
    fn a_range_needs_a_step() {
        Tensor::arange(0.0, 1.0, 0.0);
    }
}
