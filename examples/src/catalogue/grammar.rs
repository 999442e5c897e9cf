//! From a product's values to a description: sentences that mention each value exactly once.

use super::kind::{Kind, Place, Sentence};
use crate::phrases::choose;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// Words in a description.
pub const WORDS: RangeInclusive<usize> = 25..=60;
/// More sentences than this read like a list.
const MAX_SENTENCES: usize = 5;

impl Kind {
    /// A description of the product whose slots hold `values`, or `None` where this draw of
    /// sentences did not work out and another may.
    pub(super) fn describe(&self, values: &[String], rng: &mut ChaCha8Rng) -> Option<String> {
        let plan = self.plan(rng)?;
        let noun = self.nouns.choose(rng)?;
        let sentences: Vec<String> =
            plan.iter().map(|s| self.fill(s, values, noun, rng)).collect::<Option<_>>()?;
        let opening = |s: &String| s.split(' ').next().map(str::to_string);
        if sentences.windows(2).any(|pair| opening(&pair[0]) == opening(&pair[1])) {
            return None; // "It … It …" tires
        }
        let description = sentences.join(" ");
        WORDS.contains(&description.split(' ').count()).then_some(description)
    }

    /// Sentences that cover every slot once: one that opens, one that closes (if any still fits),
    /// and others between. Sentences that mention more come more often: less to read.
    fn plan<'a>(&'a self, rng: &mut ChaCha8Rng) -> Option<Vec<&'a Sentence>> {
        let all = (1u32 << self.fields().count()) - 1;
        let mut covered = 0;
        let mut pick = |place, rng: &mut ChaCha8Rng| {
            let fits = |s: &&Sentence| s.place == place && s.slots & covered == 0;
            // A last sentence need not mention anything; another that did not would never end.
            let weight = |s: &Sentence| s.slots.count_ones() + u32::from(place == Place::Last);
            let lots = |s: &'a Sentence| std::iter::repeat_n(s, weight(s) as usize);
            let urn: Vec<&Sentence> = self.sentences.iter().filter(fits).flat_map(lots).collect();
            let sentence = *urn.choose(rng)?;
            covered |= sentence.slots;
            Some(sentence)
        };
        let open = pick(Place::Open, rng)?;
        let last = pick(Place::Last, rng);
        let mut middle: Vec<&Sentence> = std::iter::from_fn(|| pick(Place::Then, rng)).collect();
        middle.shuffle(rng);
        let plan: Vec<&Sentence> = std::iter::once(open).chain(middle).chain(last).collect();
        (covered == all && plan.len() <= MAX_SENTENCES).then_some(plan)
    }

    /// The sentence with its choices made and its values in place.
    fn fill(
        &self,
        sentence: &Sentence,
        values: &[String],
        noun: &str,
        rng: &mut ChaCha8Rng,
    ) -> Option<String> {
        let mut text = choose(&sentence.text, rng).replace("{noun}", noun);
        for (field, value) in self.fields().zip(values) {
            let why = format!("{{{field}:why}}");
            if text.contains(&why) {
                text = text.replace(&why, self.why(field, value)?);
            }
            text = text.replace(&format!("{{{field}}}"), value);
        }
        assert!(!text.contains(['{', '[', '|', ']', '}']), "{}: unfilled: {text}", self.category);
        Some(capitalize(&articles(&text)))
    }
}

/// Makes each `a` an `an` before a vowel sound.
pub(crate) fn articles(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for i in 1..words.len() {
        let vowel = begins_with_vowel_sound(words[i]);
        match words[i - 1] {
            "a" if vowel => words[i - 1] = "an",
            "A" if vowel => words[i - 1] = "An",
            _ => {}
        }
    }
    words.join(" ")
}

/// Whether `word` takes `an`: by its letters, or, for a number, as it is spoken (8, 11, 18).
pub fn begins_with_vowel_sound(word: &str) -> bool {
    let word = word.to_lowercase();
    let number = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.starts_with('8') || ["11", "18"].contains(&number);
    }
    let sounds_like_you =
        ["one", "uni", "use", "usu", "usb", "uti"].iter().any(|s| word.starts_with(s));
    let silent_h = ["hour", "honest"].iter().any(|s| word.starts_with(s));
    word.starts_with(['a', 'e', 'i', 'o', 'u']) && !sounds_like_you || silent_h
}

/// The sentence with a capital first letter.
pub(crate) fn capitalize(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound() {
        let fixed = articles("A old hat, a 18 mm pin, a 80 g bag, a useful hat, a hour, a EU 42.");
        let right = "An old hat, an 18 mm pin, an 80 g bag, a useful hat, an hour, an EU 42.";
        assert_eq!(fixed, right);
    }
}
