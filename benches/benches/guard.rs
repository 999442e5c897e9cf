//! Are the fast paths still fast, and small? Ratios inside one process, so that the machine's own speed
//! does not count; each has a bound well below what is measured and above what is left when its fast
//! path is lost. They are those of a CPU with AVX2 or AVX-512.
//!
//! `cargo bench --bench guard`; it ends with an error when something was lost.

use attendant_benches::work::{Source, Step, TrainStep, median};
use attendant_benches::{CargoBench, exit_with};
use autograd::ops::attention::{attention, textbook};
use autograd::ops::linear_cross_entropy::linear_cross_entropy_sum;
use autograd::{Mask, Var, cross_entropy_sum};
use clap::Parser;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;
use tensor::packed::Format;
use tensor::{Float, Precision, Rng, Targets, Tensor, live_bytes, peak_flops, tile};
use train::Preset;
use train::flops::flops_per_token;

/// A ratio that may not fall.
struct Guard {
    name: &'static str,
    /// The least that is taken.
    least: f64,
    /// Measures it once.
    ratio: Box<dyn FnMut() -> f64>,
}

/// Pairs of times, of whose ratios the median counts.
const PAIRS: usize = 7;
/// How often a ratio that is too low is measured again: other programs may have run beside it.
const TRIES: usize = 3;

/// Fails when a fast path was lost.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    cargo: CargoBench,
}

fn main() -> ExitCode {
    let Arguments { cargo } = Arguments::parse();
    exit_with(|| {
        let mut lost = Vec::new();
        for guard in &mut guards() {
            if cargo.takes(guard.name) && !holds(guard) {
                lost.push(guard.name);
            }
        }
        match lost.is_empty() {
            true => Ok(()),
            false => Err(format!("speed was lost: {}", lost.join("; ")).into()),
        }
    })
}

fn holds(guard: &mut Guard) -> bool {
    (guard.ratio)(); // warms up
    (0..TRIES).any(|_| {
        let ratios: Vec<f64> = (0..PAIRS).map(|_| (guard.ratio)()).collect();
        let ratio = median(&ratios);
        println!("{}: {ratio:.2}, at least {}", guard.name, guard.least);
        ratio >= guard.least
    })
}

fn guards() -> [Guard; 6] {
    [
        Guard { name: "matrix product, share of the peak", least: 0.5, ratio: matmul() },
        Guard {
            name: "product of tiles 16, 48 and 80 wide, its speed over that of one as wide as a head",
            least: 0.5,
            ratio: tiles_of_any_width(),
        },
        Guard {
            name: "attention by tiles, times faster than with all weights in memory",
            least: 1.5,
            ratio: attention_by_tiles(),
        },
        Guard {
            name: "loss without all scores, times less memory kept than with them",
            least: 4.0,
            ratio: loss_without_scores(),
        },
        Guard {
            name: "one row times a Q8_0 matrix, times faster than times one of f32",
            least: 1.5,
            ratio: packed_row(),
        },
        Guard { name: "training step, share of the peak", least: 0.3, ratio: train_step() },
    ]
}

fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64()
}

fn matmul() -> Box<dyn FnMut() -> f64> {
    let (m, k, n) = (1024, 768, 3072);
    let mut rng = Rng::seeded(1);
    let [a, b] = [[m, k], [k, n]].map(|shape| rng.normal(&shape, 1.0));
    Box::new(move || 2.0 * (m * k * n) as f64 / seconds(|| a.matmul(&b)) / peak_flops())
}

fn tiles_of_any_width() -> Box<dyn FnMut() -> f64> {
    let (rows, depth, widest) = (64, 64, 96);
    let mut rng = Rng::seeded(5);
    let [a, b] = [[rows, depth], [depth, widest]].map(|shape| rng.normal(&shape, 1.0));
    let mut c = Tensor::zeros(&[rows, widest]);
    let mut per_column = move |widths: [usize; 3]| {
        let time = seconds(|| {
            for n in widths.repeat(200) {
                let b = (b.data(), widest);
                tile::multiply([rows, depth, n], a.tile(&[]), b, (c.data_mut(), widest), false);
            }
        });
        time / widths.iter().sum::<usize>() as f64
    };
    Box::new(move || per_column([64; 3]) / per_column([16, 48, 80]))
}

fn attention_by_tiles() -> Box<dyn FnMut() -> f64> {
    let mut rng = Rng::seeded(2);
    // As one matrix gives them: [batch_size, seq_len, n_heads, d_k], seen by head.
    let mut draw = || Var::leaf(rng.normal(&[1, 1024, 6, 64], 1.0).transpose(1, 2));
    let [q, k, v] = [(); 3].map(|()| draw());
    let both = move |attend: fn(&Var, &Var, &Var, Float, &Mask) -> Var| {
        seconds(|| attend(&q, &k, &v, 0.125, &Mask::causal()).sum().backward())
    };
    Box::new(move || both(textbook::attention) / both(attention))
}

fn loss_without_scores() -> Box<dyn FnMut() -> f64> {
    let (rows, d_model, vocab_size) = (2048, 64, 16384);
    let mut rng = Rng::seeded(3);
    let x = Var::leaf(rng.normal(&[rows, d_model], 1.0));
    let w = Var::leaf(rng.normal(&[d_model, vocab_size], 0.02));
    let ids: Vec<u32> = (0..rows).map(|_| rng.below(vocab_size) as u32).collect();
    let targets = Targets::new(ids, vocab_size).expect("ids below the vocabulary");
    let kept = |loss: &dyn Fn() -> Var| {
        let before = live_bytes();
        let loss = loss();
        let kept = live_bytes() - before;
        loss.backward().expect("a recorded loss");
        kept as f64
    };
    Box::new(move || {
        let textbook = kept(&|| cross_entropy_sum(&x.matmul(&w), &targets));
        textbook / kept(&|| linear_cross_entropy_sum(&x, &w, &targets))
    })
}

fn packed_row() -> Box<dyn FnMut() -> f64> {
    let mut rng = Rng::seeded(4);
    let x = rng.normal(&[1, 2048], 1.0);
    // 128 MiB of f32: more than the caches hold.
    let plain = rng.normal(&[16384, 2048], 1.0);
    let packed = plain.pack(Format::Q8_0);
    let [plain, packed] = [plain, packed].map(|rows| rows.transpose(0, 1));
    Box::new(move || seconds(|| x.matmul(&plain)) / seconds(|| x.matmul(&packed)))
}

fn train_step() -> Box<dyn FnMut() -> f64> {
    let seq = 128;
    let source = Source::preset(Preset::Mini);
    let step = Step { source, batch: 4, seq, precision: Precision::F32, lora: None };
    let mut work = TrainStep::new(&step).expect("the preset's sizes");
    let per_token = flops_per_token(work.model(), seq).expect("a decoder");
    let flops = per_token * work.tokens() as f64;
    Box::new(move || {
        let turn = work.step().expect("finite gradients");
        flops / (turn.ms / 1e3) / peak_flops()
    })
}
