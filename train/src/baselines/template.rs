//! A template: a text that lists a product's attributes.

use super::copy::name;
use crate::data::Example;

/// Describes a product by its name and a list of its other attributes, without having learned
/// anything: `Lamp. Price: 129.90, brand: Sol.`
///
/// A name that is no `name` or `title` is any first attribute, and stands in the list as well. A
/// `_` in a field is written as a space, a blank value is left out, and a product with Chinese
/// characters is listed with Chinese signs. Every value is mentioned, so the attribute coverage is
/// 1: coverage alone is no writing.
pub fn template(product: &Example) -> String {
    let is_chinese = |text: &str| text.contains(|c| matches!(c, '\u{4e00}'..='\u{9fff}'));
    let pairs = product.attributes.iter().map(|(field, value)| (&field[..], &value[..]));
    let pairs: Vec<_> = pairs.filter(|(_, value)| !value.trim().is_empty()).collect();
    let signs = match pairs.iter().any(|(field, value)| is_chinese(field) || is_chinese(value)) {
        true => Signs { stop: "。", between: "，", after_field: "：", space: "" },
        false => Signs { stop: ".", between: ", ", after_field: ": ", space: " " },
    };
    let name = name(product);
    let named = name.filter(|(field, _)| ["name", "title"].contains(&&field.to_lowercase()[..]));
    let listed = pairs.iter().filter(|pair| Some(**pair) != named);
    let listed: Vec<String> = listed
        .map(|(field, value)| field.replace('_', " ") + signs.after_field + &one_line(value))
        .collect();
    let title = name.map(|(_, value)| one_line(value));
    let sentences = title.into_iter().chain([capital(&listed.join(signs.between))]);
    let sentences = sentences.filter(|text| !text.is_empty()).map(|text| signs.ended(&text));
    sentences.collect::<Vec<_>>().join(signs.space)
}

/// The signs of a language.
struct Signs {
    stop: &'static str,
    between: &'static str,
    after_field: &'static str,
    space: &'static str,
}

impl Signs {
    /// The text with a stop after it, if it has none.
    fn ended(&self, text: &str) -> String {
        let ends = text.ends_with(['.', '!', '?', '。', '！', '？']);
        if ends { text.to_string() } else { format!("{text}{}", self.stop) }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with its first letter a capital.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Task, parse_rows};
    use crate::metrics::Vocabulary;

    fn product(row: &str) -> Example {
        let rows = parse_rows("rows.jsonl", row.as_bytes()).unwrap();
        rows.examples(Task::Describe).unwrap().remove(0)
    }

    #[test]
    fn a_product_is_listed() {
        for (row, text) in [
            (
                r#"{"price": 129.90, "name": "Lamp", "screen_size": "5\"", "description": "x"}"#,
                "Lamp. Price: 129.90, screen size: 5\".",
            ),
            (r#"{"title": "A lamp!", "size": "L", "description": "x"}"#, "A lamp! Size: L."),
            (r#"{"brand": "Sol", "colour": "", "description": "x"}"#, "Sol. Brand: Sol."),
            (
                r#"{"name": "台灯", "颜色": "白色", "size": 5, "description": "x"}"#,
                "台灯。颜色：白色，size：5。",
            ),
            (r#"{"name": "Lamp", "description": "x"}"#, "Lamp."),
            (r#"{"name": " ", "description": "x"}"#, ""),
        ] {
            assert_eq!(template(&product(row)), text, "{row}");
        }
    }

    #[test]
    fn every_value_is_mentioned() {
        for row in [
            r#"{"name": "Lamp 2.0", "a": 1, "b": 2, "c": "3,5", "d": "C++", "e": "a\nb", "f": "x."}"#,
            r#"{"brand": "Sol, Inc.", "a": "24.", "b": ".5", "size": "45 x 30 cm"}"#,
            r#"{"品牌": "华为", "name": "P30", "内存": "8", "屏幕": "6.5", "价格": "2,000"}"#,
        ] {
            let product = product(&row.replace('}', r#", "description": "x"}"#));
            let text = template(&product);
            let mentions = Vocabulary::default().mentions(&text, product.values(), None);
            assert_eq!(mentions.mentioned, mentions.values, "{text}");
        }
    }
}
