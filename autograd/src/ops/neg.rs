//! Negation.

use crate::Var;
use std::ops::Neg;

/// The value with its sign turned.
///
/// ```math
/// y = -x, \qquad \bar x = -\bar y
/// ```
fn neg(x: &Var) -> Var {
    Var::record("neg", [x], -x.value(), [], |dy, []| [(-&dy).into()])
}

impl Neg for &Var {
    type Output = Var;
    fn neg(self) -> Var {
        neg(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::Var;
    use crate::gradcheck::gradcheck;
    use tensor::{Float, Rng, Tensor};

    #[test]
    fn turns_the_sign() {
        assert_eq!((-&Var::leaf(Tensor::new([1.0, -2.0], &[2]))).value().to_vec(), [-1.0, 2.0]);
    }

    #[test]
    fn twice_is_the_value_even_at_infinity() {
        let x = Var::constant(Tensor::new([Float::INFINITY, -1e30], &[2]));
        assert_eq!((-&-&x).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn gradient() {
        gradcheck(|x| -&x[0], &[Rng::seeded(1).normal(&[2, 1], 1.0)]).unwrap();
    }
}
