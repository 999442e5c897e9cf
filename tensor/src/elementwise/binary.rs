//! Functions of two numbers, shapes broadcast: maximum, minimum, power.

use super::zip_loop;
use crate::{Float, Tensor, simd, vmath};

simd! {
    fn maximum(a: &[Float], b: &[Float], steps: [usize; 2], out: &mut [Float]) {
        zip_loop!(a, b, steps, out, |a, b| vmath::larger_or_nan(a, b));
    }
}

simd! {
    fn minimum(a: &[Float], b: &[Float], steps: [usize; 2], out: &mut [Float]) {
        zip_loop!(a, b, steps, out, |a, b| vmath::smaller_or_nan(a, b));
    }
}

fn pow(a: &[Float], b: &[Float], steps: [usize; 2], out: &mut [Float]) {
    zip_loop!(a, b, steps, out, |a, b| a.powf(b));
}

impl Tensor {
    /// The larger of each pair; NaN if either is, as in PyTorch.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([-1.0, 2.0], &[2]).maximum(0.0).to_vec(), [0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn maximum(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("maximum", &other.into(), &maximum)
    }

    /// The smaller of each pair; NaN if either is, as in PyTorch.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([-1.0, 2.0], &[2]).minimum(0.0).to_vec(), [-1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("minimum", &other.into(), &minimum)
    }

    /// Each number to the power of its partner in `exponents`.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([2.0, 3.0], &[2]).pow(2.0).to_vec(), [4.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn pow(&self, exponents: impl Into<Tensor>) -> Tensor {
        self.zip_by("pow", &exponents.into(), &pow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shape, testing};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_equals_a_naive_loop((a, b) in testing::broadcasting_pair()) {
            let shape = shape::broadcast("test", a.shape(), b.shape());
            let [wide_a, wide_b] = [&a, &b].map(|x| x.broadcast_to(&shape).to_vec());
            let naive = |f: fn(Float, Float) -> Float| -> Vec<Float> {
                wide_a.iter().zip(&wide_b).map(|(&a, &b)| f(a, b)).collect()
            };
            prop_assert_eq!(a.maximum(&b).to_vec(), naive(Float::max));
            prop_assert_eq!(a.minimum(&b).to_vec(), naive(Float::min));
            prop_assert_eq!(a.square().pow(&b).to_vec(), naive(|a, b| (a * a).powf(b)));
        }
    }

    #[test]
    fn extremes_and_nan() {
        let x = Tensor::new([Float::NAN, 1.0, Float::NEG_INFINITY], &[3]);
        let y = Tensor::new([1.0, Float::NAN, 1e4], &[3]);
        let (larger, smaller) = (x.maximum(&y).to_vec(), x.minimum(y).to_vec());
        assert!(larger[..2].iter().chain(&smaller[..2]).all(|x| x.is_nan()));
        assert_eq!((larger[2], smaller[2]), (1e4, Float::NEG_INFINITY));
        assert_eq!(Tensor::scalar(0.0).pow(0.0).item(), 1.0);
        assert!(Tensor::scalar(-2.0).pow(0.5).item().is_nan());
    }

    #[test]
    #[should_panic(expected = "maximum: shapes do not broadcast: [2] and [3]")]
    fn shapes_must_broadcast() {
        Tensor::zeros(&[2]).maximum(Tensor::zeros(&[3]));
    }
}
