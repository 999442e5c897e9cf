//! (L5) Cross-entropy of the scores that an output layer gives, never holding all of them: for a
//! vocabulary of V tokens they would be the largest tensor of a model. Wijmans et al. 2024, section 3
//! (of which this takes the cutting into rows, not the filtering).

use super::cross_entropy::{cross_entropy_backward, cross_entropy_forward};
use crate::{Gradient, Var, scope};
use tensor::{Targets, Tensor};

/// Scores that are held at once, about: 128 MiB of `f32`.
const SCORES: usize = 1 << 25;

/// The summed negative log-likelihood of the targets under the scores x W.
///
/// ```math
/// S = -\sum_i \log \mathrm{softmax}(x_i W)_{t_i}, \quad
/// \bar s_{ij} = \bar S\, (\mathrm{softmax}(x_i W)_j - [j = t_i]), \quad
/// \bar x = \bar s\, W^T, \quad \bar W = x^T \bar s \qquad (L5)
/// ```
/// `x [n, d_model]`, `w [d_model, vocab_size]`, a target for each row; in nats. Targets that are
/// [`Targets::IGNORED`] do not count.
///
/// The derivative with respect to the scores needs nothing but S̄, a factor, that comes later: so it
/// is taken as long as some rows' scores are there, and what is kept for the backward pass are x̄
/// and W̄ themselves. It equals `cross_entropy_sum(&x.matmul(&w), &targets)`.
///
/// Source: Wijmans et al. 2024, *Cut Your Losses in Large-Vocabulary Language Models*, section 3.
///
/// ```
/// use autograd::{Var, ops::linear_cross_entropy::linear_cross_entropy_sum};
/// use tensor::{Targets, Tensor};
/// let [x, w] = [&[1, 2][..], &[2, 4]].map(|shape| Var::leaf(Tensor::zeros(shape)));
/// let loss = linear_cross_entropy_sum(&x, &w, &Targets::new([2], 4).unwrap());
/// assert!((loss.item() - (4.0 as tensor::Float).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If x and w are no matrices that fit, or there is not one target for each row.
#[track_caller]
pub fn linear_cross_entropy_sum(x: &Var, w: &Var, targets: &Targets) -> Var {
    linear_cross_entropy_in([x, w], None, targets, SCORES)
}

/// [`linear_cross_entropy_sum`] of the scores x W + b, as BERT's output layer gives them:
///
/// ```math
/// \bar b_j = \sum_i \bar s_{ij}
/// ```
/// `b [vocab_size]`
///
/// # Panics
/// As [`linear_cross_entropy_sum`], and if b is not of the vocabulary.
#[track_caller]
pub fn affine_cross_entropy_sum(x: &Var, w: &Var, b: &Var, targets: &Targets) -> Var {
    linear_cross_entropy_in([x, w], Some(b), targets, SCORES)
}

#[track_caller]
fn linear_cross_entropy_in(
    [x, w]: [&Var; 2],
    b: Option<&Var>,
    targets: &Targets,
    scores: usize,
) -> Var {
    let ([n, _], [_, vocab_size]) = (x.shape(), w.shape()) else {
        let shapes = [x.shape(), w.shape()];
        tensor::shape::wrong("linear_cross_entropy", "not two matrices", &shapes, "");
    };
    if targets.ids().len() != *n {
        let rule = format!("{} targets for {n} rows", targets.ids().len());
        tensor::shape::wrong("linear_cross_entropy", &rule, &[x.shape(), w.shape()], "");
    }
    if let Some(b) = b.filter(|b| b.shape() != [*vocab_size]) {
        let shapes = [w.shape(), b.shape()];
        tensor::shape::wrong("linear_cross_entropy", "b has not a number a token", &shapes, "");
    }
    let none = Var::constant(Tensor::zeros(&[0]));
    let inputs = [x, w, b.unwrap_or(&none)];
    let needs = inputs.map(|input| scope::is_recording() && input.needs_gradient());
    let mut parts = Parts::new(inputs.map(Var::value), needs);
    // Parts of one size: the matrix is read for each, also for one of few rows.
    let parts_of = (n * vocab_size + scores / 2) / scores;
    let rows = n.div_ceil(parts_of.max(1)).max(1);
    // Of no rows, one part: their gradients are zeros.
    let firsts = (0..(*n).max(1)).step_by(rows);
    let total: f64 = firsts.map(|first| parts.add(first, rows.min(n - first), targets)).sum();
    let total = Tensor::scalar(total as tensor::Float);
    let dw_is_transposed = parts.dw_is_transposed;
    let saved = [parts.dx, parts.dw.unwrap_or_else(|| Tensor::zeros(&[0])), parts.db];
    Var::record("linear_cross_entropy", inputs, total, saved, move |ds, [dx, dw, db]| {
        let scaled = |mut gradient: Tensor| {
            let ds = ds.item();
            gradient.apply(|g| ds * g);
            gradient
        };
        // The matrix is as its parameter lies in memory.
        let dw = || match dw_is_transposed {
            true => scaled(dw).transpose(0, 1),
            false => scaled(dw),
        };
        [
            Gradient::if_needed(needs[0], || scaled(dx)),
            Gradient::if_needed(needs[1], dw),
            Gradient::if_needed(needs[2], || scaled(db)),
        ]
    })
}

/// The gradients for S̄ = 1, as far as rows were looked at.
struct Parts<'a> {
    x: &'a Tensor,
    w: &'a Tensor,
    /// Empty where nothing is added to the scores.
    b: &'a Tensor,
    needs: [bool; 3],
    dx: Tensor,
    /// `None` before the first rows, and where it is not needed.
    dw: Option<Tensor>,
    db: Tensor,
    dw_is_transposed: bool,
}

impl<'a> Parts<'a> {
    fn new([x, w, b]: [&'a Tensor; 3], needs: [bool; 3]) -> Parts<'a> {
        let zeros = |needed: bool, like: &Tensor| match needed {
            true => Tensor::zeros(like.shape()),
            false => Tensor::zeros(&[0]),
        };
        let (dx, db) = (zeros(needs[0], x), zeros(needs[2], b));
        Parts { x, w, b, needs, dx, dw: None, db, dw_is_transposed: w.is_column_by_column() }
    }

    /// Takes in some rows; gives their loss in nats.
    fn add(&mut self, first: usize, count: usize, targets: &Targets) -> f64 {
        let x = self.x.narrow(0, first, count);
        let targets = targets.narrow(first, count);
        let scores = match self.b.is_empty() {
            true => x.matmul(self.w), // [count, vocab_size]
            false => x.affine(self.w, self.b),
        };
        let (losses, log_sums) = cross_entropy_forward(&scores, &targets);
        if self.needs != [false; 3] {
            let ds = cross_entropy_backward(scores, &targets, 0.0, &log_sums, 1.0);
            if self.needs[0] {
                let dx = ds.matmul(&self.w.transpose(0, 1));
                self.dx.data_mut()[first * x.size(1)..][..dx.len()].copy_from_slice(dx.data());
            }
            if self.needs[2] {
                self.db = &self.db + &ds.sum_to(self.b.shape());
            }
            if self.needs[1] {
                self.add_to_dw(&x, &ds);
            }
        }
        losses.iter().sum()
    }

    /// The first rows' product is the gradient so far: no zeros to write and read.
    fn add_to_dw(&mut self, x: &Tensor, ds: &Tensor) {
        let (a, b) = match self.dw_is_transposed {
            true => (ds.transpose(0, 1), x),
            false => (x.transpose(0, 1), ds),
        };
        match &mut self.dw {
            Some(dw) => dw.add_product(&a, b),
            None => self.dw = Some(a.matmul(b)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use crate::{Gradients, cross_entropy_sum};
    use tensor::{Float, Rng};

    fn targets(ids: &[u32], vocab_size: usize) -> Targets {
        Targets::new(ids.to_vec(), vocab_size).unwrap()
    }

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shapes: [&'static [usize]; 2], ids: &[u32], scores| {
            let targets = targets(ids, shapes[1][1]);
            let apply =
                move |x: &[Var]| linear_cross_entropy_in([&x[0], &x[1]], None, &targets, scores);
            Case::new(shapes, apply)
        };
        let affine = |shapes: [&'static [usize]; 3], ids: &[u32], scores| {
            let targets = targets(ids, shapes[1][1]);
            let apply = move |x: &[Var]| {
                linear_cross_entropy_in([&x[0], &x[1]], Some(&x[2]), &targets, scores)
            };
            Case::new(shapes, apply)
        };
        let ids = [1, 0, Targets::IGNORED, 4, 4];
        let many: Vec<u32> = (0..90).map(|i| i * 37 % 700).collect();
        vec![
            of([&[90, 60], &[60, 700]], &many, 20_000),
            of([&[5, 3], &[3, 5]], &ids, SCORES),
            of([&[5, 3], &[3, 5]], &ids, 10),
            of([&[1, 1], &[1, 2]], &[1], 1),
            affine([&[90, 60], &[60, 700], &[700]], &many, 20_000),
            affine([&[5, 3], &[3, 5], &[5]], &ids, 10),
        ]
    }

    #[test]
    fn equals_the_textbook_l5_however_it_is_cut_and_lies() {
        let mut rng = Rng::seeded(1);
        let x = Var::leaf(rng.normal(&[7, 6], 1.0));
        let table = Var::leaf(rng.normal(&[11, 6], 1.0));
        let targets = targets(&[1, 10, 3, Targets::IGNORED, 0, 5, 5], 11);
        let run = |loss: &dyn Fn(&Var) -> Var, w: &Var| {
            let loss = loss(w) * 0.25;
            let gradients = loss.backward().unwrap();
            let of = |x: &Var| gradients.get(x).unwrap().to_vec();
            (loss.item(), [of(&x), of(&table)].concat())
        };
        let textbook = |w: &Var| cross_entropy_sum(&x.matmul(w), &targets);
        let (expected, gradients) = run(&textbook, &table.transpose(0, 1));
        for scores in [1, 23, 1000] {
            let fused = |w: &Var| linear_cross_entropy_in([&x, w], None, &targets, scores);
            for w in [table.transpose(0, 1), &table.transpose(0, 1) * 1.0] {
                let (found, found_gradients) = run(&fused, &w);
                assert!((found - expected).abs() < 1e-5);
                let far = gradients.iter().zip(&found_gradients).map(|(a, b)| (a - b).abs());
                assert!(far.fold(0.0, Float::max) < 1e-5);
            }
        }
    }

    #[test]
    fn no_rows_have_no_loss_and_gradients_of_zeros() {
        let x = Var::leaf(Tensor::zeros(&[0, 3]));
        let [table, b] = [&[5, 3][..], &[5]].map(|shape| Var::leaf(Tensor::ones(shape)));
        for w in [table.transpose(0, 1), &table.transpose(0, 1) * 1.0] {
            let loss = affine_cross_entropy_sum(&x, &w, &b, &targets(&[], 5));
            let gradients = loss.backward().unwrap();
            assert_eq!(loss.item(), 0.0);
            assert_eq!(gradients.get(&x).unwrap().shape(), [0, 3]);
            assert_eq!(gradients.get(&table).unwrap().to_vec(), [0.0; 15]);
            assert_eq!(gradients.get(&b).unwrap().to_vec(), [0.0; 5]);
        }
    }

    #[test]
    fn what_is_added_to_the_scores_is_part_of_them() {
        let mut rng = Rng::seeded(1);
        let [x, w, b] = [&[7, 6][..], &[6, 11], &[11]].map(|s| Var::leaf(rng.normal(s, 1.0)));
        let targets = targets(&[1, 10, 3, Targets::IGNORED, 0, 5, 5], 11);
        let textbook = cross_entropy_sum(&(x.matmul(&w) + &b), &targets);
        let expected = textbook.backward().unwrap();
        for scores in [1, 23, 1000] {
            let fused = linear_cross_entropy_in([&x, &w], Some(&b), &targets, scores);
            assert!((fused.item() - textbook.item()).abs() < 1e-5);
            let found = fused.backward().unwrap();
            for input in [&x, &w, &b] {
                let of = |gradients: &Gradients| gradients.get(input).unwrap().clone();
                let far = of(&expected).zip(&of(&found), |a, b| (a - b).abs());
                assert!(far.to_vec().into_iter().fold(0.0, Float::max) < 1e-5);
            }
        }
    }

    #[test]
    #[should_panic(expected = "linear_cross_entropy: b has not a number a token: [1, 2] and [3]")]
    fn what_is_added_must_be_of_the_vocabulary() {
        let [x, w, b] = [&[1, 1][..], &[1, 2], &[3]].map(|shape| Var::leaf(Tensor::ones(shape)));
        affine_cross_entropy_sum(&x, &w, &b, &targets(&[0], 2));
    }

    #[test]
    fn what_needs_no_gradient_is_not_kept() {
        let mut rng = Rng::seeded(1);
        let [x, w] = [[4, 3], [3, 5]].map(|shape| rng.normal(&shape, 1.0));
        let targets = targets(&[0, 1, 2, 3], 5);
        let loss = |x: Var, w: Var| linear_cross_entropy_sum(&x, &w, &targets);
        let frozen = loss(Var::leaf(x.clone()), Var::constant(w.clone()));
        assert_eq!(frozen.saved_bytes(), 4 * 3 * size_of::<Float>());
        let constant = loss(Var::constant(x.clone()), Var::constant(w.clone()));
        assert!(!constant.needs_gradient() && constant.item() == frozen.item());
    }

    #[test]
    fn by_hand_and_for_extremes() {
        let x = Var::leaf(Tensor::new([1.0, 1.0], &[2, 1]));
        let w = Var::leaf(Tensor::new([1e4, -1e4], &[1, 2]));
        let right = linear_cross_entropy_sum(&x, &w, &targets(&[0, 0], 2));
        let wrong = linear_cross_entropy_sum(&x, &w, &targets(&[0, 1], 2));
        assert_eq!((right.item(), wrong.item()), (0.0, 2e4));
        assert_eq!(wrong.backward().unwrap().get(&x).unwrap().to_vec(), [0.0, 2e4]);
    }

    #[test]
    #[should_panic(expected = "linear_cross_entropy: 1 targets for 2 rows: [2, 1] and [1, 2]")]
    fn each_row_needs_a_target() {
        let [x, w] = [&[2, 1][..], &[1, 2]].map(|shape| Var::leaf(Tensor::ones(shape)));
        linear_cross_entropy_sum(&x, &w, &targets(&[0], 2));
    }
}
