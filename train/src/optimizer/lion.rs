//! (O6) Lion: steps of one size along the sign of the momentum. Chen et al. 2023, algorithm 2.

use super::memory::{Memory, PIECE, Update};
use super::{Error, Group, Optimizer};
use autograd::Gradients;
use tensor::{Float, par, simd};
use transformer::Module;

/// The Lion optimizer; it remembers half of what Adam does.
///
/// ```math
/// c = \beta_1 m + (1 - \beta_1) g, \quad
/// \theta \leftarrow \theta - \eta (\mathrm{sign}(c) + \lambda \theta), \quad
/// m \leftarrow \beta_2 m + (1 - \beta_2) g \qquad (O6)
/// ```
/// sign(0) is 0. Every number moves by η, so η is to be 3 to 10 times smaller than AdamW's, and
/// λ larger by as much (section 5).
#[derive(Clone, Debug)]
pub struct Lion {
    /// β₁, which weighs the momentum in the step.
    pub beta1: f64,
    /// β₂, the decay rate of the momentum.
    pub beta2: f64,
    /// The largest global norm of the gradients; `None` does not clip.
    pub clip: Option<f64>,
    /// Groups of parameters; each parameter belongs to the first that holds it.
    pub groups: Vec<Group>,
    /// The momentum m.
    pub memory: Memory,
}

impl Lion {
    /// β₁ 0.9, β₂ 0.99, no clipping, and `weight_decay` on matrices.
    pub fn new(weight_decay: f64) -> Lion {
        Lion {
            beta1: 0.9,
            beta2: 0.99,
            clip: None,
            groups: Group::decay_matrices(weight_decay),
            memory: Memory::default(),
        }
    }
}

impl Optimizer for Lion {
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let (beta1, beta2) = (self.beta1, self.beta2);
        self.memory.step(model, gradients, lr, (self.clip, &self.groups), |update| {
            let constants = Constants {
                gradient_scale: update.gradient_scale as Float,
                beta1: beta1 as Float,
                beta2: beta2 as Float,
                one_minus_beta1: (1.0 - beta1) as Float,
                one_minus_beta2: (1.0 - beta2) as Float,
                lr: update.lr as Float,
                keep: (1.0 - update.lr * update.weight_decay) as Float,
            };
            move_by_sign(update, constants);
        })
    }

    fn name(&self) -> &str {
        "lion"
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
    beta1: Float,
    beta2: Float,
    one_minus_beta1: Float,
    one_minus_beta2: Float,
    lr: Float,
    /// 1 − η λ
    keep: Float,
}

fn move_by_sign(update: Update<'_>, constants: Constants) {
    let [m] = update.state.tensors(["m"]);
    let (w, g) = (update.value.data_mut(), update.gradient.data());
    par::for_parts_of([w, m.data_mut()], PIECE, |first, [w, m]| {
        move_slice(w, m, &g[first..], constants);
    });
}

simd! {
    fn move_slice(w: &mut [Float], m: &mut [Float], g: &[Float], c: Constants) {
        for ((w, m), &g) in w.iter_mut().zip(m).zip(g) {
            let g = g * c.gradient_scale;
            let direction = c.beta1 * *m + c.one_minus_beta1 * g;
            let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
            *w = c.keep * *w - c.lr * sign;
            *m = c.beta2 * *m + c.one_minus_beta2 * g;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::{One, run};
    use tensor::Tensor;

    #[test]
    fn by_hand_o6() {
        // m = 0: sign(0.1 · 1) = 1, θ = 2 − 0.1 (1 + 0.5 · 2) = 1.8, m = 0.01.
        // c = 0.009 − 0.05 < 0: θ = 1.8 − 0.1 (−1 + 0.5 · 1.8) = 1.81
        let mut lion = Lion::new(0.5);
        assert!((run(&mut lion, &[1, 1], 2.0, &[1.0, -0.5], 0.1) - 1.81).abs() < 1e-6);
        let m = lion.state()[0].1.item();
        assert!((m - (0.99 * 0.01 - 0.005)).abs() < 1e-7);
    }

    #[test]
    fn the_step_is_the_learning_rate_at_any_extreme_and_none_at_zero() {
        for (gradient, expected) in [(1e-6, -0.1), (-1e4, 0.1), (1e15, -0.1), (0.0, 0.0)] {
            let found = run(&mut Lion::new(0.0), &[1], 0.0, &[gradient], 0.1);
            assert!((found - expected).abs() < 1e-7, "{gradient}: {found}");
        }
        let mut empty = One::new(Tensor::zeros(&[2, 0]));
        let gradients = empty.gradients(1.0);
        assert_eq!(Lion::new(0.0).step(&mut empty, &gradients, 1.0), Ok(0.0));
    }

    #[test]
    fn the_sign_of_the_gradient_turns_the_path_around() {
        let gradients = [0.3, -2.0, 0.7, 0.1];
        let turned = gradients.map(|g: f64| -g);
        let forth = run(&mut Lion::new(0.0), &[1], 0.0, &gradients, 0.1);
        assert_eq!(forth, -run(&mut Lion::new(0.0), &[1], 0.0, &turned, 0.1));
    }
}
