//! From phrases to messages: a request, and what people write around it.

use super::typing::typed;
use super::{Origin, Row, Split};
use crate::catalogue::KINDS;
use crate::phrases::{choose, fill, lines, parts, tidy, words};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};

const FILES: [&str; 6] = [
    include_str!("../../data/phrases/intents/orders.txt"),
    include_str!("../../data/phrases/intents/delivery.txt"),
    include_str!("../../data/phrases/intents/returns.txt"),
    include_str!("../../data/phrases/intents/payment.txt"),
    include_str!("../../data/phrases/intents/account.txt"),
    include_str!("../../data/phrases/intents/contact.txt"),
];
const SHARED: &str = include_str!("../../data/phrases/intents/shared.txt");

/// Slots that take a new value each time; the others keep theirs through a message.
const NEW_EACH_TIME: [&str; 5] = ["colour", "size", "shoe", "mail", "day"];

/// Makes messages one after the other, none with the words of another.
pub(super) struct Maker {
    rng: ChaCha8Rng,
    /// The requests of each intent.
    says: HashMap<String, Vec<String>>,
    /// Greetings, stories, closing lines, and the values of slots.
    shared: HashMap<String, Vec<String>>,
    used: HashSet<String>,
}

impl Maker {
    pub fn new(seed: u64, written: &[Row]) -> Self {
        let mut says: HashMap<String, Vec<String>> = HashMap::new();
        for file in FILES {
            let mut intent = "";
            for (key, rest) in lines(file) {
                match key {
                    "intent" => intent = rest,
                    "say" => says.entry(intent.to_string()).or_default().push(rest.to_string()),
                    _ => panic!("{key:?} in the phrases of intents"),
                }
            }
        }
        let mut shared: HashMap<String, Vec<String>> = HashMap::new();
        for (key, rest) in lines(SHARED) {
            shared.entry(key.to_string()).or_default().extend(parts(rest));
        }
        let used = written.iter().map(|row| words(&row.text)).collect();
        Maker { rng: ChaCha8Rng::seed_from_u64(seed), says, shared, used }
    }

    /// The next message with the intent `label`.
    pub fn make(&mut self, label: &str, split: Split, number: usize) -> Row {
        for _ in 0..10_000 {
            let message = self.message(label, split);
            let text = typed(&message, &mut self.rng);
            if self.used.insert(words(&text)) {
                let id = format!("{}-{number:03}", label.replace('_', "-"));
                let label = label.to_string();
                return Row { text, label, id, split, origin: Origin::Generated };
            }
        }
        panic!("{label}: nothing new to say");
    }

    /// A request of the intent. The last two of its file are not for training: now and then
    /// one comes up in validation and the other in the test.
    fn request(&mut self, label: &str, split: Split) -> String {
        let says = &self.says[label];
        let (learned, kept) = says.split_at(says.len() - 2);
        let kept = match split {
            Split::Train => None,
            Split::Valid => Some(&kept[0]),
            Split::Test => Some(&kept[1]),
        };
        let kept = kept.filter(|_| self.rng.random_bool(0.06));
        let request = kept.or_else(|| learned.choose(&mut self.rng));
        request.expect("an intent has requests").clone()
    }

    /// A request, often with a greeting, a story or a closing line.
    fn message(&mut self, label: &str, split: Split) -> String {
        let mut pieces = vec![self.request(label, split)];
        if self.rng.random_bool(0.36) {
            let place = usize::from(self.rng.random_bool(0.3));
            pieces.insert(place, self.pick("story"));
        }
        if self.rng.random_bool(0.3) {
            pieces.insert(0, self.pick("greet"));
        }
        if self.rng.random_bool(0.3) {
            pieces.push(self.pick("close"));
        }
        let mut values = HashMap::new();
        let mut message = String::new();
        for piece in pieces {
            let text = choose(&piece, &mut self.rng);
            let text = tidy(&fill(&text, |slot| self.value(slot, &mut values)));
            message = joined(message, text);
        }
        message
    }

    fn pick(&mut self, key: &str) -> String {
        self.shared[key].choose(&mut self.rng).expect("shared.txt has the key").clone()
    }

    /// The value of a slot: new, or the one it had before in this message.
    fn value(&mut self, slot: &str, values: &mut HashMap<String, String>) -> Option<String> {
        let repeats = !NEW_EACH_TIME.contains(&slot);
        if let Some(value) = values.get(slot).filter(|_| repeats) {
            return Some(value.clone());
        }
        let value = match slot {
            "item" | "items" => {
                let kind = KINDS.choose(&mut self.rng)?;
                values.insert("items".to_string(), kind.category.clone());
                values.insert("item".to_string(), kind.nouns.choose(&mut self.rng)?.clone());
                return values.get(slot).cloned();
            }
            "number" => order_number(&mut self.rng),
            _ => {
                let before = values.get(slot);
                let new: Vec<&String> =
                    self.shared.get(slot)?.iter().filter(|v| Some(*v) != before).collect();
                new.choose(&mut self.rng)?.to_string()
            }
        };
        values.insert(slot.to_string(), value.clone());
        Some(value)
    }
}

/// An order's number, as one writes it.
fn order_number(rng: &mut ChaCha8Rng) -> String {
    let number = rng.random_range(10_000..100_000);
    match rng.random_range(0..4) {
        0 => format!("#{number}"),
        1 => format!("KX-{number}"),
        2 => format!("2026-{number}"),
        _ => number.to_string(),
    }
}

/// `text` after `message`: after a comma it begins small, unless with a name or `I`.
fn joined(message: String, text: String) -> String {
    if message.is_empty() {
        return text;
    }
    let first = text.split(' ').next().unwrap_or("");
    let name = first == "I" || first.starts_with("I'") || first.to_uppercase() == first;
    if message.ends_with(',') && (!name || first == "A") {
        let mut chars = text.chars();
        let small = chars.next().into_iter().flat_map(char::to_lowercase).chain(chars);
        return message + " " + &small.collect::<String>();
    }
    message + " " + &text
}
