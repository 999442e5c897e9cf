//! CSV: a header that names the fields, then one record a row.

use std::io::{self, Read};
use std::sync::Arc;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use super::{DataError, Row, Value};

/// The longest record: a quote that is never closed must not swallow a file without end.
const MAX_RECORD: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// The rows of a CSV text with a header, one by one; blank lines are skipped.
pub(super) struct Records<R> {
    file: Arc<str>,
    reader: Reader<Window<R>>,
    header: Option<StringRecord>,
    record: StringRecord,
}

impl<R: Read> Records<R> {
    pub fn new(file: &Arc<str>, bytes: R) -> Records<R> {
        let window = Window { bytes, kept: Vec::new(), start: 0, line: 1 };
        let reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(window);
        Records { file: file.clone(), reader, header: None, record: StringRecord::new() }
    }

    fn next_row(&mut self) -> Result<Option<Row>, DataError> {
        if self.header.is_none() {
            self.header = Some(self.read_header()?);
        }
        let start = self.reader.position().byte() as usize;
        let read = self.reader.read_record(&mut self.record);
        let window = self.reader.get_mut();
        if let Ok(false) = read {
            return match never_closed(&window.kept) {
                false => Ok(None),
                true => {
                    let message = "a quote is never closed; close it".to_string();
                    let (file, line) = (self.file.to_string(), window.line);
                    Err(DataError::Csv { file, line, message })
                }
            };
        }
        window.advance(start);
        let line = window.line;
        read.map_err(|error| self.refused(&error))?;
        row(&self.file, line, self.header.as_ref().expect("read above"), &self.record).map(Some)
    }

    fn read_header(&mut self) -> Result<StringRecord, DataError> {
        let header = self.reader.headers().cloned();
        self.reader.get_mut().advance(0);
        let header = header.map_err(|error| self.refused(&error))?;
        if let Some(column) = header.iter().position(str::is_empty) {
            let message = format!("column {} has no name; name it", column + 1);
            let (file, line) = (self.file.to_string(), self.reader.get_ref().line);
            return Err(DataError::Csv { file, line, message });
        }
        Ok(header)
    }

    /// The error of the record that the window begins with.
    fn refused(&self, error: &csv::Error) -> DataError {
        let (file, window) = (self.file.to_string(), self.reader.get_ref());
        match error.kind() {
            ErrorKind::Io(source) if source.kind() != io::ErrorKind::InvalidData => {
                DataError::Io { file, source: source.kind().into() }
            }
            ErrorKind::Utf8 { .. } => {
                let valid =
                    std::str::from_utf8(&window.kept).map_or_else(|e| e.valid_up_to(), str::len);
                DataError::NotUtf8 { file, line: window.line + newlines(&window.kept[..valid]) }
            }
            _ => DataError::Csv { file, line: window.line, message: message(error) },
        }
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

fn row(
    file: &Arc<str>,
    line: usize,
    header: &StringRecord,
    record: &StringRecord,
) -> Result<Row, DataError> {
    let text = |(name, cell): (&str, &str)| (name.to_string(), Value::Text(cell.to_string()));
    Row::new(file, line, header.iter().zip(record).map(text).collect())
}

fn message(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => format!(
            "{len} fields, but the header names {expected_len}; quote a field that holds a comma"
        ),
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

/// Whether the file's last record opens a quote that swallows what follows it: a lone quote on
/// one line may be an inch sign, over several lines it is a field without an end.
fn never_closed(record: &[u8]) -> bool {
    let ends_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let end = record.iter().rposition(|byte| !ends_line(byte)).map_or(0, |last| last + 1);
    let quotes = record[..end].iter().filter(|&&byte| byte == b'"').count();
    newlines(&record[..end]) > 0 && quotes % 2 == 1
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

/// Bytes on their way to the reader, kept from the current record on. They turn byte offsets into
/// line numbers: the reader's own count stays behind at blank lines and `\r\n`.
struct Window<R> {
    bytes: R,
    kept: Vec<u8>,
    /// The offset of the first kept byte.
    start: usize,
    /// Its line.
    line: usize,
}

impl<R> Window<R> {
    /// Lets go of what stands before the first byte from `offset` on that ends no line.
    fn advance(&mut self, offset: usize) {
        let ends_line = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let passed = offset - self.start;
        let passed = passed + self.kept[passed..].iter().take_while(ends_line).count();
        self.line += newlines(&self.kept[..passed]);
        self.start += passed;
        self.kept.drain(..passed);
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if self.kept.len() + count > MAX_RECORD {
            let reason = "a record is longer than 256 MiB; close its quote, or split it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.kept.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, DataError> {
        Records::new(&"data.csv".into(), text.as_bytes()).collect()
    }

    #[test]
    fn lines_are_counted_across_what_is_read_at_once() {
        let text = format!("text\r\n{}", "\n\n\"a\n\nb\"\n".repeat(20_000));
        for (i, row) in rows(&text).unwrap().into_iter().enumerate() {
            assert_eq!(row.line, 4 + 5 * i);
        }
    }

    #[test]
    fn a_quote_without_end_is_told_before_it_takes_all_memory() {
        let endless = std::io::repeat(b'a').take(2 << 20);
        let bytes = "text\n\"".as_bytes().chain(endless);
        let error = Records::new(&"data.csv".into(), bytes).next().unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "data.csv, line 2: not valid CSV: a record is longer than 256 MiB; close its quote, \
             or split it"
        );
    }

    fn error(text: &str) -> String {
        rows(text).unwrap_err().to_string()
    }

    #[test]
    fn records_take_their_names_from_the_header() {
        let rows = rows("name, price\r\n\r\n\"Lamp, \"\"Sol\"\"\nred\",24.90\r\nCup,\r\n").unwrap();
        let cells = |row: &Row| row.fields.iter().map(|(_, v)| v.clone()).collect::<Vec<_>>();
        assert_eq!(cells(&rows[0]), ["Lamp, \"Sol\"\nred", "24.90"].map(|t| Value::Text(t.into())));
        assert_eq!(cells(&rows[1]), ["Cup", ""].map(|t| Value::Text(t.into())));
        assert_eq!(rows[1].fields[1].0, "price");
        assert_eq!([rows[0].line, rows[1].line], [3, 5]);
    }

    #[test]
    fn broken_records_say_what_is_wrong() {
        assert_eq!(
            error("text,label\n\"a\nb\",x\none, two,y\n"),
            "data.csv, line 4: not valid CSV: 3 fields, but the header names 2; \
             quote a field that holds a comma"
        );
        assert_eq!(
            error("text,,label\na,b,c\n"),
            "data.csv, line 1: not valid CSV: column 2 has no name; name it"
        );
        assert_eq!(
            error("text\nlamp\n\"a cup\nof tea\n"),
            "data.csv, line 3: not valid CSV: a quote is never closed; close it"
        );
        assert_eq!(
            error("text,text\na,b\n"),
            "data.csv, line 2: field \"text\" stands twice; keep one"
        );
        assert_eq!(rows("text\n6\" screen").unwrap().len(), 1);
        assert!(rows("").unwrap().is_empty() && rows("\n\ntext\n").unwrap().is_empty());
    }
}
