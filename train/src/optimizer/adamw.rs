//! (O3) AdamW: Adam with weight decay apart from the gradient. Loshchilov & Hutter 2019,
//! algorithm 2; Kingma & Ba 2015, algorithm 1.

use super::adam::{Constants, move_by_moments};
use super::memory::Update;
use super::{Error, Group, Memory, Optimizer};
use autograd::Gradients;
use tensor::Float;
use transformer::Module;

/// The AdamW optimizer, with clipping by the global norm in the same pass over memory.
///
/// ```math
/// m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2,
/// \quad \theta \leftarrow \theta - \eta \Big( \frac{m / (1 - \beta_1^t)}
/// {\sqrt{v / (1 - \beta_2^t)} + \epsilon} + \lambda \theta \Big) \qquad (O3)
/// ```
/// The schedule multiplier of the paper is part of the learning rate η given to each step, which,
/// as in PyTorch, scales the decay too.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub eps: f64,
    /// The largest global norm of the gradients; `None` does not clip.
    pub clip: Option<f64>,
    /// Groups of parameters; each parameter belongs to the first that holds it.
    pub groups: Vec<Group>,
    /// The moments m and v.
    pub memory: Memory,
}

impl AdamW {
    /// β₁ 0.9, β₂ 0.999, ε 10⁻⁸, no clipping, and `weight_decay` on matrices.
    pub fn new(weight_decay: f64) -> AdamW {
        AdamW {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip: None,
            groups: Group::decay_matrices(weight_decay),
            memory: Memory::default(),
        }
    }
}

impl Optimizer for AdamW {
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let (betas, eps) = ((self.beta1, self.beta2), self.eps);
        self.memory.step(model, gradients, lr, (self.clip, &self.groups), |update| {
            move_and_decay(update, betas, eps);
        })
    }

    fn name(&self) -> &str {
        "adamw"
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

/// Equation (O3) for one parameter, in one pass over memory.
pub(super) fn move_and_decay(update: Update<'_>, betas: (f64, f64), eps: f64) {
    let mut constants = Constants::new(&update, betas, eps);
    constants.keep = (1.0 - update.lr * update.weight_decay) as Float;
    move_by_moments(update, constants);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::{One, run};
    use tensor::Tensor;

    /// Equation (O3) for one number, in f64.
    fn by_equation(mut w: f64, gradients: &[f64], lr: f64, decay: f64) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, &g) in (1..).zip(gradients) {
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= lr * (m_hat / (v_hat.sqrt() + 1e-8) + decay * w);
        }
        w
    }

    #[test]
    fn equals_the_equation_o3() {
        let gradients = [0.5, -3.0, 0.25, 1e-3];
        for (shape, decay) in [(&[1, 1][..], 0.1), (&[1], 0.0)] {
            let found = run(&mut AdamW::new(0.1), shape, 2.0, &gradients, 0.01);
            assert!((found - by_equation(2.0, &gradients, 0.01, decay)).abs() < 1e-6);
        }
    }

    #[test]
    fn the_first_step_is_the_learning_rate_however_large_the_gradient() {
        for gradient in [1e-3, 1e4] {
            let mut model = One::new(Tensor::zeros(&[1]));
            let gradients = model.gradients(gradient);
            let norm = AdamW::new(0.0).step(&mut model, &gradients, 0.01).unwrap();
            assert!((model.w.item() + 0.01).abs() < 1e-6);
            assert!((norm / gradient - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_weight_without_gradient_decays_alone() {
        let found = run(&mut AdamW::new(0.1), &[1, 1], 2.0, &[0.0, 0.0], 0.5);
        assert!((found - 2.0 * 0.95 * 0.95).abs() < 1e-6, "{found}");
    }
}
