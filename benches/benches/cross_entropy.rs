//! What does the loss of a language model take from the last layer's numbers to their gradients, with all
//! logits in memory and a part of them at a time? GPT-2's output layer, 1,024 tokens.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use autograd::ops::linear_cross_entropy::linear_cross_entropy_sum;
use autograd::{Var, cross_entropy_sum};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tensor::{Rng, Targets};

const TOKENS: usize = 1024;
const D_MODEL: usize = 768;
const VOCAB: usize = 50_257;

type Loss = fn(&Var, &Var, &Targets) -> Var;

const FORMS: [(&str, Loss); 2] = [
    ("textbook", |x, w, targets| cross_entropy_sum(&x.matmul(w), targets)),
    ("fast", linear_cross_entropy_sum),
];

fn tokens_to_loss(criterion: &mut Criterion) {
    let roof = measured();
    let mut group = criterion.benchmark_group("cross-entropy");
    group.sample_size(10);
    let mut rng = Rng::seeded(1);
    let x = Var::leaf(rng.normal(&[TOKENS, D_MODEL], 1.0));
    // As GPT-2's embedding lies: a row a token.
    let w = Var::leaf(rng.normal(&[VOCAB, D_MODEL], 0.02).transpose(0, 1));
    let ids: Vec<u32> = (0..TOKENS).map(|_| rng.below(VOCAB) as u32).collect();
    let targets = Targets::new(ids, VOCAB).expect("ids below the vocabulary");
    let flops = (6 * TOKENS * D_MODEL * VOCAB) as f64;
    group.throughput(Throughput::Elements(TOKENS as u64));
    for (form, loss) in FORMS {
        let both = || loss(&x, &w, &targets).backward();
        share(form, Bound::Flops(flops), &roof, both);
        group.bench_function(BenchmarkId::new("tokens to loss and back", form), |bencher| {
            bencher.iter(|| black_box(both()));
        });
    }
}

criterion_group!(benches, tokens_to_loss);
criterion_main!(benches);
