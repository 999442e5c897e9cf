//! The operators `+ - * /` and `+= -= *= /=` for tensors and scalars, and the negative.
//!
//! Every combination of owned, borrowed and scalar works. An owned operand whose memory no one
//! else holds is written over, so that a chain of operations takes one buffer.

use super::{apply_loop, zip_loop};
use crate::{Float, Tensor, shape, simd};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

macro_rules! operator {
    ($trait:ident, $method:ident, $assign_trait:ident, $assign:ident, $op:tt) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                simd! {
                    fn zip(a: &[Float], b: &[Float], steps: [usize; 2], out: &mut [Float]) {
                        zip_loop!(a, b, steps, out, |a, b| a $op b);
                    }
                }
                self.zip_by(stringify!($method), other, &zip)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(mut self, other: &Tensor) -> Tensor {
                let shape = shape::broadcast(stringify!($method), &self.shape, &other.shape);
                if shape != self.shape || !self.is_writable() {
                    return (&self).$method(other);
                }
                self.$assign(other);
                self
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, mut other: Tensor) -> Tensor {
                simd! {
                    fn over_second(x: &mut [Float], y: &[Float], step: usize) {
                        apply_loop!(x, y, step, |b, a| a $op b);
                    }
                }
                let shape = shape::broadcast(stringify!($method), &self.shape, &other.shape);
                if shape != other.shape || !other.is_writable() {
                    return self.$method(&other);
                }
                other.apply_by(stringify!($method), self, &over_second);
                other
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                if other.len() > self.len() { (&self).$method(other) } else { self.$method(&other) }
            }
        }
        impl $trait<Float> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: Float) -> Tensor {
                self.$method(&Tensor::scalar(other))
            }
        }
        impl $trait<Float> for Tensor {
            type Output = Tensor;
            fn $method(self, other: Float) -> Tensor {
                self.$method(&Tensor::scalar(other))
            }
        }
        impl $trait<&Tensor> for Float {
            type Output = Tensor;
            fn $method(self, other: &Tensor) -> Tensor {
                (&Tensor::scalar(self)).$method(other)
            }
        }
        impl $trait<Tensor> for Float {
            type Output = Tensor;
            fn $method(self, other: Tensor) -> Tensor {
                (&Tensor::scalar(self)).$method(other)
            }
        }
        impl $assign_trait<&Tensor> for Tensor {
            #[track_caller]
            fn $assign(&mut self, other: &Tensor) {
                simd! {
                    fn over_first(x: &mut [Float], y: &[Float], step: usize) {
                        apply_loop!(x, y, step, |a, b| a $op b);
                    }
                }
                self.apply_by(stringify!($assign), other, &over_first);
            }
        }
        impl $assign_trait<Tensor> for Tensor {
            #[track_caller]
            fn $assign(&mut self, other: Tensor) {
                self.$assign(&other);
            }
        }
        impl $assign_trait<Float> for Tensor {
            fn $assign(&mut self, other: Float) {
                self.$assign(&Tensor::scalar(other));
            }
        }
    };
}

operator!(Add, add, AddAssign, add_assign, +);
operator!(Sub, sub, SubAssign, sub_assign, -);
operator!(Mul, mul, MulAssign, mul_assign, *);
operator!(Div, div, DivAssign, div_assign, /);

impl Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.map(|x| -x)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    fn neg(mut self) -> Tensor {
        self.apply(|x| -x);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    #[test]
    fn operators_take_tensors_and_scalars() {
        let x = Tensor::new([1.0, 2.0], &[2]);
        assert_eq!((&x + &x).to_vec(), [2.0, 4.0]);
        assert_eq!((1.0 / &(&x * 2.0)).to_vec(), [0.5, 0.25]);
        assert_eq!((1.0 - x.clone() * 2.0).to_vec(), [-1.0, -3.0]);
        assert_eq!((-&x - 1.0).to_vec(), [-2.0, -3.0]);
        assert_eq!(x.to_vec(), [1.0, 2.0]);
    }

    #[test]
    fn an_owned_operand_is_written_over_when_unshared() {
        let x = Tensor::ones(&[4]);
        let place = x.data().as_ptr();
        let y = 3.0 - (&Tensor::ones(&[4]) - -(x * 2.0));
        assert_eq!((y.data().as_ptr(), y.to_vec()), (place, vec![0.0; 4]));
        let shared = y.clone();
        assert_ne!((y + 1.0).data().as_ptr(), shared.data().as_ptr());
        assert_eq!(shared.to_vec(), [0.0; 4]);
    }

    #[test]
    fn dividing_by_zero_is_infinite_or_nan() {
        let x = Tensor::new([1.0, -1.0, 0.0], &[3]) / 0.0;
        assert_eq!(x.data()[..2], [Float::INFINITY, Float::NEG_INFINITY]);
        assert!(x.data()[2].is_nan());
    }

    #[test]
    #[should_panic(expected = "add: shapes do not broadcast: [2] and [3]")]
    fn unequal_shapes_do_not_add() {
        let _ = Tensor::zeros(&[2]) + Tensor::zeros(&[3]);
    }

    #[test]
    #[should_panic(expected = "mul_assign: the second shape does not stretch to the first: \
                               [2] and [3, 2]")]
    fn assigning_does_not_grow_a_tensor() {
        let mut x = Tensor::zeros(&[2]);
        x *= Tensor::zeros(&[3, 2]);
    }

    macro_rules! every_combination {
        ($a:ident, $b:ident, $op:tt, $assign:tt) => {
            let shape = shape::broadcast("test", $a.shape(), $b.shape());
            let (wide_a, wide_b) = ($a.broadcast_to(&shape), $b.broadcast_to(&shape));
            let pairs = || wide_a.view().to_owned().into_iter().zip(wide_b.view().to_owned());
            let naive: Vec<Float> = pairs().map(|(a, b)| a $op b).collect();
            for y in [
                &$a $op &$b,
                &$a $op $b.copied(),
                $a.copied() $op &$b,
                $a.copied() $op $b.copied(),
                $a.clone() $op $b.clone(),
            ] {
                prop_assert_eq!(y.shape(), &shape[..]);
                prop_assert_eq!(y.to_vec(), naive.clone());
            }
            if $a.shape() == shape {
                let (mut x, mut y) = ($a.clone(), $a.copied());
                x $assign &$b;
                y $assign $b.clone();
                prop_assert_eq!((x.to_vec(), y.to_vec()), (naive.clone(), naive));
            }
            let right: Vec<Float> = $a.to_vec().iter().map(|x| x $op 1.5).collect();
            let mut assigned = $a.clone();
            assigned $assign 1.5;
            for y in [&$a $op 1.5, $a.copied() $op 1.5, assigned] {
                prop_assert_eq!(y.to_vec(), right.clone());
            }
            let left: Vec<Float> = $a.to_vec().iter().map(|x| 1.5 $op x).collect();
            prop_assert_eq!((1.5 $op &$a).to_vec(), left.clone());
            prop_assert_eq!((1.5 $op $a.copied()).to_vec(), left);
        };
    }

    proptest! {
        #[test]
        fn every_combination_equals_a_naive_loop((a, b) in testing::broadcasting_pair()) {
            every_combination!(a, b, +, +=);
            every_combination!(a, b, -, -=);
            every_combination!(a, b, *, *=);
            every_combination!(a, b, /, /=);
            prop_assert_eq!((-&a).to_vec(), (-a.copied()).to_vec());
            prop_assert_eq!((-&a).to_vec(), a.to_vec().iter().map(|x| -x).collect::<Vec<_>>());
        }
    }
}
