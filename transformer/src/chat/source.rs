//! Where chat templates are found.

use super::ChatTemplate;
use crate::Error;
use crate::pretrained::{is_gguf, resolve};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

pub(super) fn read(source: &Path) -> Result<Option<ChatTemplate>, Error> {
    let Some((text, tokens)) = find(source)? else { return Ok(None) };
    let template = ChatTemplate::new(&text, tokens);
    let wrong = |error: Error| Error::Config { path: source.into(), reason: error.to_string() };
    template.map(Some).map_err(wrong)
}

/// A template's text, and the special tokens that it may name.
type Found = Option<(String, BTreeMap<String, String>)>;

pub(super) fn find(source: &Path) -> Result<Found, Error> {
    let source = &*resolve(source)?;
    if is_gguf(source) { of_gguf(source) } else { of_folder(source) }
}

fn of_gguf(path: &Path) -> Result<Found, Error> {
    let metadata = tensor::gguf::read(path)?.metadata;
    let Some(text) = metadata.get("tokenizer.chat_template").and_then(|value| value.as_str())
    else {
        return Ok(None);
    };
    let all = metadata.get("tokenizer.ggml.tokens").and_then(|value| value.as_array());
    let token = |name: &str| {
        let id = metadata.get(&format!("tokenizer.ggml.{name}_id"))?.as_u64()?;
        let token = all?.texts()?.nth(usize::try_from(id).ok()?)?;
        Some(token.to_string())
    };
    let names = [
        ("bos_token", "bos_token"),
        ("eos_token", "eos_token"),
        ("unk_token", "unknown_token"),
        ("pad_token", "padding_token"),
    ];
    let tokens = names.into_iter().filter_map(|(name, key)| Some((name.into(), token(key)?)));
    Ok(Some((text.into(), tokens.collect())))
}

fn of_folder(folder: &Path) -> Result<Found, Error> {
    let path = folder.join("tokenizer_config.json");
    let wrong = |reason: String| Error::Config { path: path.clone(), reason };
    let config: Map<String, Value> = match text(&path)? {
        Some(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
        None => Map::new(),
    };
    let own_file = text(&folder.join("chat_template.jinja"))?;
    let template = match config.get("chat_template").filter(|value| !value.is_null()) {
        _ if own_file.is_some() => own_file,
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(named)) => named.iter().find_map(|one| match one["name"] == "default" {
            true => one["template"].as_str().map(str::to_string),
            false => None,
        }),
        Some(_) => return Err(wrong("chat_template is neither a text nor a list of them".into())),
    };
    let tokens = config.iter().filter(|(name, _)| name.ends_with("_token"));
    // A token is its text, or an object with it as `content`.
    let content = |value: &Value| Some(value.get("content").unwrap_or(value).as_str()?.to_string());
    let tokens = tokens.filter_map(|(name, value)| Some((name.clone(), content(value)?)));
    Ok(template.map(|template| (template, tokens.collect())))
}

/// A file's text, if there is such a file.
fn text(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(Error::Io { path: path.into(), action: "read", source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn render(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let template = ChatTemplate::from_pretrained(folder.path()).unwrap()?;
        Some(template.render(&[Message::new("user", "x")], false).unwrap())
    }

    #[test]
    fn templates_are_found_where_transformers_finds_them() {
        let one = r#"{"chat_template": "one {{ bos_token }}", "bos_token": {"content": "<s>"}}"#;
        let many = r#"{"bos_token": "<b>", "chat_template": [{"name": "tool_use", "template": "t"},
                       {"name": "default", "template": "d {{ bos_token }}"}]}"#;
        assert_eq!(render(&[]), None);
        assert_eq!(render(&[("tokenizer_config.json", "{}")]), None);
        assert_eq!(render(&[("tokenizer_config.json", one)]).unwrap(), "one <s>");
        assert_eq!(render(&[("tokenizer_config.json", many)]).unwrap(), "d <b>");
        let own = ("chat_template.jinja", "own {{ bos_token }}");
        assert_eq!(render(&[("tokenizer_config.json", one), own]).unwrap(), "own <s>");
    }
}
