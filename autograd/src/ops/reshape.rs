//! The same numbers under another shape.

use crate::Var;

impl Var {
    /// The same numbers in row-major order under another shape.
    ///
    /// ```math
    /// y_{\pi(i)} = x_i, \qquad \bar x_i = \bar y_{\pi(i)}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::zeros(&[2, 3]));
    /// assert_eq!(x.reshape(&[6]).shape(), [6]);
    /// ```
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Var {
        let before = self.shape().to_vec();
        Var::record("reshape", [self], self.value().reshape(shape), [], move |dy, []| {
            [dy.reshape(&before).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 3]], |x| x[0].reshape(&[1, 6])),
            Case::new([&[1, 4]], |x| x[0].reshape(&[2, 2])),
            Case::new([&[2, 3]], |x| x[0].transpose(0, 1).reshape(&[6])),
            Case::new([&[200, 300]], |x| x[0].transpose(0, 1).reshape(&[60_000])),
        ]
    }

    #[test]
    fn keeps_the_numbers_and_there_and_back_is_the_same() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        let y = x.reshape(&[3, 2]);
        assert_eq!((y.shape(), y.value().data()[2]), (&[3, 2][..], 3.0));
        assert_eq!(y.reshape(&[2, 3]).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn an_extreme_shape_an_empty_axis() {
        assert_eq!(Var::leaf(Tensor::zeros(&[0, 3])).reshape(&[5, 0]).shape(), [5, 0]);
    }
}
