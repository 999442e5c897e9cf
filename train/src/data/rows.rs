//! Rows: what a data file holds, before a task makes examples of them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::lines::Lines;
use super::{DataError, csv, json};

/// Bytes a row or a field takes besides its text.
const FIELD_BYTES: usize = 256;
/// What is not worth asking the system for before.
const SMALL: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

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
    let (file, len) = open(path)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len as usize).map_err(|_| too_large(path, len))?;
    { file }.read_to_end(&mut bytes).map_err(|error| unreadable(path, len, error))?;
    if takes_too_much(&bytes) {
        return Err(too_large(path, len));
    }
    parse_rows(&path.display().to_string(), &bytes)
}

/// [`read_rows`] of bytes in memory, as if they were a file of this name.
///
/// # Errors
/// As [`read_rows`].
pub fn parse_rows(file: &str, bytes: &[u8]) -> Result<Rows, DataError> {
    let stream = RowStream::new(file, bytes)?;
    let file = stream.file.clone();
    Ok(Rows { file, rows: stream.collect::<Result<_, _>>()? })
}

/// [`read_rows`] one by one, for a file that need not fit in memory.
///
/// # Errors
/// If there is no such file or it cannot be read; each row then tells what is wrong with it.
pub fn stream_rows(path: impl AsRef<Path>) -> Result<RowStream<'static>, DataError> {
    let path = path.as_ref();
    let (file, _) = open(path)?;
    RowStream::new(&path.display().to_string(), BufReader::with_capacity(1 << 16, file))
}

/// The rows of a file, read one by one, up to the first that is wrong. A file without rows gives
/// one error that says so.
pub struct RowStream<'a> {
    file: Arc<str>,
    rows: Box<dyn Iterator<Item = Result<Row, DataError>> + 'a>,
    is_empty: bool,
}

impl<'a> RowStream<'a> {
    /// The rows of `bytes`, as if they were a file of this name.
    fn new(file: &str, mut bytes: impl BufRead + 'a) -> Result<RowStream<'a>, DataError> {
        let name: Arc<str> = file.into();
        let start = bytes.fill_buf().map_err(|error| unreadable(Path::new(file), 0, error))?;
        let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        bytes.consume(mark);
        let file = name.clone();
        let lines = |bytes| Lines { file: file.clone(), bytes, line: 0 };
        let rows: Box<dyn Iterator<Item = _>> = match extension(Path::new(&*name)).as_str() {
            "csv" => Box::new(csv::Records::new(&file, bytes)),
            "jsonl" | "json" => Box::new(lines(bytes).map(move |line| {
                let (line, text) = line?;
                json::row(&file, line, &text)
            })),
            _ => Box::new(lines(bytes).map(move |line| {
                let (line, text) = line?;
                Row::new(&file, line, vec![("text".to_string(), Value::Text(text))])
            })),
        };
        Ok(RowStream { file: name, rows, is_empty: true })
    }
}

impl Iterator for RowStream<'_> {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next();
        if let Some(Err(_)) = row {
            self.rows = Box::new(std::iter::empty());
        }
        let missing = row.is_none() && self.is_empty;
        self.is_empty = false;
        if missing {
            return Some(Err(DataError::NoRows { file: self.file.to_string() }));
        }
        row
    }
}

/// A regular file and its length in bytes.
pub(crate) fn open(path: &Path) -> Result<(File, u64), DataError> {
    let file = path.display().to_string();
    let about = fs::metadata(path).map_err(|error| unreadable(path, 0, error))?;
    if about.is_dir() {
        return Err(DataError::Folder { file });
    }
    if !about.is_file() {
        return Err(DataError::NotRegular { file });
    }
    let file = File::open(path).map_err(|error| unreadable(path, about.len(), error))?;
    Ok((file, about.len()))
}

/// Whether the rows of these bytes do not fit in memory. Allocation in small pieces would end the
/// process where memory does; one large piece asks.
pub(super) fn takes_too_much(bytes: &[u8]) -> bool {
    let fields = bytes.iter().filter(|byte| matches!(byte, b'\n' | b',')).count();
    let needed = fields.saturating_mul(FIELD_BYTES).saturating_add(bytes.len().saturating_mul(2));
    needed > SMALL && Vec::<u8>::new().try_reserve_exact(needed).is_err()
}

fn too_large(path: &Path, bytes: u64) -> DataError {
    DataError::TooLarge { file: path.display().to_string(), bytes }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(file: &str, bytes: &[u8]) -> String {
        parse_rows(file, bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_name_decides_the_format() {
        let read = |file: &str, text: &str| {
            let rows = parse_rows(file, text.as_bytes()).unwrap().rows;
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
    fn a_stream_gives_the_rows_that_are_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let line = |i: usize| format!("{{\"text\":\"row {i}, a\\nb\"}}\r\n\n");
        let jsonl: String = (0..9000).map(line).collect();
        let csv: String = (0..9000).map(|i| format!("\n\"row\n{i}\",é\n")).collect();
        for (name, text) in [("a.jsonl", jsonl.clone()), ("a.csv", "text,b\n".to_string() + &csv)]
            .into_iter()
            .chain([("a.txt", format!("\u{feff}{jsonl}")), ("b.csv", "text\n6\" pipe".into())])
        {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let whole = read_rows(&path).unwrap().rows;
            let stream: Vec<Row> = stream_rows(&path).unwrap().map(Result::unwrap).collect();
            let parts = |rows: &[Row]| -> Vec<_> {
                rows.iter().map(|row| (row.line, row.fields.clone())).collect()
            };
            assert!(parts(&whole) == parts(&stream), "{name}");
        }
    }

    #[test]
    fn a_stream_goes_on_to_the_row_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        fs::write(&path, "{\"text\":\"x\"}\n{\n").unwrap();
        let mut stream = stream_rows(&path).unwrap();
        assert!(stream.next().unwrap().is_ok());
        let error = stream.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("a.jsonl, line 2: not valid JSON"), "{error}");
        assert!(stream.next().is_none());
        fs::write(&path, "\n\n").unwrap();
        let error = stream_rows(&path).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.ends_with("a.jsonl: holds no rows; at least one is needed"), "{error}");
        assert!(stream_rows(folder.path()).is_err());
    }

    #[test]
    fn bytes_that_are_not_utf8_name_their_line() {
        let message = "a.txt, line 3: not UTF-8; save the file as UTF-8";
        assert_eq!(error("a.txt", b"one\ntwo\nth\xffree\n"), message);
        let message = "a.csv, line 4: not UTF-8; save the file as UTF-8";
        assert_eq!(error("a.csv", b"text\n\n\"one\nth\xffree\"\n"), message);
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
        let rows = parse_rows("a.jsonl", bytes).unwrap();
        let expected = r#"{"name":"L\"amp","price":24.90,"tags":[1, 2],"prediction":"a\nb"}"#;
        assert_eq!(rows.rows[0].to_json(&[("prediction", "a\nb")]), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            wild in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            tame in "[{}\\[\\]\",:\\\\a1.é\r\n -]{0,40}",
        ) {
            for file in ["a.jsonl", "a.csv", "a.txt"] {
                let _ = parse_rows(file, &wild);
                let _ = parse_rows(file, tame.as_bytes());
            }
        }
    }
}
