//! The diagonal of the last two axes.

use crate::Var;
use tensor::{Indices, Tensor};

impl Var {
    /// The diagonal of the last two axes.
    ///
    /// ```math
    /// y_i = x_{ii}, \qquad \bar x_{ii} = \bar y_i, \text{ else } 0
    /// ```
    /// `[.., m, n] → [.., min(m, n)]`
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
    /// assert_eq!(x.diagonal().value().to_vec(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn diagonal(&self) -> Var {
        let shape = self.shape().to_vec();
        Var::record("diagonal", [self], self.value().diagonal(), [], move |dy, []| {
            [diagonal_backward(&dy, &shape).into()]
        })
    }
}

/// Zeros of `shape` with `dy` on the diagonal: each matrix taken as a row, every (n + 1)-th number.
fn diagonal_backward(dy: &Tensor, shape: &[usize]) -> Tensor {
    let (matrices, [m, n]) = (&shape[..shape.len() - 2], [dy.size(-1), shape[shape.len() - 1]]);
    let rows = [matrices, &[shape[shape.len() - 2] * n]].concat();
    let places: Vec<usize> = (0..m).map(|i| i * (n + 1)).collect();
    Tensor::zeros(&rows).index_add(-1, &Indices::new(places, &[m]), dy).reshape(shape)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[3, 3]], |x| x[0].diagonal()),
            Case::new([&[2, 1, 2, 4]], |x| x[0].diagonal()),
            Case::new([&[4, 2]], |x| x[0].diagonal()),
            Case::new([&[20, 50, 60]], |x| x[0].diagonal()),
        ]
    }

    #[test]
    fn the_rest_gets_no_gradient() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        let y = x.diagonal();
        assert_eq!(y.value().to_vec(), [1.0, 5.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 0.0, 0.0, 0.0, 10.0, 0.0]);
    }

    #[test]
    fn an_extreme_matrix_without_columns() {
        let x = Var::leaf(Tensor::zeros(&[2, 3, 0]));
        assert_eq!(x.diagonal().shape(), [2, 0]);
        let gradients = x.diagonal().sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().shape(), [2, 3, 0]);
    }

    #[test]
    #[should_panic(expected = "diagonal: two axes are needed: [4]")]
    fn needs_two_axes() {
        Var::leaf(Tensor::ones(&[4])).diagonal();
    }
}
