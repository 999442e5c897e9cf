//! Course 4: an encoder reads in both directions and fills in masked words.
//!
//! `cargo run --release --example 04_masked_language_model`

use autograd::no_grad;
use clap::Parser;
use examples::catalogue::{self, Split};
use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;
use tensor::Rng;
use train::masking::Masking;
use train::optimizer::{AdamW, Optimizer, Schedule};
use transformer::{MaskedLanguageModel, MaskedLanguageModelConfig, Padded};

/// A masked language model of product descriptions, trained from scratch.
#[derive(Parser)]
struct Arguments {
    /// Training steps
    #[arg(long, default_value_t = 1500)]
    steps: usize,
    /// Fixes everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Special tokens, before the words.
const MASK: u32 = 0;
const UNKNOWN: u32 = 1;
const FIRST_WORD: u32 = 2;

/// A text as words and signs, in lower case.
fn split(text: &str) -> Vec<String> {
    let spaced: String = text
        .to_lowercase()
        .chars()
        .flat_map(|c| if ".,:;!?()".contains(c) { vec![' ', c, ' '] } else { vec![c] })
        .collect();
    spaced.split_whitespace().map(str::to_string).collect()
}

/// The words that occur at least twice, and their ids.
struct Words {
    words: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Words {
    fn of(texts: &[Vec<String>]) -> Words {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        texts.iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut words: Vec<String> = counts
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(word, _)| word.to_string())
            .collect();
        words.sort();
        let ids = words.iter().zip(FIRST_WORD..).map(|(word, id)| (word.clone(), id)).collect();
        Words { words, ids }
    }

    fn encode(&self, text: &[String]) -> Vec<u32> {
        text.iter().map(|word| self.ids.get(word).copied().unwrap_or(UNKNOWN)).collect()
    }

    fn vocab_size(&self) -> usize {
        self.words.len() + FIRST_WORD as usize
    }

    fn word(&self, id: u32) -> &str {
        match id {
            MASK => "[mask]",
            UNKNOWN => "(unknown)",
            id => &self.words[(id - FIRST_WORD) as usize],
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { steps, seed } = Arguments::parse();
    let products = catalogue::parse_lines(catalogue::EMBEDDED)?;
    let of = |part| {
        let products = products.iter().filter(move |product| product.split == part);
        products.map(|product| split(&product.description)).collect::<Vec<_>>()
    };
    let (training, held_out) = (of(Split::Train), of(Split::Test));
    let words = Words::of(&training);
    let training: Vec<Vec<u32>> = training.iter().map(|text| words.encode(text)).collect();
    let held_out: Vec<Vec<u32>> = held_out.iter().map(|text| words.encode(text)).collect();

    let longest = training.iter().chain(&held_out).map(Vec::len).max().unwrap_or(1);
    let config = MaskedLanguageModelConfig {
        vocab_size: words.vocab_size(),
        max_seq_len: longest,
        d_model: 128,
        n_layers: 3,
        n_heads: 4,
        d_ff: 512,
        initializer_range: 0.06,
        dropout: 0.0,
        eps: 1e-5,
    };
    let mut model = MaskedLanguageModel::new(config, &mut Rng::derived(seed, &[0]))?;
    println!("{} descriptions, {} words", training.len(), words.words.len());

    let masking = Masking {
        share: 0.3, // more than BERT's: fewer steps see as many words
        mask_token: MASK,
        special: (0..FIRST_WORD).collect(),
        vocab_size: words.vocab_size(),
    };
    let mut rng = Rng::derived(seed, &[1]);
    let mut optimizer = AdamW::new(0.01);
    let start = Instant::now();
    for step in 1..=steps {
        let rows: Vec<&Vec<u32>> = (0..16).map(|_| &training[rng.below(training.len())]).collect();
        let (given, targets) = masking.apply(&rows, &mut rng)?;
        let loss = model.loss(&given, &targets);
        let lr = 3e-3 * Schedule::Linear.factor(step, steps, 50.min(steps / 4));
        optimizer.step(&mut model, &loss.backward()?, lr)?;
        if step % (steps / 10).max(1) == 0 {
            let seconds = start.elapsed().as_secs_f64();
            println!("step {step:5}  loss {:.4}  {seconds:5.1} s", loss.item());
        }
    }

    let [found, by_frequent] = accuracy(&model, &held_out, most_frequent(&training))?;
    println!("\nhidden words found in unseen descriptions: {:.1} %", 100.0 * found);
    println!("the most frequent word instead:             {:.1} %\n", 100.0 * by_frequent);
    for text in held_out.iter().step_by(100).take(3) {
        fill_in(&model, &words, text)?;
    }
    Ok(())
}

/// The shares of hidden words of unseen texts that the model finds, and that the word `frequent` is.
/// Of each text every seventh word is hidden, all by the mask token.
fn accuracy(
    model: &MaskedLanguageModel,
    texts: &[Vec<u32>],
    frequent: u32,
) -> Result<[f64; 2], Box<dyn Error>> {
    let [mut found, mut by_frequent, mut asked] = [0.0; 3];
    for rows in texts.chunks(32) {
        let is_hidden = |index: usize, id: u32| index % 7 == 3 && id >= FIRST_WORD;
        let hide = |row: &Vec<u32>| {
            let hidden =
                row.iter().enumerate().map(|(i, &id)| if is_hidden(i, id) { MASK } else { id });
            hidden.collect::<Vec<u32>>()
        };
        let given =
            Padded::right(&rows.iter().map(hide).collect::<Vec<_>>(), model.config.vocab_size)?;
        let width = given.tokens.shape()[1];
        let best = no_grad(|| model.forward(&given)).value().argmax(-1, false);
        for (row, best) in rows.iter().zip(best.positions().chunks(width)) {
            for (index, &id) in row.iter().enumerate().filter(|(i, id)| is_hidden(*i, **id)) {
                asked += 1.0;
                found += f64::from(u8::from(best[index] == id as usize));
                by_frequent += f64::from(u8::from(id == frequent));
            }
        }
    }
    Ok([found / asked, by_frequent / asked])
}

/// The word that occurs most often.
fn most_frequent(texts: &[Vec<u32>]) -> u32 {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    let words = texts.iter().flatten().filter(|id| **id >= FIRST_WORD);
    words.for_each(|&id| *counts.entry(id).or_default() += 1);
    counts.into_iter().max_by_key(|&(id, count)| (count, id)).map_or(UNKNOWN, |(id, _)| id)
}

/// Hides a word in the middle of a text and prints the three most probable ones for its place.
fn fill_in(model: &MaskedLanguageModel, words: &Words, text: &[u32]) -> Result<(), Box<dyn Error>> {
    let place = text.len() / 2;
    let mut hidden = text.to_vec();
    hidden[place] = MASK;
    let shown: Vec<&str> = hidden.iter().map(|&id| words.word(id)).collect();
    println!("{}", shown.join(" "));
    let given = Padded::right(&[hidden], words.vocab_size())?;
    let probabilities = no_grad(|| model.forward(&given).softmax(-1)); // [1, seq_len, vocab_size]
    let (best, ids) = probabilities.value().narrow(1, place, 1).top_k(3, -1);
    for (&id, p) in ids.positions().iter().zip(best.to_vec()) {
        println!("  {:5.1} %  {}", 100.0 * p, words.word(id as u32));
    }
    println!("  it was:  {}\n", words.word(text[place]));
    Ok(())
}
