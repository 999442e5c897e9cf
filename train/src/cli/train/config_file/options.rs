//! The options of a run as they hold, defaults included.

use super::{Table, Value, options, text_of, train};
use crate::Error;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::any::TypeId;
use std::fmt::Write;
use std::path::Path;

/// Options that are about one call of the program, not about the run.
const OF_A_CALL: [&str; 2] = ["json", "resume"];
/// Options that a run which is gone on with may be given anew: no number depends on them. Whether
/// the rows of `data` are the same is told by what they hold.
const MAY_CHANGE: [&str; 5] = ["checkpoint-every", "data", "keep", "output", "threads"];

/// Each option by its long name, and what it is; `None` where it was not given and has no default.
#[derive(Clone, Debug, PartialEq)]
pub struct Options(Vec<(String, Option<Value>)>);

impl Options {
    /// Those of `attendant train`; none of another command.
    pub fn of(command: &mut Command, matches: &ArgMatches) -> Options {
        command.build();
        let Some(("train", matches)) = matches.subcommand() else { return Options(Vec::new()) };
        let named = |arg: &Arg| Some((arg.get_long()?.to_string(), value_of(arg, matches)));
        let all = options(train(command)).filter_map(named);
        Options(all.filter(|(name, _)| !OF_A_CALL.contains(&&**name)).collect())
    }

    /// The file that repeats the run.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Every option of a run, as it held. Written by attendant {}.\n\
             # To go on with the run:  attendant train --config FILE --resume\n\
             # To repeat it:           attendant train --config FILE --output OTHER\n",
            env!("CARGO_PKG_VERSION")
        );
        if let Ok(folder) = std::env::current_dir() {
            let folder = folder.display().to_string().escape_debug().to_string();
            writeln!(text, "# Paths are seen from {folder}").expect("a text");
        }
        for (name, value) in &self.0 {
            match value {
                Some(value) => writeln!(text, "{name} = {value}"),
                None => writeln!(text, "# {name} was not given"),
            }
            .expect("a text");
        }
        text
    }

    /// Holds the options against those that a run was begun with.
    ///
    /// # Errors
    /// If its file can't be read, or an option differs on which the run's numbers depend.
    pub fn check_same(&self, file: &Path) -> Result<(), Error> {
        let differences = self.differences(file)?;
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::settings(format!(
            "{}; give what it was begun with, or begin another run with a new --output",
            differences.join("; ")
        )))
    }

    /// Each option on which numbers depend, and which is not what `file` says; none where there is
    /// no file.
    fn differences(&self, file: &Path) -> Result<Vec<String>, Error> {
        if !file.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(file).map_err(Error::io(file, "read"))?;
        let begun: Table = text.parse().map_err(|error: toml::de::Error| {
            Error::settings(format!("{}: {}", file.display(), error.message()))
        })?;
        let of_numbers = self.0.iter().filter(|(name, _)| !MAY_CHANGE.contains(&&**name));
        let differ = of_numbers.filter_map(|(name, now)| {
            let (now, old) = (plain(now.as_ref()), plain(begun.get(name)));
            let was_absent = matches!(old.as_str(), ABSENT | "false");
            let how = if old == ABSENT { "without it".into() } else { format!("with {old}") };
            (now != old && !(now == "false" && was_absent))
                .then(|| format!("--{name} is {now}, the run was begun {how}"))
        });
        Ok(differ.collect())
    }
}

/// What an option is that was not given.
const ABSENT: &str = "not given";

/// A value in words by which it is compared: 1e-3 is 0.001.
fn plain(value: Option<&Value>) -> String {
    match value {
        None => ABSENT.into(),
        Some(Value::Array(values)) => {
            let texts: Vec<String> = values.iter().map(|value| plain(Some(value))).collect();
            texts.join(" ")
        }
        Some(value) => text_of(value).unwrap_or_else(|| value.to_string()),
    }
}

fn value_of(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = arg.get_id().as_str();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Some(Value::Boolean(matches.get_flag(id)));
    }
    let raw = matches.get_raw(id)?.map(|raw| raw.to_string_lossy().into_owned());
    let mut values: Vec<Value> = raw.map(|text| typed(arg, text)).collect();
    match arg.get_action() {
        ArgAction::Append => Some(Value::Array(values)),
        _ => values.pop(),
    }
}

/// Numbers are written as numbers where TOML has them; all else, a path that looks like a number
/// too, as a text.
fn typed(arg: &Arg, text: String) -> Value {
    let kind = arg.get_value_parser().type_id();
    if [TypeId::of::<usize>(), TypeId::of::<u64>()].iter().any(|whole| kind == *whole)
        && let Ok(number) = text.parse()
    {
        return Value::Integer(number);
    }
    if [TypeId::of::<f32>(), TypeId::of::<f64>()].iter().any(|real| kind == *real)
        && let Ok(number) = text.parse()
    {
        return Value::Float(number);
    }
    Value::String(text)
}
