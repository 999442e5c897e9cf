//! Checkpoints: folders that hold all a run needs to go on, each of them whole at any moment.
//!
//! A folder is written under another name, brought to the disk file by file, and then renamed; what
//! makes room for it goes only after that. A process that is killed, or a disk that fills up, leaves
//! the last one as it was.

mod state;

pub use state::State;

use crate::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The name of the best model's folder.
const BEST: &str = "best";
/// What the names of other folders begin with; the step follows in eight digits.
const STEP: &str = "step-";
/// What the names of folders end with that are not whole, and of those that are going.
const PARTIAL: &str = ".partial";
const OLD: &str = ".old";

/// The checkpoints of a run: the last ones, and the best.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

impl Checkpoints {
    /// Those under `output/checkpoints`, of which the last `keep` are kept. Nothing is written yet.
    pub fn new(output: &Path, keep: usize) -> Checkpoints {
        Checkpoints { folder: output.join("checkpoints"), keep: keep.max(1) }
    }

    /// Writes the checkpoint of a step: `fill` writes files into the folder that it is given.
    ///
    /// # Errors
    /// If a file can't be written: then what was written goes, and those before stay.
    pub fn write(
        &self,
        step: usize,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let what = format!("the checkpoint of step {step}");
        self.replace(&format!("{STEP}{step:08}"), fill)
            .map_err(|error| self.incomplete(what, error))?;
        self.trim();
        Ok(())
    }

    /// Removes the steps before the last `keep`, of which a run that was killed may have left one more.
    /// What cannot be removed now is tried again after the next one is written.
    pub fn trim(&self) {
        for (_, path) in self.steps().unwrap_or_default().iter().rev().skip(self.keep) {
            let _ = remove(path);
        }
    }

    /// Writes the best model in the place of the one before.
    ///
    /// # Errors
    /// As [`Checkpoints::write`].
    pub fn write_best(&self, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        self.replace(BEST, fill).map_err(|error| self.incomplete("the best model".into(), error))
    }

    /// The folder of the best model, if one was written.
    pub fn best(&self) -> Option<PathBuf> {
        Some(self.folder.join(BEST)).filter(|path| path.is_dir())
    }

    /// The newest whole checkpoint and its step. What killed runs left half-done goes.
    ///
    /// # Errors
    /// If the folder can't be read, or leftovers can't be removed.
    pub fn latest(&self) -> Result<Option<(usize, PathBuf)>, Error> {
        self.clean()?;
        Ok(self.steps()?.pop())
    }

    fn replace(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (whole, partial) =
            (self.folder.join(name), self.folder.join(format!("{name}{PARTIAL}")));
        let old = self.folder.join(format!("{name}{OLD}"));
        let written = || -> Result<(), Error> {
            remove_folder(&partial)?;
            fs::create_dir_all(&partial).map_err(Error::io(&partial, "create"))?;
            fill(&partial)?;
            to_disk(&partial).map_err(Error::io(&partial, "write"))
        };
        if let Err(error) = written() {
            let _ = remove_folder(&partial); // the first error is the one to tell
            return Err(error);
        }
        if whole.exists() {
            remove_folder(&old)?;
            fs::rename(&whole, &old).map_err(Error::io(&whole, "rename"))?;
        }
        fs::rename(&partial, &whole).map_err(Error::io(&partial, "rename"))?;
        folder_to_disk(&self.folder).map_err(Error::io(&self.folder, "write"))?;
        remove_folder(&old)
    }

    /// The whole checkpoints by their steps.
    fn steps(&self) -> Result<Vec<(usize, PathBuf)>, Error> {
        let of = |path: PathBuf| {
            let step = path.file_name()?.to_str()?.strip_prefix(STEP)?.parse().ok()?;
            Some((step, path))
        };
        let mut steps: Vec<_> = self.entries()?.into_iter().filter_map(of).collect();
        steps.sort();
        Ok(steps)
    }

    /// Puts a best model that was moved aside back where no other took its place, and removes the rest
    /// of what was begun.
    fn clean(&self) -> Result<(), Error> {
        for path in self.entries()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(whole) = name.strip_suffix(OLD) {
                let whole = self.folder.join(whole);
                match whole.exists() || !name.starts_with(BEST) {
                    true => remove_folder(&path)?,
                    false => fs::rename(&path, &whole).map_err(Error::io(&path, "rename"))?,
                }
            } else if name.ends_with(PARTIAL) {
                remove_folder(&path)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&self.folder, "read"))?,
        };
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
        paths.map_err(Error::io(&self.folder, "read"))
    }

    /// The error that tells how to go on when a part of a run's folder could not be written.
    pub fn incomplete(&self, what: String, error: Error) -> Error {
        let last = match self.steps().ok().and_then(|mut steps| steps.pop()) {
            Some((step, _)) => format!("the last whole checkpoint is that of step {step}"),
            None => "there is no whole checkpoint yet".into(),
        };
        let remedy = if is_full(&error) { "free space" } else { "mend this" };
        Error::Checkpoint { what, last, remedy, source: Box::new(error) }
    }
}

/// Whether the cause is that nothing more can be stored.
fn is_full(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            return matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull);
        }
        cause = error.source();
    }
    false
}

/// Removes files of a run's folder that were being written when it was killed: those that
/// [`write_file`] writes, and the temporary ones of tensors.
///
/// # Errors
/// If the folder can't be read, or a file can't be removed.
pub fn remove_leftovers(output: &Path) -> Result<(), Error> {
    let read = Error::io(output, "read");
    let entries = fs::read_dir(output).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for path in entries.map_err(read)?.into_iter().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_temporary = name.strip_prefix(".tmp").is_some_and(|rest| rest.len() == 6);
        if path.is_file() && (is_temporary || name.ends_with(PARTIAL)) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
    }
    Ok(())
}

/// Brings all that a folder holds to the disk.
///
/// # Errors
/// If it can't be written.
pub fn sync(folder: &Path) -> Result<(), Error> {
    to_disk(folder).map_err(Error::io(folder, "write"))
}

/// Removes a whole checkpoint: under another name first, so that what is left of it when the process
/// is killed is never taken for a whole one.
fn remove(path: &Path) -> Result<(), Error> {
    let mut old = path.as_os_str().to_owned();
    old.push(OLD);
    let old = PathBuf::from(old);
    remove_folder(&old)?;
    fs::rename(path, &old).map_err(Error::io(path, "rename"))?;
    remove_folder(&old)
}

fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path, "remove")(error)),
        _ => Ok(()),
    }
}

/// Brings all files of a folder, and the folder, to the disk.
fn to_disk(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => to_disk(&path)?,
            false => File::open(&path)?.sync_all()?,
        }
    }
    folder_to_disk(folder)
}

/// Brings the names in a folder to the disk.
fn folder_to_disk(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

/// Writes a file whole or not at all: under another name, to the disk, then renamed.
///
/// # Errors
/// If it can't be written.
pub fn write_file(path: &Path, contents: &str) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(PARTIAL);
    let partial = PathBuf::from(partial);
    let written = fs::write(&partial, contents)
        .and_then(|()| File::open(&partial)?.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| folder_to_disk(path.parent().unwrap_or(Path::new("."))));
    written.map_err(Error::io(path, "write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &'static str) -> impl Fn(&Path) -> Result<(), Error> {
        move |folder| {
            assert!(folder.to_str().unwrap().ends_with(PARTIAL));
            fs::write(folder.join("a"), text).unwrap();
            Ok(())
        }
    }

    fn names(checkpoints: &Checkpoints) -> Vec<String> {
        let entries = checkpoints.entries().unwrap().into_iter();
        let mut names: Vec<String> =
            entries.map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_last_ones_and_the_best_are_kept() {
        let output = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(output.path(), 2);
        assert!(checkpoints.latest().unwrap().is_none() && checkpoints.best().is_none());
        for step in [5, 10, 100] {
            checkpoints.write(step, fill("x")).unwrap();
        }
        checkpoints.write_best(fill("first")).unwrap();
        checkpoints.write_best(fill("second")).unwrap();
        assert_eq!(names(&checkpoints), ["best", "step-00000010", "step-00000100"]);
        let (step, path) = checkpoints.latest().unwrap().unwrap();
        assert_eq!((step, fs::read_to_string(path.join("a")).unwrap()), (100, "x".into()));
        let best = checkpoints.best().unwrap();
        assert_eq!(fs::read_to_string(best.join("a")).unwrap(), "second");
    }

    #[test]
    fn one_that_cannot_be_written_leaves_those_before_it() {
        let output = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(output.path(), 1);
        let full = |folder: &Path| {
            fs::write(folder.join("a"), "half").unwrap();
            Err(Error::io(&folder.join("b"), "write")(ErrorKind::StorageFull.into()))
        };
        let because = |error: &str| {
            let b = output.path().join("checkpoints").join(error);
            format!("could not be written: {}: cannot write: ", b.display())
        };
        let error = checkpoints.write(3, full).unwrap_err().to_string();
        let start = because("step-00000003.partial/b");
        assert!(error.starts_with(&format!("the checkpoint of step 3 {start}")), "{error}");
        let end = "; there is no whole checkpoint yet; free space, then repeat the command with \
                   --resume";
        assert!(error.ends_with(end), "{error}");
        checkpoints.write(3, fill("x")).unwrap();
        let error = checkpoints.write_best(full).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the best model {}", because("best.partial/b"))));
        assert!(error.contains("; the last whole checkpoint is that of step 3; free space, "));
        let error = checkpoints.write(6, |_| Err(Error::settings("no"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "the checkpoint of step 6 could not be written: no; the last whole checkpoint is that \
             of step 3; mend this, then repeat the command with --resume"
        );
        assert_eq!(names(&checkpoints), ["step-00000003"]);
    }

    #[test]
    fn what_a_killed_run_left_is_cleaned_up() {
        let output = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(output.path(), 2);
        checkpoints.write(4, fill("x")).unwrap();
        for name in ["step-00000008.partial", "step-00000002.old", "best.old", "best.partial"] {
            fs::create_dir(checkpoints.folder.join(name)).unwrap();
        }
        fs::write(checkpoints.folder.join("best.old/a"), "the best").unwrap();
        assert_eq!(checkpoints.latest().unwrap().unwrap().0, 4);
        assert_eq!(names(&checkpoints), ["best", "step-00000004"]);
        let best = checkpoints.best().unwrap();
        assert_eq!(fs::read_to_string(best.join("a")).unwrap(), "the best");
    }

    #[test]
    fn what_a_killed_run_had_not_come_to_remove_goes() {
        let output = tempfile::tempdir().unwrap();
        for step in [3, 6, 9] {
            Checkpoints::new(output.path(), 3).write(step, fill("x")).unwrap();
        }
        let checkpoints = Checkpoints::new(output.path(), 2);
        assert_eq!(checkpoints.latest().unwrap().unwrap().0, 9);
        assert_eq!(names(&checkpoints).len(), 3);
        checkpoints.trim();
        assert_eq!(names(&checkpoints), ["step-00000006", "step-00000009"]);
    }

    #[test]
    fn half_written_files_of_a_run_go_and_no_others() {
        let output = tempfile::tempdir().unwrap();
        for name in [".tmpAb12Cd", "run.toml.partial", "run.toml", ".tmp", "model.safetensors"] {
            fs::write(output.path().join(name), "x").unwrap();
        }
        fs::create_dir(output.path().join("mine.partial")).unwrap();
        remove_leftovers(output.path()).unwrap();
        sync(output.path()).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(output.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".tmp", "mine.partial", "model.safetensors", "run.toml"]);
    }

    #[test]
    fn a_full_disk_is_told_from_other_causes() {
        let of = |kind: ErrorKind| Error::io(Path::new("x"), "write")(kind.into());
        assert!(is_full(&of(ErrorKind::StorageFull)) && is_full(&of(ErrorKind::QuotaExceeded)));
        let in_a_model = transformer::Error::Io {
            path: "x".into(),
            action: "write",
            source: ErrorKind::StorageFull.into(),
        };
        assert!(is_full(&in_a_model.into()));
        assert!(!is_full(&of(ErrorKind::PermissionDenied)) && !is_full(&Error::settings("full")));
    }

    #[test]
    fn a_file_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_file(&path, "one").unwrap();
        write_file(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write_file(&folder.path().join("no/b"), "x").unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
    }
}
