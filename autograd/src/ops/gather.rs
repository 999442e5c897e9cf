//! Single entries at positions along an axis.

use crate::Var;
use tensor::{Indices, Tensor};

impl Var {
    /// The entries that `indices` names along `axis`: see [`Tensor::gather`].
    ///
    /// ```math
    /// y_{o,j,i} = x_{o,\,p_{o,j,i},\,i}, \qquad
    /// \bar x_{o,k,i} = \sum_{j \,:\, p_{o,j,i} = k} \bar y_{o,j,i}
    /// ```
    /// `indices` has the rank of this value, any size along `axis` and at most this value's sizes
    /// along the others; the result has its shape.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
    /// let y = x.gather(1, &tensor::Indices::new([1, 0], &[2, 1]));
    /// assert_eq!(y.value().to_vec(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit so, or a position goes beyond the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &Indices) -> Var {
        let value = self.value().gather(axis, indices);
        let (shape, indices) = (self.shape().to_vec(), indices.clone());
        Var::record("gather", [self], value, [], move |dy, []| {
            [Tensor::zeros(&shape).scatter_add(axis, &indices, &dy).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::{Case, positions};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape, axis: isize, to: &'static [usize], size| {
            Case::new([shape], move |x| x[0].gather(axis, &positions(to, size)))
        };
        vec![
            of(&[2, 3], 1, &[2, 4], 3),
            of(&[4, 2], 0, &[3, 1], 4),
            of(&[1, 2, 3], -2, &[1, 5, 2], 2),
            of(&[200, 300], 1, &[200, 250], 300),
        ]
    }

    #[test]
    fn an_entry_taken_twice_gets_both_gradients() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0], &[3]));
        let y = x.gather(0, &Indices::new([2, 0, 2], &[3]));
        assert_eq!(y.value().to_vec(), [3.0, 1.0, 3.0]);
        let loss = (&y * &Var::constant(Tensor::new([1.0, 10.0, 100.0], &[3]))).sum();
        assert_eq!(loss.backward().unwrap().get(&x).unwrap().to_vec(), [10.0, 0.0, 101.0]);
    }

    #[test]
    fn an_extreme_no_position_at_all() {
        let x = Var::leaf(Tensor::ones(&[2, 3]));
        let y = x.gather(1, &Indices::new([], &[2, 0]));
        assert_eq!(y.shape(), [2, 0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "gather: position 3 goes beyond axis 1: [2, 3]")]
    fn stays_on_its_axis() {
        Var::leaf(Tensor::ones(&[2, 3])).gather(-1, &Indices::new([0, 3], &[2, 1]));
    }
}
