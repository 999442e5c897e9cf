//! An affine map of the last axis.

use super::matmul::{Layout, matmul_backward_a, matmul_backward_b};
use crate::{Gradient, Kept, Var};

/// The affine map of the last axis.
///
/// ```math
/// y = x W + b, \qquad \bar x = \bar y W^T, \quad \bar W = x^T \bar y, \quad
/// \bar b = \textstyle\sum \bar y
/// ```
/// `x [.., d_in]`, `w [d_in, d_out]`, `b [d_out]` → `[.., d_out]`
///
/// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 6.5.6.
///
/// ```
/// use autograd::{Var, ops::linear::linear};
/// let [x, w, b] = [&[2, 3][..], &[3, 4], &[4]].map(|s| Var::leaf(tensor::Tensor::ones(s)));
/// assert_eq!(linear(&x, &w, &b).value().to_vec(), [4.0; 8]);
/// ```
///
/// # Panics
/// If the inner sizes differ or b is not as long as W is wide.
#[track_caller]
pub fn linear(x: &Var, w: &Var, b: &Var) -> Var {
    let y = x.value().affine(w.value(), b.value());
    let needs = [x, w, b].map(Var::needs_gradient);
    let (x_layout, w_layout) = (Layout::of(x.value()), Layout::of(w.value()));
    let kept = [x.kept_if(needs[1]), w.kept_if(needs[0])];
    let bytes = kept.iter().map(Kept::bytes).sum();
    Var::record_all("linear", &[x, w, b], y, bytes, move |dy| {
        let [x, w] = kept;
        vec![
            Gradient::if_needed(needs[0], || matmul_backward_a(&dy, &x_layout, &w.get())),
            Gradient::if_needed(needs[1], || matmul_backward_b(&dy, &x.get(), &w_layout)),
            Gradient::if_needed(needs[2], || dy.sum_to(&[dy.size(-1)])),
        ]
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::{Rng, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes| Case::new(shapes, |x| linear(&x[0], &x[1], &x[2]));
        vec![
            of([&[2, 3], &[3, 4], &[4]]),
            of([&[1, 3], &[3, 4], &[4]]),
            of([&[2, 2, 3], &[3, 1], &[1]]),
            of([&[3, 90, 60], &[60, 500], &[500]]),
        ]
    }

    #[test]
    fn equals_product_and_sum() {
        let mut rng = Rng::seeded(1);
        let [x, w, b] = [&[2, 3, 4][..], &[4, 5], &[5]].map(|s| Var::leaf(rng.normal(s, 1.0)));
        let textbook = x.matmul(&w) + &b;
        assert_eq!(linear(&x, &w, &b).value().to_vec(), textbook.value().to_vec());
    }

    #[test]
    fn by_hand_and_for_extremes() {
        let [x, w, b] = [(&[2.0][..], &[1, 1][..]), (&[3.0], &[1, 1]), (&[1e30], &[1])]
            .map(|(values, shape)| Var::leaf(Tensor::new(values, shape)));
        assert_eq!(linear(&x, &w, &b).item(), 6.0 + 1e30);
    }

    #[test]
    #[should_panic(
        expected = "affine: w is no matrix that is as wide as b is long: [2, 3] and [2]"
    )]
    fn the_bias_must_fit() {
        let [x, w, b] = [&[1, 2][..], &[2, 3], &[2]].map(|s| Var::leaf(Tensor::ones(s)));
        linear(&x, &w, &b);
    }
}
