//! Elementwise operations: a function of each number, or of each pair with broadcasting.

mod binary;
mod compare;
mod operators;
mod rows;
mod unary;

use crate::{Float, Tensor, par, shape, simd};
use rows::Rows;

simd! {
    fn map_slice<F: Fn(Float) -> Float>(x: &[Float], out: &mut [Float], f: &F) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = f(x);
        }
    }
}

simd! {
    fn map_in_place<F: Fn(Float) -> Float>(x: &mut [Float], f: &F) {
        for x in x {
            *x = f(*x);
        }
    }
}

simd! {
    fn zip_slices<F: Fn(Float, Float) -> Float>(a: &[Float], b: &[Float], out: &mut [Float], f: &F) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = f(a, b);
        }
    }
}

simd! {
    fn zip_in_place<F: Fn(Float, Float) -> Float>(a: &mut [Float], b: &[Float], f: &F) {
        for (a, &b) in a.iter_mut().zip(b) {
            *a = f(*a, b);
        }
    }
}

impl Tensor {
    /// `f` of each number.
    pub fn map(&self, f: impl Fn(Float) -> Float + Sync) -> Tensor {
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            par::for_pieces(out, |first, out| map_slice(&x[first..], out, &f));
        })
    }

    /// Each number replaced by `f` of it.
    pub fn apply(&mut self, f: impl Fn(Float) -> Float + Sync) {
        par::for_pieces(self.data_mut(), |_, x| map_in_place(x, &f));
    }

    /// `f` of each pair of numbers, both tensors broadcast to one shape.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn zip(&self, other: &Tensor, f: impl Fn(Float, Float) -> Float + Sync) -> Tensor {
        self.zip_as("zip", other, f)
    }

    #[track_caller]
    fn zip_as(
        &self,
        operation: &str,
        other: &Tensor,
        f: impl Fn(Float, Float) -> Float + Sync,
    ) -> Tensor {
        let shape = shape::broadcast(operation, &self.shape, &other.shape);
        let ([a, b], rows) = Rows::of([self, other], &shape);
        let (a, b) = (a.numbers(), b.numbers());
        Tensor::build(&shape, |out| {
            par::for_pieces(out, |first, out| {
                rows.visit(first, out, |[a_start, b_start], out| {
                    let (a, b) = (&a[a_start..], &b[b_start..]);
                    match rows.steps {
                        [1, 1] => zip_slices(a, b, out, &f),
                        [1, _] => map_slice(a, out, &|a| f(a, b[0])),
                        [_, 1] => map_slice(b, out, &|b| f(a[0], b)),
                        _ => out.fill(f(a[0], b[0])),
                    }
                });
            });
        })
    }

    /// Each number `x` replaced by `f(x, y)`, where `other` broadcasts to this shape.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn apply_zip(&mut self, other: &Tensor, f: impl Fn(Float, Float) -> Float + Sync) {
        self.apply_zip_as("apply_zip", other, f);
    }

    #[track_caller]
    fn apply_zip_as(
        &mut self,
        operation: &str,
        other: &Tensor,
        f: impl Fn(Float, Float) -> Float + Sync,
    ) {
        if shape::broadcast(operation, &self.shape, &other.shape) != self.shape {
            let rule = "the second shape does not stretch to the first";
            shape::wrong(operation, rule, &[&self.shape, &other.shape], "");
        }
        let ([y], rows) = Rows::of([other], &self.shape);
        let y = y.numbers();
        par::for_pieces(self.data_mut(), |first, x| {
            rows.visit(first, x, |[start], x| match rows.steps {
                [1] => zip_in_place(x, &y[start..], &f),
                _ => map_in_place(x, &|x| f(x, y[start])),
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn map_equals_a_naive_loop(x in testing::view(0..4)) {
            let naive: Vec<Float> = x.view().iter().map(|x| 2.0 * x + 1.0).collect();
            prop_assert_eq!(x.map(|x| 2.0 * x + 1.0).to_vec(), naive.clone());
            let mut x = x;
            x.apply(|x| 2.0 * x + 1.0);
            prop_assert_eq!(x.to_vec(), naive);
        }

        #[test]
        fn zip_equals_a_naive_loop((a, b) in testing::broadcasting_pair()) {
            let shape = shape::broadcast("test", a.shape(), b.shape());
            let (wide_a, wide_b) = (a.broadcast_to(&shape), b.broadcast_to(&shape));
            let naive: Vec<Float> =
                wide_a.view().iter().zip(wide_b.view().iter()).map(|(a, b)| a - b).collect();
            prop_assert_eq!(a.zip(&b, |a, b| a - b).to_vec(), naive.clone());
            if a.shape() == shape {
                let mut a = a;
                a.apply_zip(&b, |a, b| a - b);
                prop_assert_eq!(a.to_vec(), naive);
            }
        }
    }

    #[test]
    fn large_operands_are_split_in_the_middle_of_rows() {
        let x = Tensor::new((0..70_000).map(|i| i as Float).collect::<Vec<_>>(), &[2, 35_000]);
        let column = Tensor::new([1.0, 2.0], &[2, 1]);
        let sum = x.zip(&column, |a, b| a + b);
        let expected = |i: usize| i as Float + if i < 35_000 { 1.0 } else { 2.0 };
        assert!(sum.data().iter().enumerate().all(|(i, &y)| y == expected(i)));
        let transposed = x.transpose(0, 1).zip(&column.reshape(&[2]), |a, b| a + b);
        assert_eq!(transposed.transpose(0, 1).to_vec(), sum.to_vec());
    }

    #[test]
    fn threads_do_not_change_the_numbers() {
        let compute = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut rng = crate::Rng::seeded(1);
            let (a, b) = (rng.normal(&[50, 1, 700], 1.0), rng.normal(&[3, 1], 1.0));
            pool.install(|| a.zip(&b, |a, b| a / b).to_vec())
        };
        let one = compute(1);
        assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
    }

    #[test]
    #[should_panic(expected = "apply_zip: the second shape does not stretch to the first: \
                               [1, 3] and [2, 3]")]
    fn applying_does_not_grow_a_tensor() {
        Tensor::zeros(&[1, 3]).apply_zip(&Tensor::zeros(&[2, 3]), |a, b| a + b);
    }
}
