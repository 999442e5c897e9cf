//! Times one training step: forward, backward, clipping by 1.0, AdamW on all that is trained.
//! `reference/train_step.py` is the same step in PyTorch.
//!
//! `cargo run --release --bin train_step -- --preset gpt2 --batch 4 --seq 256 --steps 5 --json`

use attendant_benches::work::{Step, TrainStep, median};
use attendant_benches::{exit_with, turns};
use clap::Parser;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Times one training step on the same ids each time.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    step: Step,
    /// Steps; the first warms up and is not timed, unless it is the only one
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Take one step for each line of the input: see the module `turns`
    #[arg(long, conflicts_with_all = ["steps", "json"])]
    turns: bool,
    /// Only write the model, as it is before the first step, to a folder that other libraries load
    #[arg(long, value_name = "DIR", conflicts_with_all = ["steps", "turns", "json"])]
    write_model: Option<PathBuf>,
    /// Threads; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_with(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    if arguments.steps == 0 {
        return Err("--steps must be at least 1".into());
    }
    if let Some(folder) = &arguments.write_model {
        return arguments.step.source.write(folder);
    }
    let mut work = TrainStep::new(&arguments.step)?;
    if arguments.turns {
        return turns::serve_stdio(|| work.step());
    }
    let (mut milliseconds, mut last_loss) = (Vec::new(), None);
    for _ in 0..arguments.steps {
        let turn = work.step()?;
        milliseconds.push(turn.ms);
        last_loss = turn.loss;
    }
    let timed = &milliseconds[usize::from(arguments.steps > 1)..];
    let per_step = median(timed);
    let per_second = work.tokens() as f64 / per_step * 1e3;
    if arguments.json {
        let result = json!({
            "ms_per_step": per_step,
            "tokens_per_second": per_second,
            "peak_rss_bytes": train::peak_rss_bytes(),
            "loss": last_loss,
        });
        println!("{result}");
    } else {
        let (count, loss) = (timed.len(), last_loss.unwrap_or(f64::NAN));
        println!(
            "{per_step:.0} ms a step (median of {count}), {per_second:.0} tokens/s, loss {loss:.4}"
        );
    }
    Ok(())
}
