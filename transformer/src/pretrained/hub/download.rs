//! The files of a model, from the hub or its cache.

use super::{Hub, Repository};
use crate::Error;
use crate::pretrained::BESIDE_WEIGHTS;
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use indicatif::ProgressBar;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

impl Hub {
    /// The folder with a model's files, those that the cache lacks brought from the hub. Where the
    /// hub can't be asked, or must not be, it is the revision that the cache holds.
    ///
    /// # Errors
    /// If there is no such model, it lacks a file that is needed, or it can't be had.
    pub fn snapshot(&self, repository: &Repository) -> Result<PathBuf, Error> {
        if self.offline {
            return self.cached(repository).ok_or_else(|| {
                let reason = "not in the cache, and HF_HUB_OFFLINE forbids to download it; unset \
                              HF_HUB_OFFLINE, or give the model's folder";
                failed(repository, reason)
            });
        }
        let api = self.api().map_err(|error| failed(repository, error))?;
        let info = match api.repo(repo(repository, &repository.revision)).info() {
            Ok(info) => info,
            Err(error) if is_unreachable(&error) => {
                let none = || failed(repository, self.told(&error, None));
                return self.cached(repository).ok_or_else(none);
            }
            Err(error) => return Err(failed(repository, self.told(&error, None))),
        };
        // It becomes a folder's name.
        if info.sha.is_empty() || !info.sha.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(failed(repository, "the hub names no commit"));
        }
        let held = info.siblings.into_iter().map(|file| file.rfilename).collect();
        let download = Download { hub: self, repository, commit: &info.sha, held };
        let folder = download.all(&api.repo(repo(repository, &info.sha)))?;
        let local = Cache::new(self.cache.clone()).repo(repo(repository, &repository.revision));
        local.create_ref(&info.sha).map_err(|error| failed(repository, error))?;
        Ok(folder)
    }

    fn api(&self) -> Result<Api, ApiError> {
        ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_retries(2)
            .build()
    }

    /// The folder of the cache, if it holds all that is needed.
    fn cached(&self, repository: &Repository) -> Option<PathBuf> {
        let local = Cache::new(self.cache.clone()).repo(repo(repository, &repository.revision));
        // A commit may be there without a name that leads to it.
        let by_commit = || Some(local.pointer_path(&repository.revision).join(CONFIG));
        let config = local.get(CONFIG).or_else(by_commit).filter(|config| config.is_file())?;
        let folder = config.parent()?;
        let holds = |file: &str| folder.join(file).is_file();
        let shards = || shards(&folder.join(INDEX)).ok();
        let is_whole = holds(WEIGHTS) || shards()?.iter().all(|file| holds(file));
        is_whole.then(|| folder.into())
    }

    /// What the hub's answer means, and what to do.
    fn told(&self, error: &ApiError, file: Option<&str>) -> String {
        let what = file.map(|file| format!("{file}: ")).unwrap_or_default();
        let status = match source(error) {
            ApiError::RequestError(error) => status(error),
            _ => None,
        };
        let endpoint = &self.endpoint;
        match status {
            Some(404) => format!("{what}not found at {endpoint}; look for a mistake in its name"),
            Some(401 | 403) => format!(
                "{what}{endpoint} does not give it out: there is no such model, or it is private or \
                 gated; set HF_TOKEN to a token that may read it"
            ),
            Some(status) => {
                format!("{what}{endpoint} answers with status {status}; try again later")
            }
            None => format!(
                "{what}cannot be downloaded from {endpoint}: {}; try again, or give the model's \
                 folder",
                source(error)
            ),
        }
    }
}

/// A commit of a repository that is being brought here.
struct Download<'a> {
    hub: &'a Hub,
    repository: &'a Repository,
    commit: &'a str,
    /// The files of the commit.
    held: BTreeSet<String>,
}

impl Download<'_> {
    /// The weights come last: a folder that has them has all.
    fn all(&self, remote: &ApiRepo) -> Result<PathBuf, Error> {
        let config = self.needed(remote, CONFIG)?;
        for file in BESIDE_WEIGHTS.into_iter().filter(|file| self.held.contains(*file)) {
            self.one(remote, file)?;
        }
        if self.held.contains(WEIGHTS) || !self.held.contains(INDEX) {
            self.needed(remote, WEIGHTS)?;
        } else {
            let index = self.one(remote, INDEX)?;
            for shard in shards(&index).map_err(|reason| failed(self.repository, reason))? {
                self.needed(remote, &shard)?;
            }
        }
        Ok(config.parent().map(Path::to_path_buf).unwrap_or_default())
    }

    fn needed(&self, remote: &ApiRepo, file: &str) -> Result<PathBuf, Error> {
        match self.held.contains(file) {
            true => self.one(remote, file),
            false => Err(failed(
                self.repository,
                format!("has no {file}; a model needs config.json and model.safetensors"),
            )),
        }
    }

    fn one(&self, remote: &ApiRepo, file: &str) -> Result<PathBuf, Error> {
        let local = Cache::new(self.hub.cache.clone()).repo(repo(self.repository, self.commit));
        if let Some(path) = local.get(file) {
            return Ok(path);
        }
        let size = Cell::new(0);
        let progress = Sized { bar: ProgressBar::new(0), size: &size };
        let path = remote
            .download_with_progress(file, progress)
            .map_err(|error| failed(self.repository, self.hub.told(&error, Some(file))))?;
        let found = std::fs::metadata(&path).map_err(|error| failed(self.repository, error))?.len();
        if found == size.get() {
            return Ok(path);
        }
        // Left where it is, it would be taken for the file from now on.
        let whole = std::fs::canonicalize(&path);
        for part in [Some(path), whole.ok()].into_iter().flatten() {
            std::fs::remove_file(part).ok();
        }
        let reason = format!("{file}: {found} bytes came instead of {}; try again", size.get());
        Err(failed(self.repository, reason))
    }
}

/// A progress bar that tells how large the file should be.
struct Sized<'a> {
    bar: ProgressBar,
    size: &'a Cell<u64>,
}

impl Progress for Sized<'_> {
    fn init(&mut self, size: usize, file: &str) {
        self.size.set(size as u64);
        Progress::init(&mut self.bar, size, file);
    }

    fn update(&mut self, size: usize) {
        Progress::update(&mut self.bar, size);
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The files that an index lists.
fn shards(index: &Path) -> Result<BTreeSet<String>, String> {
    let text = std::fs::read(index).map_err(|error| format!("{INDEX}: {error}"))?;
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| format!("{INDEX}: {error}"))?;
    let files = value["weight_map"].as_object().ok_or(format!("{INDEX}: no weight_map"))?;
    // A name alone: an index must not lead out of its folder.
    let name = |file: &Value| {
        let name = file.as_str().filter(|name| super::is_name(name));
        name.map(str::to_string).ok_or(format!("{INDEX}: {file} is no file's name"))
    };
    files.values().map(name).collect()
}

fn repo(repository: &Repository, revision: &str) -> Repo {
    Repo::with_revision(repository.id.clone(), RepoType::Model, revision.into())
}

fn failed(repository: &Repository, reason: impl std::fmt::Display) -> Error {
    Error::Request(format!("{repository}: {reason}"))
}

fn source(error: &ApiError) -> &ApiError {
    match error {
        ApiError::TooManyRetries(error) => source(error),
        error => error,
    }
}

/// The status of an answer, which only its text gives: the type is another crate's.
fn status(error: &impl std::fmt::Display) -> Option<u16> {
    error.to_string().strip_prefix("http status: ")?.parse().ok()
}

/// Whether there was no answer at all, or one that another try may better.
fn is_unreachable(error: &ApiError) -> bool {
    match source(error) {
        ApiError::RequestError(error) => status(error).is_none_or(|status| status >= 500),
        _ => false,
    }
}
