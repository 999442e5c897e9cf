//! (D1) Dropout. Srivastava et al. 2014, section 4; inverted, so that evaluation needs no scaling.

use crate::{Var, scope};
use tensor::{Float, Rng, Tensor};

/// Each number dropped with probability p, the others scaled up, so that the mean stays.
///
/// ```math
/// y = \frac{m \odot x}{1 - p}, \quad m_i \sim \mathrm{Bernoulli}(1 - p), \qquad
/// \bar x = \frac{m \odot \bar y}{1 - p} \qquad (D1)
/// ```
/// The mask m is drawn from `seed`, and drawn again for the derivative, which is the same function:
/// nothing is saved.
///
/// Source: Srivastava et al. 2014, section 4.
///
/// ```
/// let y = autograd::ops::dropout::dropout(&tensor::Tensor::ones(&[100]), 0.5, 7);
/// assert!(y.to_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// ```
pub fn dropout(x: &Tensor, p: Float, seed: u64) -> Tensor {
    let keep = 1.0 - p;
    let mask = Rng::seeded(seed).bernoulli(x.shape(), f64::from(keep));
    x.zip(&mask, |x, m| if m == 0.0 { 0.0 } else { x / keep })
}

/// The derivative of [`dropout`]: the same mask and scale.
pub fn dropout_backward(dy: &Tensor, p: Float, seed: u64) -> Tensor {
    dropout(dy, p, seed)
}

impl Var {
    /// [`dropout`] with probability `p` inside of [`crate::with_dropout`], the value itself outside.
    ///
    /// # Panics
    /// If p is not in [0, 1).
    #[track_caller]
    pub fn dropout(&self, p: Float) -> Var {
        assert!((0.0..1.0).contains(&p), "dropout: the probability {p} is not in [0, 1)");
        if p == 0.0 {
            return self.clone();
        }
        let Some(seed) = scope::dropout_rng(Rng::next_seed) else { return self.clone() };
        let y = dropout(self.value(), p, seed);
        Var::record("dropout", [self], y, [], move |dy, []| [dropout_backward(&dy, p, seed).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use crate::with_dropout;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape| Case::new([shape], |x| with_dropout(Rng::seeded(1), || x[0].dropout(0.4)));
        vec![of(&[4, 1, 5]), of(&[200, 300])]
    }

    #[test]
    fn drops_its_share_and_keeps_the_mean_d1() {
        let y = dropout(&Tensor::ones(&[100_000]), 0.25, 7);
        let dropped = y.data().iter().filter(|&&y| y == 0.0).count();
        assert!((24_000..26_000).contains(&dropped));
        assert!(y.data().iter().all(|&y| y == 0.0 || (y - 4.0 / 3.0).abs() < 1e-6));
        assert!((y.mean_axes(&[0], false).item() - 1.0).abs() < 0.01);
    }

    #[test]
    fn does_nothing_outside_of_its_scope() {
        let x = Var::leaf(Tensor::ones(&[100]));
        assert_eq!(x.dropout(0.5).value().to_vec(), x.value().to_vec());
        let dropped = |seed| with_dropout(Rng::seeded(seed), || x.dropout(0.5).value().to_vec());
        assert_eq!(dropped(1), dropped(1));
        assert_ne!(dropped(1), dropped(2));
    }

    #[test]
    fn two_layers_drop_differently() {
        let x = Var::leaf(Tensor::ones(&[100]));
        with_dropout(Rng::seeded(1), || {
            assert_ne!(x.dropout(0.5).value().to_vec(), x.dropout(0.5).value().to_vec());
        });
    }

    #[test]
    fn extremes_infinity_is_dropped_to_zero() {
        let y = dropout(&Tensor::full(&[64], Float::INFINITY), 0.5, 1);
        assert!(y.data().iter().all(|&y| y == 0.0 || y == Float::INFINITY));
    }

    #[test]
    #[should_panic(expected = "dropout: the probability 1 is not in [0, 1)")]
    fn the_probability_must_make_sense() {
        Var::leaf(Tensor::ones(&[1])).dropout(1.0);
    }
}
