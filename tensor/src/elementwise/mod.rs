//! Elementwise operations: a function of each number, or of each pair with broadcasting.
//!
//! The library's own functions are kernels of their own, so that they are vectorized in every
//! build; a closure given to [`Tensor::map`] or [`Tensor::zip`] is where the compiler inlines it.

mod binary;
mod compare;
mod operators;
mod rows;
mod unary;

use crate::{Float, Tensor, par, shape, simd};
use rows::Rows;

/// A kernel of one operand: `(x, out)`.
type Map<'a> = dyn Fn(&[Float], &mut [Float]) + Sync + 'a;
/// A kernel of two operands: `(a, b, steps, out)`, where an operand of step 0 is one number.
type Zip<'a> = dyn Fn(&[Float], &[Float], [usize; 2], &mut [Float]) + Sync + 'a;
/// A kernel in place: `(x, y, step)`, where `y` is one number if the step is 0.
type Apply<'a> = dyn Fn(&mut [Float], &[Float], usize) + Sync + 'a;

/// The loop of a [`Zip`] kernel.
macro_rules! zip_loop {
    ($first:ident, $second:ident, $steps:ident, $out:ident, |$a:ident, $b:ident| $value:expr) => {
        match $steps {
            [1, 1] => {
                for ((out, &$a), &$b) in $out.iter_mut().zip($first).zip($second) {
                    *out = $value;
                }
            }
            [1, _] => {
                let $b = $second[0];
                for (out, &$a) in $out.iter_mut().zip($first) {
                    *out = $value;
                }
            }
            [_, 1] => {
                let $a = $first[0];
                for (out, &$b) in $out.iter_mut().zip($second) {
                    *out = $value;
                }
            }
            _ => {
                let ($a, $b) = ($first[0], $second[0]);
                $out.fill($value);
            }
        }
    };
}
pub(crate) use zip_loop;

/// The loop of an [`Apply`] kernel.
macro_rules! apply_loop {
    ($x:ident, $y:ident, $step:ident, |$a:ident, $b:ident| $value:expr) => {
        if $step == 1 {
            for (x, &$b) in $x.iter_mut().zip($y) {
                let $a = *x;
                *x = $value;
            }
        } else {
            let $b = $y[0];
            for x in $x.iter_mut() {
                let $a = *x;
                *x = $value;
            }
        }
    };
}
pub(crate) use apply_loop;

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
    fn zip_slices<F: Fn(Float, Float) -> Float>(
        first: &[Float], second: &[Float], steps: [usize; 2], out: &mut [Float], f: &F,
    ) {
        zip_loop!(first, second, steps, out, |a, b| f(a, b));
    }
}

simd! {
    fn zip_in_place<F: Fn(Float, Float) -> Float>(
        x: &mut [Float], y: &[Float], step: usize, f: &F,
    ) {
        apply_loop!(x, y, step, |a, b| f(a, b));
    }
}

impl Tensor {
    /// `f` of each number.
    pub fn map(&self, f: impl Fn(Float) -> Float + Sync) -> Tensor {
        self.map_by(&|x, out| map_slice(x, out, &f))
    }

    fn map_by(&self, kernel: &Map<'_>) -> Tensor {
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            par::for_pieces(out, |first, out| kernel(&x[first..], out));
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
        self.zip_by("zip", other, &|a, b, steps, out| zip_slices(a, b, steps, out, &f))
    }

    #[track_caller]
    fn zip_by(&self, operation: &str, other: &Tensor, kernel: &Zip<'_>) -> Tensor {
        let shape = shape::broadcast(operation, &self.shape, &other.shape);
        let ([a, b], rows) = Rows::of([self, other], &shape);
        let (a, b) = (a.numbers(), b.numbers());
        Tensor::build(&shape, |out| {
            par::for_pieces(out, |first, out| {
                rows.visit(first, out, |[a_start, b_start], out| {
                    kernel(&a[a_start..], &b[b_start..], rows.steps, out);
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
        self.apply_by("apply_zip", other, &|x, y, step| zip_in_place(x, y, step, &f));
    }

    #[track_caller]
    fn apply_by(&mut self, operation: &str, other: &Tensor, kernel: &Apply<'_>) {
        if shape::broadcast(operation, &self.shape, &other.shape) != self.shape {
            let rule = "the second shape does not stretch to the first";
            shape::wrong(operation, rule, &[&self.shape, &other.shape], "");
        }
        let ([y], rows) = Rows::of([other], &self.shape);
        let y = y.numbers();
        par::for_pieces(self.data_mut(), |first, x| {
            rows.visit(first, x, |[start], x| kernel(x, &y[start..], rows.steps[0]));
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
