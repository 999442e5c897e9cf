//! Elementwise multiplication, shapes broadcast.

use super::operator;
use crate::{Gradient, Var};

/// The elementwise product of two values.
///
/// ```math
/// y = a \odot b, \qquad \bar a = \bar y \odot b, \quad \bar b = \bar y \odot a
/// ```
/// Where a shape was stretched, its gradient is summed back over the stretched axes.
///
/// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
///
/// ```
/// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
/// assert_eq!((&x * &x).value().to_vec(), [1.0, 4.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn mul(a: &Var, b: &Var) -> Var {
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    let (a_shape, b_shape) = (a.shape().to_vec(), b.shape().to_vec());
    let saved = [a.saved_if(need_b), b.saved_if(need_a)];
    Var::record("mul", [a, b], a.value() * b.value(), saved, move |dy, [a, b]| {
        [
            Gradient::if_needed(need_a, || (&dy * &b).sum_to(&a_shape)),
            Gradient::if_needed(need_b, || (&dy * &a).sum_to(&b_shape)),
        ]
    })
}

operator!(Mul, mul, mul);

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| &x[0] * &x[1]);
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[1], &[2, 2]]),
            of([&[300, 200], &[200]]),
        ]
    }

    #[test]
    fn multiplies() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(3.0)));
        assert_eq!((&a * &b).value().to_vec(), [3.0, 6.0]);
    }

    #[test]
    fn zero_times_an_extreme_number_is_zero() {
        let x = Var::constant(Tensor::new([1e30, 0.0], &[2]));
        let y = Var::constant(Tensor::new([0.0, 1e30], &[2]));
        assert_eq!((&x * &y).value().to_vec(), [0.0, 0.0]);
    }
}
