//! What do softmax and its logarithm take, in one piece and as their equations? 4,096 rows of 1,024,
//! forward and backward.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use autograd::Var;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Float, Rng};

const SHAPE: [usize; 2] = [4096, 1024];

type Softmax = fn(&Var) -> Var;

/// e^(xᵢ − max) / Σⱼ e^(xⱼ − max)
fn softmax(x: &Var) -> Var {
    let e = (x - &x.max_axes(&[-1], true)).exp();
    &e / &e.sum_axes(&[-1], true)
}

const FORMS: [(&str, &str, Softmax); 3] = [
    ("softmax", "textbook", softmax),
    ("softmax", "fast", |x| x.softmax(-1)),
    ("log-softmax", "fast", |x| x.log_softmax(-1)),
];

fn by_form(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("softmax");
    group.sample_size(10);
    let x = Var::leaf(Rng::seeded(1).normal(&SHAPE, 1.0));
    // x read and y written; y and dy read, dx written.
    let bytes = 5 * SHAPE[0] * SHAPE[1] * size_of::<Float>();
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, form, softmax) in FORMS {
        let both = || softmax(&x).sum().backward();
        share(&format!("{name}, {form}"), Bound::Bytes(bytes as f64), &roof, both);
        group.bench_function(BenchmarkId::new(form, name), |bencher| {
            bencher.iter(|| black_box(both()));
        });
    }
}

criterion_group!(benches, by_form);
criterion_main!(benches);
