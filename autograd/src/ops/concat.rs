//! Values joined along an axis, an old or a new one.

use crate::{Gradient, Var};
use tensor::{Tensor, shape};

impl Var {
    /// The values joined along `axis`; negative counts from the end.
    ///
    /// ```math
    /// y = [\, x_1, x_2, \dots \,], \qquad \bar x_k = \bar y \text{ at the place of } x_k
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// assert_eq!(autograd::Var::concat(&[&x, &x], 0).value().to_vec(), [1.0, 2.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is none, or their other axes differ.
    #[track_caller]
    pub fn concat(parts: &[&Var], axis: isize) -> Var {
        let values: Vec<&Tensor> = parts.iter().map(|part| part.value()).collect();
        let value = Tensor::concat(&values, axis);
        let axis = shape::axis("concat", value.shape(), axis);
        let sizes: Vec<usize> = values.iter().map(|value| value.shape()[axis]).collect();
        Var::record_all("concat", parts, value, 0, move |dy| {
            dy.split(axis as isize, &sizes).into_iter().map(Gradient::from).collect()
        })
    }

    /// The values, all of one shape, side by side along a new axis.
    ///
    /// `n` values of shape `[a, b]` give `[n, a, b]` for axis 0, `[a, b, n]` for axis -1.
    ///
    /// # Panics
    /// If there is none, their shapes differ, or the axis does not exist in the result.
    #[track_caller]
    pub fn stack(parts: &[&Var], axis: isize) -> Var {
        let first = parts.first().expect("stack: at least one value");
        if let Some(other) = parts.iter().find(|part| part.shape() != first.shape()) {
            shape::wrong("stack", "shapes differ", &[first.shape(), other.shape()], "");
        }
        let mut views = Vec::with_capacity(parts.len());
        for part in parts {
            views.push(part.unsqueeze(axis));
        }
        let axis = if axis < 0 { axis + first.value().rank() as isize + 1 } else { axis };
        Var::concat(&views.iter().collect::<Vec<_>>(), axis)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 3], &[2, 1]], |x| Var::concat(&[&x[0], &x[1]], 1)),
            Case::new([&[1, 3], &[2, 3], &[0, 3]], |x| Var::concat(&[&x[0], &x[1], &x[2]], 0)),
            Case::new([&[2, 3]], |x| Var::concat(&[&x[0], &x[0]], -1)),
            Case::new([&[2, 3], &[2, 3]], |x| Var::stack(&[&x[0], &x[1]], 0)),
            Case::new([&[2, 1], &[2, 1]], |x| Var::stack(&[&x[0], &x[1]], -1)),
            Case::new([&[200, 100], &[200, 200]], |x| Var::concat(&[&x[0], &x[1]], 1)),
        ]
    }

    #[test]
    fn joins_and_gives_each_part_its_own_gradient() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[1, 2]));
        let y = Var::leaf(Tensor::new([3.0], &[1, 1]));
        let joined = Var::concat(&[&x, &y], 1);
        assert_eq!(joined.value().to_vec(), [1.0, 2.0, 3.0]);
        let gradients = (&joined * &joined).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 4.0]);
        assert_eq!(gradients.get(&y).unwrap().to_vec(), [6.0]);
        assert_eq!(Var::stack(&[&y, &y], -1).shape(), [1, 1, 2]);
    }

    #[test]
    fn an_extreme_a_single_part_and_an_empty_one() {
        let x = Var::leaf(Tensor::ones(&[2]));
        let empty = Var::leaf(Tensor::zeros(&[0]));
        assert_eq!(Var::concat(&[&x], 0).value().to_vec(), [1.0; 2]);
        assert_eq!(Var::concat(&[&empty, &x], 0).value().to_vec(), [1.0; 2]);
    }

    #[test]
    #[should_panic(expected = "concat: sizes differ beside axis 0: [2, 3] and [2, 4]")]
    fn needs_equal_sides() {
        let [x, y] = [3, 4].map(|size| Var::leaf(Tensor::ones(&[2, size])));
        Var::concat(&[&x, &y], 0);
    }

    #[test]
    #[should_panic(expected = "stack: shapes differ: [2, 3] and [2, 4]")]
    fn stack_needs_equal_shapes() {
        let [x, y] = [3, 4].map(|size| Var::leaf(Tensor::ones(&[2, size])));
        Var::stack(&[&x, &y], 0);
    }
}
