//! The cumulative sum along an axis.

use crate::Var;
use tensor::Tensor;

impl Var {
    /// The sum of each entry and those before it along `axis`.
    ///
    /// ```math
    /// y_i = \sum_{j \le i} x_j, \qquad \bar x_j = \sum_{i \ge j} \bar y_i
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0], &[3]));
    /// assert_eq!(x.cumsum(0).value().to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Var {
        Var::record("cumsum", [self], self.value().cumsum(axis), [], move |dy, []| {
            [cumsum_backward(&dy, axis).into()]
        })
    }
}

/// The sums from the other end.
fn cumsum_backward(dy: &Tensor, axis: isize) -> Tensor {
    dy.flip(&[axis]).cumsum(axis).flip(&[axis])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 5]], |x| x[0].cumsum(1)),
            Case::new([&[3, 1, 2]], |x| x[0].cumsum(0)),
            Case::new([&[3, 1, 2]], |x| x[0].cumsum(-2)),
            Case::new([&[200, 300]], |x| x[0].cumsum(0)),
        ]
    }

    #[test]
    fn by_hand_and_its_gradient_counts_who_follows() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        let y = x.cumsum(1);
        assert_eq!(y.value().to_vec(), [1.0, 3.0, 3.0, 7.0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [2.0, 1.0, 2.0, 1.0]);
    }

    #[test]
    fn extremes_cancel_and_an_empty_axis_stays_empty() {
        let x = Var::constant(Tensor::new([1e30, -1e30, 1.0], &[3]));
        assert_eq!(x.cumsum(0).value().to_vec(), [1e30, 0.0, 1.0]);
        assert_eq!(Var::leaf(Tensor::zeros(&[0])).cumsum(0).shape(), [0]);
    }

    #[test]
    #[should_panic(expected = "cumsum: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn needs_the_axis() {
        Var::leaf(Tensor::ones(&[2, 3])).cumsum(2);
    }
}
