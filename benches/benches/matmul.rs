//! How fast are matrix products of GPT-2's shapes? Throughput is in floating-point operations.

#![allow(missing_docs)] // of the functions that criterion's macros make

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::Rng;

/// (name, m, k, n) for 1,024 tokens of GPT-2 124M.
const SHAPES: [(&str, usize, usize, usize); 5] = [
    ("attention projection", 1024, 768, 2304),
    ("feed-forward 1", 1024, 768, 3072),
    ("feed-forward 2", 1024, 3072, 768),
    ("output layer", 256, 768, 50257),
    ("one token", 1, 768, 3072),
];

fn matmul(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    group.sample_size(10);
    let mut rng = Rng::seeded(1);
    for (name, m, k, n) in SHAPES {
        let (a, b) = (rng.normal(&[m, k], 1.0), rng.normal(&[k, n], 1.0));
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
        group.bench_function(BenchmarkId::new("a b", name), |bencher| {
            bencher.iter(|| black_box(a.matmul(&b)));
        });
        let transposed = b.transpose(0, 1).contiguous();
        group.bench_function(BenchmarkId::new("a bᵀ", name), |bencher| {
            bencher.iter(|| black_box(a.matmul(&transposed.transpose(0, 1))));
        });
    }
}

criterion_group!(benches, matmul);
criterion_main!(benches);
