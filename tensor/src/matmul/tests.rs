use super::*;
use crate::Rng;
use proptest::prelude::*;

#[test]
fn a_product_is_added_whatever_the_strides() {
    let mut rng = Rng::seeded(7);
    for (m, k, n) in [(1, 3, 5), (70, 40, 90), (2, 1, 1), (3, 0, 2)] {
        let [c, a, b] = [[m, n], [m, k], [n, k]].map(|shape| rng.normal(&shape, 1.0));
        let b = b.transpose(0, 1);
        let mut sum = c.clone();
        sum.add_product(&a, &b);
        let expected = &c + &a.matmul(&b);
        let far = (&sum - &expected).to_vec().iter().fold(0.0, |far: Float, x| far.max(x.abs()));
        assert!(far < 1e-4, "{far}");
    }
}

#[test]
#[should_panic(expected = "add_product: not three matrices that fit: [1, 1] and [2, 2] and [2, 2]")]
fn what_is_added_to_must_fit() {
    let x = Tensor::ones(&[2, 2]);
    Tensor::ones(&[1, 1]).add_product(&x, &x);
}

/// The definition, in loops over broadcast views.
fn naive(a: &Tensor, b: &Tensor) -> Tensor {
    let (m, k, n) = (a.size(-2), a.size(-1), b.size(-1));
    let batch = shape::broadcast("test", &a.shape()[..a.rank() - 2], &b.shape()[..b.rank() - 2]);
    let a = a.broadcast_to(&[&batch[..], &[m, k]].concat()).to_vec();
    let b = b.broadcast_to(&[&batch[..], &[k, n]].concat()).to_vec();
    Tensor::build(&[&batch[..], &[m, n]].concat(), |c| {
        for (index, c) in c.iter_mut().enumerate() {
            let (matrix, i, j) = (index / (m * n), index / n % m, index % n);
            *c = (0..k).map(|p| a[(matrix * m + i) * k + p] * b[(matrix * k + p) * n + j]).sum();
        }
    })
}

fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (a.to_vec(), b.to_vec());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
}

proptest! {
    #[test]
    fn equals_the_definition_for_any_shape_stride_and_broadcast(
        m in 0usize..40, k in 0usize..40, n in 0usize..40,
        batch in prop::collection::vec((1usize..4, 0usize..3), 0..3),
        a_transposed in any::<bool>(), b_transposed in any::<bool>(),
    ) {
        let side = |which| -> Vec<usize> {
            batch.iter().map(|&(size, one)| if one == which { 1 } else { size }).collect()
        };
        let mut rng = Rng::seeded((m * 1600 + k * 40 + n) as u64);
        let mut make = |batch: Vec<usize>, rows, columns, transposed: bool| {
            let tail = if transposed { [columns, rows] } else { [rows, columns] };
            let x = rng.normal(&[&batch[..], &tail].concat(), 1.0);
            if transposed { x.transpose(-2, -1) } else { x }
        };
        let a = make(side(1), m, k, a_transposed);
        let b = make(side(2), k, n, b_transposed);
        let expected = naive(&a, &b);
        assert_close(&a.matmul(&b), &expected);
        for column_by_column in [false, true] {
            let product = a.matmul_laid_out(&b, column_by_column);
            assert_close(&product, &expected);
            if m > 1 && n > 1 {
                assert_eq!(product.is_column_by_column(), column_by_column);
            }
        }
    }
}

#[test]
fn large_products_equal_the_definition_on_any_number_of_threads() {
    let mut rng = Rng::seeded(1);
    for (m, k, n) in [
        (130, 300, 97),
        (1, 400, 500),
        (257, 600, 1),
        (97, 31, 400),
        (97, 300, 20),
        (40, 300, 1100),
    ] {
        let (a, b) = (rng.normal(&[m, k], 1.0), rng.normal(&[k, n], 1.0));
        let product = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| a.matmul(&b))
        };
        let one = product(1);
        assert_close(&one, &naive(&a, &b));
        for threads in [2, 3, 7] {
            assert!(product(threads).to_vec() == one.to_vec(), "{threads} threads");
        }
        let columns = b.transpose(0, 1).contiguous().transpose(0, 1);
        assert_close(&a.matmul(&columns), &one);
    }
}

#[test]
fn a_vector_is_a_row_on_the_left_and_a_column_on_the_right() {
    let x = Tensor::new([1.0, 2.0], &[2]);
    let a = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    assert_eq!(x.matmul(&a).to_vec(), [7.0, 10.0]);
    assert_eq!(a.matmul(&x).to_vec(), [5.0, 11.0]);
    assert_eq!((x.matmul(&x).shape(), x.matmul(&x).item()), (&[][..], 5.0));
}

#[test]
#[should_panic(expected = "matmul: inner sizes differ, 64 ≠ 32: [8, 64] and [32, 64]; \
                           did you mean b.transpose(-2, -1)?")]
fn inner_sizes_must_agree() {
    Tensor::zeros(&[8, 64]).matmul(&Tensor::zeros(&[32, 64]));
}

proptest! {
    #[test]
    fn an_affine_map_is_a_product_and_a_sum_bit_for_bit(
        m in 1usize..60, k in 0usize..300, n in 1usize..130, batch in 1usize..3,
        turned in any::<[bool; 2]>(), stretched in any::<bool>(), is_bf16 in any::<bool>(),
    ) {
        let mut rng = Rng::seeded((m * 400 + k * 130 + n) as u64);
        let [x, w] = [(turned[0], [m, k]), (turned[1], [k, n])].map(|(turned, [rows, columns])| {
            match turned {
                true => rng.normal(&[columns, rows], 1.0).transpose(0, 1),
                false => rng.normal(&[rows, columns], 1.0),
            }
        });
        let x = if batch > 1 { Tensor::stack(&[&x, &x], 0) } else { x };
        let b = match stretched {
            true => rng.normal(&[1], 1.0).broadcast_to(&[n]),
            false => rng.normal(&[n], 1.0),
        };
        let precision = if is_bf16 { Precision::Bf16 } else { Precision::F32 };
        crate::with_precision(precision, || {
            assert_eq!(x.affine(&w, &b).to_vec(), (x.matmul(&w) + &b).to_vec());
        });
    }
}
