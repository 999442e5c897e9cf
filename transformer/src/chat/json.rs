//! Values as Python writes them.

use minijinja::value::ValueKind;
use minijinja::{Output, State, Value};

/// Python's `json.dumps(value, ensure_ascii=False)`: a space after each comma and colon, or lines
/// indented by `indent`.
pub(super) fn dump(value: &Value, indent: Option<usize>, sort_keys: bool) -> String {
    let mut text = String::new();
    Writer { indent, sort_keys, text: &mut text }.value(value, 0);
    text
}

struct Writer<'a> {
    indent: Option<usize>,
    sort_keys: bool,
    text: &'a mut String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => self.text.push_str("null"),
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter().into_iter().flatten().collect();
                if self.sort_keys {
                    keys.sort();
                }
                let member = |writer: &mut Self, key: &Value| {
                    writer.string(&key.to_string());
                    writer.text.push_str(": ");
                    writer.value(&value.get_item(key).unwrap_or_default(), depth + 1);
                };
                self.all(('{', '}'), &keys, depth, member);
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter().into_iter().flatten().collect();
                let item = |writer: &mut Self, item: &Value| writer.value(item, depth + 1);
                self.all(('[', ']'), &items, depth, item);
            }
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.text.push_str(&value.to_string()),
            _ => self.string(&value.to_string()),
        }
    }

    fn all(
        &mut self,
        (open, close): (char, char),
        items: &[Value],
        depth: usize,
        mut write: impl FnMut(&mut Self, &Value),
    ) {
        self.text.push(open);
        for (index, item) in items.iter().enumerate() {
            match (index, self.indent) {
                (0, None) => {}
                (_, None) => self.text.push_str(", "),
                (0, Some(_)) => self.line(depth + 1),
                (_, Some(_)) => {
                    self.text.push(',');
                    self.line(depth + 1);
                }
            }
            write(self, item);
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.text.push(close);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// `True`, `False` and `None`, as Python's Jinja writes them into a text.
pub(super) fn format(
    output: &mut Output<'_>,
    _state: &State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let text = match (value.kind(), value.is_true()) {
        (ValueKind::None, _) => "None",
        (ValueKind::Bool, true) => "True",
        (ValueKind::Bool, false) => "False",
        (ValueKind::Undefined, _) => "",
        _ => &value.to_string(),
    };
    output.write_str(text).map_err(minijinja::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equals_pythons_dumps() {
        let value = Value::from_serialize(json!({"b": [1, true, null], "a": "é\n\"", "c": {}}));
        let expected = r#"{"b": [1, true, null], "a": "é\n\"", "c": {}}"#;
        let sorted = r#"{"a": "é\n\"", "b": [1, true, null], "c": {}}"#;
        let found = dump(&value, None, false);
        assert!(found == expected || found == sorted, "{found}");
        assert_eq!(dump(&value, None, true), sorted);
        let small = Value::from_serialize(json!({"a": [1, []]}));
        assert_eq!(dump(&small, Some(2), false), "{\n  \"a\": [\n    1,\n    []\n  ]\n}");
    }
}
