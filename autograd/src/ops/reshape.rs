//! The same numbers under another shape.

use crate::Var;

impl Var {
    /// The same numbers in row-major order under another shape.
    ///
    /// ```math
    /// y_{\pi(i)} = x_i, \qquad \bar x_i = \bar y_{\pi(i)}
    /// ```
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Var {
        let before = self.shape().to_vec();
        Var::record("reshape", [self], self.value().reshape(shape), [], move |dy, []| {
            [dy.reshape(&before).into()]
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Var;
    use crate::gradcheck::gradcheck;
    use tensor::{Rng, Tensor};

    #[test]
    fn keeps_the_numbers_and_there_and_back_is_the_same() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        let y = x.reshape(&[3, 2]);
        assert_eq!((y.shape(), y.value().data()[2]), (&[3, 2][..], 3.0));
        assert_eq!(y.reshape(&[2, 3]).value().to_vec(), x.value().to_vec());
    }

    #[test]
    fn an_extreme_shape_an_empty_axis() {
        assert_eq!(Var::leaf(Tensor::zeros(&[0, 3])).reshape(&[5, 0]).shape(), [5, 0]);
    }

    #[test]
    fn gradient() {
        let x = Rng::seeded(1).normal(&[2, 3], 1.0);
        gradcheck(|x| x[0].reshape(&[1, 6]), std::slice::from_ref(&x)).unwrap();
        gradcheck(|x| x[0].transpose(0, 1).reshape(&[6]), &[x]).unwrap();
    }
}
