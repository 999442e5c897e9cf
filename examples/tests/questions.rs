//! What the questions promise: counts, splits, answers that follow from their contexts.

use examples::catalogue::begins_with_vowel_sound;
use examples::jsonl;
use examples::questions::{
    Answerable, EMBEDDED, GENERATED, Origin, Row, Split, UNKNOWN, generate, questions, words,
};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| jsonl::read(EMBEDDED).unwrap());

#[test]
fn the_committed_file_is_what_the_generator_makes() {
    let rows = questions();
    assert_eq!(rows.len(), ROWS.len(), "run `cargo run -p attendant-examples --bin questions`");
    for (made, committed) in rows.iter().zip(ROWS.iter()) {
        assert_eq!(made, committed, "run `cargo run -p attendant-examples --bin questions`");
    }
    assert!(jsonl::write(&rows) == EMBEDDED, "the bytes differ");
}

#[test]
fn there_are_enough_rows_of_each_sort() {
    let count = |wanted: &dyn Fn(&&Row) -> bool| ROWS.iter().filter(wanted).count();
    assert!(count(&|row| row.origin == Origin::Generated) == GENERATED && GENERATED >= 1500);
    assert!(count(&|row| row.origin == Origin::Written) >= 150);
    for (split, least) in [(Split::Train, 1500), (Split::Valid, 150), (Split::Test, 150)] {
        let all = count(&|row| row.split == split);
        let unknown = count(&|row| row.split == split && row.answerable == Answerable::No);
        assert!(all >= least, "{split:?}: {all} rows");
        assert!((10..=20).contains(&(unknown * 100 / all)), "{split:?}: {unknown} of {all}");
    }
}

#[test]
fn nothing_stands_in_two_splits_and_no_question_comes_twice() {
    let (mut ids, mut asked, mut splits) = (HashSet::new(), HashSet::new(), HashMap::new());
    for row in ROWS.iter() {
        assert!(ids.insert(&row.id), "{}: twice", row.id);
        assert!(asked.insert(words(&row.question)), "{}: {:?} twice", row.id, row.question);
        let split = *splits.entry(words(&row.context)).or_insert(row.split);
        assert_eq!(split, row.split, "{}: a context of two splits", row.id);
    }
    // A product whose page is read in training is not asked about in validation or test.
    let generated = || ROWS.iter().filter(|row| row.origin == Origin::Generated);
    let products = |split| generated().filter(move |r| r.split == split).map(|r| &r.product);
    let learned: HashSet<&String> = products(Split::Train).collect();
    assert!(products(Split::Valid).chain(products(Split::Test)).all(|p| !learned.contains(p)));
}

#[test]
fn answers_share_words_with_their_contexts() {
    for row in ROWS.iter().chain(&generate(1, 1000)) {
        match row.answerable {
            Answerable::No => assert_eq!(row.answer, UNKNOWN, "{}", row.id),
            Answerable::Yes => {
                let context = content(&row.context);
                assert!(!content(&row.answer).is_disjoint(&context), "{row:?}");
            }
        }
    }
}

/// The words that carry meaning, by their first five letters, and the numbers.
fn content(text: &str) -> HashSet<String> {
    const SMALL: &str = " the a an it is are was with for to of and in on at you yes no not they \
        its that this from has have by be don if i my one can s t ";
    let words = words(text);
    let large = words.split(' ').filter(|word| !SMALL.contains(&format!(" {word} ")));
    large.map(|word| word.chars().take(5).collect()).collect()
}

/// Copying a piece of the context often is not the answer, and the whole context never.
#[test]
fn answers_are_short_and_often_in_other_words() {
    let known: Vec<&Row> = ROWS.iter().filter(|row| row.answerable == Answerable::Yes).collect();
    let copied = |row: &&&Row| words(&row.context).contains(&words(&row.answer));
    let copies = known.iter().filter(copied).count();
    assert!(copies * 2 < known.len(), "{copies} of {} answers are copies", known.len());
    for row in known {
        assert!(row.answer.split(' ').count() <= 15, "{}: {}", row.id, row.answer);
        assert!(words(&row.answer) != words(&row.context), "{}", row.id);
    }
}

#[test]
fn contexts_and_answers_read_like_sentences() {
    for row in ROWS.iter().chain(&generate(2, 500)) {
        let sentences = row.context.split(' ').filter(|w| w.ends_with(['.', '!', '?'])).count();
        assert!((1..=4).contains(&sentences), "{}: {sentences} sentences", row.id);
        for text in [&row.context, &row.answer] {
            assert!(text.ends_with(['.', '!', '?']), "{}: {text}", row.id);
            assert!(text.starts_with(|c: char| !c.is_lowercase()), "{}: {text}", row.id);
        }
        for text in [&row.question, &row.context, &row.answer] {
            for bad in ["  ", " ,", " .", "..", ",.", "?.", "{", "}", "[", "]", "|"] {
                assert!(!text.contains(bad), "{bad:?} in {}: {text}", row.id);
            }
            let words: Vec<&str> = text.split(' ').collect();
            for pair in words.windows(2).filter(|pair| ["a", "an"].contains(&pair[0])) {
                let an = pair[0] == "an";
                assert_eq!(an, begins_with_vowel_sound(pair[1]), "{pair:?} in {}", row.id);
            }
        }
    }
}

#[test]
fn written_rows_have_sentences_of_their_own() {
    let of = |origin| ROWS.iter().filter(move |row| row.origin == origin);
    let sentences = |row: &Row| row.context.split(". ").map(words).collect::<Vec<_>>();
    let generated: HashSet<String> = of(Origin::Generated).flat_map(sentences).collect();
    for row in of(Origin::Written) {
        assert!(sentences(row).iter().all(|s| !generated.contains(s)), "{}", row.id);
    }
}

#[test]
fn rows_follow_their_seed() {
    assert_eq!(generate(7, 50), generate(7, 50));
    assert_ne!(generate(7, 50), generate(8, 50));
}
