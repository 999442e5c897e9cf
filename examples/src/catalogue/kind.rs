//! A category of products: its vocabulary and sentences, read from `data/phrases/*.txt`.
//!
//! A line is `key: parts`, parts divided by ` | `:
//! - `category`, `noun` (what the product may be called), `first` and `second` (the two words of a
//!   name, divided by spaces), `price` (lowest and highest);
//! - `open`, `then`, `last`: a sentence that may begin, continue or end a description. `{field}`
//!   is replaced by the attribute's value, `{field:why}` by what that value is good for, `{noun}`
//!   by one of the nouns, and `[this|that]` by one of its parts;
//! - any other key is an attribute and its values, each `value` or `value = what it is good for`.
//!
//! Attributes stand in the order of the file, after the name and before the price. Sentences that
//! fit every category are in `shared.txt`. Lines that begin with `#` are comments.

/// A category of products.
pub struct Kind {
    pub(crate) category: String,
    pub(crate) nouns: Vec<String>,
    first: Vec<String>,
    second: Vec<String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(super) sentences: Vec<Sentence>,
}

/// An attribute other than the name, and the values it may take.
pub(crate) struct Attribute {
    pub(crate) field: String,
    pub(crate) values: Vec<String>,
    /// What each value is good for; empty where the file does not say.
    whys: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Then,
    Last,
}

/// A sentence to be filled in. Bit `i` of `slots` says that it mentions attribute `i`, where 0 is
/// the name.
pub(super) struct Sentence {
    pub(super) place: Place,
    pub(super) slots: u32,
    pub(super) text: String,
}

const SHARED: &str = include_str!("../../data/phrases/shared.txt");

impl Kind {
    /// Reads a category from the text of its file.
    ///
    /// # Panics
    ///
    /// If a line is not `key: parts`: the files are part of the program.
    pub fn parse(text: &str) -> Self {
        let mut kind = Kind {
            category: String::new(),
            nouns: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            attributes: Vec::new(),
            sentences: Vec::new(),
        };
        let mut prices = None;
        let mut sentences = Vec::new();
        for (key, rest) in lines(text).chain(lines(SHARED)) {
            let words = || rest.split(' ').map(str::to_string).collect();
            match key {
                "category" => kind.category = rest.to_string(),
                "noun" => kind.nouns = rest.split(" | ").map(str::to_string).collect(),
                "first" => kind.first = words(),
                "second" => kind.second = words(),
                "price" => prices = Some(Attribute::prices(rest)),
                "open" => sentences.push((Place::Open, rest)),
                "then" => sentences.push((Place::Then, rest)),
                "last" => sentences.push((Place::Last, rest)),
                field => kind.attributes.push(Attribute::parse(field, rest)),
            }
        }
        kind.attributes.extend(prices);
        kind.sentences =
            sentences.iter().map(|(place, text)| kind.sentence(*place, text)).collect();
        kind
    }

    /// The field of each slot: `name`, the attributes, `price`.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        std::iter::once("name").chain(self.attributes.iter().map(|a| a.field.as_str()))
    }

    /// Every name the words can make.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let names = |first| self.second.iter().map(move |second| format!("{first} {second}"));
        self.first.iter().flat_map(names)
    }

    /// What `value` is good for, if the file says so.
    pub(crate) fn why(&self, field: &str, value: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|a| a.field == field)?;
        let index = attribute.values.iter().position(|v| v == value)?;
        Some(attribute.whys[index].as_str()).filter(|why| !why.is_empty())
    }

    fn sentence(&self, place: Place, text: &str) -> Sentence {
        let mentioned = |field| text.contains(&format!("{{{field}}}"));
        let bit = |(i, field)| u32::from(mentioned(field)) << i;
        let slots = self.fields().enumerate().map(bit).sum();
        Sentence { place, slots, text: text.to_string() }
    }
}

impl Attribute {
    fn parse(field: &str, rest: &str) -> Self {
        let pairs = rest.split(" | ").map(|part| part.split_once(" = ").unwrap_or((part, "")));
        let (values, whys) = pairs.map(|(value, why)| (value.into(), why.into())).unzip();
        Attribute { field: field.to_string(), values, whys }
    }

    /// Prices from `lowest` to `highest` euros: 14, 19, … 99, then 110, 120, ….
    ///
    /// The currency is a word, so that a price begins and ends at a word boundary. Two-digit prices
    /// end in 4 or 9 and longer ones in 0: not even a search that ignores word boundaries
    /// finds one inside another.
    fn prices(range: &str) -> Self {
        let (lowest, highest) = range.split_once(' ').expect("price: lowest and highest");
        let bounds: (u32, u32) = (lowest.parse().expect("price"), highest.parse().expect("price"));
        let ladder = (14..100).step_by(5).chain((110..1000).step_by(10));
        let ladder = ladder.filter(|p| (bounds.0..=bounds.1).contains(p));
        let values: Vec<String> = ladder.map(|price| format!("{price} euros")).collect();
        Attribute { field: "price".to_string(), whys: vec![String::new(); values.len()], values }
    }
}

/// The `key: parts` lines of a file.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no `key: ` in {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_slots_in_order() {
        let kind = Kind::parse(
            "category: kites\nnoun: kite\nfirst: Red\nsecond: Wing Tail\n\
             colour: sky blue = looks calm\nprice: 94 120\n\
             open: The {name} in {colour} at {price}.",
        );
        assert_eq!(kind.fields().collect::<Vec<_>>(), ["name", "colour", "price"]);
        assert_eq!(kind.names().collect::<Vec<_>>(), ["Red Wing", "Red Tail"]);
        assert_eq!(kind.attributes[1].values, ["94 euros", "99 euros", "110 euros", "120 euros"]);
        assert_eq!(kind.sentences[0].slots, 0b111);
        assert_eq!(kind.why("colour", "sky blue"), Some("looks calm"));
        assert_eq!(kind.why("price", "94 euros"), None);
    }
}
