//! Course 3: the Transformer of "Attention Is All You Need" learns to sort a product's attributes, and
//! then to describe products.
//!
//! `cargo run --release --example 03_encoder_decoder`
//! `cargo run --release --example 03_encoder_decoder -- --task describe`

use autograd::{cross_entropy_smoothed, no_grad, with_dropout};
use clap::{Parser, ValueEnum};
use examples::catalogue::{self, Product, Split};
use examples::heat_map;
use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::time::Instant;
use tensor::{Rng, Tokens};
use train::bpe::train_bpe;
use train::optimizer::{Adam, Optimizer, Schedule};
use transformer::{
    Autoregressive, EncoderDecoder, EncoderDecoderConfig, Generation, NormPlacement, Padded,
    Summary, Tokenizer,
};

/// The Transformer of "Attention Is All You Need", trained from scratch.
#[derive(Parser)]
struct Arguments {
    /// What it learns
    #[arg(long, value_enum, default_value = "sort")]
    task: Task,
    /// Training steps [default: 1500 to sort, 1200 to describe]
    #[arg(long)]
    steps: Option<usize>,
    /// Fail if a smaller share of unseen lists is sorted exactly
    #[arg(long, default_value_t = 0.0)]
    require: f64,
    /// Fixes everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Task {
    /// Put the values of a product's attributes in alphabetical order
    Sort,
    /// Write a product's description from its attributes
    Describe,
}

/// A source and the target it is to be turned into, as token ids.
type Pair = (Vec<u32>, Vec<u32>);

const START: u32 = 0;
const END: u32 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    match arguments.task {
        Task::Sort => sort(&arguments),
        Task::Describe => describe(arguments.steps.unwrap_or(1200), arguments.seed),
    }
}

/// Trains on batches of pairs: the paper's loss (section 5.4) and optimizer (section 5.3). The rate falls to
/// 0 along a cosine, which ends better in few steps than the paper's inverse square root.
fn train(
    model: &mut EncoderDecoder,
    steps: usize,
    lr: f64,
    seed: u64,
    mut batch: impl FnMut(usize) -> Vec<Pair>,
) -> Result<(), Box<dyn Error>> {
    let mut optimizer = Adam::new(0.0);
    (optimizer.beta2, optimizer.eps) = (0.98, 1e-9);
    let start = Instant::now();
    for step in 1..=steps {
        let (sources, targets): (Vec<_>, Vec<_>) = batch(step).into_iter().unzip();
        let source = Padded::right(&sources, model.config.vocab_size)?;
        let (given, targets) = model.teacher_forcing(&targets)?;
        let logits =
            with_dropout(Rng::derived(seed, &[step as u64]), || model.forward(&source, &given));
        let loss = cross_entropy_smoothed(&logits, &targets, 0.1);
        let rate = lr * Schedule::Cosine.factor(step, steps, 200.min(steps / 4));
        optimizer.step(model, &loss.backward()?, rate)?;
        if step % (steps / 10).max(1) == 0 {
            let seconds = start.elapsed().as_secs_f64();
            println!("step {step:5}  loss {:.4}  {seconds:5.1} s", loss.item());
        }
    }
    Ok(())
}

/// Values of the catalogue's attributes; the alphabet of the task.
fn values(count: usize) -> Result<Vec<String>, String> {
    let products = catalogue::parse_lines(catalogue::EMBEDDED)?;
    let named = |(name, _): &&(String, String)| !matches!(name.as_str(), "name" | "price");
    let all: BTreeSet<String> = products
        .iter()
        .flat_map(|product| product.attributes.iter().filter(named).map(|(_, value)| value.clone()))
        .collect();
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|value| value.to_lowercase());
    let step = (all.len() / count).max(1);
    Ok(all.into_iter().step_by(step).take(count).collect())
}

/// Three to eight different values in random order, and sorted.
fn list_and_sorted(count: usize, rng: &mut Rng) -> Pair {
    let len = 3 + rng.below(6);
    let source: Vec<u32> =
        rng.permutation(count).into_iter().take(len).map(|value| value as u32 + 2).collect();
    let mut target = source.clone();
    target.sort_unstable(); // the vocabulary is in alphabetical order
    (source, target)
}

fn sort(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (steps, seed) = (arguments.steps.unwrap_or(1500), arguments.seed);
    let words = values(64)?;
    let config = EncoderDecoderConfig {
        vocab_size: words.len() + 2,
        d_model: 64,
        n_layers: 2,
        n_heads: 4,
        d_ff: 256,
        dropout: 0.0,
        start_token: START,
        end_token: END,
        ..EncoderDecoderConfig::default()
    };
    let mut model = EncoderDecoder::new(config, &mut Rng::derived(seed, &[0]))?;
    println!("{}", Summary::of(&model, 1));

    let mut rng = Rng::derived(seed, &[1]);
    let held_out: Vec<Pair> = (0..1000).map(|_| list_and_sorted(words.len(), &mut rng)).collect();
    let unseen: HashSet<&[u32]> = held_out.iter().map(|(source, _)| &source[..]).collect();
    let start = Instant::now();
    train(&mut model, steps, 2e-3, seed, |_| {
        let lists = std::iter::repeat_with(|| list_and_sorted(words.len(), &mut rng));
        lists.filter(|(source, _)| !unseen.contains(&source[..])).take(64).collect()
    })?;
    println!("trained in {:.0} s\n", start.elapsed().as_secs_f64());

    let sources: Vec<&[u32]> = held_out.iter().map(|(source, _)| &source[..]).collect();
    let settings = Generation { max_new_tokens: Some(10), ..Generation::default() };
    let written = model.generate_batch(&sources, &settings)?;
    let exact = held_out
        .iter()
        .zip(&written)
        .filter(|((_, target), ids)| ids[1..] == [&target[..], &[END]].concat());
    let share = exact.count() as f64 / held_out.len() as f64;
    println!("{:.1} % of {} unseen lists sorted exactly\n", 100.0 * share, held_out.len());
    if share < arguments.require {
        return Err(format!("{share} is below --require {}", arguments.require).into());
    }
    show_attention(&model, &held_out[0], &words)
}

/// Which value of the source each step of the decoder looks at.
fn show_attention(
    model: &EncoderDecoder,
    (source, target): &Pair,
    words: &[String],
) -> Result<(), Box<dyn Error>> {
    let batch = Padded::right(std::slice::from_ref(source), model.config.vocab_size)?;
    let given = [&[START], &target[..]].concat();
    let given = Tokens::batch(&[given], model.config.vocab_size)?;
    let (_, [_, decoder]) = no_grad(|| model.forward_traced(&batch, &given));
    let last = decoder.cross_attention_weights.last().ok_or("no block")?.value();
    let mean = last.mean_axes(&[0, 1], false); // [target_len + 1, source_len]
    let word = |&id: &u32| words[id as usize - 2].as_str();
    let mut rows: Vec<&str> = target.iter().map(word).collect();
    rows.push("(end)");
    let columns: Vec<&str> = source.iter().map(word).collect();
    println!("What the decoder looks at (columns) as it writes (rows), mean of the heads:");
    println!("{}", heat_map::text(&rows, &columns, &mean));
    Ok(())
}

fn describe(steps: usize, seed: u64) -> Result<(), Box<dyn Error>> {
    let products = catalogue::parse_lines(catalogue::EMBEDDED)?;
    let of = |split| products.iter().filter(move |product| product.split == split);
    let texts: Vec<String> = of(Split::Train)
        .flat_map(|product| [attributes(product), product.description.clone()])
        .collect();
    let tokenizer = train_bpe(&texts.iter().map(String::as_str).collect::<Vec<_>>(), 3000)?;
    let training = of(Split::Train).map(|product| pair(product, &tokenizer));
    let training = training.collect::<Result<Vec<Pair>, Box<dyn Error>>>()?;
    let end = tokenizer.end_of_text().ok_or("the tokenizer has no end token")?;
    let config = EncoderDecoderConfig {
        vocab_size: tokenizer.vocab_size(),
        d_model: 128,
        n_layers: 3,
        n_heads: 4,
        d_ff: 512,
        dropout: 0.0,
        placement: NormPlacement::Pre,
        start_token: end,
        end_token: end,
        ..EncoderDecoderConfig::default()
    };
    let mut model = EncoderDecoder::new(config, &mut Rng::derived(seed, &[0]))?;
    println!("{}", Summary::of(&model, 1));
    let mut rng = Rng::derived(seed, &[1]);
    train(&mut model, steps, 2e-3, seed, |_| {
        (0..16).map(|_| training[rng.below(training.len())].clone()).collect()
    })?;
    println!();
    for product in of(Split::Test).take(3) {
        let (source, _) = pair(product, &tokenizer)?;
        let settings =
            Generation { max_new_tokens: Some(120), num_beams: 4, ..Generation::default() };
        let ids = model.generate(&source, &settings)?;
        println!("{}\n→ {}\n", attributes(product).trim_end(), tokenizer.decode(&ids[1..])?);
    }
    Ok(())
}

/// A line for each attribute.
fn attributes(product: &Product) -> String {
    let lines = product.attributes.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("category: {}\n", product.category) + &lines.collect::<String>()
}

fn pair(product: &Product, tokenizer: &Tokenizer) -> Result<Pair, Box<dyn Error>> {
    let source = tokenizer.encode(&attributes(product))?;
    Ok((source, tokenizer.encode(&product.description)?))
}
