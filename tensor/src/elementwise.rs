//! Elementwise operations with broadcasting, and the operators `+ - * /` for tensors and scalars.

use crate::{Float, Tensor, par, shape, simd};
use std::ops::{Add, Div, Mul, Neg, Sub};

simd! {
    fn map_slice<F: Fn(Float) -> Float>(x: &[Float], out: &mut [Float], f: F) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = f(x);
        }
    }
}

simd! {
    fn map_in_place<F: Fn(Float) -> Float>(x: &mut [Float], f: F) {
        for x in x {
            *x = f(*x);
        }
    }
}

simd! {
    fn zip_slices<F: Fn(Float, Float) -> Float>(a: &[Float], b: &[Float], out: &mut [Float], f: F) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = f(a, b);
        }
    }
}

simd! {
    fn zip_in_place<F: Fn(Float, Float) -> Float>(a: &mut [Float], b: &[Float], f: F) {
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
        if self.shape == shape && is_row_of(other, &shape) {
            return self.zip_rows(other, f);
        }
        let (a, b) = (self.broadcast_to(&shape).contiguous(), other.broadcast_to(&shape));
        let b = b.contiguous();
        let (a, b) = (a.data(), b.data());
        Tensor::build(&shape, |out| {
            par::for_pieces(out, |first, out| zip_slices(&a[first..], &b[first..], out, &f));
        })
    }

    /// `f` with `row` repeated for each row of this tensor.
    fn zip_rows(&self, row: &Tensor, f: impl Fn(Float, Float) -> Float + Sync) -> Tensor {
        let (x, row) = (self.contiguous(), row.contiguous());
        let (x, row) = (x.data(), row.data());
        let width = row.len();
        Tensor::build(&self.shape, |out| {
            par::for_rows(out, width, |first, out| {
                let x = &x[first * width..];
                if let [scalar] = *row {
                    return map_slice(x, out, |x| f(x, scalar));
                }
                for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    zip_slices(x, row, out, &f);
                }
            });
        })
    }

    /// Each number `x` replaced by `f(x, y)`, where `other` broadcasts to this shape.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn apply_zip(&mut self, other: &Tensor, f: impl Fn(Float, Float) -> Float + Sync) {
        let row = is_row_of(other, &self.shape);
        let other = if row { other.clone() } else { other.broadcast_to(&self.shape) }.contiguous();
        let (y, width) = (other.data(), other.len().max(1));
        par::for_rows(self.data_mut(), if row { width } else { 1 }, |first, x| {
            if row {
                x.chunks_exact_mut(width).for_each(|x| zip_in_place(x, y, &f));
            } else {
                zip_in_place(x, &y[first..], &f);
            }
        });
    }
}

/// Whether `x` repeats along leading axes of `shape` only: its own shape is the end of `shape`.
fn is_row_of(x: &Tensor, shape: &[usize]) -> bool {
    let leading_ones = x.shape.iter().take_while(|&&size| size == 1).count();
    !x.is_empty() && shape.ends_with(&x.shape[leading_ones..])
}

macro_rules! operator {
    ($trait:ident, $method:ident, $op:tt) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                self.zip_as(stringify!($method), other, |a, b| a $op b)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                self.$method(&other)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                (&self).$method(other)
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                (&self).$method(&other)
            }
        }
        impl $trait<Float> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: Float) -> Tensor {
                self.map(|x| x $op other)
            }
        }
        impl $trait<Float> for Tensor {
            type Output = Tensor;
            fn $method(self, other: Float) -> Tensor {
                (&self).$method(other)
            }
        }
        impl $trait<&Tensor> for Float {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor {
                other.map(|x| self $op x)
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.map(|x| -x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use proptest::prelude::*;

    #[test]
    fn operators_take_tensors_and_scalars() {
        let x = Tensor::new([1.0, 2.0], &[2]);
        assert_eq!((&x + &x).to_vec(), [2.0, 4.0]);
        assert_eq!((1.0 / &(&x * 2.0)).to_vec(), [0.5, 0.25]);
        assert_eq!((-&x - 1.0).to_vec(), [-2.0, -3.0]);
    }

    #[test]
    #[should_panic(expected = "add: shapes do not broadcast: [2] and [3]")]
    fn unequal_shapes_do_not_add() {
        let _ = Tensor::zeros(&[2]) + Tensor::zeros(&[3]);
    }

    /// Two shapes that broadcast, from one shape with axes dropped or set to 1.
    fn broadcasting() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        let axis = (0usize..6, 0usize..3);
        (prop::collection::vec(axis, 0..4), 0usize..3).prop_map(|(axes, dropped)| {
            let full: Vec<usize> = axes.iter().map(|&(size, _)| size).collect();
            let a = axes.iter().map(|&(size, which)| if which == 1 { 1 } else { size }).collect();
            let b: Vec<usize> =
                axes.iter().map(|&(size, which)| if which == 2 { 1 } else { size }).collect();
            (a, b[dropped.min(full.len())..].to_vec())
        })
    }

    proptest! {
        #[test]
        fn zip_equals_a_naive_loop((a, b) in broadcasting(), seed in 0u64..100) {
            let mut rng = Rng::seeded(seed);
            let (a, b) = (rng.normal(&a, 1.0), rng.normal(&b, 1.0));
            let shape = shape::broadcast("test", a.shape(), b.shape());
            let (wide_a, wide_b) = (a.broadcast_to(&shape), b.broadcast_to(&shape));
            let naive: Vec<Float> =
                wide_a.view().iter().zip(wide_b.view().iter()).map(|(a, b)| a - b).collect();
            prop_assert_eq!((&a - &b).to_vec(), naive.clone());
            if a.shape() == shape {
                let mut a = a;
                a.apply_zip(&b, |a, b| a - b);
                prop_assert_eq!(a.to_vec(), naive);
            }
        }
    }
}
