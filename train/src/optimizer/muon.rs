//! (O7) Muon: momentum made orthogonal, for the matrices of hidden layers. Jordan et al. 2024,
//! "Muon: An optimizer for hidden layers in neural networks".

use super::adamw::move_and_decay;
use super::memory::{Memory, Update};
use super::{Error, Group, Optimizer, clip};
use autograd::Gradients;
use std::sync::Arc;
use tensor::{Float, Tensor};
use transformer::Module;

/// The Muon optimizer for hidden matrices, AdamW for all other parameters.
///
/// ```math
/// B \leftarrow \mu B + G, \quad O = \mathrm{NewtonSchulz}_5(G + \mu B), \quad
/// \theta \leftarrow \theta - \eta \Big( \sqrt{\max(1, d_{out} / d_{in})}\, O
/// + \lambda \theta \Big) \qquad (O7)
/// ```
/// The factor is that of Jordan et al. and of PyTorch's `adjust_lr_fn="original"`, rows / columns
/// of a matrix `[d_out, d_in]`; matrices are `[d_in, d_out]` here. Embeddings, heads, biases and
/// normalizations are AdamW's (O3), with a learning rate of their own: 0.015 η, the 3 · 10⁻⁴
/// that Jordan et al. take beside an η of 0.02.
#[derive(Clone, Debug)]
pub struct Muon {
    /// μ.
    pub momentum: f64,
    /// Which parameters are made orthogonal, by name and value; only those of rank 2 can be.
    pub orthogonal: fn(&str, &Tensor) -> bool,
    /// β₁ of AdamW.
    pub beta1: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// ε of AdamW.
    pub eps: f64,
    /// The largest global norm of the gradients; `None` does not clip.
    pub clip: Option<f64>,
    /// Groups of parameters; each parameter belongs to the first that holds it.
    pub groups: Vec<Group>,
    /// B of hidden matrices, the moments m and v of all others.
    pub memory: Memory,
}

impl Muon {
    /// μ 0.95; AdamW with β₁ 0.9, β₂ 0.95, ε 10⁻¹⁰ and 0.015 of the learning rate; no clipping;
    /// `weight_decay` on all matrices.
    pub fn new(weight_decay: f64) -> Muon {
        let rest = Group { lr_factor: 0.015, ..Group::all(0.0) };
        let is_matrix = Arc::new(|_: &str, value: &Tensor| value.rank() >= 2);
        Muon {
            momentum: 0.95,
            orthogonal: is_hidden_matrix,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-10,
            clip: None,
            groups: vec![
                Group { holds: Arc::new(is_hidden_matrix), ..Group::all(weight_decay) },
                Group { holds: is_matrix, weight_decay, ..rest },
                rest,
            ],
            memory: Memory::default(),
        }
    }
}

/// Whether a parameter is a matrix between hidden layers: neither an embedding nor a head.
pub fn is_hidden_matrix(name: &str, value: &Tensor) -> bool {
    let outer =
        |part: &str| part.contains("embedding") || matches!(part, "head" | "lm_head" | "table");
    value.rank() == 2 && !name.split('.').any(outer)
}

impl Optimizer for Muon {
    fn step(
        &mut self,
        model: &mut dyn Module,
        gradients: &Gradients,
        lr: f64,
    ) -> Result<f64, Error> {
        let (momentum, betas, eps) = (self.momentum, (self.beta1, self.beta2), self.eps);
        let orthogonal = self.orthogonal;
        self.memory.step(model, gradients, lr, (self.clip, &self.groups), |update| {
            if update.value.rank() == 2 && orthogonal(update.name, update.value) {
                move_orthogonally(update, momentum as Float);
            } else {
                move_and_decay(update, betas, eps);
            }
        })
    }

    fn name(&self) -> &str {
        "muon"
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

fn move_orthogonally(update: Update<'_>, mu: Float) {
    let scale = update.gradient_scale as Float;
    let [momentum] = update.state.tensors(["momentum"]);
    momentum.apply_zip(update.gradient, |b, g| mu * b + scale * g);
    let ahead = momentum.zip(update.gradient, |b, g| mu * b + scale * g);
    let direction = newton_schulz(&ahead, 5);
    let (d_in, d_out) = (direction.size(0), direction.size(1));
    let factor = (d_out as f64 / d_in.max(1) as f64).max(1.0).sqrt();
    let lr = (update.lr * factor) as Float;
    let keep = (1.0 - update.lr * update.weight_decay) as Float;
    update.value.apply_zip(&direction, |w, o| keep * w - lr * o);
}

/// A matrix whose singular values are drawn towards 1, its singular vectors kept.
///
/// ```math
/// X_0 = G / (\lVert G \rVert_F + 10^{-7}), \quad A = X X^T, \quad
/// X \leftarrow a X + (b A + c A^2) X, \quad (a, b, c) = (3.4445, -4.7750, 2.0315)
/// ```
/// The coefficients of Jordan et al. make small singular values grow fast and leave all of them
/// between about 0.7 and 1.2 after 5 steps.
///
/// # Panics
/// If `g` is not a matrix.
#[track_caller]
pub fn newton_schulz(g: &Tensor, steps: usize) -> Tensor {
    const COEFFICIENTS: (Float, Float, Float) = (3.4445, -4.7750, 2.0315);
    let [rows, columns] = *g.shape() else {
        tensor::shape::wrong("newton_schulz", "not a matrix", &[g.shape()], "");
    };
    let (a, b, c) = COEFFICIENTS;
    let wide = if rows > columns { g.transpose(0, 1) } else { g.clone() };
    let norm = clip::sum_of_squares(g).sqrt();
    let mut x = wide * (1.0 / (norm + 1e-7)) as Float;
    for _ in 0..steps {
        let gram = x.matmul(&x.transpose(0, 1)); // [smaller, smaller]
        let polynomial = gram.matmul(&gram) * c + &gram * b;
        x = polynomial.matmul(&x) + &x * a;
    }
    if rows > columns { x.transpose(0, 1) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::tests::{One, run};
    use tensor::Rng;

    /// What five steps make of one singular value.
    fn of_singular_value(x: f64) -> f64 {
        (0..5).fold(x, |x, _| 3.4445 * x - 4.7750 * x.powi(3) + 2.0315 * x.powi(5))
    }

    #[test]
    fn by_hand_o7() {
        // A matrix of one number is its own singular value: 1 once normalized.
        let found = run(&mut Muon::new(0.5), &[1, 1], 2.0, &[3.0], 0.1);
        let expected = 2.0 - 0.1 * (of_singular_value(1.0) + 0.5 * 2.0);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        // Four columns of 1/2 each, twice as long a step: d_out / d_in = 4.
        let mut model = One::new(Tensor::zeros(&[1, 4]));
        let gradients = model.gradients(7.0);
        Muon::new(0.0).step(&mut model, &gradients, 0.1).unwrap();
        let expected = -0.1 * 2.0 * of_singular_value(1.0) / 2.0;
        assert!(model.w.value().data().iter().all(|&w| (f64::from(w) - expected).abs() < 1e-5));
    }

    #[test]
    fn a_rotated_diagonal_keeps_its_rotation() {
        let (sin, cos) = (0.6, 0.8);
        let rotation = Tensor::new([cos, -sin, sin, cos], &[2, 2]);
        let diagonal = Tensor::new([4.0, 0.0, 0.0, 3.0], &[2, 2]);
        let found = newton_schulz(&rotation.matmul(&diagonal), 5);
        let values = [0.8, 0.6].map(|x| of_singular_value(x) as Float);
        let expected = rotation.matmul(&Tensor::new([values[0], 0.0, 0.0, values[1]], &[2, 2]));
        let close = |(a, b): (&Float, &Float)| (a - b).abs() < 1e-4;
        assert!(found.data().iter().zip(expected.data()).all(close), "{found} {expected}");
    }

    #[test]
    fn rows_become_nearly_orthonormal_whatever_the_scale() {
        for (shape, scale) in [([5, 40], 1e4), ([40, 5], 1e-3), ([16, 64], 1e15)] {
            let x = newton_schulz(&Rng::seeded(1).normal(&shape, scale), 5);
            assert_eq!(x.shape(), shape);
            let wide = if shape[0] > shape[1] { x.transpose(0, 1) } else { x };
            let gram = wide.matmul(&wide.transpose(0, 1));
            for (i, &product) in gram.data().iter().enumerate() {
                let on_diagonal = i % (gram.size(0) + 1) == 0;
                let bounds = if on_diagonal { 0.4..1.5 } else { -0.4..0.4 };
                assert!(bounds.contains(&product), "{shape:?}: {gram}");
            }
        }
    }

    #[test]
    fn the_extreme_of_no_gradient_and_of_no_rows_moves_nothing() {
        assert_eq!(run(&mut Muon::new(0.0), &[3, 2], 2.0, &[0.0], 0.1), 2.0);
        for shape in [[0, 3], [3, 0]] {
            let mut model = One::new(Tensor::zeros(&shape));
            let gradients = model.gradients(1.0);
            assert_eq!(Muon::new(0.0).step(&mut model, &gradients, 0.1), Ok(0.0));
        }
    }

    #[test]
    fn embeddings_heads_and_vectors_are_adamws() {
        let matrix = Tensor::zeros(&[2, 2]);
        assert!(is_hidden_matrix("blocks.0.attention.w_o.weight", &matrix));
        assert!(!is_hidden_matrix("token_embedding.weight", &matrix));
        assert!(!is_hidden_matrix("lm_head.weight", &matrix));
        assert!(!is_hidden_matrix("blocks.0.norm_1.gamma", &Tensor::zeros(&[2])));
        let found = run(&mut Muon::new(0.5), &[2], 0.0, &[5.0], 1.0);
        assert!((found + 0.015).abs() < 1e-6, "{found}");
    }

    #[test]
    #[should_panic(expected = "newton_schulz: not a matrix: [2, 2, 2]")]
    fn only_a_matrix_can_be_made_orthogonal() {
        newton_schulz(&Tensor::zeros(&[2, 2, 2]), 5);
    }
}
