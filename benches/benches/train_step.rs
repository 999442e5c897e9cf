//! How long does a training step of a small GPT take? Forward, backward, AdamW; 8 × 128 tokens.

#![allow(missing_docs)] // of the functions that criterion's macros make

use attendant_benches::peers::Bound;
use attendant_benches::roof::{measured, share};
use autograd::cross_entropy;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor::{Rng, Targets, Tokens};
use train::Preset;
use train::flops::{Attention, flops_of};
use train::optimizer::{AdamW, Optimizer};
use transformer::{DecoderOnly, Gpt2};

fn train_step(criterion: &mut Criterion) {
    let (batch_size, seq_len) = (8, 128);
    let config = Preset::Tiny.config().expect("a GPT-2");
    let mut rng = Rng::seeded(1);
    let mut ids = || -> Vec<u32> {
        (0..batch_size * seq_len).map(|_| rng.below(config.vocab_size) as u32).collect()
    };
    let tokens = Tokens::new(ids(), config.vocab_size).expect("ids below the vocabulary");
    let tokens = tokens.reshape(&[batch_size, seq_len]);
    let targets = Targets::new(ids(), config.vocab_size).expect("ids below the vocabulary");
    let mut model = Gpt2::new(config, &mut Rng::seeded(2)).expect("the preset's sizes");
    let mut optimizer = AdamW::new(0.1);
    let (n_layers, width) = (model.config.n_layers, model.config.d_model);
    let flops = flops_of(&model, true, Attention { n_layers, width, seq_len });
    let flops = flops * (batch_size * seq_len) as f64;
    let mut step = || {
        let loss = cross_entropy(&model.forward(&tokens), &targets);
        let gradients = loss.backward().expect("a recorded loss");
        optimizer.step(&mut model, &gradients, 1e-4).expect("finite gradients")
    };

    share("tiny", Bound::Flops(flops), &measured(), &mut step);
    let mut group = criterion.benchmark_group("train step");
    group.sample_size(10);
    group.throughput(Throughput::Elements((batch_size * seq_len) as u64));
    group.bench_function("tiny", |bencher| bencher.iter(&mut step));
}

criterion_group!(benches, train_step);
criterion_main!(benches);
