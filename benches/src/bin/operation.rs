//! Times one operation: a matrix product, or attention forward and backward.
//!
//! `cargo run --release --bin operation -- matmul 1024 768 3072`
//! `cargo run --release --bin operation -- attention --seq 1024`

use attendant_benches::exit_with;
use attendant_benches::turns::{self, Turn};
use attendant_benches::work::{Attention, Matmul, median};
use clap::{Parser, Subcommand};
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;

/// Times one operation on random numbers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    operation: Operation,
    /// Run it once for each line of the input: see the module `turns`
    #[arg(long, global = true)]
    turns: bool,
    /// Threads; all cores where absent
    #[arg(long, global = true)]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Operation {
    /// A matrix product, [M, K] · [K, N]
    Matmul(Matmul),
    /// Causal attention, forward and backward
    Attention(Attention),
}

/// Runs that are timed, after one that is not.
const RUNS: usize = 5;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_with(|| run(&arguments))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    train::set_threads(arguments.threads)?;
    let mut work: Box<dyn FnMut() -> Turn> = match &arguments.operation {
        Operation::Matmul(matmul) => Box::new(matmul.work()),
        Operation::Attention(attention) => Box::new(attention.work()),
    };
    if arguments.turns {
        return turns::serve_stdio(|| Ok(work()));
    }
    work();
    let times: Vec<f64> = (0..RUNS).map(|_| work().ms).collect();
    println!("{}", json!({ "ms": median(&times), "peak_rss_bytes": train::peak_rss_bytes() }));
    Ok(())
}
