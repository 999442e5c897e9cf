//! Entries in reverse order.

use crate::Var;

impl Var {
    /// The entries in reverse order along each of `axes`.
    ///
    /// ```math
    /// y_i = x_{n - 1 - i}, \qquad \bar x_i = \bar y_{n - 1 - i}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0], &[3]));
    /// assert_eq!(x.flip(&[0]).value().to_vec(), [3.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Var {
        let value = self.value().flip(axes);
        let axes = axes.to_vec();
        Var::record("flip", [self], value, [], move |dy, []| [dy.flip(&axes).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 3]], |x| x[0].flip(&[1])),
            Case::new([&[2, 1, 3]], |x| x[0].flip(&[0, -1])),
            Case::new([&[3, 2]], |x| x[0].transpose(0, 1).flip(&[0])),
            Case::new([&[200, 300]], |x| x[0].flip(&[0, 1])),
        ]
    }

    #[test]
    fn reverses_and_twice_is_nothing() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        assert_eq!(x.flip(&[0]).value().to_vec(), [3.0, 4.0, 1.0, 2.0]);
        assert_eq!(x.flip(&[0, 1]).flip(&[1, 0]).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn extremes_keep_their_bits() {
        let x = Var::constant(Tensor::new([Float::INFINITY, -0.0, 1e30], &[3]));
        let y = x.flip(&[0]).value().to_vec();
        assert_eq!((y[0], y[2]), (1e30, Float::INFINITY));
        assert!(y[1].is_sign_negative());
        assert_eq!(x.flip(&[]).value().to_vec()[2], 1e30);
    }

    #[test]
    #[should_panic(expected = "flip: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn needs_the_axis() {
        Var::leaf(Tensor::ones(&[2, 3])).flip(&[2]);
    }
}
