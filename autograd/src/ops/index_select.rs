//! Whole slices at positions along an axis.

use crate::Var;
use tensor::{Indices, Tensor};

impl Var {
    /// The slices that `indices` names along `axis`: see [`Tensor::index_select`].
    ///
    /// ```math
    /// y_{o,j,i} = x_{o,\,p_j,\,i}, \qquad
    /// \bar x_{o,k,i} = \sum_{j \,:\, p_j = k} \bar y_{o,j,i}
    /// ```
    /// The axis of the result is replaced by the axes of `indices`.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
    /// let y = x.index_select(0, &tensor::Indices::new([1], &[1]));
    /// assert_eq!(y.value().to_vec(), [3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a position goes beyond the axis.
    #[track_caller]
    pub fn index_select(&self, axis: isize, indices: &Indices) -> Var {
        let value = self.value().index_select(axis, indices);
        let (shape, indices) = (self.shape().to_vec(), indices.clone());
        Var::record("index_select", [self], value, [], move |dy, []| {
            [Tensor::zeros(&shape).index_add(axis, &indices, &dy).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::{Case, positions};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape, axis: isize, to: &'static [usize], size| {
            Case::new([shape], move |x| x[0].index_select(axis, &positions(to, size)))
        };
        vec![
            of(&[3, 2], 0, &[2, 2], 3),
            of(&[2, 4], -1, &[3], 4),
            of(&[1, 3, 2], 1, &[1, 5], 3),
            of(&[200, 300], 0, &[300], 200),
        ]
    }

    #[test]
    fn a_slice_taken_twice_gets_both_gradients() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        let y = x.index_select(0, &Indices::new([1, 1], &[2]));
        assert_eq!(y.value().to_vec(), [3.0, 4.0, 3.0, 4.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 0.0, 12.0, 16.0]);
    }

    #[test]
    fn an_extreme_one_position_without_an_axis() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[2]));
        let y = x.index_select(0, &Indices::new([1], &[]));
        assert_eq!((y.shape(), y.item()), (&[][..], 2.0));
        assert_eq!(y.backward().unwrap().get(&x).unwrap().to_vec(), [0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "index_select: position 3 goes beyond axis 1: [2, 3]")]
    fn stays_on_its_axis() {
        Var::leaf(Tensor::ones(&[2, 3])).index_select(-1, &Indices::new([0, 3], &[2]));
    }
}
