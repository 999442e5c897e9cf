//! A value with a border around it.

use crate::Var;
use tensor::{Float, Tensor};

impl Var {
    /// The value with `value` around it: `padding[i]` entries before and after it along axis `i`.
    ///
    /// ```math
    /// y_{i + before} = x_i, \text{ else } value, \qquad \bar x_i = \bar y_{i + before}
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// assert_eq!(x.pad(&[(1, 2)], 9.0).value().to_vec(), [9.0, 1.0, 2.0, 9.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair for each axis.
    #[track_caller]
    pub fn pad(&self, padding: &[(usize, usize)], value: Float) -> Var {
        let starts: Vec<usize> = padding.iter().map(|&(before, _)| before).collect();
        let shape = self.shape().to_vec();
        Var::record("pad", [self], self.value().pad(padding, value), [], move |dy, []| {
            [pad_backward(dy, &starts, &shape).into()]
        })
    }
}

/// The view of `shape` inside the border.
fn pad_backward(dy: Tensor, starts: &[usize], shape: &[usize]) -> Tensor {
    let places = starts.iter().zip(shape).enumerate();
    places.fold(dy, |dy, (axis, (&start, &size))| dy.narrow(axis as isize, start, size))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[2, 3]], |x| x[0].pad(&[(1, 0), (0, 2)], 0.5)),
            Case::new([&[1, 2, 1]], |x| x[0].pad(&[(0, 1), (2, 1), (0, 0)], 0.0)),
            Case::new([&[3, 2]], |x| x[0].transpose(0, 1).pad(&[(1, 1), (1, 1)], 0.0)),
            Case::new([&[200, 300]], |x| x[0].pad(&[(0, 5), (3, 0)], 1.0)),
        ]
    }

    #[test]
    fn surrounds_and_the_border_gets_no_gradient() {
        let x = Var::leaf(Tensor::new([1.0, 2.0], &[1, 2]));
        let y = x.pad(&[(0, 1), (1, 0)], 9.0);
        assert_eq!(y.value().to_vec(), [9.0, 1.0, 2.0, 9.0, 9.0, 9.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 4.0]);
    }

    #[test]
    fn an_extreme_border_of_infinity_around_nothing() {
        let y = Var::leaf(Tensor::zeros(&[0])).pad(&[(1, 1)], Float::NEG_INFINITY);
        assert_eq!(y.value().to_vec(), [Float::NEG_INFINITY; 2]);
    }

    #[test]
    #[should_panic(expected = "pad: 1 pairs of padding do not name each axis once: [2, 3]")]
    fn names_each_axis() {
        Var::leaf(Tensor::ones(&[2, 3])).pad(&[(1, 1)], 0.0);
    }
}
