//! A row of the catalogue, and its line of JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A product, its description, and where the row belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The category: a field of the prompt, but not a value to be mentioned.
    pub category: String,
    /// Field and value, in the row's order: `name` first, `price` last.
    pub attributes: Vec<(String, String)>,
    /// The text that mentions every value.
    pub description: String,
    /// Unique in the catalogue.
    pub id: String,
    /// What the row is for.
    pub split: Split,
    /// How the row came about.
    pub origin: Origin,
}

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose settings by.
    Valid,
    /// To measure at the end.
    Test,
}

/// How a row came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// By the generator.
    Generated,
    /// By hand.
    Written,
}

const SPLITS: [(&str, Split); 3] =
    [("train", Split::Train), ("valid", Split::Valid), ("test", Split::Test)];
const ORIGINS: [(&str, Origin); 2] =
    [("generated", Origin::Generated), ("written", Origin::Written)];

impl Product {
    /// The product's name.
    pub fn name(&self) -> &str {
        &self.attributes[0].1
    }

    /// Category and values, name and price aside: what validation and test do not share with
    /// training.
    pub fn combination(&self) -> String {
        let values =
            self.attributes.iter().filter(|(field, _)| field != "name" && field != "price");
        values.fold(self.category.clone(), |key, (_, value)| key + "\n" + value)
    }

    /// The row as one line of JSON: category, attributes, description, id, split, origin; all
    /// strings.
    pub fn to_line(&self) -> String {
        let mut row = Map::new();
        let mut put = |field: &str, value: &str| row.insert(field.to_string(), value.into());
        put("category", &self.category);
        for (field, value) in &self.attributes {
            put(field, value);
        }
        put("description", &self.description);
        put("id", &self.id);
        put("split", name_of(&SPLITS, self.split));
        put("origin", name_of(&ORIGINS, self.origin));
        Value::Object(row).to_string()
    }

    /// Reads a line made by [`Product::to_line`].
    ///
    /// # Errors
    ///
    /// If the line is not a JSON object of strings, or a field is missing or has no known value.
    pub fn from_line(line: &str) -> Result<Self, String> {
        let row: Map<String, Value> = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let strings = row.into_iter().map(|(field, value)| match value {
            Value::String(value) => Ok((field, value)),
            other => Err(format!("field `{field}` is {other}, not a string")),
        });
        let mut attributes = strings.collect::<Result<Vec<_>, _>>()?;
        let mut take = |field: &str| {
            let index = attributes.iter().position(|(f, _)| f == field);
            index.map(|i| attributes.remove(i).1).ok_or(format!("field `{field}` is missing"))
        };
        let (category, description, id) = (take("category")?, take("description")?, take("id")?);
        let split = named(&SPLITS, "split", &take("split")?)?;
        let origin = named(&ORIGINS, "origin", &take("origin")?)?;
        if attributes.first().is_none_or(|(field, _)| field != "name") {
            return Err("the first attribute must be `name`".to_string());
        }
        Ok(Product { category, attributes, description, id, split, origin })
    }
}

/// The products of a text with one a line.
///
/// # Errors
///
/// If a line is no product: the error names its number.
pub fn parse_lines(text: &str) -> Result<Vec<Product>, String> {
    let product = |(i, line)| Product::from_line(line).map_err(|e| format!("line {}: {e}", i + 1));
    text.lines().enumerate().map(product).collect()
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], item: T) -> &'static str {
    names.iter().find(|(_, i)| *i == item).expect("every item has a name").0
}

fn named<T: Copy>(names: &[(&str, T)], field: &str, name: &str) -> Result<T, String> {
    let found = names.iter().find(|(n, _)| *n == name);
    found.map(|(_, item)| *item).ok_or_else(|| format!("field `{field}` is {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"category":"kites","name":"Red Wing","price":"19 euros","#,
        r#""description":"The Red Wing, for 19 euros.","id":"kites-0001","#,
        r#""split":"valid","origin":"written"}"#
    );

    #[test]
    fn a_line_survives_the_way_there_and_back() {
        let product = Product::from_line(LINE).unwrap();
        assert_eq!(product.name(), "Red Wing");
        assert_eq!(product.split, Split::Valid);
        assert_eq!(product.to_line(), LINE);
    }

    #[test]
    fn a_bad_line_is_named() {
        let bad = LINE.replace("valid", "dev");
        assert_eq!(parse_lines(&bad).unwrap_err(), "line 1: field `split` is \"dev\"");
        let bad = LINE.replace("\"19 euros\"", "19");
        assert_eq!(Product::from_line(&bad).unwrap_err(), "field `price` is 19, not a string");
    }
}
