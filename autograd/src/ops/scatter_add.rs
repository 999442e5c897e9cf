//! Single entries added at positions along an axis: the transpose of gather.

use crate::{Gradient, Var};
use tensor::Indices;

impl Var {
    /// This value with the entries of `source` added where `indices` says along `axis`: see
    /// [`tensor::Tensor::scatter_add`].
    ///
    /// ```math
    /// y_{o,k,i} = x_{o,k,i} + \sum_{j \,:\, p_{o,j,i} = k} s_{o,j,i}, \qquad
    /// \bar x = \bar y, \quad \bar s_{o,j,i} = \bar y_{o,\,p_{o,j,i},\,i}
    /// ```
    /// `indices` and `source` have one shape, which fits this value's as for [`Var::gather`].
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// let y = x.scatter_add(0, &tensor::Indices::new([1, 1], &[2]), &x);
    /// assert_eq!(y.value().to_vec(), [1.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit so, or a position goes beyond the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, indices: &Indices, source: &Var) -> Var {
        let value = self.value().scatter_add(axis, indices, source.value());
        let (needs_source, indices) = (source.needs_gradient(), indices.clone());
        Var::record("scatter_add", [self, source], value, [], move |dy, []| {
            let ds = Gradient::if_needed(needs_source, || dy.gather(axis, &indices));
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
        let of = |shape, axis: isize, source: &'static [usize], size| {
            Case::new([shape, source], move |x| {
                x[0].scatter_add(axis, &positions(source, size), &x[1])
            })
        };
        vec![
            of(&[2, 3], 1, &[2, 4], 3),
            of(&[4, 2], 0, &[3, 1], 4),
            of(&[1, 2, 3], -2, &[1, 5, 2], 2),
            of(&[200, 200], 0, &[150, 200], 200),
        ]
    }

    #[test]
    fn equals_a_loop_and_gather_takes_its_gradient_back() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0], &[3]));
        let source = Var::leaf(Tensor::new([10.0, 20.0, 30.0], &[3]));
        let y = x.scatter_add(0, &Indices::new([2, 0, 2], &[3]), &source);
        assert_eq!(y.value().to_vec(), [21.0, 2.0, 43.0]);
        let gradients = (&y * &Var::constant(Tensor::new([1.0, 2.0, 3.0], &[3]))).sum();
        let gradients = gradients.backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [1.0, 2.0, 3.0]);
        assert_eq!(gradients.get(&source).unwrap().to_vec(), [3.0, 1.0, 3.0]);
    }

    #[test]
    fn an_extreme_nothing_to_add() {
        let (x, source) = (Var::leaf(Tensor::ones(&[3])), Var::leaf(Tensor::zeros(&[0])));
        let y = x.scatter_add(0, &Indices::new([], &[0]), &source);
        assert_eq!(y.value().to_vec(), [1.0; 3]);
        assert_eq!(y.sum().backward().unwrap().get(&source).unwrap().shape(), [0]);
    }

    #[test]
    #[should_panic(expected = "scatter_add: positions and source differ in shape: [1] and [2]")]
    fn needs_a_position_for_each_entry() {
        let (x, source) = (Var::leaf(Tensor::ones(&[3])), Var::leaf(Tensor::ones(&[2])));
        x.scatter_add(0, &Indices::new([0], &[1]), &source);
    }
}
