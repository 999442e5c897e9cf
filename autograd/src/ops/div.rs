//! Elementwise division, shapes broadcast.

use super::operator;
use crate::{Gradient, Var};

/// The elementwise quotient of two values.
///
/// ```math
/// y = a / b, \qquad \bar a = \bar y / b, \quad \bar b = -\bar y \odot y / b
/// ```
/// Where a shape was stretched, its gradient is summed back over the stretched axes.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
fn div(a: &Var, b: &Var) -> Var {
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    let a_shape = a.shape().to_vec();
    let y = a.value() / b.value();
    let saved = [b.value().clone(), y.clone()];
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
mod tests {
    use crate::Var;
    use crate::gradcheck::gradcheck;
    use tensor::{Rng, Tensor};

    #[test]
    fn divides() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(4.0)));
        assert_eq!((&a / &b).value().to_vec(), [0.25, 0.5]);
    }

    #[test]
    fn gradient_with_broadcasting() {
        let mut rng = Rng::seeded(1);
        for (a, b) in [(&[2, 3][..], &[2, 3][..]), (&[2, 1], &[1, 3]), (&[3], &[4, 2, 3])] {
            let away_from_zero = rng.normal(b, 0.2).map(|x| x + if x < 0.0 { -1.5 } else { 1.5 });
            gradcheck(|x| &x[0] / &x[1], &[rng.normal(a, 1.0), away_from_zero]).unwrap();
        }
    }

    #[test]
    fn dividing_by_zero_is_infinite() {
        let one = Var::constant(Tensor::scalar(1.0));
        let zero = Var::constant(Tensor::scalar(0.0));
        assert!((&one / &zero).item().is_infinite());
    }
}
