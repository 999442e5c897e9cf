//! How fast is one row times a matrix, plain and in fewer bits? Memory bounds it: each number is read
//! once.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::packed::Format;
use tensor::{Float, Rng};

/// 256 MiB of f32; in fewer bits, part of it may stay in a large last cache.
const ROWS: usize = 32_768;
const WIDTH: usize = 2048;

fn matrix_vector(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("matrix vector");
    group.sample_size(10);
    let mut rng = Rng::seeded(1);
    let x = rng.normal(&[1, WIDTH], 1.0);
    let plain = rng.normal(&[ROWS, WIDTH], 1.0);
    let formats = [Format::F16, Format::BF16, Format::Q8_0];
    let packed = formats.map(|format| (format!("{format:?}"), plain.pack(format), bits(format)));
    let f32 = ("F32".to_string(), plain.clone(), 8.0 * size_of::<Float>() as f64);
    for (name, matrix, bits) in [f32].into_iter().chain(packed) {
        let columns = matrix.transpose(0, 1);
        let bytes = (ROWS * WIDTH) as f64 * bits / 8.0;
        share(&name, Bound::Bytes(bytes), &roof, || x.matmul(&columns));
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("row times columns", &name), |bencher| {
            bencher.iter(|| black_box(x.matmul(&columns)));
        });
    }
}

/// Bits of a number, its share of the block's scales among them.
fn bits(format: Format) -> f64 {
    8.0 * format.block_bytes() as f64 / format.block_len() as f64
}

criterion_group!(benches, matrix_vector);
criterion_main!(benches);
