//! A value stretched along axes of size 1 and new leading axes.

use crate::Var;

impl Var {
    /// The value stretched to `shape` along axes of size 1 and new leading axes.
    ///
    /// ```math
    /// y_{ij} = x_j, \qquad \bar x_j = \sum_i \bar y_{ij}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// assert_eq!(x.broadcast_to(&[2, 2]).value().to_vec(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the value does not broadcast to it.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &[usize]) -> Var {
        let before = self.shape().to_vec();
        Var::record("broadcast_to", [self], self.value().broadcast_to(shape), [], move |dy, []| {
            [dy.sum_to(&before).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |from, to: &'static [usize]| Case::new([from], move |x| x[0].broadcast_to(to));
        vec![
            of(&[3], &[2, 3]),
            of(&[2, 1], &[2, 4]),
            of(&[], &[2, 2]),
            of(&[1, 2, 1], &[3, 1, 2, 3]),
            of(&[40_000], &[3, 40_000]),
        ]
    }

    #[test]
    fn stretches_and_its_gradient_counts_the_copies() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2, 1]));
        let y = x.broadcast_to(&[3, 2, 2]);
        assert_eq!(y.value().to_vec()[..4], [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [6.0, 6.0]);
    }

    #[test]
    fn an_extreme_stretch_to_nothing() {
        let x = Var::leaf(Tensor::ones(&[1]));
        let y = x.broadcast_to(&[0]);
        assert_eq!(y.shape(), [0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0]);
    }

    #[test]
    #[should_panic(expected = "broadcast_to: shapes do not broadcast: [2] and [3]")]
    fn stretches_axes_of_size_1_only() {
        Var::leaf(Tensor::ones(&[2])).broadcast_to(&[3]);
    }
}
