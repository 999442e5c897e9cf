//! Whole slices added at positions along an axis: the transpose of index select.

use crate::{Gradient, Var};
use tensor::Indices;

impl Var {
    /// This value with the slices of `source` added where `indices` says along `axis`: see
    /// [`tensor::Tensor::index_add`].
    ///
    /// ```math
    /// y_{o,k,i} = x_{o,k,i} + \sum_{j \,:\, p_j = k} s_{o,j,i}, \qquad
    /// \bar x = \bar y, \quad \bar s_{o,j,i} = \bar y_{o,\,p_j,\,i}
    /// ```
    /// `source` has the shape that [`Var::index_select`] would give.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// let y = x.index_add(0, &tensor::Indices::new([1, 1], &[2]), &x);
    /// assert_eq!(y.value().to_vec(), [1.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If it has not, or a position goes beyond the axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, indices: &Indices, source: &Var) -> Var {
        let value = self.value().index_add(axis, indices, source.value());
        let (needs_source, indices) = (source.needs_gradient(), indices.clone());
        Var::record("index_add", [self, source], value, [], move |dy, []| {
            let ds = Gradient::if_needed(needs_source, || dy.index_select(axis, &indices));
            [dy.into(), ds]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::{Case, positions};
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape, axis: isize, at: &'static [usize], size, source| {
            Case::new([shape, source], move |x| x[0].index_add(axis, &positions(at, size), &x[1]))
        };
        vec![
            of(&[3, 2], 0, &[2, 2], 3, &[2, 2, 2]),
            of(&[2, 4], -1, &[3], 4, &[2, 3]),
            of(&[1, 3, 2], 1, &[1, 5], 3, &[1, 1, 5, 2]),
            of(&[100, 300], 0, &[150], 100, &[150, 300]),
        ]
    }

    #[test]
    fn slices_for_one_place_add_up() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        let source = Var::leaf(Tensor::new([10.0, 20.0, 30.0, 40.0], &[2, 2]));
        let y = x.index_add(0, &Indices::new([1, 1], &[2]), &source);
        assert_eq!(y.value().to_vec(), [1.0, 2.0, 43.0, 64.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 4.0, 86.0, 128.0]);
        assert_eq!(gradients.get(&source).unwrap().to_vec(), [86.0, 128.0, 86.0, 128.0]);
    }

    #[test]
    fn an_extreme_nothing_to_add() {
        let (x, source) = (Var::leaf(Tensor::ones(&[3])), Var::leaf(Tensor::zeros(&[0])));
        let y = x.index_add(0, &Indices::new([], &[0]), &source);
        assert_eq!(y.value().to_vec(), [1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "index_add: positions and source do not fit: \
                               [2, 3] and [2] and [3, 3]; the source would be [2, 3]")]
    fn needs_a_slice_for_each_position() {
        let (x, source) = (Var::leaf(Tensor::ones(&[2, 3])), Var::leaf(Tensor::ones(&[3, 3])));
        x.index_add(0, &Indices::new([0, 1], &[2]), &source);
    }
}
