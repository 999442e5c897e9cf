//! `--config F.toml`: options from a file, each under its long name, and the way back.
//!
//! What a file says becomes arguments that are read with those of the command line: whatever can
//! be said there can be said in the file, and is held to the same rules.

mod options;

pub use options::Options;

use crate::Error;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The file that a run writes of its own options, in its folder.
pub const NAME: &str = "run.toml";

/// The options of the command line, and of the file that its `--config` names.
///
/// # Errors
/// If the file can't be read, or says what no option takes. Other misuse ends the process with
/// clap's message.
pub fn matches(command: &mut Command, arguments: Vec<OsString>) -> Result<ArgMatches, Error> {
    command.build();
    let exit = |error: clap::Error| -> ! { error.exit() };
    let Some((path, given)) = file_of(command, &arguments) else {
        let matches = command.try_get_matches_from_mut(arguments);
        return Ok(matches.unwrap_or_else(|error| exit(error)));
    };
    let added = arguments_of(command, &path, &given)?;
    let all = arguments.into_iter().chain(added.iter().map(OsString::from));
    command.try_get_matches_from_mut(all).map_err(|error| match of_file(&error, &added) {
        true => wrong(&path, first_line(&error)),
        false => exit(error),
    })
}

/// The file that is named, and the options given beside it. Errors in these are told later.
fn file_of(command: &Command, arguments: &[OsString]) -> Option<(PathBuf, ArgMatches)> {
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let (_, given) = lenient.subcommand().filter(|(name, _)| *name == "train")?;
    let path = given.try_get_one::<PathBuf>("config").ok()??;
    Some((path.clone(), given.clone()))
}

/// The arguments that the file says, but those that the command line says otherwise.
fn arguments_of(command: &Command, path: &Path, given: &ArgMatches) -> Result<Vec<String>, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        wrong(path, format!("line {line}: {}", error.message()))
    })?;
    let train = train(command);
    let is_given =
        |arg: &Arg| given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut arguments = Vec::new();
    for (key, value) in &table {
        let Some(arg) = options(train).find(|arg| arg.get_long() == Some(key)) else {
            return Err(wrong(path, unknown(train, key)));
        };
        let said = said(arg, key, value).map_err(|reason| wrong(path, reason))?;
        let conflicts = options(train).filter(|other| conflict(train, arg, other));
        if !is_given(arg) && !conflicts.into_iter().any(is_given) {
            arguments.extend(said);
        }
    }
    Ok(arguments)
}

fn train(command: &Command) -> &Command {
    command.find_subcommand("train").expect("a command of the program")
}

/// The options that a file can hold.
fn options(train: &Command) -> impl Iterator<Item = &Arg> {
    let cannot = ["help", "version", "config"];
    train.get_arguments().filter(move |arg| !cannot.contains(&arg.get_id().as_str()))
}

/// Whether two options exclude each other; either may say so.
fn conflict(train: &Command, a: &Arg, b: &Arg) -> bool {
    let names = |a: &Arg, b: &Arg| {
        !a.is_global_set()
            && train.get_arg_conflicts_with(a).iter().any(|other| other.get_id() == b.get_id())
    };
    names(a, b) || names(b, a)
}

/// A key and its value as arguments.
fn said(arg: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = |must: &str| Err(format!("{key} is {value}; it must be {must}"));
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(is_set)) => {
            Ok(if *is_set { vec![format!("--{key}")] } else { Vec::new() })
        }
        (ArgAction::SetTrue, _) => wrong("true or false"),
        (ArgAction::Append, Value::Array(values)) => {
            let each = values.iter().map(|value| said(arg, key, value));
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        (_, value) => match text_of(value) {
            Some(text) => Ok(vec![format!("--{key}={text}")]),
            None => wrong("a number or a text"),
        },
    }
}

/// A number or a text as the command line takes it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn unknown(train: &Command, key: &str) -> String {
    let tried = train.clone().no_binary_name(true).try_get_matches_from([format!("--{key}")]);
    let near = tried.err().and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(near)) => Some(near.trim_start_matches('-').to_string()),
        _ => None,
    });
    match near {
        Some(near) => format!("no option has the name {key}; did you mean {near}?"),
        None => format!("no option has the name {key}; attendant train --help lists them"),
    }
}

/// Whether the error is about an argument that came from the file.
fn of_file(error: &clap::Error, added: &[String]) -> bool {
    let Some(ContextValue::String(about)) = error.get(ContextKind::InvalidArg) else {
        return false;
    };
    let name = |argument: &str| argument.split(['=', ' ']).next().map(str::to_string);
    added.iter().any(|argument| name(argument) == name(about))
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_string()
}

fn wrong(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests;
