//! A value times a number, plus a number.

use crate::Var;
use std::ops::{Add, Div, Mul, Sub};
use tensor::Float;

/// A value times a fixed number `a`, plus a fixed number `b`.
///
/// ```math
/// y = a x + b, \qquad \bar x = a \bar y
/// ```
/// The operators between a value and a number come down to it.
///
/// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
///
/// ```
/// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
/// assert_eq!((&x * 3.0 + 1.0).value().to_vec(), [4.0, 7.0]);
/// ```
#[track_caller]
pub fn scale(x: &Var, a: Float, b: Float) -> Var {
    Var::record("scale", [x], x.value().map(|x| a * x + b), [], move |mut dy, []| {
        dy.apply(|dy| a * dy);
        [dy.into()]
    })
}

macro_rules! with_number {
    ($trait:ident, $method:ident, |$x:ident, $number:ident| $result:expr) => {
        impl $trait<Float> for &Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, $number: Float) -> Var {
                let $x = self;
                $result
            }
        }
        impl $trait<Float> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, $number: Float) -> Var {
                let $x = &self;
                $result
            }
        }
    };
}

with_number!(Add, add, |x, number| scale(x, 1.0, number));
with_number!(Sub, sub, |x, number| scale(x, 1.0, -number));
with_number!(Mul, mul, |x, number| scale(x, number, 0.0));
with_number!(Div, div, |x, number| scale(x, 1.0 / number, 0.0));

macro_rules! of_number {
    ($trait:ident, $method:ident, |$number:ident, $x:ident| $result:expr) => {
        impl $trait<&Var> for Float {
            type Output = Var;
            #[track_caller]
            fn $method(self, $x: &Var) -> Var {
                let $number = self;
                $result
            }
        }
        impl $trait<Var> for Float {
            type Output = Var;
            #[track_caller]
            fn $method(self, x: Var) -> Var {
                let ($number, $x) = (self, &x);
                $result
            }
        }
    };
}

of_number!(Add, add, |number, x| scale(x, 1.0, number));
of_number!(Sub, sub, |number, x| scale(x, -1.0, number));
of_number!(Mul, mul, |number, x| scale(x, number, 0.0));
of_number!(Div, div, |number, x| scale(&x.recip(), number, 0.0));

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| (&x[0] * 3.0 - 1.0) / 2.0 + 0.5);
        let before = |x: &[Var]| 2.0 / (1.0 + 3.0 * (4.0 - &x[0]));
        let before = Case::new([&[1, 3]], before).map(|x| x.clamp(-2.0, 2.0));
        vec![of(&[3, 1]), before, of(&[200, 300])]
    }

    #[test]
    fn operators_with_numbers() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        assert_eq!(((&x * 3.0 + 1.0) / 2.0 - 1.0).value().to_vec(), [1.0, 2.5]);
        assert_eq!((1.0 - &x).value().to_vec(), [0.0, -1.0]);
        assert_eq!((2.0 / &x).value().to_vec(), [2.0, 1.0]);
        assert_eq!((1.0 + 2.0 * &x).value().to_vec(), [3.0, 5.0]);
        assert_eq!((1.0 + (2.0 * (3.0 - (4.0 / x)))).value().to_vec(), [-1.0, 3.0]);
    }

    #[test]
    fn scaling_by_zero_leaves_the_number_added_even_for_extremes() {
        let x = Var::constant(Tensor::new([1e30, -1e30], &[2]));
        assert_eq!((&x * 0.0 + 2.0).value().to_vec(), [2.0, 2.0]);
    }
}
