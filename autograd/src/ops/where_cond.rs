//! One value or another, entry by entry.

use crate::{Gradient, Var};
use tensor::Tensor;

impl Var {
    /// The entries of `a` where the condition is true (not zero), those of `b` elsewhere; all three
    /// are broadcast to one shape.
    ///
    /// ```math
    /// y = c\, ?\, a : b, \qquad \bar a = c\, ?\, \bar y : 0, \quad \bar b = c\, ?\, 0 : \bar y
    /// ```
    /// Where a shape was stretched, its gradient is summed back over the stretched axes.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// use autograd::Var;
    /// use tensor::Tensor;
    /// let [a, b] = [1.0, 2.0].map(|x| Var::leaf(Tensor::scalar(x)));
    /// let condition = Tensor::new([0.0, 1.0], &[2]);
    /// assert_eq!(Var::where_cond(&condition, &a, &b).value().to_vec(), [2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_cond(condition: &Tensor, a: &Var, b: &Var) -> Var {
        let value = condition.where_cond(a.value(), b.value());
        let (need_a, need_b) = (a.needs_gradient(), b.needs_gradient());
        let (a_shape, b_shape) = (a.shape().to_vec(), b.shape().to_vec());
        let saved = [condition.clone()];
        Var::record("where_cond", [a, b], value, saved, move |dy, [condition]| {
            let zero = Tensor::scalar(0.0);
            let da = || condition.where_cond(&dy, &zero).sum_to(&a_shape);
            let db = || condition.where_cond(&zero, &dy).sum_to(&b_shape);
            [Gradient::if_needed(need_a, da), Gradient::if_needed(need_b, db)]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::{Float, Rng};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |condition: &'static [usize], a, b| {
            let condition = Rng::seeded(1).bernoulli(condition, 0.5);
            Case::new([a, b], move |x| Var::where_cond(&condition, &x[0], &x[1]))
        };
        vec![
            of(&[2, 3], &[2, 3], &[2, 3]),
            of(&[3], &[2, 1], &[1, 3]),
            of(&[2, 3, 4], &[4], &[3, 1]),
            of(&[200, 300], &[200, 300], &[300]),
        ]
    }

    #[test]
    fn chooses_and_gives_the_gradient_to_the_chosen() {
        let [a, b] = [[1.0, 2.0], [3.0, 4.0]].map(|x| Var::leaf(Tensor::new(x, &[2])));
        let y = Var::where_cond(&Tensor::new([-1.0, 0.0], &[2]), &a, &b);
        assert_eq!(y.value().to_vec(), [1.0, 4.0]);
        let gradients = (&y * &y).sum().backward().unwrap();
        assert_eq!(gradients.get(&a).unwrap().to_vec(), [2.0, 0.0]);
        assert_eq!(gradients.get(&b).unwrap().to_vec(), [0.0, 8.0]);
    }

    #[test]
    fn an_extreme_in_what_was_not_chosen_does_not_matter() {
        let a = Var::leaf(Tensor::scalar(1.0));
        let b = Var::leaf(Tensor::scalar(Float::NAN));
        let y = Var::where_cond(&Tensor::scalar(1.0), &a, &(&b * &b));
        let gradients = y.backward().unwrap();
        assert_eq!((y.item(), gradients.get(&a).unwrap().item()), (1.0, 1.0));
    }

    #[test]
    #[should_panic(expected = "where_cond: shapes do not broadcast: [2] and [3]")]
    fn needs_shapes_that_broadcast() {
        let [a, b] = [3, 1].map(|size| Var::leaf(Tensor::ones(&[size])));
        Var::where_cond(&Tensor::ones(&[2]), &a, &b);
    }
}
