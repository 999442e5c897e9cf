//! Rows on their way back to a file, with columns added.

use super::{Row, Rows, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes rows to a new file, one by one: CSV where its name ends in `.csv`, JSON Lines elsewhere.
pub struct RowWriter {
    columns: Vec<String>,
    added: Vec<String>,
    form: Form,
}

enum Form {
    Csv(Box<csv::Writer<File>>),
    Lines(BufWriter<File>),
}

impl RowWriter {
    /// For `rows` with the columns `added` after their own. A CSV file has a column for each field that
    /// any of the rows has, in the order in which they first appear.
    ///
    /// # Errors
    /// If the file is there already, or can't be written.
    pub fn create(path: &Path, rows: &Rows, added: Vec<String>) -> io::Result<RowWriter> {
        let file = File::create_new(path)?;
        let columns = columns(rows);
        let is_csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let form = match is_csv {
            true => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(columns.iter().chain(&added))?;
                Form::Csv(Box::new(writer))
            }
            false => Form::Lines(BufWriter::new(file)),
        };
        Ok(RowWriter { columns, added, form })
    }

    /// Writes a row: its values as they stood, then one for each column that was added. In CSV a field
    /// that it lacks, and a null, are empty.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&mut self, row: &Row, values: &[Value]) -> io::Result<()> {
        match &mut self.form {
            Form::Csv(writer) => {
                let kept = self.columns.iter().map(|name| row.get(name).map_or("", cell));
                writer.write_record(kept.chain(values.iter().map(cell)))?;
                Ok(())
            }
            Form::Lines(writer) => {
                let mut row = row.clone();
                row.fields.extend(self.added.iter().cloned().zip(values.iter().cloned()));
                writeln!(writer, "{}", row.to_json(&[]))
            }
        }
    }

    /// Hands what was written to the system.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Csv(writer) => writer.flush(),
            Form::Lines(writer) => writer.flush(),
        }
    }
}

fn columns(rows: &Rows) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (name, _) in rows.rows.iter().flat_map(|row| &row.fields) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

fn cell(value: &Value) -> &str {
    match value {
        Value::Text(text) | Value::Number(text) => text,
        Value::Json(json) if json == "null" => "",
        Value::Json(json) => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{parse_rows, read_rows};

    /// What the rows become in a file of this name.
    fn written(rows: &Rows, name: &str) -> (String, Rows) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let added = vec!["prediction".into(), "confidence".into()];
        let mut writer = RowWriter::create(&path, rows, added).unwrap();
        for row in &rows.rows {
            let text = Value::Text("a \"red\", \nwool rug".into());
            writer.write(row, &[text, Value::Number("0.25".into())]).unwrap();
        }
        writer.flush().unwrap();
        (std::fs::read_to_string(&path).unwrap(), read_rows(&path).unwrap())
    }

    #[test]
    fn csv_is_quoted_and_read_again() {
        let bytes = b"name, price\n\"Lamp, \"\"Sol\"\"\",24.90\n,\n";
        let rows = parse_rows("a.csv", bytes).unwrap();
        let (text, again) = written(&rows, "b.CSV");
        let prediction = "\"a \"\"red\"\", \nwool rug\",0.25";
        assert_eq!(
            text,
            format!(
                "name,price,prediction,confidence\n\"Lamp, \"\"Sol\"\"\",24.90,{prediction}\n\
                 ,,{prediction}\n"
            )
        );
        for (row, again) in rows.rows.iter().zip(&again.rows) {
            assert_eq!(row.fields, again.fields[..2]);
        }
        let (lines, _) = written(&rows, "b.jsonl");
        let first = r#"{"name":"Lamp, \"Sol\"","price":"24.90","prediction":"a \"red\", \nwool rug","confidence":0.25}"#;
        assert_eq!(lines.lines().next(), Some(first));
    }

    #[test]
    fn rows_of_different_fields_share_a_header() {
        let bytes = b"{\"a\": 24.90, \"b\": null}\n{\"c\": [1, 2], \"a\": true}\n";
        let (text, _) = written(&parse_rows("a.jsonl", bytes).unwrap(), "b.csv");
        let records: Vec<&str> = text.split("wool rug\",0.25\n").collect();
        assert!(records[0].starts_with("a,b,c,prediction,confidence\n24.90,,,\"a"), "{text}");
        assert!(records[1].starts_with("true,,\"[1, 2]\",\"a"), "{text}");
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rows = parse_rows("a.csv", b"a\nb\n").unwrap();
        let error = RowWriter::create(file.path(), &rows, Vec::new()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
