//! (L1) Cross-entropy: the negative log-likelihood of the targets. Goodfellow et al. 2016, § 5.5.
//! (L2) The same with label smoothing. Szegedy et al. 2016, section 7.

use crate::Var;
use tensor::{Float, Targets, Tensor, par, simd, vmath};

/// The negative log-likelihood of the targets, averaged over those that count.
///
/// ```math
/// L = -\frac{1}{n} \sum_{i=1}^{n} \log \mathrm{softmax}(x_i)_{t_i} \qquad (L1)
/// ```
/// `logits [.., vocab_size]`, a target for each row; in nats. Targets that are
/// [`Targets::IGNORED`] count neither in the sum nor in n.
///
/// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 5.5.
///
/// ```
/// use autograd::{Var, cross_entropy};
/// use tensor::{Targets, Tensor};
/// let logits = Var::leaf(Tensor::zeros(&[1, 4]));
/// let loss = cross_entropy(&logits, &Targets::new([2], 4).unwrap());
/// assert!((loss.item() - (4.0 as tensor::Float).ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If there is not one target for each row, or none counts.
#[track_caller]
pub fn cross_entropy(logits: &Var, targets: &Targets) -> Var {
    cross_entropy_smoothed(logits, targets, 0.0)
}

/// [`cross_entropy`] with label smoothing: each target keeps 1 − ε of its weight and all tokens,
/// itself included, share the rest.
///
/// ```math
/// L = -\frac{1}{n} \sum_{i=1}^{n} \sum_{j=1}^{V} q_{ij} \log \mathrm{softmax}(x_i)_j, \quad
/// q_{ij} = (1 - \epsilon)\,[j = t_i] + \frac{\epsilon}{V} \qquad (L2)
/// ```
/// V is the length of a row of logits. Targets that are [`Targets::IGNORED`] count neither in the
/// sum nor in n.
///
/// Source: Szegedy et al. 2016, section 7; ε = 0.1 in Vaswani et al. 2017, section 5.4.
///
/// # Panics
/// If there is not one target for each row, none counts, or epsilon is not from 0 to 1.
#[track_caller]
pub fn cross_entropy_smoothed(logits: &Var, targets: &Targets, epsilon: Float) -> Var {
    let count = targets.count();
    assert!(count > 0, "cross_entropy: no target counts, all {} are ignored", targets.ids().len());
    cross_entropy_smoothed_sum(logits, targets, epsilon) / count as Float
}

/// [`cross_entropy`] before it is divided by n: what micro-batches of one step add up.
///
/// # Panics
/// If there is not one target for each row.
#[track_caller]
pub fn cross_entropy_sum(logits: &Var, targets: &Targets) -> Var {
    cross_entropy_smoothed_sum(logits, targets, 0.0)
}

/// [`cross_entropy_smoothed`] before it is divided by n: what micro-batches of one step add up.
///
/// ```math
/// S = \sum_i \big( \log \textstyle\sum_j e^{x_{ij}} - (1 - \epsilon)\, x_{i t_i}
/// - \frac{\epsilon}{V} \sum_j x_{ij} \big), \qquad
/// \bar x_{ij} = \bar S\, \big( \mathrm{softmax}(x_i)_j - q_{ij} \big)
/// ```
/// # Panics
/// If there is not one target for each row, or epsilon is not from 0 to 1.
#[track_caller]
pub fn cross_entropy_smoothed_sum(logits: &Var, targets: &Targets, epsilon: Float) -> Var {
    let fits = (0.0..=1.0).contains(&epsilon);
    assert!(fits, "cross_entropy: a smoothing of {epsilon} is not from 0 to 1");
    let (losses, log_sums) = smoothed_forward(logits.value(), targets, epsilon);
    let total: f64 = losses.iter().sum();
    let (x, targets) = (logits.value().clone(), targets.clone());
    let bytes = x.bytes() + log_sums.bytes();
    Var::record_all(
        "cross_entropy_sum",
        &[logits],
        Tensor::scalar(total as Float),
        bytes,
        move |ds| vec![cross_entropy_backward(x, &targets, epsilon, &log_sums, ds.item()).into()],
    )
}

/// −log softmax(x)ₜ of each row (0 where the target is ignored) and log Σ eˣ of each row, in nats.
///
/// # Panics
/// If there is not one target for each row, or the vocabularies differ.
#[track_caller]
pub fn cross_entropy_forward(logits: &Tensor, targets: &Targets) -> (Vec<f64>, Tensor) {
    smoothed_forward(logits, targets, 0.0)
}

#[track_caller]
fn smoothed_forward(logits: &Tensor, targets: &Targets, epsilon: Float) -> (Vec<f64>, Tensor) {
    check_sizes(logits, targets);
    let x = logits.contiguous();
    let (x, width) = (x.data(), logits.size(-1));
    let rows = [targets.ids().len()];
    let log_sums = Tensor::build(&rows, |out| {
        par::for_rows_reading(out, 1, width, |first, out| {
            log_sum_exp_rows(&x[first * width..], width, out);
        });
    });
    let means = (epsilon > 0.0).then(|| logits.mean_axes(&[-1], false));
    let loss = |row: usize, id: u32| {
        let target = f64::from(x[row * width + id as usize]);
        let log_sum = f64::from(log_sums.data()[row]);
        match &means {
            None => log_sum - target,
            Some(means) => {
                let epsilon = f64::from(epsilon);
                log_sum - (1.0 - epsilon) * target - epsilon * f64::from(means.data()[row])
            }
        }
    };
    let ids = targets.ids().iter().enumerate();
    let losses = ids.map(|(row, &id)| if id == Targets::IGNORED { 0.0 } else { loss(row, id) });
    (losses.collect(), log_sums)
}

#[track_caller]
fn check_sizes(logits: &Tensor, targets: &Targets) {
    let (width, count) = (logits.size(-1), targets.ids().len());
    if logits.len() / width.max(1) != count || width < targets.vocab_size() {
        let vocab_size = targets.vocab_size();
        let rule = format!("{count} targets of a vocabulary of {vocab_size} do not fit");
        tensor::shape::wrong("cross_entropy", &rule, &[logits.shape()], "one target for each row");
    }
}

simd! {
    fn log_sum_exp_rows(x: &[Float], width: usize, out: &mut [Float]) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            let max = vmath::max(x);
            *out = max + vmath::sum_of(x, |x| vmath::exp(x - max)).ln();
        }
    }
}

/// The derivative of [`cross_entropy_smoothed_sum`], written over the logits where no one else
/// holds them.
pub fn cross_entropy_backward(
    mut logits: Tensor,
    targets: &Targets,
    epsilon: Float,
    log_sums: &Tensor,
    ds: Float,
) -> Tensor {
    let width = logits.size(-1);
    par::for_rows(logits.data_mut(), width, |first, rows| {
        let targets = &targets.ids()[first..];
        cross_entropy_backward_rows(rows, width, targets, epsilon, &log_sums.data()[first..], ds);
    });
    logits
}

simd! {
    fn cross_entropy_backward_rows(
        x: &mut [Float],
        width: usize,
        targets: &[u32],
        epsilon: Float,
        log_sums: &[Float],
        ds: Float,
    ) {
        let share = epsilon / width as Float;
        for ((x, &target), &log_sum) in x.chunks_exact_mut(width).zip(targets).zip(log_sums) {
            if target == Targets::IGNORED {
                x.fill(0.0);
                continue;
            }
            for x in x.iter_mut() {
                *x = ds * (vmath::exp(*x - log_sum) - share);
            }
            x[target as usize] -= ds * (1.0 - epsilon);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape, ids: &[u32], vocab_size| {
            let ids = targets(ids, vocab_size);
            Case::new([shape], move |x| cross_entropy(&x[0], &ids))
        };
        let smoothed = |shape, ids: &[u32], vocab_size| {
            let ids = targets(ids, vocab_size);
            Case::new([shape], move |x| cross_entropy_smoothed(&x[0], &ids, 0.3))
        };
        vec![
            of(&[2, 2, 5], &[3, Targets::IGNORED, 0, 4], 5),
            of(&[1, 3], &[2], 3),
            smoothed(&[2, 2, 5], &[3, Targets::IGNORED, 0, 4], 5),
            smoothed(&[1, 3], &[2], 3),
            of(&[100, 500], &[7; 100], 500),
            smoothed(&[100, 500], &[7; 100], 500),
        ]
    }

    #[test]
    fn the_only_token_costs_nothing() {
        let x = Var::leaf(Rng::seeded(2).normal(&[1, 1], 1.0));
        assert_eq!(cross_entropy(&x, &targets(&[0], 1)).item(), 0.0);
    }

    fn targets(ids: &[u32], vocab_size: usize) -> Targets {
        Targets::new(ids, vocab_size).unwrap()
    }

    #[test]
    fn equals_the_equation_l1() {
        let x = Rng::seeded(1).normal(&[6, 37], 2.0);
        let ids = [3, 36, Targets::IGNORED, 0, 5, 5];
        let mut expected = 0.0;
        for (x, &id) in x.data().chunks(37).zip(&ids).filter(|(_, id)| **id != Targets::IGNORED) {
            let sum: Float = x.iter().map(|x| x.exp()).sum();
            expected -= (x[id as usize].exp() / sum).ln() / 5.0;
        }
        let loss = cross_entropy(&Var::leaf(x), &targets(&ids, 37));
        assert_relative_eq!(loss.item(), expected, max_relative = 1e-5);
    }

    #[test]
    fn equals_the_equation_l2() {
        let x = Rng::seeded(1).normal(&[4, 37], 2.0);
        let ids = [3, 36, Targets::IGNORED, 0];
        let mut expected = 0.0;
        for (x, &id) in x.data().chunks(37).zip(&ids).filter(|(_, id)| **id != Targets::IGNORED) {
            let sum: Float = x.iter().map(|x| x.exp()).sum();
            for (j, x) in x.iter().enumerate() {
                let q = 0.9 * Float::from(u8::from(j == id as usize)) + 0.1 / 37.0;
                expected -= q * (x.exp() / sum).ln() / 3.0;
            }
        }
        let loss = cross_entropy_smoothed(&Var::leaf(x), &targets(&ids, 37), 0.1);
        assert_relative_eq!(loss.item(), expected, max_relative = 1e-5);
    }

    #[test]
    fn all_smoothed_costs_the_same_for_every_target() {
        let x = Var::leaf(Rng::seeded(3).normal(&[1, 9], 2.0));
        let loss = |id| cross_entropy_smoothed(&x, &targets(&[id], 9), 1.0).item();
        assert_eq!(loss(2), loss(7));
        let at_least = (9.0 as Float).ln();
        assert!(loss(2) > at_least, "{} is below {at_least}", loss(2));
    }

    #[test]
    #[should_panic(expected = "cross_entropy: a smoothing of 1.5 is not from 0 to 1")]
    fn a_smoothing_is_a_share() {
        let x = Var::leaf(Tensor::ones(&[1, 3]));
        cross_entropy_smoothed(&x, &targets(&[0], 3), 1.5);
    }

    #[test]
    fn equal_scores_cost_the_logarithm_of_the_vocabulary() {
        let loss = cross_entropy(&Var::leaf(Tensor::full(&[2, 8], 3.0)), &targets(&[0, 7], 8));
        assert_relative_eq!(loss.item(), (8.0 as Float).ln(), max_relative = 1e-6);
    }

    #[test]
    fn extreme_scores_stay_finite() {
        let x = Var::leaf(Tensor::new([1e4, -1e4, 1e4, -1e4], &[2, 2]));
        let loss = cross_entropy(&x, &targets(&[0, 1], 2));
        assert_eq!(loss.item(), 1e4);
        let gradients = loss.backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 0.0, 0.5, -0.5]);
    }

    #[test]
    fn ignored_rows_get_no_gradient() {
        let x = Var::leaf(Tensor::ones(&[2, 3]));
        let loss = cross_entropy(&x, &targets(&[Targets::IGNORED, 1], 3));
        assert_eq!(loss.backward().unwrap().get(&x).unwrap().to_vec()[..3], [0.0; 3]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: no target counts, all 1 are ignored")]
    fn at_least_one_target_counts() {
        cross_entropy(&Var::leaf(Tensor::ones(&[1, 3])), &targets(&[Targets::IGNORED], 3));
    }

    #[test]
    #[should_panic(expected = "cross_entropy: 2 targets of a vocabulary of 3 do not fit: [1, 3]; \
                               one target for each row")]
    fn a_target_for_each_row() {
        cross_entropy(&Var::leaf(Tensor::ones(&[1, 3])), &targets(&[0, 1], 3));
    }
}
