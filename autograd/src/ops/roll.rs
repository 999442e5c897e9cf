//! Entries moved along an axis, in a circle.

use crate::Var;

impl Var {
    /// The entries moved by `shift` along `axis`; those that leave at one end enter at the other.
    ///
    /// ```math
    /// y_i = x_{(i - shift) \bmod n}, \qquad \bar x_i = \bar y_{(i + shift) \bmod n}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0], &[3]));
    /// assert_eq!(x.roll(0, 1).value().to_vec(), [3.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn roll(&self, axis: isize, shift: isize) -> Var {
        Var::record("roll", [self], self.value().roll(axis, shift), [], move |dy, []| {
            // As −shift, but for the least of all numbers, which has no negative.
            let size = dy.size(axis).max(1) as isize;
            [dy.roll(axis, -(shift % size)).into()]
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
            Case::new([&[2, 5]], |x| x[0].roll(1, 2)),
            Case::new([&[3, 1, 2]], |x| x[0].roll(0, -1)),
            Case::new([&[1, 4]], |x| x[0].roll(-1, 7)),
            Case::new([&[200, 300]], |x| x[0].roll(0, 13)),
        ]
    }

    #[test]
    fn moves_in_a_circle_and_back() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        let y = x.roll(1, -1);
        assert_eq!(y.value().to_vec(), [2.0, 3.0, 1.0, 5.0, 6.0, 4.0]);
        assert_eq!(y.roll(1, 1).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn extreme_shifts_and_an_empty_axis() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        let (y, z) = (x.roll(0, isize::MIN), x.roll(0, isize::MAX));
        assert_eq!((y.value().to_vec(), z.value().to_vec()), (vec![1.0, 2.0], vec![2.0, 1.0]));
        let weights = Var::constant(Tensor::new([3.0, 5.0], &[2]));
        let gradients = ((y + z * &weights).sum()).backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [6.0, 4.0]);
        assert_eq!(Var::leaf(Tensor::zeros(&[0])).roll(0, 3).shape(), [0]);
    }
}
