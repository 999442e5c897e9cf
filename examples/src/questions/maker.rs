//! From facts to rows: which facts a context states, and which of them the question is about.

use super::fact::{Fact, Rule};
use super::scene::{Scene, names};
use super::{Answerable, Origin, Row, Split, UNKNOWN};
use crate::catalogue::{EMBEDDED, KINDS, Kind, Product, parse_lines};
use crate::phrases::{choose, lines, words};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// Sentences in a context, at most.
const MAX_SENTENCES: usize = 4;

const PAGES: [&str; 12] = [
    include_str!("../../data/phrases/questions/backpacks.txt"),
    include_str!("../../data/phrases/questions/bottles.txt"),
    include_str!("../../data/phrases/questions/chairs.txt"),
    include_str!("../../data/phrases/questions/grinders.txt"),
    include_str!("../../data/phrases/questions/headphones.txt"),
    include_str!("../../data/phrases/questions/jackets.txt"),
    include_str!("../../data/phrases/questions/knives.txt"),
    include_str!("../../data/phrases/questions/lamps.txt"),
    include_str!("../../data/phrases/questions/rugs.txt"),
    include_str!("../../data/phrases/questions/shoes.txt"),
    include_str!("../../data/phrases/questions/tents.txt"),
    include_str!("../../data/phrases/questions/watches.txt"),
];
const SHARED: &str = include_str!("../../data/phrases/questions/shared.txt");
const RULES: [&str; 6] = [
    include_str!("../../data/phrases/questions/delivery.txt"),
    include_str!("../../data/phrases/questions/returns.txt"),
    include_str!("../../data/phrases/questions/warranty.txt"),
    include_str!("../../data/phrases/questions/payment.txt"),
    include_str!("../../data/phrases/questions/sizes_and_care.txt"),
    include_str!("../../data/phrases/questions/shop.txt"),
];
const REMARKS: &str = include_str!("../../data/phrases/questions/remarks.txt");
const AROUND: &str = include_str!("../../data/phrases/questions/around.txt");

/// Where a sentence of a context comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Page,
    Rules,
    Remarks,
}

/// Why a question has no answer, or that it has one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The context tells it.
    Answer,
    /// The context speaks of something near.
    Near,
    /// The context speaks of other things.
    Missing,
    /// The context speaks of another product.
    OtherProduct,
}

/// A fact and where it stands.
type Placed<'a> = (Source, &'a Fact);

/// What there is to say about the products of one category, by source.
struct Shelf {
    page: Vec<Fact>,
    rules: Vec<Vec<Fact>>,
    remarks: Vec<Fact>,
}

/// Makes rows one after the other, none with a question or context used before.
pub(super) struct Maker {
    rng: ChaCha8Rng,
    shelves: Vec<Shelf>,
    products: Vec<Product>,
    used: HashSet<String>,
}

impl Shelf {
    fn read((page, kind): (&str, &Kind)) -> Self {
        let facts = |text| {
            let mut facts = Fact::parse(text);
            facts.retain(|fact| fact.is_for(&kind.category));
            facts
        };
        let rules = RULES.into_iter().map(facts).filter(|facts| !facts.is_empty()).collect();
        let page = [facts(page), facts(SHARED)].into_iter().flatten().collect();
        Shelf { page, rules, remarks: facts(REMARKS) }
    }

    /// A source, and the facts of one of its files.
    fn pool(&self, rng: &mut ChaCha8Rng) -> (Source, &[Fact]) {
        match rng.random_range(0..100) {
            0..52 => (Source::Page, &self.page),
            52..82 => (Source::Rules, self.rules.choose(rng).expect("there are rules")),
            _ => (Source::Remarks, &self.remarks),
        }
    }
}

impl Maker {
    pub fn new(seed: u64, written: &[Row]) -> Self {
        let texts = written.iter().flat_map(|row| [words(&row.question), words(&row.context)]);
        Maker {
            rng: ChaCha8Rng::seed_from_u64(seed),
            shelves: PAGES.into_iter().zip(KINDS.iter()).map(Shelf::read).collect(),
            products: parse_lines(EMBEDDED).expect("data/catalogue.jsonl"),
            used: texts.collect(),
        }
    }

    /// The next row.
    pub fn make(&mut self, split: Split, number: usize) -> Row {
        let aim = match self.rng.random_range(0..1000) {
            0..60 => Aim::Near,
            60..125 => Aim::Missing,
            125..150 => Aim::OtherProduct,
            _ => Aim::Answer,
        };
        for _ in 0..10_000 {
            let Some(mut row) = self.draft(aim, split) else { continue };
            let sentences = count_sentences(&row.context);
            let (question, context) = (words(&row.question), words(&row.context));
            let fresh = !self.used.contains(&question) && !self.used.contains(&context);
            if fresh && sentences <= MAX_SENTENCES {
                self.used.extend([question, context]);
                row.id = format!("question-{number:04}");
                return row;
            }
        }
        panic!("question {number}: nothing new to ask");
    }

    /// A row, or `None` where this draw did not work out and another may.
    fn draft(&mut self, aim: Aim, split: Split) -> Option<Row> {
        let rng = &mut self.rng;
        let of_split: Vec<&Product> = self.products.iter().filter(|p| p.split == split).collect();
        let product = *of_split.choose(rng)?;
        let index = KINDS.iter().position(|kind| kind.category == product.category)?;
        let (kind, shelf) = (&KINDS[index], &self.shelves[index]);
        let (source, pool) = match aim {
            Aim::OtherProduct => (Source::Page, &shelf.page[..]),
            _ => shelf.pool(rng),
        };
        let target = pool.choose(rng)?;
        let mut placed = vec![(source, target)];
        add_extras(&mut placed, shelf, pool, rng);
        let asked = match aim {
            Aim::Missing => {
                let stated = |fact: &&Fact| placed.iter().all(|(_, p)| p.id != fact.id);
                *pool.iter().filter(stated).collect::<Vec<_>>().choose(rng)?
            }
            _ => target,
        };
        let facts: Vec<&Fact> = placed.iter().map(|(_, fact)| *fact).chain([asked]).collect();
        let scene = Scene::new(kind, product, &facts, rng);
        let context = if aim == Aim::OtherProduct {
            let alike =
                |p: &&&Product| p.category == product.category && p.name() != product.name();
            let alike: Vec<&&Product> = of_split.iter().filter(alike).collect();
            let scene = Scene::new(kind, alike.choose(rng)?, &facts, rng);
            other_context(&scene, &placed, rng)?
        } else {
            context(&scene, placed, rng)
        };
        let (question, answer) = ask(&scene, asked, aim, rng)?;
        let answerable = if aim == Aim::Answer { Answerable::Yes } else { Answerable::No };
        let product = format!("{} {}", product.name(), kind.nouns[0]);
        let (id, origin) = (String::new(), Origin::Generated);
        Some(Row { product, question, context, answer, answerable, id, split, origin })
    }
}

/// Up to three more facts, mostly of the same pool as the first.
fn add_extras<'a>(
    placed: &mut Vec<Placed<'a>>,
    shelf: &'a Shelf,
    pool: &'a [Fact],
    rng: &mut ChaCha8Rng,
) {
    let count = *[0, 0, 0, 1, 1, 1, 1, 2, 2, 3].choose(rng).expect("a count");
    let own = (placed[0].0, pool);
    for _ in 0..count {
        let (source, pool) = if rng.random_bool(0.75) { own } else { shelf.pool(rng) };
        let fact = pool.choose(rng).expect("a pool has facts");
        if placed.iter().all(|(_, other)| other.id != fact.id) {
            placed.push((source, fact));
        }
    }
}

/// The sentences of the facts, in random order but each source in one piece.
fn context(scene: &Scene, mut placed: Vec<Placed>, rng: &mut ChaCha8Rng) -> String {
    let mut order = [Source::Page, Source::Rules, Source::Remarks];
    order.shuffle(rng);
    placed.shuffle(rng);
    let rank = |source: Source| order.iter().position(|s| *s == source);
    placed.sort_by_key(|(source, _)| rank(*source));
    let mixed = placed.iter().any(|(source, _)| *source != placed[0].0);
    let mut sentences: Vec<String> = Vec::new();
    let (mut last, mut known) = (None, false);
    for (source, fact) in placed {
        if source == Source::Remarks && last != Some(source) && (mixed || rng.random_bool(0.4)) {
            sentences.push(around("intro", rng));
        }
        if source != Source::Remarks && last == Some(Source::Remarks) {
            sentences.push(around("back", rng));
        }
        let (sentence, named) = scene.say(fact, known && last == Some(source), rng);
        sentences.push(sentence);
        known = named || known && last == Some(source);
        last = Some(source);
    }
    sentences.join(" ")
}

/// The page of a product that the question is not about.
fn other_context(scene: &Scene, placed: &[Placed], rng: &mut ChaCha8Rng) -> Option<String> {
    let of_page = placed.iter().filter(|(source, _)| *source == Source::Page);
    let facts: Vec<&Fact> = of_page.map(|(_, fact)| *fact).collect();
    let (first, rest) = facts.split_first()?;
    if !first.says.iter().any(|say| names(say)) {
        return None;
    }
    let rest = rest.iter().map(|fact| scene.say(fact, true, rng).0).collect::<Vec<_>>();
    Some([vec![scene.say_by_name(first, rng)], rest].concat().join(" "))
}

/// A question about `fact` and its answer.
fn ask(scene: &Scene, fact: &Fact, aim: Aim, rng: &mut ChaCha8Rng) -> Option<(String, String)> {
    let by_name = aim == Aim::OtherProduct;
    if aim == Aim::Near {
        let needs = fact.nears.iter().any(|near| near.contains("{other}"));
        let other = if needs { Some(scene.other(fact, false, rng)?) } else { None };
        if fact.nears.is_empty() {
            return None;
        }
        let question = scene.question(&fact.nears, false, other.as_deref(), rng);
        return Some((opened(question, rng), UNKNOWN.to_string()));
    }
    let asks: Vec<_> = fact.asks.iter().filter(|ask| !by_name || ask.names_it()).collect();
    let asked = *asks.choose(rng)?;
    let same = asked.rule == Rule::Same && rng.random_bool(0.5);
    let other = if asked.rule == Rule::Open { None } else { Some(scene.other(fact, same, rng)?) };
    let question = scene.question(&asked.questions, by_name, other.as_deref(), rng);
    let question = opened(question, rng);
    if aim != Aim::Answer {
        return Some((question, UNKNOWN.to_string()));
    }
    let holds = other.as_deref().is_none_or(|other| scene.holds(asked.rule, fact, other));
    let answers = if holds { &asked.answers } else { &asked.noes };
    Some((question, scene.answer(answers, other.as_deref(), rng)))
}

impl super::fact::Ask {
    /// Whether a question can be about a product by its name.
    fn names_it(&self) -> bool {
        self.questions.iter().any(|question| names(question))
    }
}

/// The question as it is typed: often as it stands, sometimes after a greeting or a reason to ask,
/// sometimes in haste.
fn opened(question: String, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..100) {
        0..20 => around("open", rng) + " " + &question,
        20..26 => question.to_lowercase(),
        26..30 => question.trim_end_matches('?').to_lowercase(),
        _ => question,
    }
}

/// A line of `around.txt`.
fn around(key: &str, rng: &mut ChaCha8Rng) -> String {
    let all: Vec<&str> = lines(AROUND).filter(|(k, _)| *k == key).map(|(_, rest)| rest).collect();
    choose(all.choose(rng).expect("around.txt has the key"), rng)
}

/// The sentences of a text: where a mark ends a word.
fn count_sentences(text: &str) -> usize {
    let ends = |word: &&str| word.ends_with(['.', '!', '?']);
    text.split(' ').filter(ends).count()
}
