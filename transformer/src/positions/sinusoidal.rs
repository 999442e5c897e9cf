//! (P1) Sinusoidal positions. Vaswani et al. 2017, section 3.5.

use tensor::{Float, Tensor};

/// A row of sines and cosines for each position, to be added to the embeddings.
///
/// ```math
/// P_{p,\,2i} = \sin(p / 10000^{2i / d}), \qquad P_{p,\,2i+1} = \cos(p / 10000^{2i / d})
/// \qquad (P1)
/// ```
/// Positions from `start` on → `[count, d_model]`. A shift by k positions turns each pair by an
/// angle that depends on k alone, so that attention can learn to look k back.
///
/// ```
/// let p = transformer::positions::sinusoidal(0, 2, 4);
/// assert_eq!(p.narrow(0, 0, 1).to_vec(), [0.0, 1.0, 0.0, 1.0]);
/// ```
pub fn sinusoidal(start: usize, count: usize, d_model: usize) -> Tensor {
    Tensor::build(&[count, d_model], |out| {
        for (row, out) in out.chunks_exact_mut(d_model.max(1)).enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                let exponent = (column / 2 * 2) as f64 / d_model as f64;
                let angle = (start + row) as f64 / 10000f64.powf(exponent);
                *out = if column % 2 == 0 { angle.sin() } else { angle.cos() } as Float;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_equation_p1() {
        let p = sinusoidal(3, 5, 6);
        for (row, position) in (3..8).enumerate() {
            for i in 0..3 {
                let angle = f64::from(position) / 10000f64.powf(2.0 * f64::from(i) / 6.0);
                let at = |column: i32| f64::from(p.data()[row * 6 + column as usize]);
                assert!((at(2 * i) - angle.sin()).abs() < 1e-6);
                assert!((at(2 * i + 1) - angle.cos()).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn nearness_depends_on_the_distance_alone() {
        let p = sinusoidal(0, 40, 16);
        let row = |i: usize| p.narrow(0, i, 1).reshape(&[16]);
        let at = |i: usize, k: usize| row(i).matmul(&row(i + k)).item();
        for k in [0, 1, 7] {
            assert!((at(2, k) - at(30, k)).abs() < 1e-4);
        }
    }

    #[test]
    fn extremes_no_position_and_an_odd_width() {
        assert_eq!(sinusoidal(5, 0, 4).shape(), [0, 4]);
        assert_eq!(sinusoidal(0, 1, 3).to_vec(), [0.0, 1.0, 0.0]);
    }
}
