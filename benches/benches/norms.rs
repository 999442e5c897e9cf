//! What do LayerNorm and RMSNorm take, in one piece and as their equations? 1,024 rows of 768, forward
//! and backward.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use autograd::Var;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Float, Rng, Tensor};

const SHAPE: [usize; 2] = [1024, 768];
const EPS: Float = 1e-5;

type Norm = fn(&Var, &Var, &Var) -> Var;

/// (x − μ) / √(σ² + ε) · γ + β
fn layer_norm(x: &Var, gamma: &Var, beta: &Var) -> Var {
    let centred = x - &x.mean_axes(&[-1], true);
    &(&centred * &(&x.var_axes(&[-1], 0, true) + EPS).powf(-0.5)) * gamma + beta
}

/// x / √(mean(x²) + ε) · γ
fn rms_norm(x: &Var, gamma: &Var, _: &Var) -> Var {
    &(x * &(&(x * x).mean_axes(&[-1], true) + EPS).powf(-0.5)) * gamma
}

const FORMS: [(&str, &str, Norm); 4] = [
    ("LayerNorm", "textbook", layer_norm),
    ("LayerNorm", "fast", |x, gamma, beta| x.layer_norm(gamma, beta, EPS)),
    ("RMSNorm", "textbook", rms_norm),
    ("RMSNorm", "fast", |x, gamma, _| x.rms_norm(gamma, EPS)),
];

fn norms(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("norms");
    group.sample_size(20);
    let x = Var::leaf(Rng::seeded(1).normal(&SHAPE, 1.0));
    let [gamma, beta] = [1.0, 0.0].map(|x| Var::leaf(Tensor::full(&SHAPE[1..], x)));
    // x read and y written; x and dy read, dx written.
    let bytes = 5 * SHAPE[0] * SHAPE[1] * size_of::<Float>();
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, form, norm) in FORMS {
        let both = || norm(&x, &gamma, &beta).sum().backward();
        share(&format!("{name}, {form}"), Bound::Bytes(bytes as f64), &roof, both);
        group.bench_function(BenchmarkId::new(form, name), |bencher| {
            bencher.iter(|| black_box(both()));
        });
    }
}

criterion_group!(benches, norms);
criterion_main!(benches);
