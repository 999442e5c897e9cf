//! Entries in order along an axis: sort and top-k.

use crate::Var;
use tensor::{Indices, Tensor};

impl Var {
    /// The entries in ascending or descending order along `axis`, and the place each came from.
    ///
    /// ```math
    /// y_i = x_{p_i}, \qquad \bar x_{p_i} = \bar y_i
    /// ```
    /// Equal entries keep their order, and each its own gradient; NaN comes last.
    ///
    /// Source: Blondel et al. 2020, *Fast Differentiable Sorting and Ranking*, section 2.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([3.0, 1.0, 2.0], &[3]));
    /// let (sorted, from) = x.sort(0, false);
    /// assert_eq!(sorted.value().to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(from.positions(), [1, 2, 0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Var, Indices) {
        let (value, from) = self.value().sort(axis, descending);
        (self.taken("sort", axis, value, &from), from)
    }

    /// The `k` largest entries along `axis`, largest first, and the place each came from.
    ///
    /// Of equal entries the first comes first; NaN comes last. The entries that are not among them
    /// get no gradient.
    ///
    /// # Panics
    /// If the axis does not exist or has fewer than `k` entries.
    #[track_caller]
    pub fn top_k(&self, k: usize, axis: isize) -> (Var, Indices) {
        let (value, from) = self.value().top_k(k, axis);
        (self.taken("top_k", axis, value, &from), from)
    }

    /// Records that `value` holds the entries at `from` along `axis`.
    #[track_caller]
    fn taken(&self, operation: &'static str, axis: isize, value: Tensor, from: &Indices) -> Var {
        let (shape, from) = (self.shape().to_vec(), from.clone());
        Var::record(operation, [self], value, [], move |dy, []| {
            [Tensor::zeros(&shape).scatter_add(axis, &from, &dy).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::{Float, Rng};

    /// Numbers in random order that stand further apart than finite differences step.
    fn apart(shape: &[usize], gap: Float) -> Tensor {
        let order = Rng::seeded(1).permutation(shape.iter().product());
        Tensor::new(order.iter().map(|&i| i as Float * gap).collect::<Vec<_>>(), shape)
    }

    pub(crate) fn cases() -> Vec<Case> {
        let of =
            |shape, apply: fn(&Var) -> Var| Case::of([apart(shape, 0.25)], move |x| apply(&x[0]));
        vec![
            of(&[2, 5], |x| x.sort(-1, false).0),
            of(&[4, 1, 2], |x| x.sort(0, true).0),
            of(&[1, 6], |x| x.top_k(3, 1).0),
            of(&[5, 2], |x| x.top_k(2, 0).0),
            of(&[200, 300], |x| x.sort(0, false).0),
            of(&[200, 300], |x| x.top_k(7, -1).0),
        ]
    }

    #[test]
    fn each_gradient_goes_where_its_entry_came_from() {
        let x = Var::leaf(Tensor::new([2.0, 9.0, 4.0], &[3]));
        let weights = Var::constant(Tensor::new([1.0, 10.0, 100.0], &[3]));
        let (sorted, _) = x.sort(0, false);
        let gradients = (&sorted * &weights).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [1.0, 100.0, 10.0]);
        let (top, from) = x.top_k(1, 0);
        assert_eq!((top.value().to_vec(), from.positions()), (vec![9.0], &[1][..]));
        assert_eq!(top.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn extremes_nan_comes_last_and_no_entries_have_no_gradient() {
        let x = Var::leaf(Tensor::new([Float::NAN, Float::INFINITY, -1e30], &[3]));
        let (sorted, from) = x.sort(0, true);
        assert_eq!((sorted.value().data()[1], from.positions()), (-1e30, &[1, 2, 0][..]));
        let (none, _) = x.top_k(0, 0);
        assert_eq!(none.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0; 3]);
    }

    #[test]
    #[should_panic(expected = "top_k: axis 1 has fewer than 4 entries: [2, 3]")]
    fn top_k_needs_k_entries() {
        Var::leaf(Tensor::ones(&[2, 3])).top_k(4, 1);
    }
}
