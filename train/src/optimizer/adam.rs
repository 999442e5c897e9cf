//! (O2) Adam. Kingma & Ba 2015, algorithm 1.

use super::memory::{Memory, PIECE, Update};
use super::{Error, Group, Optimizer};
use autograd::Gradients;
use tensor::{Float, par, simd};
use transformer::Module;

/// The Adam optimizer, with clipping by the global norm in the same pass over memory.
///
/// ```math
/// \tilde g = g + \lambda \theta, \quad
/// m \leftarrow \beta_1 m + (1 - \beta_1) \tilde g, \quad
/// v \leftarrow \beta_2 v + (1 - \beta_2) \tilde g^2, \quad
/// \theta \leftarrow \theta - \eta \frac{m / (1 - \beta_1^t)}
/// {\sqrt{v / (1 - \beta_2^t)} + \epsilon} \qquad (O2)
/// ```
/// The paper has no weight decay; here, as in PyTorch, λ is an L2 penalty, whose gradient passes
/// through both moments. [`super::AdamW`] decays apart from them.
#[derive(Clone, Debug)]
pub struct Adam {
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

impl Adam {
    /// β₁ 0.9, β₂ 0.999, ε 10⁻⁸, no clipping, and the penalty `weight_decay` on matrices.
    pub fn new(weight_decay: f64) -> Adam {
        Adam {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip: None,
            groups: Group::decay_matrices(weight_decay),
            memory: Memory::default(),
        }
    }
}

impl Optimizer for Adam {
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let (betas, eps) = ((self.beta1, self.beta2), self.eps);
        self.memory.step(model, gradients, lr, (self.clip, &self.groups), |update| {
            let mut constants = Constants::new(&update, betas, eps);
            constants.penalty = update.weight_decay as Float;
            move_by_moments(update, constants);
        })
    }

    fn name(&self) -> &str {
        "adam"
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

/// One parameter's constants of one step.
#[derive(Clone, Copy)]
pub(super) struct Constants {
    gradient_scale: Float,
    /// λ of Adam, 0 for AdamW.
    penalty: Float,
    beta1: Float,
    beta2: Float,
    one_minus_beta1: Float,
    one_minus_beta2: Float,
    /// η / (1 − β₁ᵗ)
    step_size: Float,
    /// 1 / √(1 − β₂ᵗ)
    root_correction: Float,
    eps: Float,
    /// 1 − η λ of AdamW, 1 for Adam.
    pub keep: Float,
}

impl Constants {
    /// Those of a step without decay.
    pub fn new(update: &Update<'_>, (beta1, beta2): (f64, f64), eps: f64) -> Constants {
        let t = i32::try_from(update.step).unwrap_or(i32::MAX);
        Constants {
            gradient_scale: update.gradient_scale as Float,
            penalty: 0.0,
            beta1: beta1 as Float,
            beta2: beta2 as Float,
            one_minus_beta1: (1.0 - beta1) as Float,
            one_minus_beta2: (1.0 - beta2) as Float,
            step_size: (update.lr / (1.0 - beta1.powi(t))) as Float,
            root_correction: (1.0 / (1.0 - beta2.powi(t)).sqrt()) as Float,
            eps: eps as Float,
            keep: 1.0,
        }
    }
}

/// One pass over a parameter, its moments and its gradient.
pub(super) fn move_by_moments(update: Update<'_>, constants: Constants) {
    let [m, v] = update.state.tensors(["m", "v"]);
    let (w, g) = (update.value.data_mut(), update.gradient.data());
    par::for_parts_of([w, m.data_mut(), v.data_mut()], PIECE, |first, [w, m, v]| {
        move_slice(w, m, v, &g[first..], constants);
    });
}

simd! {
    fn move_slice(w: &mut [Float], m: &mut [Float], v: &mut [Float], g: &[Float], c: Constants) {
        for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * c.gradient_scale + c.penalty * *w;
            *m = c.beta1 * *m + c.one_minus_beta1 * g;
            *v = c.beta2 * *v + c.one_minus_beta2 * (g * g);
            let denominator = v.sqrt() * c.root_correction + c.eps;
            *w = c.keep * *w - c.step_size * (*m / denominator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::{One, run};
    use tensor::Tensor;

    /// Equation (O2) for one number, in f64.
    fn by_equation(mut w: f64, gradients: &[f64], lr: f64, penalty: f64) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, &g) in (1..).zip(gradients) {
            let g = g + penalty * w;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= lr * m_hat / (v_hat.sqrt() + 1e-8);
        }
        w
    }

    #[test]
    fn equals_the_equation_o2() {
        let gradients = [0.5, -3.0, 0.25, 1e-3];
        for (shape, penalty) in [(&[1, 1][..], 0.1), (&[1], 0.0)] {
            let found = run(&mut Adam::new(0.1), shape, 2.0, &gradients, 0.01);
            assert!((found - by_equation(2.0, &gradients, 0.01, penalty)).abs() < 1e-6);
        }
    }

    #[test]
    fn a_penalty_moves_a_weight_without_gradient_by_the_learning_rate() {
        let found = run(&mut Adam::new(0.1), &[1, 1], 2.0, &[0.0], 0.01);
        assert!((found - 1.99).abs() < 1e-6, "{found}");
        assert_eq!(run(&mut Adam::new(0.0), &[1, 1], 2.0, &[0.0], 0.01), 2.0);
    }

    #[test]
    fn an_extreme_gradient_moves_by_the_learning_rate_too() {
        for gradient in [1e-3, -1e4, 1e15] {
            let found = run(&mut Adam::new(0.0), &[1], 0.0, &[gradient], 0.01);
            assert!((found + 0.01 * gradient.signum()).abs() < 1e-6, "{gradient}: {found}");
        }
        let mut empty = One::new(Tensor::zeros(&[0, 3]));
        let gradients = empty.gradients(1.0);
        assert_eq!(Adam::new(0.1).step(&mut empty, &gradients, 0.1), Ok(0.0));
    }

    #[test]
    fn a_parameter_thawed_late_takes_a_first_step_of_the_learning_rate() {
        use crate::optimizer::tests::One;
        use transformer::Module;
        let mut model = One::new(Tensor::zeros(&[1]));
        let mut optimizer = Adam::new(0.0);
        model.freeze(|_| true);
        for _ in 0..100 {
            optimizer.step(&mut model, &autograd::Gradients::default(), 0.1).unwrap();
        }
        model.freeze(|_| false);
        let gradients = model.gradients(0.5);
        optimizer.step(&mut model, &gradients, 0.1).unwrap();
        assert!((model.w.item() + 0.1).abs() < 1e-5, "{}", model.w.item());
    }
}
