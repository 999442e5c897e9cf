//! (O4) Clipping by the global norm. Pascanu, Mikolov & Bengio 2013, algorithm 1.

use super::Error;
use autograd::Gradients;
use tensor::{Float, Tensor, par, simd, vmath};
use transformer::Module;

/// Numbers whose squares one thread adds up before they join the rest in `f64`.
const PIECE: usize = 16 * 1024;

simd! {
    fn squares_of_piece(x: &[Float]) -> Float {
        vmath::sum_of(x, |x| x * x)
    }
}

/// The sum of the squares of all numbers of a tensor; NaN if one of them is not finite.
pub fn sum_of_squares(x: &Tensor) -> f64 {
    let x = x.contiguous();
    let x = x.data();
    let sum = par::ordered_sum(x.len().div_ceil(PIECE), |piece| {
        let end = x.len().min((piece + 1) * PIECE);
        f64::from(squares_of_piece(&x[piece * PIECE..end]))
    });
    // A square may overflow although its number is finite; only then is a closer look needed.
    if sum.is_finite() {
        return sum;
    }
    if x.iter().any(|x| !x.is_finite()) {
        return f64::NAN;
    }
    x.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// The norm of all gradients of a model taken as one vector.
///
/// # Errors
/// If a parameter that is neither frozen nor declared unused has no gradient, or a gradient is
/// not finite.
pub fn global_norm(model: &dyn Module, gradients: &Gradients) -> Result<f64, Error> {
    let mut total = 0.0;
    for (name, parameter) in model.parameters() {
        let Some(gradient) = gradients.get(parameter) else {
            if parameter.is_declared_unused() || !parameter.is_trainable() {
                continue;
            }
            return Err(Error::Unreached(name));
        };
        let sum = sum_of_squares(gradient);
        if sum.is_nan() {
            return Err(Error::NotFinite(name));
        }
        total += sum;
    }
    Ok(total.sqrt())
}

/// What all gradients are multiplied with, so that their global norm is at most `max`.
///
/// ```math
/// g \leftarrow g \cdot \min\Big(1, \frac{c}{\lVert g \rVert + 10^{-6}}\Big) \qquad (O4)
/// ```
/// The 10⁻⁶, which the paper does not have, is PyTorch's.
pub fn clip_factor(norm: f64, max: Option<f64>) -> f64 {
    max.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::Parameter;
    use transformer::parameters_of;

    struct Two {
        a: Parameter,
        b: Parameter,
    }
    parameters_of!(Two { a, b });

    fn two() -> Two {
        Two { a: Parameter::new(Tensor::ones(&[2])), b: Parameter::new(Tensor::ones(&[1])) }
    }

    #[test]
    fn the_factor_brings_the_norm_to_its_bound_o4() {
        let two = two();
        let loss = (&*two.a * 2.0).sum() + (&*two.b * 1.0).sum();
        let norm = global_norm(&two, &loss.backward().unwrap()).unwrap();
        assert!((norm - 3.0).abs() < 1e-6);
        assert!((clip_factor(norm, Some(1.5)) - 0.5).abs() < 1e-6);
        assert_eq!((clip_factor(norm, Some(5.0)), clip_factor(norm, None)), (1.0, 1.0));
    }

    #[test]
    fn an_unreached_parameter_is_an_error_that_names_it() {
        let mut two = two();
        let gradients = two.a.sum().backward().unwrap();
        assert_eq!(
            global_norm(&two, &gradients).unwrap_err().to_string(),
            "parameter b got no gradient: the loss does not depend on it; declare it unused if \
             the task does not need it"
        );
        two.b.freeze();
        assert!(global_norm(&two, &gradients).is_ok());
        two.b.unfreeze();
        two.b.declare_unused();
        assert!(global_norm(&two, &gradients).is_ok());
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_an_error_that_names_it() {
        let two = two();
        let loss = two.a.sum() + &(&*two.b * Float::INFINITY).sum();
        assert_eq!(
            global_norm(&two, &loss.backward().unwrap()).unwrap_err().to_string(),
            "the gradient of parameter b is not finite; lower the learning rate, or look for a \
             division by zero or a logarithm of zero in the loss"
        );
        let large = (&*two.a * 1e25).sum() + &two.b.sum();
        assert!(global_norm(&two, &large.backward().unwrap()).unwrap() > 1e25);
    }
}
