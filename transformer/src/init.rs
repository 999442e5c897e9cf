//! (I1) Initial weights: named distributions, each with its source.

use autograd::Parameter;
use tensor::{Float, Rng, Tensor};

/// How the entries of a new parameter are drawn.
///
/// With n_in and n_out the sizes of a matrix's two axes, its entries are drawn from the normal
/// distribution with standard deviation σ, or evenly from −a to a, where
/// ```math
/// \sigma_{Xavier} = \sqrt{\frac{2}{n_{in} + n_{out}}}, \quad
/// \sigma_{He} = \sqrt{\frac{2}{n_{in}}}, \quad a = \sqrt{3}\,\sigma \qquad (I1)
/// ```
/// Xavier: Glorot & Bengio 2010, eq. 16 (keeps the variance of what passes through linear layers);
/// He: He et al. 2015, eq. 10 (the same before ReLU).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Zeros. They take no memory until they are changed: a checkpoint's weights may replace them.
    Zeros,
    /// Ones, in the same way.
    Ones,
    /// Normal with this standard deviation; 0.02 in GPT-2 and BERT.
    Normal(Float),
    /// Normal with this standard deviation, numbers beyond two of them drawn again.
    TruncatedNormal(Float),
    /// Normal with Xavier's σ.
    XavierNormal,
    /// Even with Xavier's σ.
    XavierUniform,
    /// Normal with He's σ.
    HeNormal,
    /// Even with He's σ.
    HeUniform,
}

impl Init {
    /// A new tensor. Of a shape with more than two axes, the last two are the matrix.
    ///
    /// # Panics
    /// If Xavier's or He's are asked for less than two axes.
    #[track_caller]
    pub fn tensor(self, rng: &mut Rng, shape: &[usize]) -> Tensor {
        let even = |rng: &mut Rng, std: Float| {
            let bound = std * (3.0 as Float).sqrt();
            rng.uniform_between(shape, -bound, bound)
        };
        match self {
            _ if shape.contains(&0) => Tensor::zeros(shape),
            Init::TruncatedNormal(0.0) => Tensor::zeros(shape),
            Init::Zeros => Tensor::scalar(0.0).broadcast_to(shape),
            Init::Ones => Tensor::scalar(1.0).broadcast_to(shape),
            Init::Normal(std) => rng.normal(shape, std),
            Init::TruncatedNormal(std) => rng.truncated_normal(shape, std, -2.0 * std, 2.0 * std),
            Init::XavierNormal => rng.normal(shape, xavier(shape)),
            Init::XavierUniform => even(rng, xavier(shape)),
            Init::HeNormal => rng.normal(shape, he(shape)),
            Init::HeUniform => even(rng, he(shape)),
        }
    }

    /// A new parameter: see [`Init::tensor`].
    ///
    /// # Panics
    /// As [`Init::tensor`].
    #[track_caller]
    pub fn parameter(self, rng: &mut Rng, shape: &[usize]) -> Parameter {
        Parameter::new(self.tensor(rng, shape))
    }
}

#[track_caller]
fn sides(shape: &[usize]) -> (Float, Float) {
    match shape {
        [.., n_in, n_out] => (*n_in as Float, *n_out as Float),
        _ => tensor::shape::wrong("init", "Xavier's and He's need a matrix", &[shape], ""),
    }
}

#[track_caller]
fn xavier(shape: &[usize]) -> Float {
    let (n_in, n_out) = sides(shape);
    (2.0 / (n_in + n_out)).sqrt()
}

#[track_caller]
fn he(shape: &[usize]) -> Float {
    (2.0 / sides(shape).0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_equal_the_equation_i1() {
        let (n_in, n_out) = (200, 300);
        let (xavier, he) = ((2.0 / 500.0 as Float).sqrt(), (2.0 / 200.0 as Float).sqrt());
        for (init, std, bound) in [
            (Init::Normal(0.02), 0.02, Float::INFINITY),
            (Init::XavierNormal, xavier, Float::INFINITY),
            (Init::XavierUniform, xavier, xavier * 1.733),
            (Init::HeNormal, he, Float::INFINITY),
            (Init::HeUniform, he, he * 1.733),
            (Init::TruncatedNormal(0.1), 0.08796, 0.2),
        ] {
            let w = init.tensor(&mut Rng::seeded(1), &[n_in, n_out]).to_vec();
            let square: Float = w.iter().map(|w| w * w).sum::<Float>() / w.len() as Float;
            assert!((square.sqrt() / std - 1.0).abs() < 0.02, "{init:?}: {}", square.sqrt());
            assert!(w.iter().all(|w| w.abs() <= bound), "{init:?}");
        }
        assert_eq!(Init::Zeros.tensor(&mut Rng::seeded(1), &[2, 2]).to_vec(), [0.0; 4]);
        assert_eq!(Init::Ones.tensor(&mut Rng::seeded(1), &[3]).to_vec(), [1.0; 3]);
    }

    #[test]
    #[should_panic(expected = "init: Xavier's and He's need a matrix: [3]")]
    fn a_vector_has_no_two_sides() {
        Init::XavierNormal.tensor(&mut Rng::seeded(1), &[3]);
    }
}
