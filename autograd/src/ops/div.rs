//! Elementwise division, shapes broadcast.

use super::operator;
use crate::var::saved_if;
use crate::{Gradient, Var};

/// The elementwise quotient of two values.
///
/// ```math
/// y = a / b, \qquad \bar a = \bar y / b, \quad \bar b = -\bar y \odot y / b
/// ```
/// Where a shape was stretched, its gradient is summed back over the stretched axes.
///
/// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
///
/// ```
/// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
/// assert_eq!((&x / &x).value().to_vec(), [1.0, 1.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn div(a: &Var, b: &Var) -> Var {
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    let a_shape = a.shape().to_vec();
    let y = a.value() / b.value();
    let saved = [b.value().clone(), saved_if(need_b, &y)];
    Var::record("div", [a, b], y, saved, move |dy, [b, y]| {
        let quotient = &dy / &b;
        [
            Gradient::if_needed(need_a, || quotient.sum_to(&a_shape)),
            Gradient::if_needed(need_b, || -&(&quotient * &y).sum_to(b.shape())),
        ]
    })
}

operator!(Div, div, div);

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| {
            Case::new(shapes, |x| &x[0] / &x[1]).map(|x| x + if x < 0.0 { -1.5 } else { 1.5 })
        };
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[1], &[2, 2]]),
            of([&[300, 200], &[200]]),
        ]
    }

    #[test]
    fn divides() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(4.0)));
        assert_eq!((&a / &b).value().to_vec(), [0.25, 0.5]);
    }

    #[test]
    fn an_extreme_division_by_zero_is_infinite() {
        let one = Var::constant(Tensor::scalar(1.0));
        let zero = Var::constant(Tensor::scalar(0.0));
        assert!((&one / &zero).item().is_infinite());
    }
}
