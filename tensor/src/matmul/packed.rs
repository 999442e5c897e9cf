//! Products with a matrix that lies packed.
//!
//! A weight of a file is `[d_out, d_in]`, and a model multiplies by its transposed view: the
//! columns of the product's right side lie packed. For a few rows on the left (a decoding step) each
//! output is a dot product read straight from the packed bytes. Otherwise blocks are unpacked on the
//! way into the panels of the blocked product, and nothing but the panels is ever held in plain
//! numbers. Without a kernel of our own a block of rows after the other is unpacked and multiplied;
//! backward, where the rows of the right side lie packed, the blocks' products are added in order.

use super::blocked::Blocked;
use super::factor::Factor;
use super::kernel::kernel;
use super::product::{Matrix, Output, Product, SMALL, TILE, multiply_all};
use crate::packed::Rows;
use crate::precision::round_to_bf16;
use crate::storage::Buffer;
use crate::{Float, Precision, Tensor, precision};

/// A panel holds about this many numbers: few enough to stay in a cache, enough for the threads.
const PANEL: usize = 1 << 20;

/// Up to so many rows on the left are multiplied as dot products with the packed columns.
const FEW: usize = 8;

/// `x · w` where one of them lies packed; `None` where none does, or not by whole rows.
pub(super) fn product(x: &Tensor, w: &Tensor) -> Option<Tensor> {
    if w.rank() == 2 && w.packed().is_some() {
        let columns = w.transpose(0, 1);
        return match (columns.packed_rows(), w.packed_rows()) {
            (Some(columns), _) => Some(by_columns(x, &columns)),
            (_, Some(rows)) => Some(by_rows(x, &rows)),
            _ => None,
        };
    }
    if x.rank() == 2 && w.rank() == 2 && x.packed().is_some() {
        let transposed = product(&w.transpose(0, 1), &x.transpose(0, 1))?;
        return Some(transposed.transpose(0, 1).contiguous());
    }
    None
}

/// `x [.., k] · W [k, n]` of `n` packed columns.
fn by_columns(x: &Tensor, columns: &Rows) -> Tensor {
    multiplied(x, columns.width, columns.count, |x, m, y| {
        if m <= FEW {
            return columns.dots(x, y);
        }
        let (k, n) = (columns.width, columns.count);
        if blocked([m, k, n], x, Factor::Lanes(columns), y) {
            return;
        }
        for_panels(columns, |first, count, panel| {
            let product = Product {
                m,
                k,
                n: count,
                a: Matrix { offset: 0, row_stride: k, column_stride: 1 },
                b: Matrix { offset: 0, row_stride: 1, column_stride: k },
                c: Matrix { offset: first, row_stride: n, column_stride: 1 },
                single_row: false,
                added: false,
            };
            multiply_all(None, &[product], [x, panel], y, None);
        });
    })
}

/// `x [.., k] · W [k, n]` of `k` packed rows.
fn by_rows(x: &Tensor, rows: &Rows) -> Tensor {
    multiplied(x, rows.count, rows.width, |x, m, y| {
        let (k, n) = (rows.count, rows.width);
        if blocked([m, k, n], x, Factor::Steps(rows), y) {
            return;
        }
        for_panels(rows, |first, count, panel| {
            let product = Product {
                m,
                k: count,
                n,
                a: Matrix { offset: first, row_stride: k, column_stride: 1 },
                b: Matrix { offset: 0, row_stride: n, column_stride: 1 },
                c: Matrix { offset: 0, row_stride: n, column_stride: 1 },
                single_row: m == 1,
                added: first > 0,
            };
            multiply_all(None, &[product], [x, panel], y, None);
        });
    })
}

/// `x [m, k] · B [k, n]` by a kernel of our own, if there is one.
fn blocked([m, k, n]: [usize; 3], x: &[Float], b: Factor<'_>, y: &mut [Float]) -> bool {
    let Some(kernel) = kernel(precision()) else { return false };
    let product = Blocked {
        kernel,
        m,
        k,
        n,
        a: Factor::Plain { numbers: x, strides: [k, 1] },
        b,
        c: Output(y.as_mut_ptr()),
        c_stride: n,
        added: false,
        row: None,
        shared: m * k * n >= SMALL && rayon::current_num_threads() > 1,
    };
    // SAFETY: `y` is borrowed by us alone.
    unsafe { product.run() };
    true
}

/// The result `[.., n]` of `work(x, m, y)` with `x [m, k]` and `y [m, n]`.
fn multiplied(
    x: &Tensor,
    k: usize,
    n: usize,
    work: impl Fn(&[Float], usize, &mut [Float]),
) -> Tensor {
    let mut shape = x.shape.clone();
    *shape.last_mut().expect("a matrix") = n;
    let own_kernel = kernel(precision()).is_some();
    let x = x.contiguous();
    let m = x.len() / k;
    let x = if precision() == Precision::Bf16 && (m == 1 || !own_kernel) {
        x.rounded_to_bf16()
    } else {
        x
    };
    Tensor::build(&shape, |y| {
        if m > 0 {
            work(x.data(), m, y);
        }
    })
}

/// Calls `work(first, count, numbers)` for one panel of rows after the other.
fn for_panels(rows: &Rows, mut work: impl FnMut(usize, usize, &[Float])) {
    let most = (PANEL / rows.width / TILE * TILE).max(TILE).min(rows.count);
    let mut panel = Buffer::stale(most * rows.width);
    for first in (0..rows.count).step_by(most) {
        let count = most.min(rows.count - first);
        let panel = &mut panel.as_mut_slice()[..count * rows.width];
        rows.unpack(first, panel);
        if precision() == Precision::Bf16 {
            round_to_bf16(panel);
        }
        work(first, count, panel);
    }
}

#[cfg(test)]
mod tests {
    use crate::packed::Format;
    use crate::testing::random_packed;
    use crate::{Float, Rng, Tensor};
    use proptest::prelude::*;

    fn largest(x: &Tensor) -> Float {
        x.to_vec().iter().fold(0.0, |a, x| x.abs().max(a))
    }

    /// How far a dot product of `k` numbers is at most, if `x` is rounded to 16 bits.
    fn rounding(x: &Tensor, w: &Tensor) -> Float {
        x.size(-1) as Float * largest(x) * largest(w) / 65_534.0
    }

    fn assert_close(found: &Tensor, expected: &Tensor) {
        assert_within(0.0, found, expected);
    }

    fn assert_within(room: Float, found: &Tensor, expected: &Tensor) {
        assert_eq!(found.shape(), expected.shape());
        let most = room + 1e-5 * largest(expected).max(1.0);
        let (found, expected) = (found.to_vec(), expected.to_vec());
        let near = |(a, b): (&Float, &Float)| (a - b).abs() <= most;
        assert!(found.iter().zip(&expected).all(near), "{found:?} instead of {expected:?}");
    }

    /// The tensor's numbers in a buffer of their own, laid out as they are.
    fn plain(x: &Tensor) -> Tensor {
        x.unpacked()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn equals_the_product_with_unpacked_numbers(
            format in prop::sample::select(&Format::ALL[..]),
            batch in 0usize..3, m in 0usize..5, n in 0usize..70, blocks in 0usize..4,
            odd in 0usize..31, rank in 1usize..4, seed in 0u64..1000,
        ) {
            let whole = format.block_len();
            let k = if whole == 1 { 32 * blocks + odd } else { whole * blocks };
            let w = random_packed(format, [n, k], seed);
            let narrowed = w.narrow(0, n / 3, n - n / 3);
            let mut rng = Rng::seeded(seed);
            let mut left = |width: usize| {
                let shape = [batch, m, width];
                rng.normal(&shape[3 - rank..], 1.0)
            };
            for w in [w, narrowed] {
                let x = left(k);
                let expected = x.matmul(&plain(&w).transpose(0, 1));
                let room = rounding(&x, &w);
                assert_within(room, &x.matmul(&w.transpose(0, 1)), &expected);
                let dy = left(w.size(0));
                assert_close(&dy.matmul(&w), &dy.matmul(&plain(&w)));
                if rank == 2 {
                    let turned = x.transpose(0, 1);
                    assert_within(room, &w.matmul(&turned), &plain(&w).matmul(&turned));
                    let laid_out = x.matmul_laid_out(&w.transpose(0, 1), true);
                    assert_within(room, &laid_out, &expected);
                    let mut sum = laid_out.clone();
                    sum.add_product(&x, &w.transpose(0, 1));
                    // To the bit: it was multiplied as it lies.
                    let expected = laid_out + x.matmul(&w.transpose(0, 1));
                    prop_assert_eq!(sum.to_vec(), expected.to_vec());
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_several_panels() {
        for format in [Format::F16, Format::Q4_1, Format::Q6_K] {
            let (long, wide) =
                (random_packed(format, [1301, 1024], 7), random_packed(format, [50, 65536], 8));
            for m in [1, 3, 60] {
                let mut rng = Rng::seeded(9);
                let [a, b, c, d] = [1024, 1301, 65536, 50].map(|k| rng.normal(&[m, k], 1.0));
                let compute = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    pool.unwrap().install(|| {
                        [
                            a.matmul(&long.transpose(0, 1)).to_vec(),
                            b.matmul(&long).to_vec(),
                            c.matmul(&wide.transpose(0, 1)).to_vec(),
                            d.matmul(&wide).to_vec(),
                        ]
                    })
                };
                let one = compute(1);
                assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
                assert_close(&Tensor::new(&one[1][..], &[m, 1024]), &b.matmul(&plain(&long)));
                let expected = c.matmul(&plain(&wide).transpose(0, 1));
                assert_within(rounding(&c, &wide), &Tensor::new(&one[2][..], &[m, 50]), &expected);
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_among_more() {
        for format in [Format::Q4_1, Format::Q6_K] {
            let w = random_packed(format, [310, 1792], 7);
            for w in [w.transpose(0, 1), w] {
                let x = Rng::seeded(9).normal(&[200, w.size(0)], 1.0);
                let few = x.narrow(0, 0, 60).matmul(&w);
                assert_eq!(few.to_vec(), x.matmul(&w).narrow(0, 0, 60).to_vec(), "{format:?}");
            }
        }
    }
}
