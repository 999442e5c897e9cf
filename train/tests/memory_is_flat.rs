//! A thousand steps and a thousand forward passes take no more memory than the first hundred. A
//! process of its own, so that nothing else moves its memory.

#![cfg(target_os = "linux")]

use autograd::no_grad;
use std::hint::black_box;
use tensor::{Rng, Tokens};
use train::sequence::Sequence;
use train::training::{Settings, StepReport, train};
use transformer::{DecoderOnly, Gpt2, Gpt2Config};

/// The resident set, in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024.0 * line.trim().strip_suffix("kB").unwrap().trim().parse::<f64>().unwrap()
}

/// Small, but its buffers are large beside what the allocators of all threads keep for themselves.
fn model() -> Gpt2 {
    let config = Gpt2Config {
        vocab_size: 4096,
        max_seq_len: 32,
        d_model: 64,
        n_layers: 2,
        n_heads: 4,
        ..Gpt2Config::default()
    };
    Gpt2::new(config, &mut Rng::seeded(1)).unwrap()
}

/// Resident bytes after 100 and after 1,000 training steps on rows of these lengths.
fn around_training(model: &mut Gpt2, length: impl Fn(usize) -> usize) -> (f64, f64) {
    let sequence = |i: usize| {
        let ids = (0..length(i)).map(|t| ((t * t + i) % 4096) as u32).collect();
        Sequence::whole(ids, i)
    };
    let sequences: Vec<Sequence> = (0..64).map(sequence).collect();
    let settings = Settings { steps: 1000, batch_size: 4, ..Settings::default() };
    let mut after_100 = 0.0;
    let observe = |report: &StepReport| {
        if report.step == 100 {
            after_100 = resident();
        }
        Ok(())
    };
    train(model, &sequences, &settings, observe).unwrap();
    (after_100, resident())
}

/// Resident bytes after 100 and after 1,000 forward passes, half of which record a graph that is
/// dropped without a backward.
fn around_forward(model: &Gpt2) -> (f64, f64) {
    let mut after_100 = 0.0;
    for pass in 1..=1000 {
        let tokens = Tokens::batch(&vec![vec![pass % 64; 16]; 4], 4096).unwrap();
        match pass % 2 {
            0 => drop(black_box(model.forward(&tokens))),
            _ => drop(black_box(no_grad(|| model.forward(&tokens)))),
        }
        if pass == 100 {
            after_100 = resident();
        }
    }
    (after_100, resident())
}

#[test]
fn training_and_forward_passes_hold_memory_flat() {
    let mut model = model();
    let blocks = around_training(&mut model, |_| 17);
    let forward = around_forward(&model);
    // Each step has other sizes here: buffers that wait for their size may take an eighth more
    // than the most that was ever live, and the allocator has its gaps.
    let rows = around_training(&mut model, |i| 9 + i * 5 % 16);
    for (what, (after_100, after_1000), bound) in
        [("blocks", blocks, 0.02), ("forward passes", forward, 0.02), ("rows", rows, 0.2)]
    {
        let growth = after_1000 / after_100 - 1.0;
        assert!(growth < bound, "{what}: {after_100} bytes after 100, {after_1000} after 1,000");
    }
}
