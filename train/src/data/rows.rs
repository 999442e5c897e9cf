//! Rows: what a data file holds, before a task makes examples of them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::{DataError, csv, json};

/// Bytes a row or a field takes besides its text.
const FIELD_BYTES: usize = 256;

/// A field's value, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number of JSON as it is written: `24.90` stays `24.90`.
    Number(String),
    /// Any other JSON as it is written: true, false, null, an array or an object.
    Json(String),
}

impl Value {
    /// The value as text: a text, a number, true or false; `None` for all else.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Json(json) => matches!(json.as_str(), "true" | "false").then_some(json),
        }
    }

    /// The value as token ids: an array of whole numbers from 0, in CSV a list with spaces or
    /// commas between them; `None` for all else.
    pub fn ids(&self) -> Option<Vec<u32>> {
        match self {
            Value::Json(json) => serde_json::from_str(json).ok(),
            Value::Number(_) => None,
            Value::Text(list) => {
                let items = list.split([',', ' ']).filter(|item| !item.is_empty());
                items.map(|item| item.parse().ok()).collect()
            }
        }
    }

    /// What the value is, for an error's words: `text`, `a number`, `null`, `an array` …
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Number(json) | Value::Json(json) => json::kind(json),
        }
    }

    fn to_json(&self) -> String {
        match self {
            Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Value::Number(json) | Value::Json(json) => json.clone(),
        }
    }
}

/// One row: its fields in the file's order, and where it stands.
#[derive(Clone, Debug)]
pub struct Row {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line the row begins on, from 1.
    pub line: usize,
    /// Names and values, in the file's order; no name stands twice.
    pub fields: Vec<(String, Value)>,
}

impl Row {
    pub(super) fn new(
        file: &Arc<str>,
        line: usize,
        mut fields: Vec<(String, Value)>,
    ) -> Result<Row, DataError> {
        let mut names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let (file, field) = (file.to_string(), pair[0].to_string());
            return Err(DataError::DuplicateField { file, line, field });
        }
        fields.shrink_to_fit();
        Ok(Row { file: file.clone(), line, fields })
    }

    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The row as one line of JSON with its values as they were written, and `added` texts after
    /// them; an added text takes the place of a field of its name.
    pub fn to_json(&self, added: &[(&str, &str)]) -> String {
        let kept = self.fields.iter().filter(|(name, _)| !added.iter().any(|(new, _)| new == name));
        let kept = kept.map(|(name, value)| (name.as_str(), value.to_json()));
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let added = added.iter().map(|&(name, text)| (name, quote(text)));
        let pairs = kept.chain(added).map(|(name, json)| format!("{}:{json}", quote(name)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}

/// The rows of one file, at least one.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The rows in the file's order.
    pub rows: Vec<Row>,
}

/// Reads the rows of a file: JSON Lines (`.jsonl`, `.json`), CSV with a header (`.csv`), or plain
/// text (any other name), where each line is a row with the one field `text`.
///
/// Blank lines are skipped; a byte order mark and `\r\n` are understood.
///
/// # Errors
/// A [`DataError`] when there is no such file, it cannot be read or held in memory, is not UTF-8,
/// does not parse, or holds no rows.
pub fn read_rows(path: impl AsRef<Path>) -> Result<Rows, DataError> {
    let path = path.as_ref();
    let bytes = read_bytes(path)?;
    parse(&path.display().to_string(), extension(path), &bytes)
}

/// [`read_rows`] of bytes in memory, as if they were a file of this name.
///
/// # Errors
/// As [`read_rows`].
pub fn parse_rows(file: &str, bytes: &[u8]) -> Result<Rows, DataError> {
    parse(file, extension(Path::new(file)), bytes)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let file = path.display().to_string();
    let about = fs::metadata(path).map_err(|error| unreadable(path, 0, error))?;
    if about.is_dir() {
        return Err(DataError::Folder { file });
    }
    if !about.is_file() {
        return Err(DataError::NotRegular { file });
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, about.len(), error))?;
    // Allocation in small pieces would end the process where memory does; one large piece asks.
    let fields = bytes.iter().filter(|byte| matches!(byte, b'\n' | b',')).count();
    let needed = fields.saturating_mul(FIELD_BYTES).saturating_add(bytes.len().saturating_mul(2));
    match Vec::<u8>::new().try_reserve_exact(needed) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(DataError::TooLarge { file, bytes: about.len() }),
    }
}

fn unreadable(path: &Path, bytes: u64, source: io::Error) -> DataError {
    let file = path.display().to_string();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => DataError::NotFound { file },
        ErrorKind::OutOfMemory => DataError::TooLarge { file, bytes },
        _ => DataError::Io { file, source },
    }
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn parse(file: &str, extension: String, bytes: &[u8]) -> Result<Rows, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        DataError::NotUtf8 { file: file.to_string(), line }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: Arc<str> = file.into();
    let rows = match extension.as_str() {
        "jsonl" | "json" => json::parse(&file, text)?,
        "csv" => csv::parse(&file, text)?,
        _ => plain(&file, text)?,
    };
    if rows.is_empty() {
        return Err(DataError::NoRows { file: file.to_string() });
    }
    Ok(Rows { file, rows })
}

fn plain(file: &Arc<str>, text: &str) -> Result<Vec<Row>, DataError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let field = |line: &str| vec![("text".to_string(), Value::Text(line.to_string()))];
    lines.map(|(index, line)| Row::new(file, index + 1, field(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(file: &str, bytes: &[u8]) -> String {
        parse(file, extension(Path::new(file)), bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_name_decides_the_format() {
        let read = |file: &str, text: &str| {
            let rows = parse(file, extension(Path::new(file)), text.as_bytes()).unwrap().rows;
            rows.iter().map(|r| (r.line, r.get("text").cloned().unwrap())).collect::<Vec<_>>()
        };
        let expected = [(2, Value::Text("a b".into())), (4, Value::Text("c".into()))];
        assert_eq!(read("a.txt", "\u{feff}\r\na b\r\n\r\nc\r\n"), expected);
        assert_eq!(read("a.JSONL", "\n{\"text\":\"a b\"}\n\n{\"text\":\"c\"}"), expected);
        assert_eq!(read("a.csv", "text\na b\n\nc\n"), expected);
    }

    #[test]
    fn files_without_rows_are_refused() {
        assert_eq!(error("a.jsonl", b""), "a.jsonl: holds no rows; at least one is needed");
        assert_eq!(error("a.csv", b"text\n"), "a.csv: holds no rows; at least one is needed");
        assert_eq!(error("a.txt", b"\n \n"), "a.txt: holds no rows; at least one is needed");
    }

    #[test]
    fn bytes_that_are_not_utf8_name_their_line() {
        let message = "a.txt, line 3: not UTF-8; save the file as UTF-8";
        assert_eq!(error("a.txt", b"one\ntwo\nth\xffree\n"), message);
    }

    #[test]
    fn paths_without_a_file_are_refused() {
        let text = |path: &str| read_rows(path).unwrap_err().to_string();
        assert_eq!(text("no/such.jsonl"), "no/such.jsonl: no such file; check the path");
        assert_eq!(text("src"), "src: is a folder, not a file; name a .jsonl, .csv or .txt file");
        #[cfg(unix)]
        assert_eq!(
            text("/dev/zero"),
            "/dev/zero: is not a regular file; copy what it holds to a .jsonl, .csv or .txt file"
        );
    }

    #[test]
    fn ids_are_whole_numbers_from_zero() {
        assert_eq!(Value::Json("[0, 7]".into()).ids(), Some(vec![0, 7]));
        assert_eq!(Value::Text("0, 7 9".into()).ids(), Some(vec![0, 7, 9]));
        for json in ["[-1]", "[1.5]", "[\"1\"]", "null", "[4294967296]", "[[1]]"] {
            assert_eq!(Value::Json(json.into()).ids(), None, "{json}");
        }
    }

    #[test]
    fn a_row_is_written_as_it_was_read() {
        let bytes = br#"{"name":"L\"amp", "price": 24.90, "tags": [1, 2], "prediction": 3}"#;
        let rows = parse("a.jsonl", "jsonl".into(), bytes).unwrap();
        let expected = r#"{"name":"L\"amp","price":24.90,"tags":[1, 2],"prediction":"a\nb"}"#;
        assert_eq!(rows.rows[0].to_json(&[("prediction", "a\nb")]), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            wild in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            tame in "[{}\\[\\]\",:\\\\a1.é\r\n -]{0,40}",
        ) {
            for extension in ["jsonl", "csv", "txt"] {
                let _ = parse("a", extension.into(), &wild);
                let _ = parse("a", extension.into(), tame.as_bytes());
            }
        }
    }
}
