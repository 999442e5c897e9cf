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

use crate::Error;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
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
    Generate(Box<generate::Arguments>),
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
    /// The command as it can be given to a shell again.
    command: String,
}

/// Runs the program on the arguments of this process.
pub fn main() -> ExitCode {
    failure::catch(|| {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let matches = config_file::matches(&mut Cli::command(), arguments.clone())?;
        let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        crate::set_threads(cli.threads)?;
        dispatch(cli, &matches, command_line(&arguments))
    })
}

/// Runs a command of the program inside another one, with the threads of its process:
/// `run(["evaluate", "--task", …])`.
///
/// # Errors
/// As the command; a wrong option is an [`Error::Usage`].
pub fn run<T: Into<OsString>>(arguments: impl IntoIterator<Item = T>) -> Result<(), Error> {
    let arguments = ["attendant".into()].into_iter().chain(arguments.into_iter().map(T::into));
    let arguments: Vec<OsString> = arguments.collect();
    let usage = |error: clap::Error| Error::Usage(error.to_string());
    let matches = Cli::command().try_get_matches_from(&arguments).map_err(usage)?;
    let cli = Cli::from_arg_matches(&matches).map_err(usage)?;
    dispatch(cli, &matches, command_line(&arguments))
}

fn dispatch(cli: Cli, matches: &ArgMatches, command: String) -> Result<(), Error> {
    let common = Common { seed: cli.seed, json: cli.json, command };
    match cli.command {
        Command::Train(arguments) => {
            train::run(&arguments, &common, &Options::of(&mut Cli::command(), matches))
        }
        Command::Generate(arguments) => generate::run(&arguments, &common),
        Command::Evaluate(arguments) => evaluate::run(&arguments, &common),
        Command::Classify(arguments) => classify::run(&arguments, &common),
        Command::Embed(arguments) => embed::run(&arguments, &common),
        Command::Logits(arguments) => logits::run(&arguments, &common),
        Command::Convert(arguments) => convert::run(&arguments, &common),
    }
}

/// The command as it can be given to a shell again.
pub fn command_line(arguments: &[OsString]) -> String {
    let quoted = |argument: &OsString| {
        let text = argument.to_string_lossy();
        let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%".contains(c);
        match !text.is_empty() && text.chars().all(is_plain) {
            true => text.into_owned(),
            false => format!("'{}'", text.replace('\'', r"'\''")),
        }
    };
    let rest = arguments.iter().skip(1).map(quoted);
    ["attendant".to_string()].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let arguments = ["x/attendant", "classify", "--text", "It's a b", ""].map(OsString::from);
        let expected = r"attendant classify --text 'It'\''s a b' ''";
        assert_eq!(command_line(&arguments), expected);
    }

    #[test]
    fn the_help_of_each_command_shows_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("attendant "), "{}", command.get_name());
        }
    }
}
