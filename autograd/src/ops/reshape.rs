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

    /// The value without `axes`, each of size 1.
    ///
    /// # Panics
    /// If an axis does not exist or is not of size 1.
    #[track_caller]
    pub fn squeeze(&self, axes: &[isize]) -> Var {
        self.reshape(self.value().squeeze(axes).shape())
    }

    /// The value with a new axis of size 1 at `axis`; negative counts from the end, -1 being the
    /// last place.
    ///
    /// # Panics
    /// If the axis would not exist in the result.
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Var {
        self.reshape(self.value().unsqueeze(axis).shape())
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
            Case::new([&[2, 1, 3, 1]], |x| x[0].squeeze(&[1, -1])),
            Case::new([&[2, 3]], |x| x[0].transpose(0, 1).unsqueeze(-2)),
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

    #[test]
    fn axes_of_size_1_come_and_go() {
        let x = Var::leaf(Tensor::ones(&[2, 1, 3]));
        assert_eq!(x.squeeze(&[1]).shape(), [2, 3]);
        assert_eq!(x.unsqueeze(0).unsqueeze(-1).shape(), [1, 2, 1, 3, 1]);
    }

    #[test]
    #[should_panic(expected = "squeeze: axis 0 is not of size 1: [2, 1]")]
    fn squeeze_drops_axes_of_size_1_only() {
        Var::leaf(Tensor::ones(&[2, 1])).squeeze(&[1, 0]);
    }

    #[test]
    #[should_panic(
        expected = "unsqueeze: no axis can be added at 3: [2, 1]; places go from -3 to 2"
    )]
    fn unsqueeze_adds_inside() {
        Var::leaf(Tensor::ones(&[2, 1])).unsqueeze(3);
    }
}
