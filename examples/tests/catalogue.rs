//! What the catalogue promises: counts, lengths, every own value mentioned and no other, splits.

use examples::catalogue::{
    EMBEDDED, Origin, Product, Split, VOCABULARY, WORDS, begins_with_vowel_sound, catalogue, fresh,
    parse_lines,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

static ROWS: LazyLock<Vec<Product>> = LazyLock::new(|| parse_lines(EMBEDDED).unwrap());

#[test]
fn the_committed_file_is_what_the_generator_makes() {
    let made: Vec<String> = catalogue().iter().map(Product::to_line).collect();
    let committed: Vec<&str> = EMBEDDED.lines().collect();
    assert_eq!(
        made.len(),
        committed.len(),
        "run `cargo run -p attendant-examples --bin catalogue`"
    );
    for (made, committed) in made.iter().zip(committed) {
        assert_eq!(made, committed, "run `cargo run -p attendant-examples --bin catalogue`");
    }
}

#[test]
fn there_are_enough_products_of_enough_kinds() {
    let count = |split| ROWS.iter().filter(|p| p.split == split).count();
    assert!(count(Split::Train) >= 3000);
    assert!(count(Split::Valid) >= 300 && count(Split::Test) >= 300);
    assert!(ROWS.iter().filter(|p| p.origin == Origin::Written).count() >= 150);
    let fields = |p: &Product| p.attributes.iter().map(|(f, _)| f.clone()).collect::<Vec<_>>();
    let mut categories: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for product in ROWS.iter() {
        let known = categories.entry(&product.category).or_insert_with(|| fields(product));
        assert_eq!(*known, fields(product), "{}", product.id);
        assert!(known.len() >= 7 && known[0] == "name" && known[known.len() - 1] == "price");
    }
    assert!(categories.len() >= 10);
}

#[test]
fn ids_and_names_are_unique() {
    let mut seen = HashSet::new();
    assert!(ROWS.iter().all(|p| seen.insert(&p.id) && seen.insert(&p.attributes[0].1)));
}

/// No value stands in another one, of any category: else who mentions one mentions both.
#[test]
fn no_value_is_part_of_another() {
    for (_, value) in ROWS.iter().flat_map(|p| &p.attributes) {
        assert_eq!(VOCABULARY.find(value), BTreeSet::from([value.to_lowercase()]));
    }
}

#[test]
fn descriptions_mention_all_their_values_and_no_others() {
    ROWS.iter().for_each(assert_faithful);
    fresh(1, 2000).iter().for_each(assert_faithful);
}

fn assert_faithful(product: &Product) {
    let own: BTreeSet<String> = product.attributes.iter().map(|(_, v)| v.to_lowercase()).collect();
    assert_eq!(own.len(), product.attributes.len(), "{}: a value stands twice", product.id);
    assert_eq!(VOCABULARY.find(&product.description), own, "{}", product.id);
}

/// A second opinion on [`VOCABULARY`]: not even a search that ignores word boundaries goes wrong.
#[test]
fn the_plainest_search_finds_the_same_mentions() {
    let mut values: BTreeSet<String> = BTreeSet::new();
    values.extend(ROWS.iter().flat_map(|p| &p.attributes).map(|(_, v)| v.to_lowercase()));
    for product in ROWS.iter() {
        let text = product.description.to_lowercase();
        let found = values.iter().filter(|value| text.contains(value.as_str())).cloned();
        assert_eq!(found.collect::<BTreeSet<_>>(), VOCABULARY.find(&text), "{}", product.id);
    }
}

#[test]
fn descriptions_read_like_sentences() {
    for product in ROWS.iter().chain(&fresh(2, 500)) {
        let text = &product.description;
        let words: Vec<&str> = text.split(' ').collect();
        assert!(WORDS.contains(&words.len()), "{}: {} words", product.id, words.len());
        assert!(text.ends_with(['.', '!', '?']) && !text.contains(char::is_control), "{text}");
        assert!(text.starts_with(|c: char| !c.is_lowercase()), "{text}");
        for bad in ["  ", " ,", " .", "..", ",.", ",,", "?.", " ;", " :"] {
            assert!(!text.contains(bad), "{bad:?} in {text}");
        }
        for pair in words.windows(2).filter(|pair| ["a", "an"].contains(&&*pair[0].to_lowercase()))
        {
            let an = pair[0].to_lowercase() == "an";
            assert_eq!(an, begins_with_vowel_sound(pair[1]), "{pair:?} in {text}");
        }
    }
}

#[test]
fn descriptions_differ_even_without_their_values() {
    let masked: HashSet<String> = ROWS.iter().map(mask).collect();
    assert!(masked.len() * 100 >= ROWS.len() * 95, "{} of {}", masked.len(), ROWS.len());
    // Sentences written by hand are not the generator's.
    let of = |origin| ROWS.iter().filter(move |p| p.origin == origin);
    let sentences = |p: &Product| mask(p).split(". ").map(str::to_string).collect::<Vec<_>>();
    let generated: HashSet<String> = of(Origin::Generated).flat_map(sentences).collect();
    let own = |p: &&Product| sentences(p).iter().all(|s| !generated.contains(s));
    assert!(of(Origin::Written).filter(own).count() * 100 >= of(Origin::Written).count() * 95);
}

/// The description with `_` for each value.
fn mask(product: &Product) -> String {
    let text = product.description.to_lowercase();
    product.attributes.iter().fold(text, |text, (_, v)| text.replace(&v.to_lowercase(), "_"))
}

#[test]
fn validation_and_test_combinations_are_not_in_training() {
    let of = |split| ROWS.iter().filter(move |p| p.split == split);
    let train: HashSet<String> = of(Split::Train).map(Product::combination).collect();
    let mut held_out = of(Split::Valid).chain(of(Split::Test));
    assert!(held_out.all(|p| !train.contains(&p.combination())));
    let held_out: Vec<&Product> = of(Split::Valid).chain(of(Split::Test)).collect();
    let combinations: HashSet<String> = held_out.iter().map(|p| p.combination()).collect();
    let names: HashSet<&str> = held_out.iter().map(|p| p.name()).collect();
    for product in fresh(3, 2000) {
        assert!(!combinations.contains(&product.combination()) && !names.contains(product.name()));
        assert_eq!(product.split, Split::Train);
    }
}

#[test]
fn fresh_rows_follow_their_seed() {
    assert_eq!(fresh(7, 50), fresh(7, 50));
    assert_ne!(fresh(7, 50), fresh(8, 50));
}
