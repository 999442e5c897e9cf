//! A row of the reviews, and its line of JSON.

use crate::catalogue::{Origin, Split};
use serde::{Deserialize, Serialize};

/// A review, what it says of the product, and where the row belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What the customer wrote.
    pub text: String,
    /// Whether the customer is content.
    pub label: Label,
    /// The category of the product, in the review's language.
    pub category: String,
    /// Unique in the file.
    pub id: String,
    /// What the row is for.
    pub split: Split,
    /// How the row came about.
    pub origin: Origin,
}

/// Whether a customer is content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Content, whatever there was to complain about.
    Positive,
    /// Not content, whatever there was to praise.
    Negative,
}

impl Review {
    /// The text without case, spaces and punctuation: reviews that share it are the same.
    pub fn letters(&self) -> String {
        self.text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonl;

    const LINE: &str = concat!(
        r#"{"text":"Flies well, 风筝不错.","label":"positive","category":"kites","#,
        r#""id":"kites-0001","split":"valid","origin":"written"}"#
    );

    #[test]
    fn a_line_survives_the_way_there_and_back() {
        let rows = jsonl::read::<Review>(LINE).unwrap();
        assert_eq!(rows[0].letters(), "flieswell风筝不错");
        assert_eq!(rows[0].split, Split::Valid);
        assert_eq!(jsonl::write(&rows).trim_end(), LINE);
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad = format!("{LINE}\n{}", LINE.replace("positive", "lukewarm"));
        let error = jsonl::read::<Review>(&bad).unwrap_err();
        assert!(error.starts_with("line 2: unknown variant `lukewarm`"), "{error}");
    }
}
