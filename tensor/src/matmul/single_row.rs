//! One row times a matrix: a token of decoding.
//!
//! Each number of the matrix is used once, so that the product takes as long as memory needs to
//! give it. Each piece of work is a run of the matrix's own memory: columns, where they lie one
//! after the other; else rows, whose pieces' results are added in order.

use super::product::{Output, Product};
use crate::storage::Buffer;
use crate::{Float, par, simd, vmath};

/// Numbers of a piece of work, where a matrix is small.
const SMALL_PIECE: usize = 8 * 1024;
/// The same where it is large.
const LARGE_PIECE: usize = 64 * 1024;
/// Most pieces of a matrix of columns, unless they would be larger than that.
const PIECES: usize = 24;
/// Most pieces of a matrix of rows: each has a result to be added.
const SUMS: usize = 16;

/// Computes a product that is one row, or adds it to what C holds.
///
/// # Safety
/// No other thread may read or write this product's part of `c`.
pub(super) unsafe fn multiply(product: &Product, a: &[Float], b: &[Float], c: Output) {
    let Product { k, n, added, .. } = *product;
    let [row_stride, column_stride] = [product.b.row_stride, product.b.column_stride];
    let by_columns = row_stride == 1 && !added;
    if !by_columns && column_stride != 1 {
        // SAFETY: as the caller says.
        return unsafe { product.compute(a, b, c) };
    }
    let (x, b) = (&a[product.a.offset..][..k], &b[product.b.offset..]);
    // SAFETY: the caller gives this part of `c` to us alone; its one row is contiguous.
    let y = unsafe { std::slice::from_raw_parts_mut(c.at(product.c.offset), n) };
    if by_columns {
        times_columns(x, b, column_stride, y);
    } else {
        times_rows(x, b, row_stride, y, added);
    }
}

/// y = x · B, B stored column by column.
fn times_columns(x: &[Float], b: &[Float], stride: usize, y: &mut [Float]) {
    let piece = (x.len() * y.len() / PIECES).clamp(SMALL_PIECE, LARGE_PIECE);
    par::for_parts(y, piece.div_ceil(x.len()), |first, y| {
        row_times_columns(x, &b[first * stride..], stride, y);
    });
}

/// y = x · B, or y += x · B, B stored row by row.
fn times_rows(x: &[Float], b: &[Float], stride: usize, y: &mut [Float], added: bool) {
    if !added {
        y.fill(0.0);
    }
    let pieces = (x.len() * y.len() / (2 * SMALL_PIECE)).clamp(1, SUMS);
    let rows = x.len().div_ceil(pieces).next_multiple_of(4);
    if rows >= x.len() {
        return row_times_rows(x, b, stride, y);
    }
    let mut sums = Buffer::stale(x.len().div_ceil(rows) * y.len());
    par::for_parts(sums.as_mut_slice(), y.len(), |first, sum| {
        let first = first / sum.len() * rows;
        sum.fill(0.0);
        let last = x.len().min(first + rows);
        row_times_rows(&x[first..last], &b[first * stride..], stride, sum);
    });
    for sum in sums.as_slice().chunks_exact(y.len()) {
        add(y, sum);
    }
}

simd! {
    fn add(y: &mut [Float], x: &[Float]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

simd! {
    /// y += x · B, B stored row by row, `stride` from one to the next: B's rows, each times an entry
    /// of x, are added on the calling thread, four at a time.
    ///
    /// # Panics
    /// If B is shorter than that.
    pub fn row_times_rows(x: &[Float], b: &[Float], stride: usize, y: &mut [Float]) {
        let n = y.len();
        let (fours, rest) = x.as_chunks::<4>();
        for (block, &[x0, x1, x2, x3]) in fours.iter().enumerate() {
            let rows = &b[4 * block * stride..];
            let (b0, b1) = (&rows[..n], &rows[stride..][..n]);
            let (b2, b3) = (&rows[2 * stride..][..n], &rows[3 * stride..][..n]);
            for j in 0..n {
                y[j] += (x0 * b0[j] + x1 * b1[j]) + (x2 * b2[j] + x3 * b3[j]);
            }
        }
        for (p, &x) in rest.iter().enumerate() {
            let row = &b[(4 * fours.len() + p) * stride..][..n];
            for (y, &b) in y.iter_mut().zip(row) {
                *y += x * b;
            }
        }
    }
}

simd! {
    /// y = x · B, B stored column by column: each entry of y is a dot product.
    pub(super) fn row_times_columns(x: &[Float], b: &[Float], stride: usize, y: &mut [Float]) {
        for (j, y) in y.iter_mut().enumerate() {
            *y = vmath::dot(x, &b[j * stride..][..x.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Float, Rng, Tensor};

    fn assert_near(found: &Tensor, expected: &[f64]) {
        let pairs = found.data().iter().zip(expected);
        assert!(pairs.clone().all(|(a, b)| (f64::from(*a) - b).abs() < 1e-3), "{found:?}");
        assert_eq!(found.len(), expected.len());
    }

    #[test]
    fn equals_the_definition_on_any_number_of_threads() {
        for (k, n) in [(1, 1), (3, 70_000), (70_000, 3), (300, 500), (1030, 129), (64, 4096)] {
            let mut rng = Rng::seeded(1);
            let (x, b) = (rng.normal(&[1, k], 1.0), rng.normal(&[k, n], 0.1));
            let columns = b.transpose(0, 1).contiguous().transpose(0, 1);
            let term = |j: usize, p: usize| f64::from(x.data()[p]) * f64::from(b.data()[p * n + j]);
            let expected: Vec<f64> = (0..n).map(|j| (0..k).map(|p| term(j, p)).sum()).collect();
            let product = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| [x.matmul(&b), x.matmul(&columns)])
            };
            let one = product(1);
            one.iter().for_each(|y| assert_near(y, &expected));
            for threads in [2, 3, 7] {
                let more = product(threads);
                assert!(one.iter().zip(&more).all(|(a, b)| a.to_vec() == b.to_vec()));
            }
            let outside = [x.matmul(&b), x.matmul(&columns)];
            assert!(one.iter().zip(&outside).all(|(a, b)| a.to_vec() == b.to_vec()));
        }
    }

    #[test]
    fn extremes_are_carried_through() {
        let mut b = Tensor::ones(&[600, 700]);
        b.data_mut()[5 * 700 + 1] = Float::INFINITY;
        b.data_mut()[6 * 700 + 2] = Float::NAN;
        let y = Tensor::full(&[1, 600], 1e4).matmul(&b);
        assert!(y.data()[0] == 6e6 && y.data()[1] == Float::INFINITY && y.data()[2].is_nan());
    }
}
