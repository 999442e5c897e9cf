//! How fast are matrix products of GPT-2's shapes, and how near to the peak? The textbook's three loops
//! stand beside all but the output layer. And how fast are those of attention's tiles on one thread?

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Float, Precision, Rng, Tensor, tile, with_precision};

/// (name, m, k, n) for 1,024 tokens of GPT-2 124M, of which the loss takes the output layer in two
/// parts, and for the 64 of a short prompt.
const SHAPES: [(&str, usize, usize, usize); 6] = [
    ("attention projection", 1024, 768, 2304),
    ("feed-forward 1", 1024, 768, 3072),
    ("feed-forward 2", 1024, 3072, 768),
    ("output layer", 1024, 768, 50257),
    ("output layer, a part", 512, 768, 50257),
    ("few rows", 64, 768, 3072),
];

/// C_ij = Σ_p A_ip B_pj, the loops in the order in which memory lies.
fn textbook(a: &Tensor, b: &Tensor) -> Vec<Float> {
    let (k, n) = (a.size(1), b.size(1));
    let mut c = vec![0.0; a.size(0) * n];
    for (a, c) in a.data().chunks_exact(k).zip(c.chunks_exact_mut(n)) {
        for (a, b) in a.iter().zip(b.data().chunks_exact(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    }
    c
}

fn matmul(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("matmul");
    group.sample_size(10);
    let mut rng = Rng::seeded(1);
    for (name, m, k, n) in SHAPES {
        let (a, b) = (rng.normal(&[m, k], 1.0), rng.normal(&[k, n], 1.0));
        let (a_columns, b_columns) =
            (a.transpose(0, 1).contiguous(), b.transpose(0, 1).contiguous());
        let flops = 2 * (m * k * n) as u64;
        group.throughput(Throughput::Elements(flops));
        let forms: [(&str, Precision, &dyn Fn() -> Tensor); 4] = [
            ("a b", Precision::F32, &|| a.matmul(&b)),
            ("a bᵀ", Precision::F32, &|| a.matmul(&b_columns.transpose(0, 1))),
            ("aᵀ b", Precision::F32, &|| a_columns.transpose(0, 1).matmul(&b)),
            ("a b, bf16", Precision::Bf16, &|| a.matmul(&b)),
        ];
        for (form, precision, multiply) in forms {
            with_precision(precision, || {
                share(&format!("{name}, {form}"), Bound::Flops(flops as f64), &roof, multiply);
                group.bench_function(BenchmarkId::new(form, name), |bencher| {
                    bencher.iter(|| black_box(multiply()));
                });
            });
        }
        if n < 50257 {
            group.bench_function(BenchmarkId::new("textbook", name), |bencher| {
                bencher.iter(|| black_box(textbook(&a, &b)));
            });
        }
    }
}

/// One thread's products of tiles that lie in the cache, of attention's sizes with heads of 64.
fn tiles(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tiles");
    let mut rng = Rng::seeded(2);
    let mut draw = |shape: [usize; 2]| rng.normal(&shape, 1.0);
    let (keys, queries, width, stride) = (128, 64, 64, 80);
    let (k, weights, rows) = (draw([keys, width]), draw([keys, stride]), draw([keys, width]));
    let weights = weights.narrow(1, 0, queries).transpose(0, 1);
    let mut c = Tensor::zeros(&[keys, stride]);
    for (name, [m, depth, n], a) in [
        ("scores", [keys, width, queries], &k),
        ("weights times values", [queries, keys, width], &weights),
    ] {
        group.throughput(Throughput::Elements(2 * (m * depth * n) as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let b = (rows.data(), width);
                tile::multiply([m, depth, n], a.tile(&[]), b, (c.data_mut(), stride), false);
            });
        });
    }
}

criterion_group!(benches, matmul, tiles);
criterion_main!(benches);
