//! What a training run leaves behind: a model's folder and the metrics of each step.

use crate::Error;
use serde_json::Value;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Prints a result on stdout.
///
/// # Errors
/// If stdout can't be written.
pub fn print(result: impl Display) -> Result<(), Error> {
    print_part(format_args!("{result}\n"))
}

/// Prints a part of a result on stdout, which is seen at once.
///
/// # Errors
/// If stdout can't be written.
pub fn print_part(part: impl Display) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{part}").and_then(|()| stdout.flush()).map_err(|source| Error::Io {
        path: "stdout".into(),
        action: "write",
        source,
    })
}

/// A result for people: a line a field.
pub fn lines(result: &Value) -> String {
    let fields = result.as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{name:18} {value}")).collect::<Vec<_>>().join("\n")
}

/// # Errors
/// If the folder that is to be written holds something already.
pub fn check_is_free(folder: &Path, option: &str) -> Result<(), Error> {
    let taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    match taken {
        false => Ok(()),
        true => Err(Error::settings(format!(
            "{}: is not an empty folder; name a new one with {option}",
            folder.display()
        ))),
    }
}
