//! The smaller of two numbers.

use crate::{Gradient, Var};
use tensor::Tensor;

impl Var {
    /// The smaller of each pair, shapes broadcast; NaN if either is.
    ///
    /// ```math
    /// y = \min(a, b), \qquad \bar a = s \odot \bar y, \quad \bar b = (1 - s) \odot \bar y, \qquad
    /// s = 1 \text{ where } a < b, \text{ else } 0
    /// ```
    /// Where both are equal each gets half, as in PyTorch.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 14.
    ///
    /// ```
    /// use autograd::Var;
    /// let [a, b] = [1.0, 2.0].map(|x| Var::leaf(tensor::Tensor::scalar(x)));
    /// assert_eq!(a.minimum(&b).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn minimum(&self, other: &Var) -> Var {
        let [a, b] = [self, other].map(Var::value);
        let needs = [self, other].map(Var::needs_gradient);
        let (y, saved) = (a.minimum(b), [a.clone(), b.clone()]);
        Var::record("minimum", [self, other], y, saved, move |dy, [a, b]| {
            [(needs[0], &a, &b), (needs[1], &b, &a)].map(|(needed, x, other)| {
                Gradient::if_needed(needed, || (&dy * share(x, other)).sum_to(x.shape()))
            })
        })
    }
}

/// How much of the gradient `x` gets: 1 where it is below `other`, ½ where they are equal.
fn share(x: &Tensor, other: &Tensor) -> Tensor {
    x.zip(other, |x, other| match x {
        _ if x > other => 0.0,
        _ if x == other => 0.5,
        _ => 1.0,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Float;

    /// Pairs at least 0.2 apart, so that finite differences cross no tie.
    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes: [&[usize]; 2]| {
            let [a, b] = shapes.map(|shape| {
                let len = shape.iter().product();
                let x = |i: usize| ((i * 7) % 5) as Float;
                Tensor::new((0..len).map(x).collect::<Vec<_>>(), shape)
            });
            Case::of([a, b * 1.5 - 1.2], |x| x[0].minimum(&x[1]))
        };
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[300, 200], &[200]]),
        ]
    }

    #[test]
    fn equals_share_their_gradient() {
        let [a, b] = [[1.0, 2.0, 5.0], [3.0, 2.0, -5.0]].map(|x| Var::leaf(Tensor::new(x, &[3])));
        let y = a.minimum(&b);
        assert_eq!(y.value().to_vec(), [1.0, 2.0, -5.0]);
        let gradients = y.sum().backward().unwrap();
        assert_eq!(gradients.get(&a).unwrap().to_vec(), [1.0, 0.5, 0.0]);
        assert_eq!(gradients.get(&b).unwrap().to_vec(), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn extremes_win_and_nan_stays() {
        let a = Var::constant(Tensor::new([Float::INFINITY, -1e4, Float::NAN], &[3]));
        let y = a.minimum(&Var::constant(Tensor::scalar(0.0)));
        assert_eq!(y.value().to_vec()[..2], [0.0, -1e4]);
        assert!(y.value().to_vec()[2].is_nan());
    }

    #[test]
    #[should_panic(expected = "minimum: shapes do not broadcast: [2] and [3]")]
    fn unequal_shapes_have_no_smaller() {
        let [a, b] = [2, 3].map(|size| Var::constant(Tensor::ones(&[size])));
        a.minimum(&b);
    }
}
