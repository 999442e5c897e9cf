//! A number in the place of masked entries.

use crate::Var;
use tensor::{Float, Tensor};

impl Var {
    /// `value` where `mask` is true (not zero), this value's entries elsewhere; both are broadcast
    /// to one shape.
    ///
    /// ```math
    /// y = m\, ?\, value : x, \qquad \bar x = m\, ?\, 0 : \bar y
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0], &[2]));
    /// let mask = tensor::Tensor::new([0.0, 1.0], &[2]);
    /// assert_eq!(x.masked_fill(&mask, 9.0).value().to_vec(), [1.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: Float) -> Var {
        let (y, shape) = (self.value().masked_fill(mask, value), self.shape().to_vec());
        Var::record("masked_fill", [self], y, [mask.clone()], move |dy, [mask]| {
            [dy.masked_fill(&mask, 0.0).sum_to(&shape).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape, mask: &'static [usize]| {
            let mask = Rng::seeded(1).bernoulli(mask, 0.5);
            Case::new([shape], move |x| x[0].masked_fill(&mask, 0.25))
        };
        vec![
            of(&[2, 3], &[2, 3]),
            of(&[2, 3], &[3]),
            of(&[2, 1], &[3, 1, 4]),
            of(&[200, 300], &[300]),
        ]
    }

    #[test]
    fn fills_and_what_was_filled_gets_no_gradient() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        let y = x.masked_fill(&Tensor::new([0.0, 1.0], &[2]), 7.0);
        assert_eq!(y.value().to_vec(), [1.0, 7.0, 3.0, 7.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn extremes_fill_and_are_filled() {
        let x = Var::leaf(Tensor::new([Float::NAN, 1.0], &[2]));
        let y = x.masked_fill(&Tensor::new([1.0, 0.0], &[2]), Float::NEG_INFINITY).softmax(-1);
        assert_eq!(y.value().to_vec(), [0.0, 1.0]);
        assert_eq!(y.sum().backward().unwrap().get(&x).unwrap().to_vec(), [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "masked_fill: shapes do not broadcast: [2] and [3]")]
    fn needs_a_mask_that_broadcasts() {
        Var::leaf(Tensor::ones(&[2])).masked_fill(&Tensor::ones(&[3]), 0.0);
    }
}
