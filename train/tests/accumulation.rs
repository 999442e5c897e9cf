//! Micro-batches of one step make up the batch: their losses are summed over all targets, not averaged
//! one after the other, also where rows are of unequal length.

use tensor::{Float, Rng};
use train::sequence::Sequence;
use train::training::{Settings, StepReport, train};
use transformer::{Gpt2, Gpt2Config, Module};

fn sequences() -> Vec<Sequence> {
    let mut rng = Rng::seeded(3);
    let row = |line| {
        let len = 3 + rng.below(20);
        Sequence::whole((0..len).map(|_| rng.below(40) as u32).collect(), line)
    };
    (1..=64).map(row).collect()
}

fn run(batch_size: usize, accumulate: usize) -> (Vec<StepReport>, Vec<Float>) {
    let config = Gpt2Config {
        vocab_size: 40,
        max_seq_len: 32,
        d_model: 16,
        n_layers: 2,
        n_heads: 2,
        ..Gpt2Config::default().with_dropout(0.0)
    };
    let mut model = Gpt2::new(config, &mut Rng::seeded(1)).unwrap();
    // Plain descent: AdamW makes a step of a gradient that is nothing but rounding.
    let settings = Settings {
        steps: 8,
        batch_size,
        accumulate,
        lr: 0.1,
        optimizer: train::optimizer::Kind::Sgd,
        clip: Some(1.0),
        ..Settings::default()
    };
    let mut reports = Vec::new();
    train(&mut model, &sequences(), &settings, |report| {
        reports.push(*report);
        Ok(())
    })
    .unwrap();
    let weights = model.parameters().into_iter().flat_map(|(_, x)| x.value().to_vec());
    (reports, weights.collect())
}

#[test]
fn four_times_two_rows_are_once_eight() {
    let ((one, one_weights), (four, four_weights)) = (run(8, 1), run(2, 4));
    for (a, b) in one.iter().zip(&four) {
        assert_eq!((a.step, a.tokens), (b.step, b.tokens));
        assert!((a.loss - b.loss).abs() < 1e-6 * a.loss, "{} {}", a.loss, b.loss);
        assert!((a.grad_norm - b.grad_norm).abs() < 1e-5 * a.grad_norm);
    }
    let far = one_weights.iter().zip(&four_weights).map(|(a, b)| (a - b).abs());
    assert!(far.fold(0.0, Float::max) < 1e-6);
}
