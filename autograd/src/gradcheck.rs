//! Derivatives against finite differences: for the library's operations, layers and models, and
//! for one's own.

use crate::Var;
use tensor::{Float, Rng, Tensor};

/// The largest error that [`gradcheck`] lets pass: 1e-6 in the `f64` build. The default build
/// computes in `f32`, where finite differences themselves are only good to a few per cent.
pub const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-6 } else { 5e-2 };

const STEP: Float = if size_of::<Float>() == 8 { 1e-3 } else { 5e-2 };

/// Compares the gradients of `f` with finite differences and returns the largest error.
///
/// The output is weighed with fixed random numbers w first, since the gradient of a plain sum
/// vanishes for softmax and normalizations:
/// ```math
/// g_i \approx \frac{8 (L(x + h e_i) - L(x - h e_i)) - (L(x + 2h e_i) - L(x - 2h e_i))}{12 h},
/// \quad L(x) = \sum_j w_j f_j(x)
/// ```
/// The error of an entry is |a − b| / (|a| + |b| + 0.01 · the tensor's largest gradient). The step
/// h is 10⁻³ (0.05 in `f32`); `f` must have no kink within two steps of an input, as ReLU has at 0.
///
/// # Errors
/// If the largest error is above [`TOLERANCE`] or an input gets no gradient: says where.
///
/// ```
/// use autograd::{Var, gradcheck::gradcheck};
/// use tensor::Rng;
/// /// sin x, with derivative cos x
/// fn wave(x: &Var) -> Var {
///     let y = x.value().sin();
///     Var::record("wave", [x], y, [x.value().clone()], |dy, [x]| [(dy * x.cos()).into()])
/// }
/// let x = Rng::seeded(1).normal(&[2, 3], 1.0);
/// gradcheck(|x| wave(&x[0]).softmax(-1), &[x]).unwrap();
/// ```
pub fn gradcheck(f: impl Fn(&[Var]) -> Var, inputs: &[Tensor]) -> Result<f64, String> {
    let leaves: Vec<Var> = inputs.iter().cloned().map(Var::leaf).collect();
    let output = f(&leaves);
    let weights = Rng::seeded(0x9C).normal(output.shape(), 1.0);
    let loss = (&output * &Var::constant(weights.clone())).sum();
    let gradients = loss.backward().map_err(|error| error.to_string())?;
    let mut worst = 0.0f64;
    for (index, leaf) in leaves.iter().enumerate() {
        let exact = gradients.get(leaf).ok_or(format!("input {index} got no gradient"))?;
        let numeric = differences(&f, inputs, index, &weights);
        let error = largest_error(&exact.to_vec(), &numeric);
        if error.is_nan() || error > TOLERANCE {
            return Err(format!(
                "input {index}: error {error:.2e} above {TOLERANCE:.0e}: gradient {exact}, \
                 finite differences {numeric:?}"
            ));
        }
        worst = worst.max(error);
    }
    Ok(worst)
}

/// The largest |a − b| / (|a| + |b| + 0.01 · max |g|) of two lists of gradients; NaN if one holds a
/// NaN.
pub fn largest_error(a: &[Float], b: &[Float]) -> f64 {
    if a.iter().chain(b).any(|x| x.is_nan()) {
        return f64::NAN;
    }
    let largest = a.iter().chain(b).fold(0.0f64, |largest, &x| largest.max(f64::from(x).abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let error = |a: f64, b: f64| (a - b).abs() / (a.abs() + b.abs() + 0.01 * largest);
    let errors = a.iter().zip(b).map(|(&a, &b)| error(f64::from(a), f64::from(b)));
    // ∞ − ∞ is the one NaN left.
    errors.fold(0.0, |worst, error| if error.is_nan() { f64::INFINITY } else { worst.max(error) })
}

fn differences(
    f: &impl Fn(&[Var]) -> Var,
    inputs: &[Tensor],
    index: usize,
    weights: &Tensor,
) -> Vec<Float> {
    let loss_at = |entry: usize, shift: Float| -> f64 {
        let mut moved = inputs.to_vec();
        moved[index] = moved[index].contiguous();
        moved[index].data_mut()[entry] += shift;
        let moved: Vec<Var> = moved.into_iter().map(Var::constant).collect();
        let output = f(&moved).into_value();
        let terms = output.to_vec().into_iter().zip(weights.to_vec());
        terms.map(|(x, w)| f64::from(x) * f64::from(w)).sum()
    };
    (0..inputs[index].len())
        .map(|entry| {
            let near = loss_at(entry, STEP) - loss_at(entry, -STEP);
            let far = loss_at(entry, 2.0 * STEP) - loss_at(entry, -2.0 * STEP);
            ((8.0 * near - far) / (12.0 * f64::from(STEP))) as Float
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_gradient_is_found() {
        let wrong = |x: &[Var]| {
            let y = x[0].value().map(|x| x * x);
            Var::record("wrong", [&x[0]], y, [x[0].value().clone()], |dy, [x]| {
                [(dy * x.map(|x| 2.5 * x)).into()]
            })
        };
        let x = Rng::seeded(1).normal(&[4], 1.0);
        assert!(gradcheck(wrong, &[x]).unwrap_err().starts_with("input 0: error"));
    }

    #[test]
    fn a_nan_is_an_error_wherever_it_stands() {
        let nan = Float::NAN;
        for list in [[nan, 1.0, 2.0], [1.0, nan, 2.0], [1.0, 2.0, nan], [0.0, nan, 0.0]] {
            assert!(largest_error(&list, &[1.0, 2.0, 3.0]).is_nan());
            assert!(largest_error(&[0.0; 3], &list).is_nan());
        }
        assert_eq!(largest_error(&[Float::INFINITY, 1.0], &[Float::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn an_input_without_a_gradient_is_found() {
        let inputs = [Tensor::ones(&[2]), Tensor::ones(&[2])];
        assert_eq!(gradcheck(|x| x[0].sum(), &inputs).unwrap_err(), "input 1 got no gradient");
    }
}
