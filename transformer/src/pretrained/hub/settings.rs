//! Where the hub is and where its files are kept, by the environment variables of Hugging Face's own
//! programs.

use std::path::PathBuf;

/// The Hugging Face Hub as this machine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Its address.
    pub endpoint: String,
    /// The cache's folder, shared with Hugging Face's own programs.
    pub cache: PathBuf,
    /// What opens private and gated models.
    pub token: Option<String>,
    /// Nothing is asked of the network.
    pub offline: bool,
}

impl Hub {
    /// By the environment: `HF_ENDPOINT`; `HF_HUB_CACHE`, or `hub` in `HF_HOME`, which is
    /// `~/.cache/huggingface` unless it is set; `HF_TOKEN`, or the file `token` in `HF_HOME`;
    /// `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`.
    pub fn from_env() -> Hub {
        Hub::from_variables(|name| std::env::var(name).ok())
    }

    /// The same, from a function that gives a variable's value.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Hub {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let folder = |name| set(name).map(PathBuf::from);
        let home = folder("HF_HOME").unwrap_or_else(|| {
            let user = folder("HOME").or_else(|| folder("USERPROFILE")).unwrap_or_default();
            folder("XDG_CACHE_HOME").unwrap_or_else(|| user.join(".cache")).join("huggingface")
        });
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let stored = || std::fs::read_to_string(home.join("token")).ok();
        let token = set("HF_TOKEN").or_else(stored).map(|token| token.trim().to_string());
        let is_on = |name| set(name).is_some_and(|value| is_true(&value));
        Hub {
            endpoint: endpoint.trim_end_matches('/').into(),
            cache: folder("HF_HUB_CACHE").unwrap_or_else(|| home.join("hub")),
            token: token.filter(|token| !token.is_empty()),
            offline: is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE"),
        }
    }
}

/// As huggingface_hub reads a switch.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        Hub::from_variables(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn the_variables_of_hugging_face_are_respected() {
        let plain = hub(&[("HOME", "/home/ada")]);
        let expected = Hub {
            endpoint: "https://huggingface.co".into(),
            cache: "/home/ada/.cache/huggingface/hub".into(),
            token: None,
            offline: false,
        };
        assert_eq!(plain, expected);
        let cache = |variables: &[(&str, &str)]| hub(variables).cache;
        assert_eq!(cache(&[("HF_HOME", "/h")]), PathBuf::from("/h/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), PathBuf::from("/x/huggingface/hub"));
        assert_eq!(hub(&[("HF_ENDPOINT", "http://mirror/")]).endpoint, "http://mirror");
        for (value, offline) in [("1", true), ("true", true), ("0", false), ("", false)] {
            assert_eq!(hub(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
    }

    #[test]
    fn the_token_is_the_variable_or_else_the_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_str().unwrap();
        let token = |variables: &[(&str, &str)]| hub(variables).token;
        assert_eq!(token(&[("HF_HOME", folder)]), None);
        std::fs::write(home.path().join("token"), "of the file\n").unwrap();
        assert_eq!(token(&[("HF_HOME", folder)]).as_deref(), Some("of the file"));
        let both = [("HF_HOME", folder), ("HF_TOKEN", "of the variable")];
        assert_eq!(token(&both).as_deref(), Some("of the variable"));
    }
}
