use super::*;
use crate::matmul::x86;
use crate::simd::{InstructionSet, instruction_set};
use crate::{Precision, Rng, Tensor};
use proptest::prelude::*;

fn on_threads<T: Send>(threads: usize, compute: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(compute)
}

/// All kernels that this CPU can run, and the precision of each.
fn kernels() -> Vec<(&'static Kernel, Precision)> {
    let mut kernels = Vec::new();
    for set in [InstructionSet::Avx2, InstructionSet::Avx512] {
        for has_bf16 in [false, true] {
            for precision in [Precision::F32, Precision::Bf16] {
                if set <= instruction_set() && (!has_bf16 || x86::has_bf16()) {
                    kernels.extend(x86::kernel(set, has_bf16, precision).zip(Some(precision)));
                }
            }
        }
    }
    kernels
}

/// A matrix of normal numbers, its rows or its columns contiguous.
fn matrix(rng: &mut Rng, rows: usize, columns: usize, transposed: bool) -> Tensor {
    if transposed {
        rng.normal(&[columns, rows], 1.0).transpose(0, 1)
    } else {
        rng.normal(&[rows, columns], 1.0)
    }
}

/// From its first number on.
fn numbers(x: &Tensor) -> &[Float] {
    &x.storage.as_slice()[x.offset..]
}

/// The same numbers in columns.
fn column_by_column(x: &Tensor) -> Tensor {
    x.transpose(0, 1).contiguous().transpose(0, 1)
}

/// C += A · B, or C = A · B, in rows of `c_stride`.
fn multiply(
    kernel: &Kernel,
    [a, b]: [&Tensor; 2],
    (c, c_stride): (&mut [Float], usize),
    [added, shared]: [bool; 2],
) {
    let product = Blocked {
        kernel,
        m: a.size(0),
        k: a.size(1),
        n: b.size(1),
        a: Factor::Plain { numbers: numbers(a), strides: [a.strides[0], a.strides[1]] },
        b: Factor::Plain { numbers: numbers(b), strides: [b.strides[1], b.strides[0]] },
        c: Output(c.as_mut_ptr()),
        c_stride,
        added,
        row: None,
        shared,
    };
    // SAFETY: `c` is borrowed by us alone.
    unsafe { product.run() }
}

/// Checks C = `before` + A · B in double precision; what lies between C's rows stays.
fn check(a: &Tensor, b: &Tensor, c: &[Float], before: &[Float], c_stride: usize, added: bool) {
    let (k, n) = (a.size(1), b.size(1));
    let (a, b) = (a.to_vec(), b.transpose(0, 1).to_vec());
    for (index, (&c, &before)) in c.iter().zip(before).enumerate() {
        let (i, j) = (index / c_stride, index % c_stride);
        if j >= n {
            assert_eq!(c, before, "{i} {j} is not of C");
            continue;
        }
        let (a, b) = (&a[i * k..][..k], &b[j * k..][..k]);
        let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let expected = dot + if added { f64::from(before) } else { 0.0 };
        let far = (f64::from(c) - expected).abs();
        assert!(far < 1e-5 * (k as f64).sqrt().max(1.0) * 4.0, "{i} {j}: {c} {expected}");
    }
}

fn rounded(x: &Tensor, precision: Precision) -> Tensor {
    match precision {
        Precision::F32 => x.clone(),
        Precision::Bf16 => x.rounded_to_bf16(),
    }
}

proptest! {
    #[test]
    fn equals_the_definition(
        m in 1usize..50, k in 1usize..1700, n in 1usize..100, gap in 0usize..3,
        a_transposed in any::<bool>(), b_transposed in any::<bool>(),
        added in any::<bool>(), shared in any::<bool>(),
    ) {
        let mut rng = Rng::seeded((m * 200_000 + k * 100 + n) as u64);
        let a = matrix(&mut rng, m, k, a_transposed);
        let b = matrix(&mut rng, k, n, b_transposed);
        let before = rng.normal(&[m * (n + gap)], 1.0).to_vec();
        for (kernel, precision) in kernels() {
            let mut c = before.clone();
            multiply(kernel, [&a, &b], (&mut c, n + gap), [added, shared]);
            let [a, b] = [&a, &b].map(|x| rounded(x, precision));
            check(&a, &b, &c, &before, n + gap, added);
        }
    }
}

#[test]
fn several_blocks_of_panels_equal_the_definition() {
    let mut rng = Rng::seeded(3);
    for (m, k, n) in
        [(7, 4613, 33), (200, 4613, 60), (1100, 2306, 5), (5, 2306, 1100), (1100, 10, 300)]
    {
        let (a, b) = (matrix(&mut rng, m, k, false), matrix(&mut rng, k, n, true));
        for (kernel, precision) in kernels() {
            let mut c = vec![0.0; m * n];
            multiply(kernel, [&a, &b], (&mut c, n), [false, true]);
            check(&rounded(&a, precision), &rounded(&b, precision), &c, &c, n, false);
            let mut packed = vec![0.0; m * n];
            multiply(kernel, [&column_by_column(&a), &b], (&mut packed, n), [false, true]);
            assert!(packed == c, "{m} {k} {n}");
        }
    }
}

#[test]
fn many_rows_are_added_to_what_is_there() {
    let mut rng = Rng::seeded(7);
    let ([m, k, n], gap) = ([230, 1000, 70], 3);
    let before = rng.normal(&[m * (n + gap)], 1.0).to_vec();
    for transposed in [false, true] {
        let (a, b) = (matrix(&mut rng, m, k, transposed), matrix(&mut rng, k, n, transposed));
        for (kernel, precision) in kernels() {
            let mut c = before.clone();
            multiply(kernel, [&a, &b], (&mut c, n + gap), [true, true]);
            let [a, b] = [&a, &b].map(|x| rounded(x, precision));
            check(&a, &b, &c, &before, n + gap, true);
        }
    }
}

#[test]
fn neither_threads_nor_a_cut_change_a_bit() {
    let mut rng = Rng::seeded(4);
    for (m, k, n) in
        [(200, 600, 310), (8, 800, 1000), (150, 1700, 60), (40, 1700, 300), (200, 1700, 310)]
    {
        let (a, b) = (matrix(&mut rng, m, k, false), matrix(&mut rng, k, n, false));
        let layouts = [a.clone(), column_by_column(&a)];
        for (kernel, a) in
            kernels().iter().flat_map(|(kernel, _)| layouts.iter().map(move |a| (*kernel, a)))
        {
            let compute = |threads, shared| {
                on_threads(threads, || {
                    let mut c = vec![0.0; m * n];
                    multiply(kernel, [a, &b], (&mut c, n), [false, shared]);
                    c
                })
            };
            let whole = compute(1, false);
            assert!([1, 2, 3, 7].into_iter().all(|threads| compute(threads, true) == whole));
            let (row, column) = (m / 2 + 1, n / 3 + 1);
            let mut part = whole.clone();
            let (a, b) = (a.narrow(0, 0, row), b.narrow(1, 0, column));
            multiply(kernel, [&a, &b], (&mut part, n), [false, true]);
            assert!(part == whole);
        }
    }
}

#[test]
fn what_lies_between_the_rows_of_a_is_not_read() {
    let mut rng = Rng::seeded(5);
    let (m, k, n) = (29, 301, 70);
    let (inner, b) = (matrix(&mut rng, m, k, false), matrix(&mut rng, k, n, false));
    let nan = Tensor::full(&[m, 3], Float::NAN);
    let a = Tensor::concat(&[&nan, &inner, &nan], 1).narrow(1, 3, k);
    for (kernel, _) in kernels() {
        let [mut expected, mut c] = [vec![0.0; m * n], vec![0.0; m * n]];
        multiply(kernel, [&inner, &b], (&mut expected, n), [false, false]);
        multiply(kernel, [&a, &b], (&mut c, n), [false, false]);
        assert!(c == expected);
    }
}

#[test]
fn one_row_is_read_for_each() {
    let mut rng = Rng::seeded(6);
    let (row, b) = (rng.normal(&[1, 300], 1.0), rng.normal(&[300, 70], 1.0));
    let a = row.broadcast_to(&[29, 300]);
    for (kernel, precision) in kernels() {
        let mut c = vec![0.0; 29 * 70];
        multiply(kernel, [&a, &b], (&mut c, 70), [false, false]);
        check(&rounded(&a, precision), &rounded(&b, precision), &c, &c, 70, false);
    }
}

#[test]
fn extremes_stay_in_their_rows_and_columns() {
    let (m, k, n) = (13, 3, 35);
    for (kernel, _) in kernels() {
        let (mut a, b) = (vec![1.0; m * k], Tensor::ones(&[k, n]));
        a[2 * k..][..k].fill(Float::INFINITY);
        a[5 * k] = Float::NAN;
        a[12 * k..][..k].fill(1e4);
        let a = Tensor::new(a, &[m, k]);
        for a in [&a, &column_by_column(&a)] {
            let mut c = vec![0.0; m * n];
            multiply(kernel, [a, &b], (&mut c, n), [false, false]);
            for (row, c) in c.chunks_exact(n).enumerate() {
                let right = |c: &Float| match row {
                    2 => *c == Float::INFINITY,
                    5 => c.is_nan(),
                    12 => (*c - 3e4).abs() < 200.0,
                    _ => *c == 3.0,
                };
                assert!(c.iter().all(right), "row {row}: {c:?}");
            }
        }
    }
}

#[test]
fn ranges_cover_the_whole_once() {
    for (whole, most, multiple) in [(0..0, 5, 2), (3..4, 5, 6), (10..110, 30, 8), (0..96, 96, 6)] {
        let ranges = ranges(whole.clone(), most, multiple);
        assert_eq!(
            ranges.iter().cloned().flatten().collect::<Vec<_>>(),
            whole.clone().collect::<Vec<_>>()
        );
        let fits = |range: &Range<usize>| range.len() <= most.next_multiple_of(multiple);
        assert!(ranges.iter().all(fits), "{ranges:?}");
    }
}
