//! How does the time of attention grow with the length of the sequence, with all weights in memory and
//! a tile at a time? 12 heads of 64, causal.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use autograd::ops::attention::{attention, textbook};
use autograd::{Mask, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Float, Rng};

type Attend = fn(&Var, &Var, &Var, Float, &Mask) -> Var;

const N_HEADS: usize = 12;
const WIDTH: usize = 64;

const FORMS: [(&str, Attend); 2] = [("textbook", textbook::attention), ("fast", attention)];

fn by_length(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("attention");
    group.sample_size(10);
    for seq_len in [128, 256, 512, 1024, 2048, 4096] {
        let mut rng = Rng::seeded(1);
        // As one matrix gives them: [batch_size, seq_len, n_heads, d_k], seen by head.
        let mut draw = || rng.normal(&[1, seq_len, N_HEADS, WIDTH], 1.0).transpose(1, 2);
        let [q, k, v] = [(); 3].map(|()| Var::leaf(draw()));
        group.throughput(Throughput::Elements(seq_len as u64));
        // Of the pairs that the mask leaves: scores and outputs; four products for the gradients.
        let product = (2 * N_HEADS * WIDTH * seq_len * (seq_len + 1) / 2) as f64;
        for (form, attend) in FORMS {
            let attend = || attend(&q, &k, &v, 0.125, &Mask::causal());
            group.bench_function(
                BenchmarkId::new(format!("{form}, forward"), seq_len),
                |bencher| {
                    bencher.iter(|| black_box(attend()));
                },
            );
            let both = || attend().sum().backward();
            let name = format!("{form}, forward and backward");
            share(&format!("{name}, {seq_len}"), Bound::Flops(6.0 * product), &roof, both);
            group.bench_function(BenchmarkId::new(name, seq_len), |bencher| {
                bencher.iter(|| black_box(both()));
            });
        }
    }
}

criterion_group!(benches, by_length);
criterion_main!(benches);
