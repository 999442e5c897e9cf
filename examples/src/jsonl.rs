//! Rows of a data set, one JSON object a line.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The rows of a text with one a line.
///
/// # Errors
///
/// If a line is no such row: the error names its number.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, String> {
    let row = |(i, line)| serde_json::from_str(line).map_err(|e| format!("line {}: {e}", i + 1));
    text.lines().enumerate().map(row).collect()
}

/// The rows as text, each on a line of its own.
///
/// # Panics
///
/// If a row cannot be written as JSON; rows of strings always can.
pub fn write<T: Serialize>(rows: &[T]) -> String {
    rows.iter().map(|row| serde_json::to_string(row).expect("a row is JSON") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_way_there_and_back() {
        let rows = vec![vec!["a".to_string()], vec!["b".to_string(), "c".to_string()]];
        assert_eq!(read::<Vec<String>>(&write(&rows)).unwrap(), rows);
        let error = read::<Vec<String>>("[\"a\"]\n[1]").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
