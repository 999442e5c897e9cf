//! Chat templates: messages become the text that a model was trained to go on from.

mod json;
mod source;

use crate::Error;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use minijinja::value::Kwargs;
use minijinja::{Environment, ErrorKind, Value, context};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a template may do, in the engine's steps: enough for thousands of messages, and an end for one
/// that has none.
const FUEL: u64 = 20_000_000;

/// What someone said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who: `system`, `user`, `assistant`.
    pub role: String,
    /// What.
    pub content: String,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into() }
    }
}

/// A model's chat template, in the language Jinja as Hugging Face's Transformers runs it.
///
/// ```
/// use transformer::{ChatTemplate, Message};
/// let text = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}";
/// let template = ChatTemplate::new(text, [("eos_token", "</s>")]).unwrap();
/// let prompt = template.render(&[Message::new("user", "Hi")], true).unwrap();
/// assert_eq!(prompt, "<user>Hi</s>");
/// ```
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` …: what they are.
    tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// The template of a model: from a folder in Hugging Face's layout (`chat_template.jinja`, else
    /// `chat_template` in `tokenizer_config.json`, of several the one named `default`) or from a GGUF
    /// file's metadata. `None` where it has none.
    ///
    /// # Errors
    /// If a file can't be read or is broken, or the template is not one.
    pub fn from_pretrained(source: impl AsRef<Path>) -> Result<Option<ChatTemplate>, Error> {
        source::read(source.as_ref())
    }

    /// The text of a model's template, where it has one.
    ///
    /// # Errors
    /// If a file can't be read or is broken.
    pub fn text_of(source: impl AsRef<Path>) -> Result<Option<String>, Error> {
        Ok(source::find(source.as_ref())?.map(|(text, _)| text))
    }

    /// A template from its text, with the special tokens that it may name: `bos_token`, `eos_token`.
    ///
    /// # Errors
    /// If it is not a template.
    pub fn new<N: Into<String>, T: Into<String>>(
        text: &str,
        tokens: impl IntoIterator<Item = (N, T)>,
    ) -> Result<ChatTemplate, Error> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(json::format);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise);
        environment.add_template_owned("chat_template", without_marks(text)).map_err(failed)?;
        let tokens = tokens.into_iter().map(|(name, token)| (name.into(), token.into())).collect();
        Ok(ChatTemplate { environment, tokens })
    }

    /// The text of a conversation; with `add_generation_prompt` it ends where the assistant's answer
    /// begins. The time that a template may ask for is UTC.
    ///
    /// # Errors
    /// If the template refuses the messages, fails, or does not end.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, Error> {
        self.render_at(messages, add_generation_prompt, Timestamp::now())
    }

    fn render_at(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        now: Timestamp,
    ) -> Result<String, Error> {
        let template = self.environment.get_template("chat_template").map_err(failed)?;
        let strftime_now = Value::from_function(move |format: String| {
            strtime::format(format, &now.to_zoned_datetime(TimeZone::UTC)).map_err(|error| {
                minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string())
            })
        });
        let given = context! {
            messages,
            add_generation_prompt,
            strftime_now,
            tools => (),
            documents => (),
        };
        let tokens = Value::from_serialize(&self.tokens);
        template.render(context! { ..given, ..tokens }).map_err(failed)
    }
}

/// The tags that mark what an assistant wrote, for training, do nothing here.
fn without_marks(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once("{%") {
        let Some((tag, after)) = tag.split_once("%}") else { break };
        let inner = match tag.trim_matches(['-', '+', ' ', '\n', '\t']) {
            "generation" => tag.replace("generation", "if true"),
            "endgeneration" => tag.replace("endgeneration", "endif"),
            _ => tag.to_string(),
        };
        whole.extend([before, "{%", &inner, "%}"]);
        rest = after;
    }
    whole + rest
}

fn failed(error: minijinja::Error) -> Error {
    let line = error.line().map_or(String::new(), |line| format!(", line {line}"));
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    Error::Request(format!("chat template{line}: {reason}"))
}

fn raise(message: String) -> Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

/// Python's `json.dumps`, with `indent` and `sort_keys`.
fn tojson(value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    let text = json::dump(value, indent.map(|indent| indent.min(16)), sort_keys.unwrap_or(false));
    Ok(Value::from_safe_string(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    /// `fixtures/make_chat.py` made them.
    #[test]
    fn texts_equal_transformers() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chat.json");
        let golden: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = |value: &Json| value.as_str().unwrap().to_string();
        let tokens = golden["tokens"].as_object().unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let template = text(&golden["templates"][text(&case["template"])]);
            let tokens = tokens.iter().map(|(name, token)| (name, text(token)));
            let template = ChatTemplate::new(&template, tokens).unwrap();
            let messages = case["messages"].as_array().unwrap().iter();
            let message = |m: &Json| Message::new(text(&m["role"]), text(&m["content"]));
            let messages: Vec<Message> = messages.map(message).collect();
            let prompt = case["add_generation_prompt"].as_bool().unwrap();
            let now = Timestamp::from_second(golden["now"].as_i64().unwrap()).unwrap();
            let ours = template.render_at(&messages, prompt, now);
            match case["text"].as_str() {
                Some(theirs) => assert_eq!(ours.unwrap(), theirs, "{case}"),
                None => {
                    let error = ours.unwrap_err().to_string();
                    assert!(error.ends_with(case["error"].as_str().unwrap()), "{case}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_time_is_told_as_a_template_asks_for_it() {
        let none: [(&str, &str); 0] = [];
        let told = |format: &str| {
            let text = format!("{{{{ strftime_now('{format}') }}}}");
            let template = ChatTemplate::new(&text, none).unwrap();
            template.render_at(&[], false, Timestamp::from_second(951_782_400).unwrap())
        };
        assert_eq!(told("%A %d %B %Y, %H:%M").unwrap(), "Tuesday 29 February 2000, 00:00");
        assert!(told("%").is_err());
    }

    #[test]
    fn a_broken_template_is_an_error_that_says_where() {
        let none: [(&str, &str); 0] = [];
        let error = ChatTemplate::new("a\n{% if x %}", none).unwrap_err().to_string();
        assert!(error.starts_with("chat template, line 2: "), "{error}");
    }

    #[test]
    fn a_template_that_does_not_end_is_an_error() {
        let text = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let none: [(&str, &str); 0] = [];
        let template = ChatTemplate::new(text, none).unwrap();
        let error = template.render(&[], false).unwrap_err().to_string();
        assert_eq!(error, "chat template, line 1: engine ran out of fuel");
    }

    #[test]
    fn marks_of_what_was_generated_do_nothing() {
        let text = "{%- generation -%} a {%- endgeneration %}{% set generation = 1 %}";
        let expected = "{%- if true -%} a {%- endif %}{% set generation = 1 %}";
        assert_eq!(without_marks(text), expected);
        assert_eq!(without_marks("a {% b"), "a {% b");
    }
}
