//! How does the time of attention grow with the length of the sequence? 12 heads of 64, causal.

#![allow(missing_docs)] // of the functions that criterion's macros make

use autograd::{Mask, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::Rng;
use transformer::scaled_dot_product_attention;

fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    group.sample_size(10);
    for seq_len in [128, 256, 512] {
        let mut rng = Rng::seeded(1);
        let [q, k, v] = [(); 3].map(|()| Var::leaf(rng.normal(&[1, 12, seq_len, 64], 1.0)));
        let attend = || scaled_dot_product_attention(&q, &k, &v, &Mask::causal(), 0.0);
        group.throughput(Throughput::Elements(seq_len as u64));
        group.bench_function(BenchmarkId::new("forward", seq_len), |bencher| {
            bencher.iter(|| black_box(attend()));
        });
        group.bench_function(BenchmarkId::new("forward and backward", seq_len), |bencher| {
            bencher.iter(|| black_box(attend().sum().backward()));
        });
    }
}

criterion_group!(benches, attention);
criterion_main!(benches);
