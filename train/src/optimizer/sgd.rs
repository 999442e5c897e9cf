//! (O1) Stochastic gradient descent with momentum. Robbins & Monro 1951; momentum: Polyak 1964;
//! Nesterov's: Sutskever et al. 2013, section 2.

use super::memory::{Memory, PIECE, Update};
use super::{Error, Group, Optimizer};
use autograd::Gradients;
use tensor::{Float, par, simd};
use transformer::Module;

/// Stochastic gradient descent.
///
/// ```math
/// \tilde g = g + \lambda \theta, \quad b \leftarrow \mu b + \tilde g, \quad
/// \theta \leftarrow \theta - \eta
/// \begin{cases} b & \text{momentum} \\ \tilde g + \mu b & \text{Nesterov} \end{cases}
/// \qquad (O1)
/// ```
/// This is PyTorch's form, without dampening: η multiplies each step, where the papers let the
/// velocity b hold it, so that the two part when η changes.
///
/// ```
/// # use autograd::Parameter;
/// # use tensor::Tensor;
/// use train::optimizer::{Optimizer, Sgd};
/// let mut w = Parameter::new(Tensor::ones(&[2]));
/// let gradients = (&*w * &*w).sum().backward()?;
/// Sgd { momentum: 0.9, nesterov: true, ..Sgd::new(0.0) }.step(&mut w, &gradients, 0.1)?;
/// assert!((w.value().to_vec()[0] - 0.62).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    /// μ; at 0 nothing is remembered.
    pub momentum: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// The largest global norm of the gradients; `None` does not clip.
    pub clip: Option<f64>,
    /// Groups of parameters; each parameter belongs to the first that holds it.
    pub groups: Vec<Group>,
    /// The velocities b.
    pub memory: Memory,
}

impl Sgd {
    /// No momentum, no clipping, and the penalty `weight_decay` on matrices.
    pub fn new(weight_decay: f64) -> Sgd {
        Sgd {
            momentum: 0.0,
            nesterov: false,
            clip: None,
            groups: Group::decay_matrices(weight_decay),
            memory: Memory::default(),
        }
    }
}

impl Optimizer for Sgd {
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let (momentum, nesterov) = (self.momentum as Float, self.nesterov);
        self.memory.step(model, gradients, lr, (self.clip, &self.groups), |update| {
            let constants = Constants {
                gradient_scale: update.gradient_scale as Float,
                penalty: update.weight_decay as Float,
                lr: update.lr as Float,
                momentum,
                ahead: if nesterov { (1.0, momentum) } else { (0.0, 1.0) },
            };
            descend(update, constants);
        })
    }

    fn name(&self) -> &str {
        "sgd"
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

#[derive(Clone, Copy)]
struct Constants {
    gradient_scale: Float,
    penalty: Float,
    lr: Float,
    momentum: Float,
    /// The shares of gradient and velocity in the step.
    ahead: (Float, Float),
}

fn descend(update: Update<'_>, c: Constants) {
    let (w, g) = (update.value.data_mut(), update.gradient.data());
    if c.momentum == 0.0 {
        return par::for_parts(w, PIECE, |first, w| descend_slice(w, &g[first..], c));
    }
    let [velocity] = update.state.tensors(["velocity"]);
    par::for_parts_of([w, velocity.data_mut()], PIECE, |first, [w, b]| {
        roll_slice(w, b, &g[first..], c);
    });
}

simd! {
    fn descend_slice(w: &mut [Float], g: &[Float], c: Constants) {
        for (w, &g) in w.iter_mut().zip(g) {
            *w -= c.lr * (g * c.gradient_scale + c.penalty * *w);
        }
    }
}

simd! {
    fn roll_slice(w: &mut [Float], b: &mut [Float], g: &[Float], c: Constants) {
        let (of_gradient, of_velocity) = c.ahead;
        for ((w, b), &g) in w.iter_mut().zip(b).zip(g) {
            let g = g * c.gradient_scale + c.penalty * *w;
            *b = c.momentum * *b + g;
            *w -= c.lr * (of_gradient * g + of_velocity * *b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::{One, run};
    use tensor::Tensor;

    #[test]
    fn by_hand_o1() {
        let moved = |momentum, nesterov| {
            let mut sgd = Sgd { momentum, nesterov, ..Sgd::new(0.5) };
            run(&mut sgd, &[1, 1], 2.0, &[1.0, 3.0], 0.1)
        };
        // g̃: 1 + 0.5 · 2 = 2, θ = 1.8; then 3 + 0.5 · 1.8 = 3.9, and b = 0.5 · 2 + 3.9 = 4.9
        assert!((moved(0.0, false) - (1.8 - 0.39)).abs() < 1e-6);
        assert!((moved(0.5, false) - (1.8 - 0.49)).abs() < 1e-6);
        // θ = 2 − 0.1 (2 + 0.5 · 2) = 1.7; then g̃ = 3.85, b = 4.85, θ −= 0.1 (3.85 + 2.425)
        assert!((moved(0.5, true) - (1.7 - 0.6275)).abs() < 1e-6);
    }

    #[test]
    fn a_constant_gradient_reaches_its_final_speed() {
        let mut sgd = Sgd { momentum: 0.9, ..Sgd::new(0.0) };
        let before = run(&mut sgd, &[1], 0.0, &[1.0; 300], 0.01);
        let after = run(&mut sgd, &[1], 0.0, &[1.0], 0.01);
        assert!((after + 0.1).abs() < 1e-5 && before < -25.0, "{before} {after}");
    }

    #[test]
    fn an_extreme_gradient_is_taken_as_it_is_unless_clipped() {
        assert_eq!(run(&mut Sgd::new(0.0), &[1], 0.0, &[1e4], 1.0), -1e4);
        let mut clipped = Sgd { clip: Some(2.0), ..Sgd::new(0.0) };
        assert!((run(&mut clipped, &[1], 0.0, &[1e4], 1.0) + 2.0).abs() < 1e-5);
        let mut empty = One::new(Tensor::zeros(&[0]));
        let gradients = empty.gradients(1.0);
        assert_eq!(Sgd::new(0.0).step(&mut empty, &gradients, 1.0), Ok(0.0));
    }

    #[test]
    fn without_momentum_nothing_is_remembered() {
        let mut sgd = Sgd::new(0.1);
        run(&mut sgd, &[1], 0.0, &[1.0], 1.0);
        assert!(sgd.state().is_empty());
    }
}
