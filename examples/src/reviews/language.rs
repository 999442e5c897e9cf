//! The two languages: their files, and how long their reviews are.

use super::item::Category;
use std::ops::RangeInclusive;

/// The language of a set of reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese, in simplified characters.
    Chinese,
}

/// The texts of `data/phrases/DIR/NAME.txt`.
macro_rules! phrases {
    ($dir:literal: $($name:literal)*) => {
        &[$(include_str!(concat!("../../data/phrases/", $dir, "/", $name, ".txt"))),*]
    };
}

const ENGLISH: &[&str] = phrases!("reviews_en":
    "books" "clothing" "electronics" "furniture" "garden" "groceries" "kitchen" "pets" "shoes"
    "toys");
const ENGLISH_COMMON: &[&str] = phrases!("reviews_en":
    "shapes" "praise" "complaint" "concessions" "stories" "closings" "shop");
const CHINESE: &[&str] = phrases!("reviews_zh":
    "books" "tablets" "phones" "fruit" "shampoo" "water_heaters" "clothes" "hotels" "shoes"
    "snacks");
const CHINESE_COMMON: &[&str] = phrases!("reviews_zh":
    "shapes" "praise" "complaint" "concessions" "stories" "closings");
/// What is said of all that comes by parcel: not of a hotel.
const CHINESE_SHOP: &str = include_str!("../../data/phrases/reviews_zh/shop.txt");

impl Language {
    /// The committed reviews, one a line.
    pub fn embedded(self) -> &'static str {
        match self {
            Language::English => include_str!("../../data/reviews_en.jsonl"),
            Language::Chinese => include_str!("../../data/reviews_zh.jsonl"),
        }
    }

    /// The name of the file in `data/` that holds the committed reviews.
    pub fn file(self) -> &'static str {
        match self {
            Language::English => "reviews_en.jsonl",
            Language::Chinese => "reviews_zh.jsonl",
        }
    }

    /// The length of a text: words of an English one, characters of a Chinese one.
    pub fn length(self, text: &str) -> usize {
        match self {
            Language::English => text.split(' ').count(),
            Language::Chinese => text.chars().count(),
        }
    }

    /// The lengths that a review may have.
    pub fn lengths(self) -> RangeInclusive<usize> {
        match self {
            Language::English => 3..=100,
            Language::Chinese => 4..=160,
        }
    }

    pub(super) fn written(self) -> &'static str {
        match self {
            Language::English => include_str!("../../data/reviews_en_written.jsonl"),
            Language::Chinese => include_str!("../../data/reviews_zh_written.jsonl"),
        }
    }

    pub(super) fn categories(self) -> Vec<Category> {
        let english = |text: &&str| Category::parse(text, ENGLISH_COMMON);
        let chinese = |text: &&str| {
            let mut every = CHINESE_COMMON.to_vec();
            if !text.contains("\nno_shop: ") {
                every.push(CHINESE_SHOP);
            }
            Category::parse(text, &every)
        };
        match self {
            Language::English => ENGLISH.iter().map(english).collect(),
            Language::Chinese => CHINESE.iter().map(chinese).collect(),
        }
    }
}
