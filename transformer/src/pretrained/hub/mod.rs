//! Models named `hf:ORG/NAME`: from the Hugging Face Hub to a folder of this machine.

#[cfg(feature = "hub")]
mod download;
#[cfg(feature = "hub")]
mod settings;

#[cfg(feature = "hub")]
pub use settings::Hub;

use crate::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// The folder or file of a model. `hf:ORG/NAME[@REVISION]` names one on the Hugging Face Hub, whose
/// files are brought into its cache (feature `hub`); any other path is returned as it is.
///
/// ```
/// let path = transformer::pretrained::resolve("models/gpt2".as_ref()).unwrap();
/// assert_eq!(path.to_str(), Some("models/gpt2"));
/// ```
///
/// # Errors
/// If the name is not of that form, the model can't be had, or the feature is absent.
pub fn resolve(model: &Path) -> Result<PathBuf, Error> {
    match Repository::parse(model) {
        None => Ok(model.into()),
        Some(repository) => local(&repository?),
    }
}

#[cfg(feature = "hub")]
fn local(repository: &Repository) -> Result<PathBuf, Error> {
    Hub::from_env().snapshot(repository)
}

#[cfg(not(feature = "hub"))]
fn local(repository: &Repository) -> Result<PathBuf, Error> {
    Err(Error::Request(format!(
        "{repository}: this build does not download models; build it with --features hub, or run \
         `huggingface-cli download {}` and give the folder that it prints",
        repository.id
    )))
}

/// A model on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `ORG/NAME`.
    pub id: String,
    /// A branch, tag or commit; `main` unless it is named.
    pub revision: String,
}

impl Repository {
    /// The repository that `model` names; none where it is an ordinary path.
    ///
    /// # Errors
    /// If the name is not of the form `hf:ORG/NAME[@REVISION]`.
    pub fn parse(model: &Path) -> Option<Result<Repository, Error>> {
        let whole = model.to_string_lossy();
        let name = whole.strip_prefix("hf:")?;
        let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
        let parts: Vec<&str> = id.split('/').collect();
        let is_revision = revision.split('/').all(is_name);
        if parts.len() != 2 || !parts.into_iter().all(is_name) || !is_revision {
            let text = format!(
                "{whole}: not a model's name; write hf:ORG/NAME or hf:ORG/NAME@REVISION, as in \
                 hf:openai-community/gpt2"
            );
            return Some(Err(Error::Request(text)));
        }
        Some(Ok(Repository { id: id.into(), revision: revision.into() }))
    }
}

/// Whether a part of a name leads nowhere else, neither in an address nor in the cache.
fn is_name(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty() && part.bytes().all(plain) && !part.starts_with('.') && !part.contains("--")
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "hf:{}", self.id)?;
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> Option<Result<Repository, String>> {
        Some(Repository::parse(name.as_ref())?.map_err(|error| error.to_string()))
    }

    #[test]
    fn names_are_told_from_paths() {
        let named = |id: &str, revision: &str| {
            Some(Ok(Repository { id: id.into(), revision: revision.into() }))
        };
        assert_eq!(parsed("hf:openai-community/gpt2"), named("openai-community/gpt2", "main"));
        assert_eq!(parsed("hf:a/b.c_D-1@refs/pr/3"), named("a/b.c_D-1", "refs/pr/3"));
        for path in ["gpt2", "models/hf:a/b", "./hf:a/b", "", "C:/x.gguf"] {
            assert_eq!(parsed(path), None, "{path}");
            assert_eq!(resolve(path.as_ref()).unwrap(), Path::new(path));
        }
        for name in ["hf:a/b", "hf:a/b@v1.0"] {
            assert_eq!(parsed(name).unwrap().unwrap().to_string(), name);
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let bad = [
            "hf:",
            "hf:gpt2",
            "hf:a/b/c",
            "hf:/b",
            "hf:a/",
            "hf:a/b@",
            "hf:a/..",
            "hf:../b",
            "hf:a/b@../x",
            "hf:a/b@x//y",
            "hf:a b/c",
            "hf:a/b?x",
            "hf:a/b--c",
            "hf:ä/b",
            "hf:a/b@x@y",
        ];
        for name in bad {
            let expected = format!(
                "{name}: not a model's name; write hf:ORG/NAME or hf:ORG/NAME@REVISION, as in \
                 hf:openai-community/gpt2"
            );
            assert_eq!(parsed(name), Some(Err(expected)));
        }
    }

    #[cfg(not(feature = "hub"))]
    #[test]
    fn without_the_feature_the_error_says_how_to_get_the_model() {
        assert_eq!(
            resolve("hf:openai-community/gpt2@v1".as_ref()).unwrap_err().to_string(),
            "hf:openai-community/gpt2@v1: this build does not download models; build it with \
             --features hub, or run `huggingface-cli download openai-community/gpt2` and give the \
             folder that it prints"
        );
    }
}
