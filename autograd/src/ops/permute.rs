//! Axes in another order.

use crate::Var;

impl Var {
    /// Axes in another order: axis `i` of the result is axis `axes[i]` of this value.
    ///
    /// ```math
    /// y_{i_{\pi(1)} \dots i_{\pi(n)}} = x_{i_1 \dots i_n},
    /// \qquad \bar x_{i_1 \dots i_n} = \bar y_{i_{\pi(1)} \dots i_{\pi(n)}}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::zeros(&[2, 3, 4]));
    /// assert_eq!(x.permute(&[2, 0, 1]).shape(), [4, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    #[track_caller]
    pub fn permute(&self, axes: &[usize]) -> Var {
        let mut inverse = vec![0; axes.len()];
        let value = self.value().permute(axes);
        axes.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
        Var::record("permute", [self], value, [], move |dy, []| [dy.permute(&inverse).into()])
    }

    /// Two axes exchanged; negative axes count from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Var {
        let mut axes: Vec<usize> = (0..self.value().rank()).collect();
        let a = tensor::shape::axis("transpose", self.shape(), a);
        let b = tensor::shape::axis("transpose", self.shape(), b);
        axes.swap(a, b);
        self.permute(&axes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| x[0].permute(&[2, 0, 1]));
        vec![of(&[2, 3, 1]), of(&[3, 2, 2]), of(&[40, 50, 30])]
    }

    #[test]
    fn transposes_and_twice_is_the_same() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        let y = x.transpose(-1, 0);
        assert_eq!(y.value().to_vec(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(y.transpose(0, 1).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn an_extreme_shape_an_empty_axis() {
        assert_eq!(Var::leaf(Tensor::zeros(&[0, 3, 1])).permute(&[2, 0, 1]).shape(), [1, 0, 3]);
    }
}
