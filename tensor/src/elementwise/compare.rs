//! Comparisons, shapes broadcast: masks of 1 where they hold and 0 where not.

use super::zip_loop;
use crate::{Float, Tensor, simd};

#[inline(always)]
fn truth(holds: bool) -> Float {
    if holds { 1.0 } else { 0.0 }
}

macro_rules! comparison {
    ($name:ident, $op:tt) => {
        simd! {
            fn $name(a: &[Float], b: &[Float], steps: [usize; 2], out: &mut [Float]) {
                zip_loop!(a, b, steps, out, |a, b| truth(a $op b));
            }
        }
    };
}

comparison!(equal, ==);
comparison!(not_equal, !=);
comparison!(less, <);
comparison!(less_equal, <=);
comparison!(greater, >);
comparison!(greater_equal, >=);

impl Tensor {
    /// 1 where a number equals its partner, else 0; NaN equals nothing.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).equal(2.0).to_vec(), [0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn equal(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("equal", &other.into(), &equal)
    }

    /// 1 where a number differs from its partner, else 0; NaN differs from all.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).not_equal(2.0).to_vec(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn not_equal(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("not_equal", &other.into(), &not_equal)
    }

    /// 1 where a number is less than its partner, else 0.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).less(2.0).to_vec(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn less(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("less", &other.into(), &less)
    }

    /// 1 where a number is at most its partner, else 0.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).less_equal(1.0).to_vec(), [1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn less_equal(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("less_equal", &other.into(), &less_equal)
    }

    /// 1 where a number is greater than its partner, else 0.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).greater(1.0).to_vec(), [0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn greater(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("greater", &other.into(), &greater)
    }

    /// 1 where a number is at least its partner, else 0.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::new([1.0, 2.0], &[2]).greater_equal(2.0).to_vec(), [0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn greater_equal(&self, other: impl Into<Tensor>) -> Tensor {
        self.zip_by("greater_equal", &other.into(), &greater_equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shape, testing};
    use proptest::prelude::*;

    type Case = (fn(&Tensor, &Tensor) -> Tensor, fn(&Float, &Float) -> bool);

    const CASES: [Case; 6] = [
        (|a, b| a.equal(b), Float::eq),
        (|a, b| a.not_equal(b), Float::ne),
        (|a, b| a.less(b), Float::lt),
        (|a, b| a.less_equal(b), Float::le),
        (|a, b| a.greater(b), Float::gt),
        (|a, b| a.greater_equal(b), Float::ge),
    ];

    proptest! {
        #[test]
        fn each_equals_a_naive_loop((a, b) in testing::broadcasting_pair()) {
            // Whole numbers, so that some are equal.
            let (a, b) = (a.round(), b.round());
            let shape = shape::broadcast("test", a.shape(), b.shape());
            let [wide_a, wide_b] = [&a, &b].map(|x| x.broadcast_to(&shape).to_vec());
            for (ours, plain) in CASES {
                let naive: Vec<Float> =
                    wide_a.iter().zip(&wide_b).map(|(a, b)| truth(plain(a, b))).collect();
                prop_assert_eq!(ours(&a, &b).to_vec(), naive);
            }
        }
    }

    #[test]
    fn nan_and_infinities() {
        let x = Tensor::new([Float::NAN, Float::INFINITY, Float::NEG_INFINITY, -0.0], &[4]);
        assert_eq!(x.equal(&x).to_vec(), [0.0, 1.0, 1.0, 1.0]);
        assert_eq!(x.not_equal(&x).to_vec(), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(x.less(0.0).to_vec(), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(x.greater_equal(0.0).to_vec(), [0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "less: shapes do not broadcast: [2] and [3]")]
    fn shapes_must_broadcast() {
        Tensor::zeros(&[2]).less(Tensor::zeros(&[3]));
    }
}
