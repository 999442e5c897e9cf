//! What the reviews promise, in both languages: counts, balance, lengths, splits, and that words
//! alone do not decide.

use examples::catalogue::{Origin, Split};
use examples::jsonl;
use examples::reviews::{GENERATED, Label, Language, Review, generate, reviews};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];
static ENGLISH: LazyLock<Vec<Review>> = LazyLock::new(|| committed(Language::English));
static CHINESE: LazyLock<Vec<Review>> = LazyLock::new(|| committed(Language::Chinese));

fn committed(language: Language) -> Vec<Review> {
    jsonl::read(language.embedded()).unwrap()
}

fn both() -> [(Language, &'static [Review]); 2] {
    [(Language::English, &ENGLISH), (Language::Chinese, &CHINESE)]
}

fn of(rows: &[Review], split: Split) -> impl Iterator<Item = &Review> {
    rows.iter().filter(move |r| r.split == split)
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    for language in LANGUAGES {
        let made = jsonl::write(&reviews(language));
        let made: Vec<&str> = made.lines().collect();
        let committed: Vec<&str> = language.embedded().lines().collect();
        let hint = "run `cargo run --release -p attendant-examples --bin reviews`";
        assert_eq!(made.len(), committed.len(), "{hint}");
        for (made, committed) in made.into_iter().zip(committed) {
            assert_eq!(made, committed, "{hint}");
        }
        assert!(language.embedded().ends_with('\n') && !language.embedded().contains('\r'));
    }
}

#[test]
fn reviews_follow_their_seed() {
    for language in LANGUAGES {
        assert_eq!(generate(language, 7, 50), generate(language, 7, 50));
        assert_ne!(generate(language, 7, 50), generate(language, 8, 50));
    }
}

#[test]
fn there_are_enough_rows_of_each_kind() {
    for (language, rows) in both() {
        let generated = rows.iter().filter(|r| r.origin == Origin::Generated).count();
        assert_eq!(generated, GENERATED);
        assert!(generated >= 2000 && rows.len() - generated >= 150, "{language:?}");
        let categories: HashSet<&str> = rows.iter().map(|r| r.category.as_str()).collect();
        assert!((8..=10).contains(&categories.len()), "{categories:?}");
        let count = |split| of(rows, split).count();
        let held_out = [count(Split::Valid), count(Split::Test)];
        for held_out in held_out {
            assert!(held_out * 8 <= count(Split::Train) && count(Split::Train) <= held_out * 12);
        }
    }
}

/// In each category, split and origin there are as many positive rows as negative ones, and some.
#[test]
fn labels_are_balanced_everywhere() {
    for (language, rows) in both() {
        let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for row in rows {
            let group = format!("{} {:?} {:?}", row.category, row.split, row.origin);
            counts.entry(group).or_default()[usize::from(row.label == Label::Positive)] += 1;
        }
        let categories: HashSet<&str> = rows.iter().map(|r| r.category.as_str()).collect();
        assert_eq!(counts.len(), categories.len() * 3 * 2, "{language:?}: a group is empty");
        for (group, [negative, positive]) in counts {
            assert_eq!(negative, positive, "{language:?} {group}");
        }
    }
}

/// Not even case, spaces and punctuation aside: so no text is in two splits or has two labels.
#[test]
fn no_text_stands_twice() {
    for (language, rows) in both() {
        let mut seen: HashMap<String, &Review> = HashMap::new();
        for row in rows {
            if let Some(other) = seen.insert(row.letters(), row) {
                panic!("{language:?}: {} and {} are both {:?}", row.id, other.id, row.text);
            }
        }
        let ids: HashSet<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids.len(), rows.len());
    }
}

#[test]
fn texts_are_of_many_lengths() {
    for (language, rows) in both() {
        let mut lengths: Vec<usize> = rows.iter().map(|r| language.length(&r.text)).collect();
        lengths.sort_unstable();
        assert!(language.lengths().contains(&lengths[0]));
        assert!(language.lengths().contains(&lengths[rows.len() - 1]));
        let (tenth, ninth) = (lengths[rows.len() / 10], lengths[rows.len() * 9 / 10]);
        assert!(tenth * 2 <= ninth, "{language:?}: most have {tenth} to {ninth}");
    }
}

#[test]
fn english_reads_like_sentences() {
    for Review { id, text, origin, .. } in ENGLISH.iter() {
        assert!(!text.contains(char::is_control) && text.trim() == text, "{id}");
        assert!(text.chars().all(|c| c.is_ascii() || "–éü".contains(c)), "{id}: {text}");
        if *origin == Origin::Written {
            continue; // people write as they like
        }
        assert!(text.ends_with(['.', '!', '?']), "{id}: {text}");
        assert!(text.starts_with(|c: char| !c.is_lowercase()), "{id}: {text}");
        for bad in [
            "  ", " ,", " .", "..", ",.", ",,", "?.", ".,", "!.", ":.", " ;", " :", " a a", " a e",
            " a i", " a o",
        ] {
            assert!(!text.contains(bad), "{bad:?} in {id}: {text}");
        }
        assert!(!text.contains(['{', '}', '[', ']', '|', '~', '/', '_']), "{id}: {text}");
    }
}

#[test]
fn chinese_is_chinese_and_simplified() {
    let han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
    let traditional = "這個們說還沒時來對後裡過請給點賣買東頭髮電機網頁書貨錢開關長門";
    for Review { id, text, category, .. } in CHINESE.iter() {
        assert!(!text.contains(char::is_control) && text.trim() == text, "{id}");
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        assert!(text.chars().filter(han).count() * 10 >= letters * 9, "{id}: {text}");
        assert!(category.chars().all(|c| han(&c)), "{category}");
        assert!(!text.contains(|c| traditional.contains(c)), "{id}: {text}");
        for bad in ["  ", "，，", "，。", "。，", "！，", "，！", "？。", "！。", "：，", "、，"]
        {
            assert!(!text.contains(bad), "{bad:?} in {id}: {text}");
        }
        assert!(!text.contains(['{', '}', '[', ']', '|', '/', '_', '\u{fffd}']), "{id}: {text}");
    }
}

#[test]
fn what_is_written_by_hand_is_not_the_generators() {
    for (language, rows) in both() {
        let of = |origin| rows.iter().filter(move |r| r.origin == origin);
        let generated: HashSet<String> = of(Origin::Generated).flat_map(sentences).collect();
        for row in of(Origin::Written) {
            let shared = sentences(row).into_iter().find(|s| generated.contains(s));
            assert_eq!(shared, None, "{language:?} {}", row.id);
        }
    }
}

/// The sentences of a review, without case and punctuation.
fn sentences(review: &Review) -> Vec<String> {
    let sentences = review.text.split(['.', '!', '?', '。', '！', '？']);
    let letters = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    sentences.map(|s| letters(s).to_lowercase()).filter(|s| !s.is_empty()).collect()
}

/// What a model that only counts words sees: the words, or single characters and pairs of them.
fn words(language: Language, text: &str) -> HashSet<String> {
    let lower = text.to_lowercase();
    if language == Language::English {
        let words = lower.split(|c: char| !c.is_alphabetic() && c != '\'');
        return words.filter(|w| !w.is_empty()).map(str::to_string).collect();
    }
    let letters: Vec<char> = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let strings = |n| letters.windows(n).map(|w| w.iter().collect::<String>());
    strings(1).chain(strings(2)).collect()
}

/// Of each word, in how many negative and positive training rows it stands.
fn counts(language: Language, rows: &[Review]) -> BTreeMap<String, [usize; 2]> {
    let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for row in of(rows, Split::Train) {
        for word in words(language, &row.text) {
            counts.entry(word).or_default()[usize::from(row.label == Label::Positive)] += 1;
        }
    }
    counts
}

#[test]
fn no_frequent_word_gives_the_label_away() {
    for (language, rows) in both() {
        let frequent = of(rows, Split::Train).count() * 4 / 100;
        for (word, [negative, positive]) in counts(language, rows) {
            if negative + positive >= frequent {
                let larger = negative.max(positive);
                assert!(larger * 10 < (negative + positive) * 9, "{word}: {negative}, {positive}");
            }
        }
    }
}

/// Naive Bayes learns something, but far from all: order and negation count.
#[test]
fn words_alone_are_a_help_but_not_enough() {
    for (language, rows) in both() {
        let counts = counts(language, rows);
        let weight = |word: &String| {
            let [negative, positive] = *counts.get(word).unwrap_or(&[0, 0]);
            ((positive + 1) as f64 / (negative + 1) as f64).ln()
        };
        let held_out: Vec<&Review> = of(rows, Split::Valid).chain(of(rows, Split::Test)).collect();
        let right = held_out.iter().filter(|row| {
            // In order: a sum of floats depends on it.
            let words = BTreeSet::from_iter(words(language, &row.text));
            let score: f64 = words.iter().map(weight).sum();
            (score > 0.0) == (row.label == Label::Positive)
        });
        let share = right.count() as f64 / held_out.len() as f64;
        assert!((0.7..0.93).contains(&share), "{language:?}: {share}");
    }
}
