//! CSV: a header that names the fields, then one record a row.

use std::sync::Arc;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::{DataError, Row, Value};

/// The rows of a CSV text with a header; blank lines are skipped.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Row>, DataError> {
    let invalid = |line, message| DataError::Csv { file: file.to_string(), line, message };
    let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(text.as_bytes());
    let mut lines = Lines { text, byte: 0, line: 1 };
    let header_line = lines.at(0);
    let header = reader.headers().cloned().map_err(|e| invalid(header_line, message(&e)))?;
    if let Some(column) = header.iter().position(str::is_empty) {
        let message = format!("column {} has no name; name it", column + 1);
        return Err(invalid(header_line, message));
    }
    let (mut rows, mut record) = (Vec::new(), StringRecord::new());
    let (mut last, mut last_line) = (text.len(), 1);
    loop {
        let line = lines.at(reader.position().byte() as usize);
        let start = lines.byte;
        match reader.read_record(&mut record) {
            Err(error) => return Err(invalid(line, message(&error))),
            Ok(true) => rows.push(row(file, line, &header, &record)?),
            Ok(false) if never_closed(&text[last..]) => {
                return Err(invalid(last_line, "a quote is never closed; close it".to_string()));
            }
            Ok(false) => return Ok(rows),
        }
        (last, last_line) = (start, line);
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
        _ => error.to_string(),
    }
}

/// Whether the file's last record opens a quote that swallows what follows it: a lone quote on
/// one line may be an inch sign, over several lines it is a field without an end.
fn never_closed(record: &str) -> bool {
    let record = record.trim_end_matches(['\r', '\n']);
    record.contains('\n') && record.matches('"').count() % 2 == 1
}

/// Turns byte offsets, asked for in rising order, into line numbers: the reader's own count
/// stays behind at blank lines and `\r\n`.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the first byte from `start` on that ends no line.
    fn at(&mut self, start: usize) -> usize {
        let ends_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let blank = self.text.as_bytes()[start..].iter().take_while(|byte| ends_line(byte)).count();
        let passed = &self.text.as_bytes()[self.byte..start + blank];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.byte = start + blank;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, DataError> {
        parse(&"data.csv".into(), text)
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
