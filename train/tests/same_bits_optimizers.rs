//! Fifty steps give the same bits on 1, 2, 3 and 7 threads, whatever the optimizer.

use tensor::{Float, Rng};
use train::optimizer::Kind;
use train::sequence::Sequence;
use train::training::{Settings, train};
use transformer::{Gpt2, Gpt2Config, Module};

/// All weights of a small GPT-2 after 50 steps.
fn weights(optimizer: Kind, threads: usize) -> Vec<Vec<Float>> {
    let config = Gpt2Config {
        vocab_size: 61,
        max_seq_len: 24,
        d_model: 96,
        n_layers: 1,
        n_heads: 3,
        ..Gpt2Config::default()
    };
    let mut model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
    let sequences: Vec<Sequence> = (0..20)
        .map(|i| {
            let ids = (0..25 - i % 5).map(|t| ((t * 5 + i * t) % 61) as u32).collect();
            Sequence::whole(ids, i)
        })
        .collect();
    let lr = if optimizer == Kind::Sgd { 0.1 } else { 1e-3 };
    let settings = Settings {
        steps: 50,
        batch_size: 8,
        lr,
        optimizer,
        weight_decay: 0.1,
        clip: Some(1.0),
        ..Settings::default()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| train(&mut model, &sequences, &settings, |_| Ok(()))).unwrap();
    model.parameters().into_iter().map(|(_, parameter)| parameter.value().to_vec()).collect()
}

#[track_caller]
fn holds(optimizer: Kind) {
    let one = weights(optimizer, 1);
    for threads in [2, 3, 7] {
        assert!(weights(optimizer, threads) == one, "{optimizer:?}, {threads} threads");
    }
}

#[test]
fn of_sgd() {
    holds(Kind::Sgd);
}

#[test]
fn of_adam() {
    holds(Kind::Adam);
}

#[test]
fn of_adamw() {
    holds(Kind::AdamW);
}

#[test]
fn of_lion() {
    holds(Kind::Lion);
}

#[test]
fn of_muon() {
    holds(Kind::Muon);
}
