//! Addition, shapes broadcast.

use super::operator;
use crate::{Gradient, Var};

/// The sum of two values.
///
/// ```math
/// y = a + b, \qquad \bar a = \bar y, \quad \bar b = \bar y
/// ```
/// Where a shape was stretched, its gradient is summed back over the stretched axes.
///
/// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
///
/// ```
/// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
/// assert_eq!((&x + &x).value().to_vec(), [2.0, 4.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn add(a: &Var, b: &Var) -> Var {
    let (a_shape, b_shape) = (a.shape().to_vec(), b.shape().to_vec());
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    Var::record("add", [a, b], a.value() + b.value(), [], move |dy, []| {
        [
            Gradient::if_needed(need_a, || dy.sum_to(&a_shape)),
            Gradient::if_needed(need_b, || dy.sum_to(&b_shape)),
        ]
    })
}

operator!(Add, add, add);

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| &x[0] + &x[1]);
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[1], &[2, 2]]),
            of([&[300, 200], &[200]]),
        ]
    }

    #[test]
    fn adds() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(3.0)));
        assert_eq!((&a + &b).value().to_vec(), [4.0, 5.0]);
    }

    #[test]
    fn extremes_stay_what_they_are() {
        let x = Var::constant(Tensor::new([1e30, -1e30], &[2]));
        assert_eq!((&x + &x).value().to_vec(), [2e30, -2e30]);
    }
}
