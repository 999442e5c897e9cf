//! How a review is put down: customers of Chinese shops often do without a full stop.

use super::language::Language;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Longer texts than this keep their punctuation: they would be hard to read without.
const SHORT: usize = 36;

/// The text as a customer might type it. English texts stay as they are.
pub(super) fn finish(language: Language, text: &str, rng: &mut ChaCha8Rng) -> String {
    if language == Language::English {
        return text.to_string();
    }
    let lot = rng.random_range(0..100);
    let Some(body) = text.strip_suffix('。') else { return text.to_string() };
    let short = text.chars().count() <= SHORT;
    match lot {
        0..16 => body.to_string(),
        16..26 => format!("{body}！"),
        26..31 => format!("{body}~"),
        31..34 => format!("{body}。。。"),
        34..42 => format!("{}。", body.replace('。', "，")),
        42..50 if short => body.replace(['，', '。'], " "),
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn only_chinese_is_put_down_in_many_ways() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let text = "好看，好用。很好。";
        let made: BTreeSet<String> =
            (0..300).map(|_| finish(Language::Chinese, text, &mut rng)).collect();
        let right = [
            "好看 好用 很好",
            "好看，好用。很好",
            "好看，好用。很好~",
            "好看，好用。很好。",
            "好看，好用。很好。。。",
            "好看，好用。很好！",
            "好看，好用，很好。",
        ];
        assert_eq!(made, right.map(str::to_string).into());
        assert_eq!(finish(Language::English, "Good。", &mut rng), "Good。");
    }
}
