//! Fifty steps of each model give the same bits on any number of threads.

use autograd::{Var, cross_entropy, cross_entropy_smoothed, with_dropout};
use tensor::{Float, Rng, Targets, Tokens};
use train::masking::Masking;
use train::optimizer::{AdamW, Optimizer};
use transformer::{
    DecoderOnly, EncoderDecoder, EncoderDecoderConfig, Gpt2, Gpt2Config, MaskedLanguageModel,
    MaskedLanguageModelConfig, Module, Padded, state,
};

const STEPS: u64 = 50;
const VOCAB_SIZE: usize = 300;

/// Rows large enough that threads share every operation.
fn rows(rng: &mut Rng, count: usize, len: usize) -> Vec<Vec<u32>> {
    let row = |rng: &mut Rng| (0..len).map(|_| rng.below(VOCAB_SIZE) as u32).collect();
    (0..count).map(|_| row(rng)).collect()
}

/// All weights after fifty steps on `threads` threads.
fn trained<M: Module>(
    threads: usize,
    model: impl FnOnce() -> M + Send,
    loss: impl Fn(&M, &mut Rng) -> Var + Send + Sync,
) -> Vec<Vec<Float>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut model = model();
        let mut optimizer = AdamW::new(0.01);
        for step in 0..STEPS {
            let mut rng = Rng::derived(1, &[step]);
            let dropout = Rng::derived(2, &[step]);
            let loss = with_dropout(dropout, || loss(&model, &mut rng));
            optimizer.step(&mut model, &loss.backward().unwrap(), 1e-3).unwrap();
        }
        state::of(&model).into_values().map(|tensor| tensor.to_vec()).collect()
    })
}

fn assert_same_bits<M: Module>(
    model: impl Fn() -> M + Copy + Send,
    loss: impl Fn(&M, &mut Rng) -> Var + Copy + Send + Sync,
) {
    let one = trained(1, model, loss);
    assert!(one.iter().flatten().all(|weight| weight.is_finite()));
    for threads in [2, 3, 7] {
        assert!(trained(threads, model, loss) == one, "{threads} threads");
    }
}

#[test]
fn gpt() {
    let model = || {
        let config = Gpt2Config {
            vocab_size: VOCAB_SIZE,
            max_seq_len: 24,
            d_model: 64,
            n_layers: 2,
            n_heads: 2,
            ..Gpt2Config::default()
        };
        Gpt2::new(config, &mut Rng::seeded(3)).unwrap()
    };
    assert_same_bits(model, |model, rng| {
        let rows = rows(rng, 16, 24);
        let targets = rows.concat().into_iter().rev().collect::<Vec<_>>();
        let targets = Targets::new(targets, VOCAB_SIZE).unwrap();
        cross_entropy(&model.forward(&Tokens::batch(&rows, VOCAB_SIZE).unwrap()), &targets)
    });
}

#[test]
fn encoder() {
    let model = || {
        let config = MaskedLanguageModelConfig {
            vocab_size: VOCAB_SIZE,
            max_seq_len: 24,
            d_model: 64,
            n_layers: 2,
            n_heads: 2,
            d_ff: 128,
            ..MaskedLanguageModelConfig::default()
        };
        MaskedLanguageModel::new(config, &mut Rng::seeded(3)).unwrap()
    };
    let masking = &Masking { share: 0.15, mask_token: 0, special: vec![0], vocab_size: VOCAB_SIZE };
    assert_same_bits(model, move |model, rng| {
        let mut rows = rows(rng, 16, 24);
        rows[3].truncate(9);
        let (given, targets) = masking.apply(&rows, rng).unwrap();
        cross_entropy(&model.forward(&given), &targets)
    });
}

#[test]
fn encoder_decoder() {
    let model = || {
        let config = EncoderDecoderConfig {
            vocab_size: VOCAB_SIZE,
            d_model: 64,
            n_layers: 2,
            n_heads: 2,
            d_ff: 128,
            ..EncoderDecoderConfig::default()
        };
        EncoderDecoder::new(config, &mut Rng::seeded(3)).unwrap()
    };
    assert_same_bits(model, |model, rng| {
        let mut sources = rows(rng, 16, 20);
        sources[5].truncate(7);
        let (given, targets) = model.teacher_forcing(&rows(rng, 16, 18)).unwrap();
        let source = Padded::right(&sources, VOCAB_SIZE).unwrap();
        cross_entropy_smoothed(&model.forward(&source, &given), &targets, 0.1)
    });
}
