//! (A4) Masks: which keys a query may attend to. Vaswani et al. 2017, section 3.2.3.

use crate::Var;
use std::sync::Arc;
use tensor::{Float, Tensor, par};

/// Which keys each query may attend to.
///
/// ```math
/// M_{qk} = \begin{cases} 0 & \text{if } k \le q + (n_{keys} - n_{queries})
/// \text{ and key } k \text{ is a real token} \\ -\infty & \text{otherwise} \end{cases}
/// \qquad (A4)
/// ```
/// The first condition is that of a causal mask and aligns the last query with the last key, as
/// decoding with cached keys needs; the second is that of padding.
///
/// Source: Vaswani et al. 2017, section 3.2.3.
///
/// ```
/// use autograd::{Mask, ops::masked::masked};
/// let y = masked(&tensor::Tensor::zeros(&[2, 2]), &Mask::causal());
/// assert_eq!(y.map(|y| y.exp()).to_vec(), [1.0, 0.0, 1.0, 1.0]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mask {
    causal: bool,
    /// Row by row whether each key is a real token: `[batch_size, n_keys]`.
    keys: Option<Arc<[bool]>>,
}

impl Mask {
    /// Every query may attend to every key.
    pub fn none() -> Mask {
        Mask::default()
    }

    /// Each query may attend to its own position and those before it.
    pub fn causal() -> Mask {
        Mask { causal: true, keys: None }
    }

    /// Whether positions that come later are hidden.
    pub fn is_causal(&self) -> bool {
        self.causal
    }

    /// The same, for keys of which some are padding: `is_token` is `[batch_size, n_keys]`, row by
    /// row.
    pub fn with_padding(self, is_token: impl Into<Arc<[bool]>>) -> Mask {
        Mask { keys: Some(is_token.into()), ..self }
    }

    /// Whether query `q` of row `batch` may attend to key `k`: the definition.
    pub fn allows(
        &self,
        batch: usize,
        q: usize,
        k: usize,
        n_queries: usize,
        n_keys: usize,
    ) -> bool {
        let is_past = !self.causal || k + n_queries <= q + n_keys;
        is_past && self.keys.as_ref().is_none_or(|keys| keys[batch * n_keys + k])
    }

    /// How many keys, from the first on, query `q` may attend to where none is padding.
    pub(crate) fn keys_seen(&self, q: usize, n_queries: usize, n_keys: usize) -> usize {
        if self.causal { (q + 1 + n_keys).saturating_sub(n_queries).min(n_keys) } else { n_keys }
    }

    /// Whether each key of row `batch` is a real token, if some may be padding.
    pub(crate) fn tokens(&self, batch: usize, n_keys: usize) -> Option<&[bool]> {
        Some(&self.keys.as_ref()?[batch * n_keys..][..n_keys])
    }

    /// Panics if there is a padding mask that is not `[batch_size, n_keys]`.
    #[track_caller]
    pub(crate) fn check(&self, operation: &str, batch_size: usize, n_keys: usize) {
        if self.keys.as_ref().is_some_and(|keys| keys.len() != batch_size * n_keys) {
            let rule = "the padding mask is not [batch_size, n_keys] of these scores";
            tensor::shape::wrong(operation, rule, &[&[batch_size, n_keys]], "");
        }
    }

    /// Writes `value` over the scores (of any number of heads) that the mask forbids.
    fn for_each_forbidden(&self, scores: &mut Tensor, value: Float) {
        let [batch_size, n_queries, n_keys] = self.sizes(scores);
        let rows_of_batch = scores.len() / (batch_size * n_keys).max(1);
        par::for_rows(scores.data_mut(), n_keys, |first, rows| {
            for (row, scores) in rows.chunks_exact_mut(n_keys.max(1)).enumerate() {
                let (batch, q) = ((first + row) / rows_of_batch, (first + row) % n_queries);
                let end = self.keys_seen(q, n_queries, n_keys);
                scores[end..].fill(value);
                if let Some(keys) = &self.keys {
                    let keys = &keys[batch * n_keys..][..end];
                    for (score, &is_token) in scores.iter_mut().zip(keys) {
                        *score = if is_token { *score } else { value };
                    }
                }
            }
        });
    }

    #[track_caller]
    fn sizes(&self, scores: &Tensor) -> [usize; 3] {
        let [n_queries, n_keys] = [scores.size(-2), scores.size(-1)];
        let batch_size = if scores.rank() > 2 { scores.size(0) } else { 1 };
        if self.keys.as_ref().is_some_and(|keys| keys.len() != batch_size * n_keys) {
            let rule = "the padding mask is not [batch_size, n_keys] of these scores";
            tensor::shape::wrong("masked", rule, &[scores.shape()], "");
        }
        [batch_size, n_queries, n_keys]
    }
}

/// Scores with −∞ where the mask forbids to attend.
///
/// ```math
/// y = x + M, \qquad \bar x_{qk} = \bar y_{qk} \text{ where allowed, else } 0
/// ```
/// `x [batch_size, .., n_queries, n_keys]`
///
/// # Panics
/// If the mask's padding is not `[batch_size, n_keys]`.
#[track_caller]
pub fn masked(x: &Tensor, mask: &Mask) -> Tensor {
    let mut y = x.clone();
    mask.for_each_forbidden(&mut y, Float::NEG_INFINITY);
    y
}

/// The derivative of [`masked`].
pub fn masked_backward(mut dy: Tensor, mask: &Mask) -> Tensor {
    mask.for_each_forbidden(&mut dy, 0.0);
    dy
}

impl Var {
    /// Scores with −∞ where the mask forbids to attend: see [`masked`].
    ///
    /// # Panics
    /// If the mask's padding is not `[batch_size, n_keys]`.
    #[track_caller]
    pub fn masked(&self, mask: &Mask) -> Var {
        if !mask.causal && mask.keys.is_none() {
            return self.clone();
        }
        let (y, mask) = (masked(self.value(), mask), mask.clone());
        Var::record("masked", [self], y, [], move |dy, []| [masked_backward(dy, &mask).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        // Softmax follows, since finite differences of −∞ are not numbers.
        let padded = Mask::causal().with_padding([true, true, true, true, false, true]);
        vec![
            Case::new([&[2, 1, 3, 3]], move |x| x[0].masked(&padded).softmax(-1)),
            Case::new([&[1, 4]], |x| x[0].masked(&Mask::causal()).softmax(-1)),
            Case::new([&[4, 120, 120]], |x| x[0].masked(&Mask::causal()).softmax(-1)),
        ]
    }

    #[test]
    fn no_gradient_flows_where_it_is_forbidden_to_attend() {
        let dy = masked_backward(Tensor::ones(&[2, 2]), &Mask::causal());
        assert_eq!(dy.to_vec(), [1.0, 0.0, 1.0, 1.0]);
    }

    const FORBIDDEN: Float = Float::NEG_INFINITY;

    #[test]
    fn equals_its_definition_a4() {
        let masks = [Mask::none(), Mask::causal()];
        let tokens = [true, false, true, true, false, true, true, true];
        for mask in masks.iter().cloned().chain(masks.clone().map(|m| m.with_padding(tokens))) {
            let x = Rng::seeded(1).normal(&[2, 3, 2, 4], 1.0);
            let y = masked(&x, &mask);
            for (i, (&x, &y)) in x.data().iter().zip(y.data()).enumerate() {
                let (batch, q, k) = (i / 24, i / 4 % 2, i % 4);
                let allowed = mask.allows(batch, q, k, 2, 4);
                assert_eq!(y, if allowed { x } else { FORBIDDEN }, "{batch} {q} {k}");
            }
        }
    }

    #[test]
    fn a_causal_mask_by_hand() {
        let y = masked(&Tensor::zeros(&[2, 2]), &Mask::causal());
        assert_eq!(y.to_vec(), [0.0, FORBIDDEN, 0.0, 0.0]);
        let one_query_and_its_past = masked(&Tensor::zeros(&[1, 3]), &Mask::causal());
        assert_eq!(one_query_and_its_past.to_vec(), [0.0; 3]);
    }

    #[test]
    fn extreme_scores_and_more_queries_than_keys() {
        let y = masked(&Tensor::full(&[3, 2], 1e30), &Mask::causal());
        assert_eq!(y.to_vec(), [FORBIDDEN, FORBIDDEN, 1e30, FORBIDDEN, 1e30, 1e30]);
    }

    #[test]
    #[should_panic(
        expected = "masked: the padding mask is not [batch_size, n_keys] of these scores"
    )]
    fn padding_must_fit_the_scores() {
        masked(&Tensor::zeros(&[2, 1, 3]), &Mask::none().with_padding([true; 3]));
    }
}
