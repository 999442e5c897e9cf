//! (O3) AdamW: Adam with weight decay apart from the gradient. Loshchilov & Hutter 2019,
//! algorithm 2; Kingma & Ba 2015, algorithm 1.

use super::{Error, clip};
use autograd::Gradients;
use rayon::prelude::*;
use std::collections::BTreeMap;
use tensor::{Float, Tensor, simd};
use transformer::Module;

/// Parameters that share a weight decay and a factor on the learning rate.
pub struct Group {
    /// Whether a parameter, by its name and value, belongs to the group.
    pub holds: fn(&str, &Tensor) -> bool,
    /// Multiplies the learning rate.
    pub lr_factor: f64,
    /// λ.
    pub weight_decay: f64,
}

impl Group {
    /// Weight decay for parameters of two or more dimensions, none for biases and normalizations.
    pub fn decay_matrices(weight_decay: f64) -> Vec<Group> {
        vec![
            Group { holds: |_, value| value.rank() >= 2, lr_factor: 1.0, weight_decay },
            Group { holds: |_, _| true, lr_factor: 1.0, weight_decay: 0.0 },
        ]
    }
}

/// The AdamW optimizer, with clipping by the global norm in the same pass over memory.
///
/// ```math
/// m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2,
/// \quad \theta \leftarrow \theta - \eta \Big( \frac{m / (1 - \beta_1^t)}
/// {\sqrt{v / (1 - \beta_2^t)} + \epsilon} + \lambda \theta \Big) \qquad (O3)
/// ```
/// The schedule multiplier of the paper is part of the learning rate η given to each step, which,
/// as in PyTorch, scales the decay too.
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
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

struct Moments {
    m: Tensor,
    v: Tensor,
}

/// One parameter's constants of one step.
#[derive(Clone, Copy)]
struct Constants {
    gradient_scale: Float,
    beta1: Float,
    beta2: Float,
    one_minus_beta1: Float,
    one_minus_beta2: Float,
    /// η / (1 − β₁ᵗ)
    step_size: Float,
    /// 1 / √(1 − β₂ᵗ)
    root_correction: Float,
    eps: Float,
    /// 1 − η λ
    keep: Float,
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
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Takes one step with learning rate `lr` and returns the global norm of the gradients before
    /// clipping.
    ///
    /// # Errors
    /// If a parameter that is neither frozen nor declared unused got no gradient, or a gradient is
    /// not finite; nothing is changed then.
    pub fn step(
        &mut self,
        model: &mut impl Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let norm = clip::global_norm(model, gradients)?;
        let gradient_scale = clip::clip_factor(norm, self.clip);
        self.steps += 1;
        for (name, parameter) in model.parameters_mut() {
            let Some(gradient) = gradients.get(parameter) else { continue };
            let gradient = gradient.contiguous();
            let constants = self.constants(&name, parameter.value(), gradient_scale, lr);
            let moments = self.moments.entry(name).or_insert_with(|| Moments {
                m: Tensor::zeros(gradient.shape()),
                v: Tensor::zeros(gradient.shape()),
            });
            update(parameter.value_mut(), moments, &gradient, constants);
        }
        Ok(norm)
    }

    fn constants(&self, name: &str, value: &Tensor, gradient_scale: f64, lr: f64) -> Constants {
        let group = self.groups.iter().find(|group| (group.holds)(name, value));
        let (lr, decay) = group.map_or((lr, 0.0), |g| (lr * g.lr_factor, g.weight_decay));
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        Constants {
            gradient_scale: gradient_scale as Float,
            beta1: self.beta1 as Float,
            beta2: self.beta2 as Float,
            one_minus_beta1: (1.0 - self.beta1) as Float,
            one_minus_beta2: (1.0 - self.beta2) as Float,
            step_size: (lr / (1.0 - self.beta1.powi(t))) as Float,
            root_correction: (1.0 / (1.0 - self.beta2.powi(t)).sqrt()) as Float,
            eps: self.eps as Float,
            keep: (1.0 - lr * decay) as Float,
        }
    }
}

fn update(value: &mut Tensor, moments: &mut Moments, gradient: &Tensor, constants: Constants) {
    const PIECE: usize = 16 * 1024;
    let weights = value.data_mut().par_chunks_mut(PIECE);
    let m = moments.m.data_mut().par_chunks_mut(PIECE);
    let v = moments.v.data_mut().par_chunks_mut(PIECE);
    let g = gradient.data().par_chunks(PIECE);
    weights.zip(m).zip(v).zip(g).for_each(|(((w, m), v), g)| update_slice(w, m, v, g, constants));
}

simd! {
    fn update_slice(w: &mut [Float], m: &mut [Float], v: &mut [Float], g: &[Float], c: Constants) {
        for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * c.gradient_scale;
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
    use autograd::Parameter;
    use transformer::parameters_of;

    struct One {
        w: Parameter,
    }
    parameters_of!(One { w });

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
        for (shape, decay) in [(&[1, 1][..], 0.1), (&[1], 0.0)] {
            let mut model = One { w: Parameter::new(Tensor::full(shape, 2.0)) };
            let mut optimizer = AdamW::new(0.1);
            let gradients = [0.5, -3.0, 0.25, 1e-3];
            for g in gradients {
                let loss = (&*model.w * g as Float).sum();
                optimizer.step(&mut model, &loss.backward().unwrap(), 0.01).unwrap();
            }
            let expected = by_equation(2.0, &gradients, 0.01, decay);
            assert!((f64::from(model.w.item()) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn the_first_step_is_the_learning_rate_however_large_the_gradient() {
        for gradient in [1e-3, 1e4] {
            let mut model = One { w: Parameter::new(Tensor::zeros(&[1])) };
            let loss = (&*model.w * gradient).sum();
            let gradients = loss.backward().unwrap();
            let norm = AdamW::new(0.0).step(&mut model, &gradients, 0.01).unwrap();
            assert!((model.w.item() + 0.01).abs() < 1e-6);
            assert!((norm / f64::from(gradient) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_frozen_parameter_is_passed_by() {
        let mut model = One { w: Parameter::new(Tensor::ones(&[2, 2])) };
        let gradients = model.w.sum().backward().unwrap();
        model.w.freeze();
        assert_eq!(AdamW::new(0.1).step(&mut model, &gradients, 0.01).unwrap(), 0.0);
        assert_eq!(model.w.value().to_vec(), [1.0; 4]);
    }

    #[test]
    fn nothing_changes_when_a_step_is_refused() {
        let mut model = One { w: Parameter::new(Tensor::ones(&[2])) };
        let gradients = (&*model.w * Float::NAN).sum().backward().unwrap();
        assert!(AdamW::new(0.1).step(&mut model, &gradients, 0.01).is_err());
        assert_eq!(model.w.value().to_vec(), [1.0, 1.0]);
    }
}
