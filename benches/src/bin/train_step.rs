//! Times one training step on random ids: forward, backward, clipping by 1.0, AdamW on all
//! parameters. `reference/train_step.py` is the same step in PyTorch.
//!
//! `cargo run --release --bin train_step -- --preset gpt2 --batch 4 --seq 256 --steps 5 --json`

use autograd::cross_entropy;
use clap::Parser;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;
use tensor::{Rng, Targets, Tokens};
use train::Preset;
use train::optimizer::{AdamW, Optimizer};
use transformer::{DecoderOnly, Gpt2};

/// Times one training step on random ids, the same each step.
#[derive(Parser)]
struct Arguments {
    /// The model's sizes
    #[arg(long, value_enum)]
    preset: Preset,
    /// Sequences a step
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Tokens a sequence
    #[arg(long, default_value_t = 256)]
    seq: usize,
    /// Steps; the first warms up and is not timed, unless it is the only one
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Precision of matrix products
    #[arg(long, value_parser = ["f32"], default_value = "f32")]
    precision: String,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    let config = arguments.preset.config().ok_or("--preset is gpt2, mini or tiny")?;
    if arguments.steps == 0 || arguments.batch == 0 || arguments.seq < 2 {
        return Err("--steps and --batch must be at least 1, --seq at least 2".into());
    }
    if arguments.seq > config.max_seq_len {
        return Err(format!("--seq is at most {}, the model's context", config.max_seq_len).into());
    }
    let (tokens, targets) = random_batch(arguments, config.vocab_size)?;
    let mut model = Gpt2::new(config, &mut Rng::seeded(0))?;
    let mut optimizer = AdamW::new(0.01);
    optimizer.clip = Some(1.0);
    let mut milliseconds = Vec::new();
    let mut last_loss = 0.0;
    let warmup = usize::from(arguments.steps > 1);
    for step in 0..arguments.steps {
        let start = Instant::now();
        let loss = cross_entropy(&model.forward(&tokens), &targets);
        last_loss = loss.item();
        let gradients = loss.backward()?;
        optimizer.step(&mut model, &gradients, 1e-4)?;
        if step >= warmup {
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    let per_second = (arguments.batch * arguments.seq) as f64 / median * 1e3;
    if arguments.json {
        let result = json!({
            "ms_per_step": median,
            "tokens_per_second": per_second,
            "peak_rss_bytes": train::peak_rss_bytes(),
            "loss": last_loss,
        });
        println!("{result}");
    } else {
        println!(
            "{median:.0} ms a step (median of {}), {per_second:.0} tokens/s, loss {last_loss:.4}",
            milliseconds.len()
        );
    }
    Ok(())
}

/// Random ids over the whole vocabulary; each position's target is the next id, the last has none.
fn random_batch(
    arguments: &Arguments,
    vocab_size: usize,
) -> Result<(Tokens, Targets), tensor::Error> {
    let mut rng = Rng::seeded(1);
    let rows: Vec<Vec<u32>> = (0..arguments.batch)
        .map(|_| (0..arguments.seq).map(|_| rng.below(vocab_size) as u32).collect())
        .collect();
    let targets: Vec<u32> =
        rows.iter().flat_map(|row| row[1..].iter().copied().chain([Targets::IGNORED])).collect();
    Ok((Tokens::batch(&rows, vocab_size)?, Targets::new(targets, vocab_size)?))
}
