//! The program `attendant`: train, generate, evaluate, classify, embed, logits, convert.
//!
//! Results go to stdout, all else to stderr. With `--json`, stdout is exactly one JSON object.
//! Exit status: 0 done, 1 failed with one line `error: …`, 2 bad usage.

mod classify;
mod convert;
mod embed;
mod evaluate;
mod failure;
mod generate;
mod logits;
mod model;
mod output;
mod train;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;
use train::config_file::{self, Options};

/// Train, sample and measure Transformers on product text.
#[derive(Parser)]
#[command(name = "attendant", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads; all cores where absent
    #[arg(long, global = true)]
    threads: Option<usize>,
    /// Fixes initial weights, dropout, the order of rows, and sampling
    #[arg(long, global = true, default_value_t = 0)]
    seed: u64,
    /// Print exactly one JSON object on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model, from random weights or from a folder
    Train(Box<train::Arguments>),
    /// Write on after a prompt
    Generate(generate::Arguments),
    /// Measure a model on a file, beside baselines
    Evaluate(evaluate::Arguments),
    /// Tell the class of each text
    Classify(classify::Arguments),
    /// Turn texts into vectors
    Embed(embed::Arguments),
    /// Write what a model computes for token ids to a file
    Logits(logits::Arguments),
    /// Write a model in another form
    Convert(convert::Arguments),
}

/// What all commands are told.
struct Common {
    seed: u64,
    json: bool,
}

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    failure::catch(|| {
        let matches = config_file::matches(&mut Cli::command(), std::env::args_os().collect())?;
        let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let common = Common { seed: cli.seed, json: cli.json };
        crate::set_threads(cli.threads)?;
        match cli.command {
            Command::Train(arguments) => {
                train::run(&arguments, &common, &Options::of(&mut Cli::command(), &matches))
            }
            Command::Generate(arguments) => generate::run(&arguments, &common),
            Command::Evaluate(arguments) => evaluate::run(&arguments, &common),
            Command::Classify(arguments) => classify::run(&arguments, &common),
            Command::Embed(arguments) => embed::run(&arguments, &common),
            Command::Logits(arguments) => logits::run(&arguments, &common),
            Command::Convert(arguments) => convert::run(&arguments, &common),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_each_command_shows_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("attendant "), "{}", command.get_name());
        }
    }
}
