//! The lowest point of a smooth convex function, found in few evaluations.

use crate::Error;
use std::collections::VecDeque;
use tensor::{Float, Tensor};

/// Steps and changes of the gradient that are remembered.
const MEMORY: usize = 8;
/// More steps than this are not taken.
const MAX_STEPS: usize = 200;
/// It is found where no number of the gradient is larger.
const TOLERANCE: Float = 3e-6;
/// The part of the decrease that the slope promises with which a step must be content.
const SUFFICIENT: f64 = 1e-4;
/// By how many of the smallest relative differences two equal values may differ.
const ROUNDING: f64 = 8.0;
/// How often a step that is too long is halved.
const HALVINGS: usize = 30;

/// A step, the change of the gradient over it, and 1 over their product.
struct Pair {
    step: Vec<Float>,
    change: Vec<Float>,
    rho: f64,
}

/// Where `objective`, which gives value and gradient, is lowest, beginning at `start`.
///
/// ```math
/// x_{k+1} = x_k - \alpha_k H_k g_k, \quad
/// f(x_{k+1}) \le f(x_k) - 10^{-4}\, \alpha_k\, g_k^T H_k g_k
/// ```
/// `` $`H_k`$ ``, an estimate of the inverse second derivative, is made of the last eight steps and
/// changes of the gradient by the two-loop recursion; `` $`\alpha_k`$ `` is 1, halved until the
/// value falls enough or, where rounding hides that, the slope is flatter. It ends where the
/// gradient is at most 3·10⁻⁶, after 200 steps, or where no step helps.
///
/// Source: Nocedal and Wright, *Numerical Optimization* (2006), algorithms 7.4, 7.5 and 3.1;
/// flatter slopes: Hager and Zhang, "A New Conjugate Gradient Method with Guaranteed Descent and an
/// Efficient Line Search" (2005), section 4.
///
/// # Errors
/// Those of `objective`.
pub(super) fn minimize(
    start: Tensor,
    objective: impl Fn(&Tensor) -> Result<(f64, Tensor), Error>,
) -> Result<Tensor, Error> {
    let (mut x, mut pairs) = (start, VecDeque::new());
    let (mut value, mut gradient) = objective(&x)?;
    for _ in 0..MAX_STEPS {
        if gradient.data().iter().all(|g| g.abs() <= TOLERANCE) {
            break;
        }
        let direction = direction(gradient.data(), &pairs);
        let at = Start { x: &x, value, slope: dot(gradient.data(), &direction) };
        let Some(next) = at.search(&direction, &objective)? else { break };
        let difference = |a: &Tensor, b: &Tensor| -> Vec<Float> {
            a.data().iter().zip(b.data()).map(|(a, b)| a - b).collect()
        };
        let (step, change) = (difference(&next.0, &x), difference(&next.2, &gradient));
        let curvature = dot(&step, &change);
        if curvature > 0.0 {
            pairs.push_back(Pair { step, change, rho: 1.0 / curvature });
        }
        if pairs.len() > MEMORY {
            pairs.pop_front();
        }
        (x, value, gradient) = next;
    }
    Ok(x)
}

/// −H g by the two-loop recursion.
fn direction(gradient: &[Float], pairs: &VecDeque<Pair>) -> Vec<Float> {
    let mut direction: Vec<Float> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::new();
    for pair in pairs.iter().rev() {
        let alpha = pair.rho * dot(&pair.step, &direction);
        add(&mut direction, -alpha, &pair.change);
        alphas.push(alpha);
    }
    if let Some(last) = pairs.back() {
        let scale = (1.0 / (last.rho * dot(&last.change, &last.change))) as Float;
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = pair.rho * dot(&pair.change, &direction);
        add(&mut direction, alpha - beta, &pair.step);
    }
    direction
}

/// Where a step begins.
struct Start<'a> {
    x: &'a Tensor,
    value: f64,
    slope: f64,
}

impl Start<'_> {
    /// The first of 1, ½, ¼ … times the direction whose value falls enough, with value and gradient
    /// there.
    fn search(
        &self,
        direction: &[Float],
        objective: impl Fn(&Tensor) -> Result<(f64, Tensor), Error>,
    ) -> Result<Option<(Tensor, f64, Tensor)>, Error> {
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            let mut x = self.x.clone();
            add(x.data_mut(), length, direction);
            let (value, gradient) = objective(&x)?;
            if self.suffices(length, value, dot(gradient.data(), direction)) {
                return Ok(Some((x, value, gradient)));
            }
            length *= 0.5;
        }
        Ok(None)
    }

    /// Whether the value falls enough; where rounding hides that, whether the slope is flatter.
    fn suffices(&self, length: f64, value: f64, slope: f64) -> bool {
        let rounding = ROUNDING * f64::from(Float::EPSILON) * self.value.abs();
        let flatter = slope <= (2.0 * SUFFICIENT - 1.0) * self.slope;
        value < self.value + SUFFICIENT * length * self.slope
            || (value <= self.value + rounding && flatter)
    }
}

fn dot(a: &[Float], b: &[Float]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn add(to: &mut [Float], scale: f64, what: &[Float]) {
    to.iter_mut().zip(what).for_each(|(to, x)| *to += scale as Float * x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::{Parameter, Var};

    fn lowest(start: &[Float], f: impl Fn(&Var) -> Var) -> Vec<Float> {
        let objective = |x: &Tensor| {
            let x = Parameter::new(x.clone());
            let value = f(&x);
            let gradient = value.backward().unwrap().get(&x).unwrap().contiguous();
            Ok((f64::from(value.item()), gradient))
        };
        minimize(Tensor::new(start, &[start.len()]), objective).unwrap().to_vec()
    }

    #[test]
    fn a_long_bowl_has_its_lowest_point_where_it_was_put() {
        let middle = Var::constant(Tensor::new([3.0, -1.0, 0.5], &[3]));
        let width = Var::constant(Tensor::new([1.0, 30.0, 0.1], &[3]));
        let found = lowest(&[0.0; 3], |x| {
            let away = x - &middle;
            (&away * &away * &width).sum()
        });
        for (found, expected) in found.iter().zip([3.0, -1.0, 0.5]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn one_that_starts_at_the_lowest_point_stays() {
        assert_eq!(lowest(&[0.0, 0.0], |x| (x * x).sum()), [0.0, 0.0]);
    }

    #[test]
    fn an_extreme_a_step_that_would_be_far_too_long() {
        let found = lowest(&[1.0], |x| (x * x).sum() * 1e6);
        assert!(found[0].abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn the_objectives_error_is_handed_on() {
        let failed = minimize(Tensor::ones(&[1]), |_| Err(Error::settings("no value")));
        assert_eq!(failed.unwrap_err().to_string(), "no value");
    }
}
