//! (L3) The mean squared error. Goodfellow et al. 2016, section 5.1.4.

use crate::{Gradient, Var};

/// The mean of the squared differences between predictions and targets.
///
/// ```math
/// L = \frac{1}{n} \sum_{i=1}^{n} (x_i - t_i)^2 \qquad (L3)
/// ```
/// ```math
/// \bar x_i = \tfrac{2}{n}\, \bar L\, (x_i - t_i), \qquad \bar t_i = -\bar x_i
/// ```
/// Shapes broadcast, and n counts the numbers of the shape that both broadcast to.
///
/// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 5.1.4.
///
/// ```
/// use autograd::Var;
/// let [x, t] = [[1.0, 2.0], [3.0, 2.0]].map(|x| Var::leaf(tensor::Tensor::new(x, &[2])));
/// assert_eq!(autograd::mse(&x, &t).item(), 2.0);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn mse(predictions: &Var, targets: &Var) -> Var {
    let [x, t] = [predictions, targets].map(Var::value);
    tensor::shape::broadcast("mse", x.shape(), t.shape());
    let needs = [predictions, targets].map(Var::needs_gradient);
    let loss = x.zip(t, |x, t| (x - t) * (x - t)).mean();
    let saved = [x.clone(), t.clone()];
    Var::record("mse", [predictions, targets], loss, saved, move |dl, [x, t]| {
        let mut d = &x - &t;
        let factor = 2.0 * dl.item() / d.len() as tensor::Float;
        d.apply(|d| factor * d);
        [
            Gradient::if_needed(needs[0], || d.sum_to(x.shape())),
            Gradient::if_needed(needs[1], || -d.sum_to(t.shape())),
        ]
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::{Float, Rng, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| mse(&x[0], &x[1]));
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[300, 200], &[300, 200]]),
        ]
    }

    #[test]
    fn equals_the_equation_l3() {
        let [x, t] = [1, 2].map(|seed| Rng::seeded(seed).normal(&[50], 1.0));
        let squares = x.data().iter().zip(t.data()).map(|(x, t)| (x - t) * (x - t));
        let expected = squares.sum::<Float>() / 50.0;
        let loss = mse(&Var::constant(x.clone()), &Var::constant(t));
        assert_relative_eq!(loss.item(), expected, max_relative = 1e-5);
        assert_eq!(mse(&Var::constant(x.clone()), &Var::constant(x)).item(), 0.0);
    }

    #[test]
    fn extreme_differences_and_none() {
        let [x, t] = [1e4, -1e4].map(|x| Var::leaf(Tensor::full(&[2], x)));
        let loss = mse(&x, &t);
        assert_eq!(loss.item(), 4e8);
        let gradients = loss.backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [2e4, 2e4]);
        assert_eq!(gradients.get(&t).unwrap().to_vec(), [-2e4, -2e4]);
        let none = Var::constant(Tensor::zeros(&[0]));
        assert!(mse(&none, &none).item().is_nan());
    }

    #[test]
    #[should_panic(
        expected = "mse: shapes do not broadcast: [2] and [3]; sizes must be equal or 1"
    )]
    fn targets_must_fit() {
        let [x, t] = [2, 3].map(|size| Var::constant(Tensor::ones(&[size])));
        mse(&x, &t);
    }
}
