//! Whether a row's context tells the answer.

use super::{DataError, Row};

/// The field that says it.
const ANSWERABLE: &str = "answerable";

/// What the row says of its question: that its context tells the answer (`yes`, `true`), or that
/// it does not (`no`, `false`), case aside. A row without the field, a null and a blank say nothing.
///
/// # Errors
/// If something else stands there.
pub(super) fn answerable(row: &Row) -> Result<Option<bool>, DataError> {
    let Some(value) = row.get(ANSWERABLE).filter(|value| value.kind() != "null") else {
        return Ok(None);
    };
    let (file, line, field) = (row.file.to_string(), row.line, ANSWERABLE.to_string());
    let rule = "write yes or no, or leave it out";
    let Some(text) = value.text() else {
        return Err(DataError::WrongType { file, line, field, found: value.kind(), rule });
    };
    match text.trim().to_lowercase().as_str() {
        "yes" | "true" => Ok(Some(true)),
        "no" | "false" => Ok(Some(false)),
        "" => Ok(None),
        _ => Err(DataError::WrongValue { file, line, field, found: text.to_string(), rule }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{json, parse_rows};

    fn read(value: &str) -> Result<Option<bool>, String> {
        let row = format!("{{\"question\": \"x\", \"answerable\": {value}}}");
        let row = json::row(&"qa.jsonl".into(), 3, &row).unwrap();
        answerable(&row).map_err(|error| error.to_string())
    }

    #[test]
    fn yes_and_no_are_known_and_nothing_is_unknown() {
        for yes in ["\"yes\"", "true", "\"TRUE\"", "\" Yes \""] {
            assert_eq!(read(yes), Ok(Some(true)), "{yes}");
        }
        for no in ["\"no\"", "false", "\"False\""] {
            assert_eq!(read(no), Ok(Some(false)), "{no}");
        }
        for unknown in ["null", "\"\"", "\" \""] {
            assert_eq!(read(unknown), Ok(None), "{unknown}");
        }
        let rows = parse_rows("qa.csv", b"question,answerable\nx,\ny,no\n").unwrap().rows;
        assert_eq!(
            rows.iter().map(|row| answerable(row).unwrap()).collect::<Vec<_>>(),
            [None, Some(false)]
        );
    }

    #[test]
    fn all_else_is_refused_by_name() {
        let refused = |text: &str| {
            format!(
                "qa.jsonl, line 3: field \"answerable\" is {text}; write yes or no, or leave it out"
            )
        };
        assert_eq!(read("\"maybe\""), Err(refused("\"maybe\"")));
        assert_eq!(read("1"), Err(refused("\"1\"")));
        assert_eq!(read("[true]"), Err(refused("an array")));
    }
}
