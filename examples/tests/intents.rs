//! What the intents promise: every intent in every split, no message twice, many ways to say it.

use examples::intents::{
    EMBEDDED, GENERATED, LABELS, Origin, Row, Split, generate, intents, words,
};
use examples::jsonl;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| jsonl::read(EMBEDDED).unwrap());

#[test]
fn the_committed_file_is_what_the_generator_makes() {
    let rows = intents();
    assert_eq!(rows.len(), ROWS.len(), "run `cargo run -p attendant-examples --bin questions`");
    for (made, committed) in rows.iter().zip(ROWS.iter()) {
        assert_eq!(made, committed, "run `cargo run -p attendant-examples --bin questions`");
    }
    assert!(jsonl::write(&rows) == EMBEDDED, "the bytes differ");
}

#[test]
fn every_intent_is_in_every_split() {
    let labels: HashSet<&str> = LABELS.into_iter().collect();
    assert_eq!(labels.len(), 27);
    assert!(ROWS.iter().all(|row| labels.contains(&*row.label)));
    for label in LABELS {
        let count = |wanted: &dyn Fn(&Row) -> bool| {
            ROWS.iter().filter(|row| row.label == label && wanted(row)).count()
        };
        assert_eq!(count(&|row| row.origin == Origin::Generated), GENERATED, "{label}");
        assert!(count(&|row| row.origin == Origin::Written) >= 5, "{label}");
        for (split, least) in [(Split::Train, 70), (Split::Valid, 7), (Split::Test, 7)] {
            assert!(count(&|row| row.split == split) >= least, "{label}: {split:?}");
            let written = |row: &Row| row.split == split && row.origin == Origin::Written;
            assert!(count(&written) >= 1, "{label}: no written row in {split:?}");
        }
    }
    let count = |origin| ROWS.iter().filter(|row| row.origin == origin).count();
    assert!(count(Origin::Generated) >= 2000 && count(Origin::Written) >= 160);
}

/// So nothing in validation or test stands in training, not even typed otherwise.
#[test]
fn no_message_comes_twice() {
    let (mut ids, mut messages) = (HashSet::new(), HashSet::new());
    for row in ROWS.iter() {
        assert!(ids.insert(&row.id), "{}: twice", row.id);
        assert!(messages.insert(words(&row.text)), "{}: {:?} twice", row.id, row.text);
    }
}

#[test]
fn an_intent_is_said_in_many_ways() {
    for label in LABELS {
        let of_label: Vec<&Row> = ROWS.iter().filter(|row| row.label == label).collect();
        let mut openings: HashMap<String, usize> = HashMap::new();
        for row in &of_label {
            let opening = words(&row.text).split(' ').take(3).collect::<Vec<_>>().join(" ");
            *openings.entry(opening).or_default() += 1;
        }
        assert!(openings.len() * 2 > of_label.len(), "{label}: {} openings", openings.len());
        let most = openings.values().max().unwrap();
        assert!(most * 5 <= of_label.len(), "{label}: {most} messages begin alike");
        let lengths: HashSet<usize> =
            of_label.iter().map(|row| row.text.split(' ').count()).collect();
        assert!(lengths.len() >= 15, "{label}: {} lengths", lengths.len());
    }
}

#[test]
fn messages_are_typed_as_people_type() {
    let share = |wanted: &dyn Fn(&str) -> bool| {
        ROWS.iter().filter(|row| wanted(&row.text)).count() * 100 / ROWS.len()
    };
    assert!((20..50).contains(&share(&|text| !text.contains(char::is_uppercase))));
    assert!((1..10).contains(&share(&|text| !text.contains(char::is_lowercase))));
    assert!((10..40).contains(&share(&|text| text.contains(|c: char| c.is_ascii_digit()))));
    assert!(share(&|text| !text.ends_with(['.', '!', '?'])) >= 10);
}

#[test]
fn messages_are_whole() {
    for row in ROWS.iter().chain(&generate(2, 24)) {
        let count = row.text.split(' ').count();
        assert!((2..=60).contains(&count), "{}: {count} words", row.id);
        for bad in ["  ", " ,", " .", "?.", ".?", "{", "}", "[", "]", "|"] {
            assert!(!row.text.contains(bad), "{bad:?} in {}: {}", row.id, row.text);
        }
    }
}

#[test]
fn rows_follow_their_seed() {
    assert_eq!(generate(7, 3), generate(7, 3));
    assert_ne!(generate(7, 3), generate(8, 3));
}
