//! (F2) SwiGLU: a linear unit gated by a SiLU. Shazeer 2020, section 2.

use super::silu::silu_slope;
use crate::{Gradient, Var};
use tensor::{Float, Tensor, par, shape, simd, vmath};

/// One value gated by the SiLU of another, in one pass over both.
///
/// ```math
/// y = \mathrm{SiLU}(a) \odot b = a\,\sigma(a) \odot b \qquad (F2)
/// ```
/// In a feed-forward layer a = x W and b = x V. Shapes broadcast; only a and b are kept for the
/// backward, not the SiLU.
///
/// Source: Shazeer 2020, *GLU Variants Improve Transformer*, section 2, without biases.
///
/// ```
/// use tensor::Tensor;
/// let y = autograd::ops::swiglu::swiglu(&Tensor::zeros(&[2]), &Tensor::ones(&[2]));
/// assert_eq!(y.to_vec(), [0.0, 0.0]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn swiglu(a: &Tensor, b: &Tensor) -> Tensor {
    shape::broadcast("swiglu", a.shape(), b.shape());
    a.zip(b, |a, b| a * vmath::sigmoid(a) * b)
}

/// The derivative of [`swiglu`] with respect to a and b.
///
/// ```math
/// \bar a = \bar y \odot b \odot \big( s + a\, s (1 - s) \big), \quad
/// \bar b = \bar y \odot a\, s, \qquad s = \sigma(a)
/// ```
pub fn swiglu_backward(a: &Tensor, b: &Tensor, mut dy: Tensor) -> (Tensor, Tensor) {
    let [wide_a, wide_b] = [a, b].map(|x| x.broadcast_to(dy.shape()).contiguous());
    let mut db = Tensor::build(dy.shape(), |_| {});
    par::for_rows_of_two((dy.data_mut(), 1), (db.data_mut(), 1), |first, dy, db| {
        swiglu_backward_slice(&wide_a.data()[first..], &wide_b.data()[first..], dy, db);
    });
    (dy.sum_to(a.shape()), db.sum_to(b.shape()))
}

simd! {
    /// `dy` becomes that of `a`.
    fn swiglu_backward_slice(a: &[Float], b: &[Float], dy: &mut [Float], db: &mut [Float]) {
        for (((dy, db), &a), &b) in dy.iter_mut().zip(db).zip(a).zip(b) {
            let s = vmath::sigmoid(a);
            *db = *dy * (a * s);
            *dy *= b * silu_slope(a, s);
        }
    }
}

impl Var {
    /// `b` gated by the SiLU of this value: see [`swiglu`].
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn swiglu(&self, b: &Var) -> Var {
        let y = swiglu(self.value(), b.value());
        let saved = [self.value().clone(), b.value().clone()];
        let [a, b_value] = saved.clone();
        let y = Var::record("swiglu", [self, b], y, saved, |dy, [a, b]| {
            let (da, db) = swiglu_backward(&a, &b, dy);
            [da, db].map(Gradient::from)
        });
        y.made_again_by(move || swiglu(&a, &b_value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| x[0].swiglu(&x[1]));
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[200, 300], &[200, 300]]),
        ]
    }

    #[test]
    fn equals_the_equation_f2() {
        let mut rng = Rng::seeded(1);
        let [a, b] = [(); 2].map(|()| rng.normal(&[7, 31], 2.0));
        let textbook = a.map(|a| a / (1.0 + (-a).exp())) * &b;
        for (y, expected) in swiglu(&a, &b).data().iter().zip(textbook.data()) {
            assert_relative_eq!(y, expected, max_relative = 1e-5);
        }
        let by_hand = swiglu(&Tensor::scalar(1.0), &Tensor::scalar(2.0)).item();
        assert_relative_eq!(by_hand, 1.462_117_2, max_relative = 1e-6);
    }

    #[test]
    fn extreme_gates_are_open_and_shut() {
        let (a, b) = (Tensor::new([1e4, -1e4], &[2]), Tensor::full(&[2], 3.0));
        assert_eq!(swiglu(&a, &b).to_vec(), [3e4, 0.0]);
        let (da, db) = swiglu_backward(&a, &b, Tensor::ones(&[2]));
        assert_eq!((da.to_vec(), db.to_vec()), (vec![3.0, 0.0], vec![1e4, 0.0]));
        assert_eq!(swiglu(&Tensor::zeros(&[0, 3]), &Tensor::zeros(&[0, 3])).shape(), [0, 3]);
    }

    #[test]
    #[should_panic(expected = "swiglu: shapes do not broadcast: [2] and [3]; \
                               sizes must be equal or 1")]
    fn unequal_shapes_do_not_gate() {
        swiglu(&Tensor::ones(&[2]), &Tensor::ones(&[3]));
    }
}
