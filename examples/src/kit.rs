//! A kit: a job of a shop as commands of `attendant`, on rows in files.

use crate::catalogue::Split;
use crate::jsonl;
use serde::Deserialize;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use train::data::read_rows;

/// The folder of a kit, in which its commands find the rows and leave what they make.
pub struct Kit {
    folder: PathBuf,
    /// Whether a run that stands there is written over.
    writes_over: bool,
}

impl Kit {
    /// The folder that was named, which must be new or empty; else `target/NAME`, where what an earlier
    /// run left is written over.
    ///
    /// # Errors
    /// If the folder named is not empty, or it can't be made.
    pub fn new(name: &str, named: Option<&Path>) -> Result<Kit, Box<dyn Error>> {
        let folder = named.map_or_else(|| Path::new("target").join(name), PathBuf::from);
        let holds_something =
            fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        if named.is_some() && holds_something {
            return Err(format!("{}: is not empty; name a new folder", folder.display()).into());
        }
        fs::create_dir_all(&folder)?;
        Ok(Kit { folder, writes_over: named.is_none() })
    }

    /// A path in the folder for a run; an earlier run there is removed.
    ///
    /// # Errors
    /// If it can't be removed.
    pub fn output(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let path = self.folder.join(name);
        if self.writes_over && path.join("run.toml").exists() {
            fs::remove_dir_all(&path)?;
        }
        Ok(path.display().to_string())
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes a file of rows.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, name: &str, text: &str) -> Result<String, Box<dyn Error>> {
        fs::write(self.folder.join(name), text)?;
        Ok(self.path(name))
    }

    /// Runs a command of `attendant`, with paths after the options that take them, and shows it.
    ///
    /// # Errors
    /// As the command.
    pub fn run(&self, command: &str, paths: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
        let paths = paths.iter().flat_map(|&(option, path)| [option, path]);
        let words: Vec<OsString> =
            command.split_whitespace().chain(paths).map(Into::into).collect();
        let shown: Vec<OsString> = ["attendant".into()].into_iter().chain(words.clone()).collect();
        eprintln!("\n$ {}", train::cli::command_line(&shown));
        Ok(train::cli::run(words)?)
    }
}

/// How a program ends: a line on stderr tells what failed.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Steps over which the learning rate rises: a tenth of all, at most 50.
///
/// # Errors
/// If the file can't be read.
pub fn warmup(rows: &str, epochs: usize, batch_size: usize) -> Result<usize, Box<dyn Error>> {
    let steps = epochs * read_rows(rows)?.rows.len().div_ceil(batch_size);
    Ok((steps / 10).min(50))
}

/// Lines of rows that are for `split`: `train`, `valid` or `test`.
///
/// # Errors
/// If a line is no row: the error names its number.
pub fn rows_of(text: &str, split: Split) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Row {
        split: Split,
    }
    let rows = jsonl::read::<Row>(text)?;
    let lines = text.lines().zip(rows).filter(|(_, row)| row.split == split);
    Ok(lines.map(|(line, _)| line.to_string() + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_split_has_its_lines() {
        let rows = "{\"a\":1,\"split\":\"test\"}\n{\"split\":\"train\"}\n";
        assert_eq!(rows_of(rows, Split::Test).unwrap(), "{\"a\":1,\"split\":\"test\"}\n");
        assert!(rows_of("{}\n", Split::Test).unwrap_err().starts_with("line 1: "));
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("attendant-kit-{}", std::process::id()));
        let kit = Kit::new("kit", Some(&folder)).unwrap();
        let path = kit.write("rows.jsonl", "{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        let error = Kit::new("kit", Some(&folder)).err().unwrap().to_string();
        assert!(error.ends_with("is not empty; name a new folder"), "{error}");
        assert_eq!(warmup(&path, 1, 8).unwrap(), 0);
        assert_eq!(warmup(&path, 300, 1).unwrap(), 30);
        fs::remove_dir_all(folder).unwrap();
    }
}
