//! What the backward of every normalization does: gradients of rows, and of parameters that all rows
//! share.

use tensor::{Float, Tensor, par};

/// Numbers in a part of the rows: worth a thread, and many more than the sums it makes.
const PART: usize = 16 * 1024;

/// Turns `dy [.., width]` into the gradient of x, in place unless someone else holds it. `rows(first,
/// dy, sums)` does so for the rows of one part, the first of which is `first`, and adds their share of
/// the parameters' gradients, vectors side by side, to `sums [parameters · width]`. Gives the sums of
/// all parts, added in order.
pub(super) fn backward_by_rows(
    dy: &mut Tensor,
    parameters: usize,
    rows: impl Fn(usize, &mut [Float], &mut [Float]) + Sync + Send,
) -> Tensor {
    let width = dy.size(-1);
    // Bounds that are the same for any number of threads.
    let rows_of_part = (PART / width.max(1)).clamp(8, 256);
    let numbers = rows_of_part * width.max(1);
    let mut sums = Tensor::zeros(&[dy.len().div_ceil(numbers), parameters * width]);
    let sums_of_parts = sums.data_mut().chunks_mut(parameters * width.max(1));
    let parts = dy.data_mut().chunks_mut(numbers).zip(sums_of_parts).enumerate();
    par::for_each(parts.collect(), |(part, (dy, sums))| rows(part * rows_of_part, dy, sums));
    sums.sum_axes(&[0], false)
}

#[cfg(test)]
mod tests {
    use crate::ops::layer_norm::{layer_norm, layer_norm_backward};
    use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
    use tensor::{Float, Rng, Tensor};

    /// The gradients of x and of the parameters.
    type Gradients = (Tensor, Vec<Tensor>);

    fn rms(x: &Tensor, dy: Tensor) -> Gradients {
        let gamma = Rng::seeded(9).normal(&[x.size(-1)], 1.0);
        let (_, factors) = rms_norm(x, &gamma, 1e-5);
        let (dx, dgamma) = rms_norm_backward(x, &gamma, &factors, dy);
        (dx, vec![dgamma])
    }

    fn layer(x: &Tensor, dy: Tensor) -> Gradients {
        let [gamma, beta] = [8, 9].map(|seed| Rng::seeded(seed).normal(&[x.size(-1)], 1.0));
        let (_, stats) = layer_norm(x, &gamma, &beta, 1e-5);
        let (dx, dgamma, dbeta) = layer_norm_backward(x, &gamma, &stats, dy);
        (dx, vec![dgamma, dbeta])
    }

    #[test]
    fn rows_in_many_parts_are_rows_alone() {
        for (rows, width) in [(200, 300), (600, 3)] {
            let [x, dy] = [1, 2].map(|seed| Rng::seeded(seed).normal(&[rows, width], 1.0));
            for backward in [rms, layer] {
                let (dx, sums) = backward(&x, dy.clone());
                let mut expected: Vec<Tensor> =
                    sums.iter().map(|sum| Tensor::zeros(sum.shape())).collect();
                for row in 0..rows {
                    let [x, dy] = [&x, &dy].map(|of| of.narrow(0, row, 1));
                    let (alone, parts) = backward(&x, dy);
                    assert_eq!(alone.to_vec(), dx.narrow(0, row, 1).to_vec(), "row {row}");
                    expected.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
                }
                for (sum, expected) in sums.iter().zip(&expected) {
                    let far = |(a, b): (&Float, &Float)| (a - b).abs() > 1e-4 * (1.0 + b.abs());
                    let (sum, expected) = (sum.to_vec(), expected.to_vec());
                    assert!(!sum.iter().zip(&expected).any(far), "{sum:?} {expected:?}");
                }
            }
        }
    }

    #[test]
    fn a_gradient_that_another_holds_stays_and_any_layout_is_read() {
        let [x, dy] = [1, 2].map(|seed| Rng::seeded(seed).normal(&[5, 4], 1.0));
        for backward in [rms, layer] {
            let held = dy.clone();
            let expected = backward(&x, dy.clone()).0.to_vec();
            assert_eq!(held.to_vec(), Rng::seeded(2).normal(&[5, 4], 1.0).to_vec());
            let columns = dy.transpose(0, 1).contiguous().transpose(0, 1);
            assert_eq!(backward(&x, columns).0.to_vec(), expected);
            let stretched = dy.narrow(0, 0, 1).broadcast_to(&[5, 4]);
            let plain = backward(&x, stretched.contiguous()).0.to_vec();
            assert_eq!(backward(&x, stretched).0.to_vec(), plain);
        }
    }

    #[test]
    fn nothing_gives_no_gradient() {
        for backward in [rms, layer] {
            for (shape, width) in [([0, 3], 3), ([3, 0], 0)] {
                let (dx, sums) = backward(&Tensor::zeros(&shape), Tensor::zeros(&shape));
                assert_eq!(dx.shape(), shape);
                assert!(sums.iter().all(|sum| sum.to_vec() == vec![0.0; width]));
            }
        }
    }
}
