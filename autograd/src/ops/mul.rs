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
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
fn mul(a: &Var, b: &Var) -> Var {
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    let saved = [a.value().clone(), b.value().clone()];
    Var::record("mul", [a, b], a.value() * b.value(), saved, move |dy, [a, b]| {
        [
            Gradient::if_needed(need_a, || (&dy * &b).sum_to(a.shape())),
            Gradient::if_needed(need_b, || (&dy * &a).sum_to(b.shape())),
        ]
    })
}

operator!(Mul, mul, mul);

#[cfg(test)]
mod tests {
    use crate::Var;
    use crate::gradcheck::gradcheck;
    use tensor::{Rng, Tensor};

    #[test]
    fn multiplies() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(3.0)));
        assert_eq!((&a * &b).value().to_vec(), [3.0, 6.0]);
    }

    #[test]
    fn gradient_with_broadcasting() {
        let mut rng = Rng::seeded(1);
        for (a, b) in [(&[2, 3][..], &[2, 3][..]), (&[2, 1], &[1, 3]), (&[3], &[4, 2, 3])] {
            let inputs = [rng.normal(a, 1.0), rng.normal(b, 1.0)];
            gradcheck(|x| &x[0] * &x[1], &inputs).unwrap();
        }
    }

    #[test]
    fn zero_times_a_large_number_is_zero() {
        let x = Var::constant(Tensor::new([1e30, 0.0], &[2]));
        let y = Var::constant(Tensor::new([0.0, 1e30], &[2]));
        assert_eq!((&x * &y).value().to_vec(), [0.0, 0.0]);
    }
}
