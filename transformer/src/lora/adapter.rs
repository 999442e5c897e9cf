//! (R1) The adapter of one affine map. Hu et al. 2022, section 4.1.

use super::LoraConfig;
use crate::{Init, parameters_of};
use autograd::{Parameter, Var};
use tensor::{Float, Rng, Tensor};

/// A change of low rank to the matrix of an affine map.
///
/// ```math
/// y = x W + b + s\, x A B, \qquad s = \alpha / r \qquad (R1)
/// ```
/// W is frozen, A and B are trained; in training each number of the x that A reads is dropped with
/// probability `dropout`. B starts at zero, so that the model starts as it was. With
/// `rank_stabilized`, s is α/√r (Kalajdzievski 2023, section 3).
///
/// The paper's A and B are the transposes of these: it multiplies columns, this library rows.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// A, `[d_in, r]`.
    pub a: Parameter,
    /// B, `[r, d_out]`.
    pub b: Parameter,
    /// α.
    pub alpha: Float,
    /// Whether s is α/√r.
    pub rank_stabilized: bool,
    /// The probability that a number of the input is dropped in training.
    pub dropout: Float,
}
parameters_of!(Adapter { a, b });

impl Adapter {
    /// A drawn evenly from ±1/√d_in, as PEFT does, B zero.
    pub fn new(rng: &mut Rng, d_in: usize, d_out: usize, config: &LoraConfig) -> Adapter {
        let bound = 1.0 / (d_in.max(1) as Float).sqrt();
        let a = rng.uniform_between(&[d_in, config.r], -bound, bound);
        Adapter {
            a: Parameter::new(a),
            b: Init::Zeros.parameter(rng, &[config.r, d_out]),
            alpha: config.alpha(),
            rank_stabilized: config.rank_stabilized,
            dropout: config.dropout,
        }
    }

    /// r.
    pub fn rank(&self) -> usize {
        self.a.size(1)
    }

    /// s.
    pub fn scale(&self) -> Float {
        let r = self.rank() as Float;
        self.alpha / if self.rank_stabilized { r.sqrt() } else { r }
    }

    /// s x A B: `[.., d_in]` → `[.., d_out]`
    ///
    /// # Panics
    /// If the last axis is not d_in.
    #[track_caller]
    pub fn forward(&self, x: &Var) -> Var {
        let narrow = x.dropout(self.dropout).matmul(&self.a); // [.., r]
        (narrow * self.scale()).matmul(&self.b)
    }

    /// s A B, what is added to W: `[d_in, d_out]`
    pub fn change(&self) -> Tensor {
        self.a.value().matmul(self.b.value()) * self.scale()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{Linear, Module};
    use autograd::gradcheck::gradcheck;
    use autograd::with_dropout;

    const TOLERANCE: Float = 1e-5;

    /// An affine map with an adapter whose B is not zero.
    pub(crate) fn adapted(rng: &mut Rng, d_in: usize, d_out: usize, r: usize) -> Linear {
        let config = LoraConfig { r, alpha: Some(3.0), ..LoraConfig::default() };
        let mut linear = Linear::new(rng, d_in, d_out, Init::Normal(0.5));
        let adapter = Adapter::new(rng, d_in, d_out, &config);
        linear.adapter =
            Some(Adapter { b: Init::Normal(0.5).parameter(rng, &[r, d_out]), ..adapter });
        linear
    }

    #[test]
    fn by_hand_r1() {
        let parameter =
            |numbers: &[Float], shape: &[usize]| Parameter::new(Tensor::new(numbers, shape));
        let adapter = Adapter {
            a: parameter(&[1.0, 2.0], &[2, 1]),
            b: parameter(&[3.0, -1.0], &[1, 2]),
            alpha: 4.0,
            rank_stabilized: false,
            dropout: 0.0,
        };
        let linear = Linear {
            weight: parameter(&[1.0, 0.0, 0.0, 1.0], &[2, 2]),
            bias: Some(parameter(&[0.5, 0.5], &[2])),
            adapter: Some(adapter),
        };
        // x W + b = [10.5, 100.5]; x A = 210; times s = 4 and B: [2520, -840].
        let x = Var::constant(Tensor::new([10.0, 100.0], &[1, 2]));
        assert_eq!(linear.forward(&x).value().to_vec(), [2530.5, -739.5]);
        let names: Vec<String> = linear.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "bias", "adapter.a", "adapter.b"]);
    }

    #[test]
    fn the_scale_is_by_the_rank_or_its_root() {
        let scale = |rank_stabilized| {
            let alpha = Some(12.0);
            let config = LoraConfig { r: 4, alpha, rank_stabilized, ..LoraConfig::default() };
            Adapter::new(&mut Rng::seeded(1), 5, 3, &config).scale()
        };
        assert_eq!([scale(false), scale(true)], [3.0, 6.0]);
    }

    #[test]
    fn a_new_adapter_changes_nothing_and_its_a_is_drawn_as_pefts() {
        let config = LoraConfig { r: 200, ..LoraConfig::default() };
        let adapter = Adapter::new(&mut Rng::seeded(1), 100, 3, &config);
        let a = adapter.a.value().to_vec();
        let largest = a.iter().fold(0.0, |most: Float, a| most.max(a.abs()));
        assert!(largest <= 0.1 && largest > 0.0999, "{largest}");
        let mean = a.iter().sum::<Float>() / a.len() as Float;
        assert!(mean.abs() < 2e-3, "{mean}");
        let x = Var::constant(Rng::seeded(2).normal(&[2, 100], 1.0));
        assert!(adapter.forward(&x).value().data().iter().all(|&y| y == 0.0));
    }

    #[test]
    fn equals_an_affine_map_with_the_changed_matrix() {
        let mut rng = Rng::seeded(3);
        let linear = adapted(&mut rng, 6, 4, 2);
        let x = Var::constant(rng.normal(&[2, 3, 6], 1.0));
        let change = linear.adapter.as_ref().unwrap().change();
        let whole = Linear {
            weight: Parameter::new(linear.weight.value() + &change),
            adapter: None,
            ..linear.clone()
        };
        let difference = linear.forward(&x) - whole.forward(&x);
        assert!(difference.value().data().iter().all(|d| d.abs() < TOLERANCE));
    }

    #[test]
    fn dropout_is_of_the_adapters_input_alone() {
        let mut rng = Rng::seeded(4);
        let mut linear = adapted(&mut rng, 6, 4, 2);
        linear.adapter.as_mut().unwrap().dropout = 0.5;
        let x = Var::constant(rng.normal(&[1, 6], 1.0));
        let adapter = linear.adapter.as_ref().unwrap();
        let dropped = with_dropout(Rng::seeded(5), || linear.forward(&x));
        let x_dropped = with_dropout(Rng::seeded(5), || x.dropout(0.5));
        let plain = Linear { adapter: None, ..linear.clone() }.forward(&x);
        let expected = plain + (x_dropped.matmul(&adapter.a) * adapter.scale()).matmul(&adapter.b);
        assert_eq!(dropped.value().to_vec(), expected.value().to_vec());
        assert!(dropped.value().to_vec() != linear.forward(&x).value().to_vec());
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let mut rng = Rng::seeded(6);
        let linear = adapted(&mut rng, 4, 3, 2);
        let (adapter, x) =
            (linear.adapter.as_ref().unwrap(), Var::leaf(rng.normal(&[2, 5, 4], 1.0)));
        let inputs = [&x, &*linear.weight, &*adapter.a, &*adapter.b];
        let textbook = |v: &[Var]| {
            let change = v[0].matmul(&v[2]).matmul(&v[3]) * adapter.scale();
            v[0].matmul(&v[1]) + change + &**linear.bias.as_ref().unwrap()
        };
        gradcheck(textbook, &inputs.map(|input| input.value().clone())).unwrap();
        let leaves = inputs.map(|input| Var::leaf(input.value().clone()));
        let of = |y: Var, inputs: [&Var; 4]| {
            let gradients = (&y * &y).sum().backward().unwrap();
            inputs.map(|input| gradients.get(input).unwrap().clone())
        };
        let expected = of(textbook(&leaves), leaves.each_ref());
        for (ours, expected) in of(linear.forward(&x), inputs).iter().zip(&expected) {
            let largest = expected.data().iter().fold(0.0, |most: Float, g| most.max(g.abs()));
            assert!((ours - expected).data().iter().all(|d| d.abs() < TOLERANCE * largest));
        }
    }
}
