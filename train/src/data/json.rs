//! JSON Lines: one object a line, its fields in their order, its numbers as they are written.

use std::sync::Arc;

use serde::de::{Deserialize, Error as _, IgnoredAny};
use serde_json::{Deserializer, Error};

use super::{DataError, Row, Value};

/// JSON's own whitespace, which is less than Unicode's.
const WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The row that one line of JSON Lines holds.
pub(super) fn row(file: &Arc<str>, line: usize, text: &str) -> Result<Row, DataError> {
    let invalid =
        |error: Error| DataError::Json { file: file.to_string(), line, message: message(&error) };
    let whole: serde_json::Value = serde_json::from_str(text).map_err(invalid)?;
    if !whole.is_object() {
        let found = kind(text.trim());
        return Err(DataError::NotObject { file: file.to_string(), line, found });
    }
    let fields = fields(text.trim()).map_err(invalid)?;
    Row::new(file, line, fields)
}

/// The parser's words, without its line (each line is parsed alone) but with its column.
fn message(error: &Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => text,
    }
}

/// What a JSON text is, by its first byte.
pub(super) fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b'"') => "text",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        _ => "a number",
    }
}

/// The fields of an object already known to be valid. A parsed number would lose its last zeros
/// (`24.90`), so each value is cut out as it is written.
fn fields(object: &str) -> Result<Vec<(String, Value)>, Error> {
    let mut fields = Vec::new();
    let mut rest = object.strip_prefix('{').unwrap_or(object);
    loop {
        rest = rest.trim_start_matches(WHITESPACE).trim_start_matches(',');
        rest = rest.trim_start_matches(WHITESPACE);
        if rest.starts_with('}') {
            return Ok(fields);
        }
        let (name, _, after) = next::<String>(rest)?;
        rest = after.trim_start_matches(WHITESPACE).trim_start_matches(':');
        let (_, json, after) = next::<IgnoredAny>(rest.trim_start_matches(WHITESPACE))?;
        fields.push((name, value(json)?));
        rest = after;
    }
}

/// The value `text` begins with, the piece of text it took, and the rest.
fn next<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, &'a str, &'a str), Error> {
    let mut values = Deserializer::from_str(text).into_iter::<T>();
    let value = values.next().ok_or_else(|| Error::custom("the line ends too early"))??;
    let (piece, rest) = text.split_at(values.byte_offset());
    Ok((value, piece, rest))
}

fn value(json: &str) -> Result<Value, Error> {
    Ok(match kind(json) {
        "text" => Value::Text(serde_json::from_str(json)?),
        "a number" => Value::Number(json.to_string()),
        _ => Value::Json(json.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Row>, DataError> {
        crate::data::parse_rows(file, text.as_bytes()).map(|rows| rows.rows)
    }

    fn error(text: &str) -> String {
        parse(&"data.jsonl".into(), text).unwrap_err().to_string()
    }

    #[test]
    fn values_keep_their_order_and_their_writing() {
        let text =
            " {\"b\" : 24.90 ,\"a\":\"x\\u00e9\\n\",\"c\":[1, {\"}\":\"]\"}],\"d\":null}\r\n";
        let rows = parse(&"data.jsonl".into(), text).unwrap();
        let expected = [
            ("b", Value::Number("24.90".into())),
            ("a", Value::Text("xé\n".into())),
            ("c", Value::Json("[1, {\"}\":\"]\"}]".into())),
            ("d", Value::Json("null".into())),
        ];
        assert_eq!(rows[0].fields, expected.map(|(name, value)| (name.to_string(), value)));
        assert_eq!(parse(&"data.jsonl".into(), "{}").unwrap()[0].fields, []);
    }

    #[test]
    fn broken_lines_say_what_is_wrong() {
        assert_eq!(
            error("{}\n\n{\"text\": }\n"),
            "data.jsonl, line 3: not valid JSON: expected value (column 10); \
             write one object a line"
        );
        assert_eq!(
            error("{\"text\": \"\\ud800\"}"),
            "data.jsonl, line 1: not valid JSON: unexpected end of hex escape (column 17); \
             write one object a line"
        );
        assert_eq!(
            error("{}\n[1]"),
            "data.jsonl, line 2: an array, not an object; write one object a line"
        );
        assert_eq!(
            error("{\"a\": 1, \"a\": 2}"),
            "data.jsonl, line 1: field \"a\" stands twice; keep one"
        );
    }

    #[test]
    fn nesting_without_end_is_an_error() {
        let message = error(&"[".repeat(1_000_000));
        assert!(message.starts_with("data.jsonl, line 1: not valid JSON: recursion limit"));
    }
}
