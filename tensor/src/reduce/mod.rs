//! Reductions: over all numbers, or over any axes, which stay with size 1 or vanish.
//!
//! Every one is two kernels: each row of a matrix to one number, and each column. Axes that lie
//! side by side in memory are reduced as they lie; others are brought together by a copy.

mod arg;
mod extremes;
mod logsumexp;
mod sum;
mod variance;

use crate::{Float, Tensor, par, shape};

/// Columns that a kernel gets at most.
const COLUMNS: usize = 128;
/// Rows that are reduced before what comes of them joins that of others.
const ROWS: usize = 64;

/// What a reduction computes.
struct Kernels {
    /// `(x, width, out)`: row i of `x`, which is `width` wide, to `out[i]`.
    rows: fn(&[Float], usize, &mut [Float]),
    /// `(x, width, out)`: column j of `x`, whose rows are `width` apart, to `out[j]`, of which there
    /// are at most [`COLUMNS`].
    columns: fn(&[Float], usize, &mut [Float]),
    /// The result of no number.
    empty: Float,
    /// Whether what parts are reduced to, reduced once more, is what the whole is reduced to.
    in_parts: bool,
}

/// Which axes are reduced, and what shape is left.
struct Reduction {
    reduced: Vec<usize>,
    /// How many numbers make one of the result.
    count: usize,
    shape: Vec<usize>,
}

impl Reduction {
    #[track_caller]
    fn new(operation: &str, shape: &[usize], axes: &[isize], keepdim: bool) -> Reduction {
        let reduced = shape::axes(operation, shape, axes);
        let left = (0..shape.len()).filter(|axis| keepdim || !reduced.contains(axis));
        Reduction {
            count: reduced.iter().map(|&axis| shape[axis]).product(),
            shape: left.map(|axis| if reduced.contains(&axis) { 1 } else { shape[axis] }).collect(),
            reduced,
        }
    }

    /// `x` as a contiguous [outer, count, inner], of which the middle is to be reduced.
    fn arranged(&self, x: &Tensor) -> (Tensor, [usize; 3]) {
        let long = |axis: &usize| x.shape[*axis] > 1;
        let first = self.reduced.iter().copied().filter(long).min().unwrap_or(x.rank());
        let last =
            self.reduced.iter().copied().filter(long).max().map_or(x.rank(), |axis| axis + 1);
        let side_by_side = (first..last).filter(long).all(|axis| self.reduced.contains(&axis));
        if x.is_contiguous() && side_by_side {
            let outer = x.shape[..first].iter().product();
            return (x.clone(), [outer, self.count, x.len() / (outer * self.count)]);
        }
        let kept = (0..x.rank()).filter(|axis| !self.reduced.contains(axis));
        let order: Vec<usize> = kept.chain(self.reduced.iter().copied()).collect();
        (x.permute(&order).contiguous(), [x.len() / self.count, self.count, 1])
    }

    fn run(&self, x: &Tensor, kernels: &Kernels) -> Tensor {
        if x.is_empty() {
            return Tensor::full(&self.shape, kernels.empty);
        }
        let (x, [_, count, inner]) = self.arranged(x);
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            if inner > 1 {
                return columns(x, [count, inner], out, kernels);
            }
            par::for_rows_reading(out, 1, count, |first, out| {
                (kernels.rows)(&x[first * count..], count, out);
            });
        })
    }
}

/// Each column of the matrices [count, inner] that follow each other in `x`.
fn columns(x: &[Float], [count, inner]: [usize; 2], out: &mut [Float], kernels: &Kernels) {
    let matrix = |x: &[Float], out: &mut [Float]| {
        for (index, out) in out.chunks_mut(COLUMNS).enumerate() {
            (kernels.columns)(&x[index * COLUMNS..], inner, out);
        }
    };
    if count * inner < 32 * 1024 {
        // Threads share the matrices.
        return par::for_rows_reading(out, inner, count * inner, |first, out| {
            let matrices = x[first * inner * count..].chunks_exact(count * inner);
            matrices.zip(out.chunks_exact_mut(inner)).for_each(|(x, out)| matrix(x, out));
        });
    }
    for (x, out) in x.chunks_exact(count * inner).zip(out.chunks_exact_mut(inner)) {
        if !kernels.in_parts || count <= 2 * ROWS {
            // Threads share its columns.
            par::for_parts(out, COLUMNS, |first, out| (kernels.columns)(&x[first..], inner, out));
            continue;
        }
        // Threads share its rows.
        let mut partial = vec![0.0; count.div_ceil(ROWS) * inner];
        par::for_rows_reading(&mut partial, inner, ROWS * inner, |first, out| {
            let parts = x[first * ROWS * inner..].chunks(ROWS * inner);
            parts.zip(out.chunks_exact_mut(inner)).for_each(|(x, out)| matrix(x, out));
        });
        matrix(&partial, out);
    }
}

/// What is added up down a column: a function of the number and of a constant of the column.
trait Term {
    fn of(constant: Float, x: Float) -> Float;
}

/// Sums of terms down each column; rows are added in blocks, so that the rounding error grows with
/// the block and the number of blocks, not their product.
#[inline(always)]
fn add_columns<T: Term>(
    x: &[Float],
    width: usize,
    constants: &[Float; COLUMNS],
    out: &mut [Float],
) {
    let mut partial = [0.0; COLUMNS];
    let partial = &mut partial[..out.len()];
    out.fill(0.0);
    for block in x.chunks(ROWS * width) {
        partial.fill(0.0);
        for row in block.chunks(width) {
            for ((sum, &x), &constant) in partial.iter_mut().zip(row).zip(constants) {
                *sum += T::of(constant, x);
            }
        }
        for (out, &sum) in out.iter_mut().zip(partial.iter()) {
            *out += sum;
        }
    }
}

impl Tensor {
    /// All numbers reduced to one, in pieces of a fixed size whose results are reduced again.
    fn reduce_whole(&self, kernels: &Kernels) -> Tensor {
        const PIECE: usize = 4096;
        if self.is_empty() {
            return Tensor::scalar(kernels.empty);
        }
        let x = self.contiguous();
        let x = x.data();
        let mut partial = vec![0.0; x.len().div_ceil(PIECE)];
        par::for_rows_reading(&mut partial, 1, PIECE, |first, out| {
            for (x, out) in x[first * PIECE..].chunks(PIECE).zip(out) {
                (kernels.rows)(x, x.len(), std::slice::from_mut(out));
            }
        });
        Tensor::build(&[], |out| (kernels.rows)(&partial, partial.len(), out))
    }

    #[track_caller]
    fn reduce(&self, operation: &str, axes: &[isize], keepdim: bool, kernels: &Kernels) -> Tensor {
        let reduction = Reduction::new(operation, &self.shape, axes, keepdim);
        if reduction.count == self.len() {
            return self.reduce_whole(kernels).broadcast_to(&reduction.shape).contiguous();
        }
        reduction.run(self, kernels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, testing};
    use proptest::prelude::*;

    type Over = fn(&Tensor, &[isize], bool) -> Tensor;

    /// A reduction over axes and over the whole, and a plain one of a list in `f64`.
    struct Case {
        axes: Over,
        whole: fn(&Tensor) -> Tensor,
        plain: fn(&[f64]) -> f64,
        takes_empty: bool,
    }

    fn case(axes: Over, whole: fn(&Tensor) -> Tensor, plain: fn(&[f64]) -> f64) -> Case {
        Case { axes, whole, plain, takes_empty: true }
    }

    fn plain_variance(x: &[f64]) -> f64 {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len().saturating_sub(1) as f64
    }

    fn cases() -> Vec<Case> {
        let largest = |x: &[f64]| x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let smallest = |x: &[f64]| x.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let log_sum = |x: &[f64]| x.iter().map(|x| x.exp()).sum::<f64>().ln();
        vec![
            case(Tensor::sum_axes, Tensor::sum, |x| x.iter().sum()),
            case(Tensor::mean_axes, Tensor::mean, mean),
            case(|x, axes, keep| x.var_axes(axes, 1, keep), |x| x.var(1), plain_variance),
            case(Tensor::logsumexp_axes, Tensor::logsumexp, log_sum),
            Case { takes_empty: false, ..case(Tensor::max_axes, Tensor::max, largest) },
            Case { takes_empty: false, ..case(Tensor::min_axes, Tensor::min, smallest) },
        ]
    }

    fn near(found: Float, expected: f64) -> bool {
        let found = f64::from(found);
        found == expected
            || found.is_nan() && expected.is_nan()
            || (found - expected).abs() < 1e-5 * expected.abs().max(1.0)
    }

    /// The numbers of `x` that make each number of the result over `reduced`, which are kept.
    fn groups(x: &Tensor, reduced: &[usize]) -> (Vec<usize>, Vec<Vec<f64>>) {
        let mut shape = x.shape().to_vec();
        reduced.iter().for_each(|&axis| shape[axis] = 1);
        let mut groups = vec![Vec::new(); shape::count(&shape)];
        let mut strides = shape::row_major_strides(&shape);
        reduced.iter().for_each(|&axis| strides[axis] = 0);
        for (index, &x) in x.view().indexed_iter() {
            let place: usize =
                strides.iter().enumerate().map(|(axis, stride)| index[axis] * stride).sum();
            groups[place].push(f64::from(x));
        }
        (shape, groups)
    }

    proptest! {
        #[test]
        fn each_equals_a_naive_loop(
            x in testing::view(0..4), mask in 0usize..8, up in any::<bool>(),
        ) {
            let (rank, chosen) = (x.rank(), |axis: &usize| mask >> axis & 1 == 1);
            let mut reduced: Vec<usize> = (0..rank).filter(chosen).collect();
            if !up {
                reduced.reverse();
            }
            let from_the_end = |&axis: &usize| axis as isize - rank as isize;
            let axes: Vec<isize> = reduced.iter().map(from_the_end).collect();
            let (shape, groups) = groups(&x, &reduced);
            let count: usize = reduced.iter().map(|&axis| x.shape()[axis]).product();
            for case in cases().iter().filter(|case| case.takes_empty || count > 0) {
                let y = (case.axes)(&x, &axes, true);
                prop_assert_eq!(y.shape(), &shape[..]);
                for (&y, group) in y.data().iter().zip(&groups) {
                    prop_assert!(near(y, (case.plain)(group)), "{} {:?}", y, group);
                }
                let vanished = (case.axes)(&x, &axes, false);
                prop_assert_eq!(vanished.rank(), x.rank() - axes.len());
                testing::assert_same(&vanished.reshape(&shape), &y);
                if case.takes_empty || !x.is_empty() {
                    let whole = (case.whole)(&x);
                    let all: Vec<f64> = x.view().iter().map(|&x| f64::from(x)).collect();
                    prop_assert_eq!(whole.rank(), 0);
                    prop_assert!(near(whole.item(), (case.plain)(&all)));
                }
            }
        }
    }

    #[test]
    fn extreme_numbers_pass_through_parts() {
        let (nan, infinity) = (Float::NAN, Float::INFINITY);
        let mut x = Rng::seeded(1).normal(&[300, 301], 1.0);
        for (row, x) in x.data_mut().chunks_exact_mut(301).enumerate() {
            x[1] = -infinity;
            if row == 170 {
                (x[0], x[2]) = (nan, infinity);
            }
        }
        let of = |reduce: Over| reduce(&x, &[0], false).to_vec()[..3].to_vec();
        let (sum, log_sum) = (of(Tensor::sum_axes), of(Tensor::logsumexp_axes));
        for (y, at_minus_infinity) in [(&sum, -infinity), (&log_sum, -infinity)] {
            assert!(y[0].is_nan() && y[1] == at_minus_infinity && y[2] == infinity, "{y:?}");
        }
        let (max, min) = (of(Tensor::max_axes), of(Tensor::min_axes));
        assert!(max[0].is_nan() && max[1] == -infinity && max[2] == infinity, "{max:?}");
        assert!(min[0].is_nan() && min[1] == -infinity && min[2].is_finite(), "{min:?}");
    }

    #[test]
    fn large_ones_equal_small_ones_and_threads_change_nothing() {
        let x = Rng::seeded(1).normal(&[3, 170, 301], 1.0);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for case in cases() {
            for axes in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[0, 1, 2]] {
                let one = pool(1).install(|| (case.axes)(&x, axes, true));
                for threads in [2, 3, 7] {
                    let other = pool(threads).install(|| (case.axes)(&x, axes, true));
                    testing::assert_same(&other, &one);
                }
                let reduced: Vec<usize> = axes.iter().map(|&axis| axis as usize).collect();
                for (&y, group) in one.data().iter().zip(groups(&x, &reduced).1) {
                    let expected = (case.plain)(&group);
                    assert!((f64::from(y) - expected).abs() < 1e-3, "{y} {expected}");
                }
            }
        }
    }
}
