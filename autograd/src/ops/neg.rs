//! Negation.

use crate::Var;
use std::ops::Neg;

/// The value with its sign turned.
///
/// ```math
/// y = -x, \qquad \bar x = -\bar y
/// ```
///
/// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
///
/// ```
/// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
/// assert_eq!((-&x).value().to_vec(), [-1.0, -2.0]);
/// ```
#[track_caller]
pub fn neg(x: &Var) -> Var {
    Var::record("neg", [x], -x.value(), [], |dy, []| [(-&dy).into()])
}

impl Neg for &Var {
    type Output = Var;
    #[track_caller]
    fn neg(self) -> Var {
        neg(self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        vec![Case::new([&[2, 1]], |x| -&x[0]), Case::new([&[300, 200]], |x| -&x[0])]
    }

    #[test]
    fn turns_the_sign() {
        assert_eq!((-&Var::leaf(Tensor::new([1.0, -2.0], &[2]))).value().to_vec(), [-1.0, 2.0]);
    }

    #[test]
    fn twice_is_the_value_even_at_the_extreme_of_infinity() {
        let x = Var::constant(Tensor::new([Float::INFINITY, -1e30], &[2]));
        assert_eq!((-&-&x).value().to_vec(), x.value().to_vec());
    }
}
