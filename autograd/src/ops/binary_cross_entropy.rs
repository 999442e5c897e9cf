//! (L4) Binary cross-entropy: the negative log-likelihood of a yes or no.
//! Goodfellow et al. 2016, section 6.2.2.2.

use crate::{Gradient, Var};
use tensor::{Float, Tensor, par, simd, vmath};

/// The mean negative log-likelihood of targets from 0 (no) to 1 (yes), from logits; in nats.
///
/// ```math
/// L = -\frac{1}{n} \sum_{i=1}^{n} \big( t_i \ln \sigma(x_i) + (1 - t_i) \ln \sigma(-x_i) \big)
/// \qquad (L4)
/// ```
/// It is computed without the sigmoid, so that no logit overflows or loses its digits:
/// ```math
/// L = \frac{1}{n} \sum_i \big( \max(x_i, 0) - x_i t_i + \ln(1 + e^{-\lvert x_i \rvert}) \big),
/// \qquad \bar x_i = \tfrac{1}{n} \bar L\, \big( \sigma(x_i) - t_i \big), \quad
/// \bar t_i = -\tfrac{1}{n} \bar L\, x_i
/// ```
/// Shapes broadcast, and n counts the numbers of the shape that both broadcast to.
///
/// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 6.2.2.2.
///
/// ```
/// use autograd::{Var, binary_cross_entropy_with_logits};
/// let [x, t] = [0.0, 1.0].map(|x| Var::leaf(tensor::Tensor::scalar(x)));
/// let loss = binary_cross_entropy_with_logits(&x, &t).item();
/// assert!((loss - (2.0 as tensor::Float).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn binary_cross_entropy_with_logits(logits: &Var, targets: &Var) -> Var {
    const NAME: &str = "binary_cross_entropy_with_logits";
    let [x, t] = [logits, targets].map(Var::value);
    let shape = tensor::shape::broadcast(NAME, x.shape(), t.shape());
    let [wide_x, wide_t] = [x, t].map(|x| x.broadcast_to(&shape).contiguous());
    let costs = Tensor::build(&shape, |out| {
        par::for_pieces(out, |first, out| {
            costs(&wide_x.data()[first..], &wide_t.data()[first..], out);
        });
    });
    let n = costs.len() as Float;
    let needs = [logits, targets].map(Var::needs_gradient);
    let loss = costs.mean();
    let saved = [x.clone(), t.clone()];
    Var::record(NAME, [logits, targets], loss, saved, move |dl, [x, t]| {
        let factor = dl.item() / n;
        let by_x = |x, t| factor * (vmath::sigmoid(x) - t);
        [
            Gradient::if_needed(needs[0], || x.zip(&t, by_x).sum_to(x.shape())),
            Gradient::if_needed(needs[1], || x.zip(&t, |x, _| -factor * x).sum_to(t.shape())),
        ]
    })
}

simd! {
    /// What each logit costs.
    fn costs(x: &[Float], t: &[Float], out: &mut [Float]) {
        for ((out, &x), &t) in out.iter_mut().zip(x).zip(t) {
            let positive = if x < 0.0 { 0.0 } else { x };
            *out = positive - x * t + ln_one_plus(vmath::exp(-x.abs()));
        }
    }
}

/// ln(1 + e) for e from 0 to 1: the second term is what rounding took from 1 + e.
/// Source: Higham 2002, *Accuracy and Stability of Numerical Algorithms*, section 1.14.1.
#[inline(always)]
fn ln_one_plus(e: Float) -> Float {
    let u = 1.0 + e;
    vmath::ln(u) + (e - (u - 1.0)) / u
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| binary_cross_entropy_with_logits(&x[0], &x[1]));
        vec![
            of([&[2, 3], &[2, 3]]),
            of([&[2, 1], &[1, 3]]),
            of([&[3], &[4, 2, 3]]),
            of([&[300, 200], &[300, 200]]),
        ]
    }

    fn loss(x: Float, t: Float) -> Float {
        let [x, t] = [x, t].map(|x| Var::constant(Tensor::scalar(x)));
        binary_cross_entropy_with_logits(&x, &t).item()
    }

    #[test]
    fn equals_the_equation_l4() {
        let x = Rng::seeded(1).normal(&[50], 2.0);
        for (&x, t) in x.data().iter().zip([0.0, 1.0, 0.3].into_iter().cycle()) {
            let yes = 1.0 / (1.0 + (-x).exp());
            let expected = -t * yes.ln() - (1.0 - t) * (1.0 - yes).ln();
            assert_relative_eq!(loss(x, t), expected, max_relative = 1e-4, epsilon = 1e-6);
        }
    }

    #[test]
    fn extreme_logits_cost_themselves_or_almost_nothing() {
        assert_eq!((loss(1e4, 1.0), loss(-1e4, 0.0)), (0.0, 0.0));
        assert_eq!((loss(1e4, 0.0), loss(-1e4, 1.0)), (1e4, 1e4));
        assert_relative_eq!(loss(30.0, 1.0), (-30.0 as Float).exp(), max_relative = 1e-5);
        let x = Var::leaf(Tensor::new([1e4, -1e4], &[2]));
        let loss = binary_cross_entropy_with_logits(&x, &Var::constant(Tensor::zeros(&[2])));
        assert_eq!(loss.backward().unwrap().get(&x).unwrap().to_vec(), [0.5, 0.0]);
    }

    #[test]
    #[should_panic(expected = "binary_cross_entropy_with_logits: shapes do not broadcast: \
                               [2] and [3]; sizes must be equal or 1")]
    fn targets_must_fit() {
        let [x, t] = [2, 3].map(|size| Var::constant(Tensor::ones(&[size])));
        binary_cross_entropy_with_logits(&x, &t);
    }
}
