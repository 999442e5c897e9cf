//! Subtraction, shapes broadcast.

use super::operator;
use crate::{Gradient, Var};

/// The difference of two values.
///
/// ```math
/// y = a - b, \qquad \bar a = \bar y, \quad \bar b = -\bar y
/// ```
/// Where a shape was stretched, its gradient is summed back over the stretched axes.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
fn sub(a: &Var, b: &Var) -> Var {
    let (a_shape, b_shape) = (a.shape().to_vec(), b.shape().to_vec());
    let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
    Var::record("sub", [a, b], a.value() - b.value(), [], move |dy, []| {
        [
            Gradient::if_needed(need_a, || dy.sum_to(&a_shape)),
            Gradient::if_needed(need_b, || -&dy.sum_to(&b_shape)),
        ]
    })
}

operator!(Sub, sub, sub);

#[cfg(test)]
mod tests {
    use crate::Var;
    use crate::gradcheck::gradcheck;
    use tensor::{Rng, Tensor};

    #[test]
    fn subtracts() {
        let (a, b) = (Var::leaf(Tensor::new([1.0, 2.0], &[2])), Var::leaf(Tensor::scalar(3.0)));
        assert_eq!((&a - &b).value().to_vec(), [-2.0, -1.0]);
    }

    #[test]
    fn gradient_with_broadcasting() {
        let mut rng = Rng::seeded(1);
        for (a, b) in [(&[2, 3][..], &[2, 3][..]), (&[2, 1], &[1, 3]), (&[3], &[4, 2, 3])] {
            let inputs = [rng.normal(a, 1.0), rng.normal(b, 1.0)];
            gradcheck(|x| &x[0] - &x[1], &inputs).unwrap();
        }
    }

    #[test]
    fn a_value_minus_itself_is_zero_even_when_large() {
        let x = Var::constant(Tensor::new([1e30, -1e30], &[2]));
        assert_eq!((&x - &x).value().to_vec(), [0.0, 0.0]);
    }
}
