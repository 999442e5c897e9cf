//! The shop's catalogue: a synthetic data set of products and their descriptions.
//!
//! Nothing in it was collected: no product, brand or price exists. Most rows are *generated*, from
//! vocabulary and sentences in `data/phrases/`, by a seeded generator ([`generate`]); some are
//! *written* by hand, in `data/written.jsonl` ([`written`]). [`catalogue`] is both, and
//! `data/catalogue.jsonl` is what it makes:
//!
//! ```sh
//! cargo run --release -p attendant-examples --bin catalogue
//! ```
//!
//! A description mentions each of its product's values word for word, and no value of any other
//! product; so what a model leaves out or makes up can be counted. Products for validation and test
//! are combinations of values that no training row has, and [`fresh`] makes more training
//! rows without touching those.

mod grammar;
mod kind;
mod mentions;
mod product;

pub use grammar::{WORDS, begins_with_vowel_sound};
pub(crate) use grammar::{articles, capitalize};
pub use kind::Kind;
pub use mentions::Mentions;
pub use product::{Origin, Product, Split, parse_lines};

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::sync::LazyLock;

/// The committed catalogue, one product a line.
pub const EMBEDDED: &str = include_str!("../../data/catalogue.jsonl");
/// The seed of the committed catalogue.
pub const SEED: u64 = 2026;
/// The number of generated rows in the committed catalogue.
pub const GENERATED: usize = 3600;

const WRITTEN: &str = include_str!("../../data/written.jsonl");

pub(crate) static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let files = [
        include_str!("../../data/phrases/backpacks.txt"),
        include_str!("../../data/phrases/bottles.txt"),
        include_str!("../../data/phrases/chairs.txt"),
        include_str!("../../data/phrases/grinders.txt"),
        include_str!("../../data/phrases/headphones.txt"),
        include_str!("../../data/phrases/jackets.txt"),
        include_str!("../../data/phrases/knives.txt"),
        include_str!("../../data/phrases/lamps.txt"),
        include_str!("../../data/phrases/rugs.txt"),
        include_str!("../../data/phrases/shoes.txt"),
        include_str!("../../data/phrases/tents.txt"),
        include_str!("../../data/phrases/watches.txt"),
    ];
    files.into_iter().map(Kind::parse).collect()
});

/// Every value that a product may have, of any category: what a description must not mention
/// unless it is its product's own.
pub static VOCABULARY: LazyLock<Mentions> = LazyLock::new(|| {
    let listed =
        KINDS.iter().flat_map(|kind| kind.attributes.iter().flat_map(|a| a.values.clone()));
    let names = KINDS.iter().flat_map(Kind::names);
    let written = written().into_iter().flat_map(|p| p.attributes).map(|(_, value)| value);
    Mentions::new(listed.chain(names).chain(written))
});

/// The whole catalogue: the generated rows, then the written ones.
pub fn catalogue() -> Vec<Product> {
    let mut products = generate(SEED, GENERATED);
    products.extend(written());
    products
}

/// The rows written by hand.
pub fn written() -> Vec<Product> {
    parse_lines(WRITTEN).expect("data/written.jsonl")
}

/// `count` generated products, the categories in turn; of every twelve rounds, ten are for
/// training, one for validation, one for test.
///
/// No two share a combination of values (name and price aside), with each other or with a written
/// row. In the committed catalogue no two share a name; more rows than names use the names again.
pub fn generate(seed: u64, count: usize) -> Vec<Product> {
    let mut maker = Maker::new(seed, &written());
    let product = |i: usize| {
        let split = match i / KINDS.len() % 12 {
            10 => Split::Valid,
            11 => Split::Test,
            _ => Split::Train,
        };
        maker.make(i % KINDS.len(), split, i / KINDS.len() + 1)
    };
    (0..count).map(product).collect()
}

/// `count` more training rows, of categories in random order.
///
/// None has the name or the combination of values (name and price aside) of a validation or test
/// row of the committed catalogue.
pub fn fresh(seed: u64, count: usize) -> Vec<Product> {
    let mut held_out = parse_lines(EMBEDDED).expect("data/catalogue.jsonl");
    held_out.retain(|product| product.split != Split::Train);
    let mut maker = Maker::new(seed, &held_out);
    let mut order: Vec<usize> = (0..count).map(|i| i % KINDS.len()).collect();
    order.shuffle(&mut maker.rng);
    order.iter().enumerate().map(|(i, &kind)| maker.make(kind, Split::Train, i + 1)).collect()
}

/// Makes products one after the other, none with a combination of values used before.
struct Maker {
    rng: ChaCha8Rng,
    reserved_names: HashSet<String>,
    combinations: HashSet<String>,
    /// The names not used yet, of each category, in random order.
    decks: Vec<Vec<String>>,
}

impl Maker {
    fn new(seed: u64, reserved: &[Product]) -> Self {
        Maker {
            rng: ChaCha8Rng::seed_from_u64(seed),
            reserved_names: reserved.iter().map(|p| p.name().to_string()).collect(),
            combinations: reserved.iter().map(Product::combination).collect(),
            decks: KINDS.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// The next product of category `index`, described so that [`VOCABULARY`] finds its own values
    /// and no other.
    fn make(&mut self, index: usize, split: Split, number: usize) -> Product {
        let kind = &KINDS[index];
        let mut product = Product {
            category: kind.category.clone(),
            attributes: self.draw(index),
            description: String::new(),
            id: format!("{}-{number:04}", kind.category.replace(' ', "-")),
            split,
            origin: Origin::Generated,
        };
        while !self.combinations.insert(product.combination()) {
            product.attributes = self.draw(index);
        }
        let values: Vec<String> = product.attributes.iter().map(|(_, v)| v.clone()).collect();
        let own = values.iter().map(|value| value.to_lowercase()).collect();
        for _ in 0..10_000 {
            let description = kind.describe(&values, &mut self.rng);
            if let Some(description) = description.filter(|text| VOCABULARY.find(text) == own) {
                return Product { description, ..product };
            }
        }
        panic!("{}: no description mentions just {values:?}", kind.category);
    }

    /// A name and a value for each attribute.
    fn draw(&mut self, index: usize) -> Vec<(String, String)> {
        let kind = &KINDS[index];
        let mut values = vec![self.name(index)];
        for attribute in &kind.attributes {
            let value = attribute.values.choose(&mut self.rng);
            values.push(value.expect("an attribute has values").clone());
        }
        kind.fields().map(str::to_string).zip(values).collect()
    }

    fn name(&mut self, index: usize) -> String {
        let deck = &mut self.decks[index];
        if deck.is_empty() {
            deck.extend(KINDS[index].names().filter(|name| !self.reserved_names.contains(name)));
            deck.shuffle(&mut self.rng);
        }
        deck.pop().expect("a category has names")
    }
}
