//! A shop's catalogue searched by meaning: products for a query, near-duplicates, rivals.
//!
//! `cargo run --release --example product_search -- --model MINILM`, where MINILM is the folder of
//! all-MiniLM-L6-v2 or another encoder of sentences.

use clap::Parser;
use examples::catalogue::{self, Product};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use tensor::Float;
use train::retrieval::{Neighbours, embed};
use transformer::{Model, Tokenizer};

/// Search the catalogue with an encoder of sentences.
#[derive(Parser)]
struct Arguments {
    /// A folder, or hf:ORG/NAME
    #[arg(long)]
    model: PathBuf,
    /// What is searched for
    #[arg(long, default_value = "something warm to wear in the rain")]
    query: String,
    /// How many products of the catalogue are looked at
    #[arg(long, default_value_t = 400)]
    products: usize,
    /// The product whose rivals are shown, by its number
    #[arg(long, default_value_t = 0)]
    rivals_of: usize,
}

/// Results of each kind.
const SHOWN: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let products: Vec<Product> =
        catalogue::parse_lines(catalogue::EMBEDDED)?.into_iter().take(arguments.products).collect();
    let chosen = products.get(arguments.rivals_of).ok_or("there is no product of that number")?;
    let model = Model::from_pretrained(&arguments.model)?;
    let tokenizer = Tokenizer::from_pretrained(&arguments.model)?;

    let start = Instant::now();
    let texts: Vec<&str> = products.iter().map(|product| &product.description[..]).collect();
    let vectors = embed(&model, &tokenizer, &texts, model.max_seq_len())?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} descriptions became vectors in {seconds:.1} s", products.len());
    let known = Neighbours::new(vectors.clone())?;

    println!("\nfor \"{}\":", arguments.query);
    let query = embed(&model, &tokenizer, &[&arguments.query], model.max_seq_len())?.remove(0);
    for (index, cosine) in known.nearest(&query, SHOWN)? {
        println!("  {cosine:.3}  {}", line(&products[index]));
    }

    println!("\nthe most alike, perhaps the same product listed twice:");
    for (a, b, cosine) in pairs(&known, &vectors)? {
        println!("  {cosine:.3}  {}\n         {}", line(&products[a]), line(&products[b]));
    }

    println!("\nrivals of {}:", line(chosen));
    let is_rival = |other: &Product| {
        let brand = |product: &Product| value(product, "brand").map(str::to_string);
        other.category == chosen.category && brand(other) != brand(chosen)
    };
    let nearest = known.nearest(&vectors[arguments.rivals_of], products.len())?.into_iter();
    for (index, cosine) in nearest.filter(|pair| is_rival(&products[pair.0])).take(SHOWN) {
        println!("  {cosine:.3}  {}", line(&products[index]));
    }
    Ok(())
}

/// The pairs with the largest cosines: they are among those nearest to one of them, but for itself.
fn pairs(
    known: &Neighbours,
    vectors: &[Vec<Float>],
) -> Result<Vec<(usize, usize, Float)>, train::Error> {
    let mut found = Vec::new();
    for (a, nearest) in known.nearest_of_each(vectors, SHOWN + 1)?.into_iter().enumerate() {
        let later = nearest.into_iter().filter(|pair| a < pair.0);
        found.extend(later.map(|(b, cosine)| (a, b, cosine)));
    }
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    found.truncate(SHOWN);
    Ok(found)
}

fn value<'a>(product: &'a Product, field: &str) -> Option<&'a str> {
    let (_, value) = product.attributes.iter().find(|(name, _)| name == field)?;
    Some(value)
}

fn line(product: &Product) -> String {
    let price = value(product, "price").unwrap_or("no price");
    let brand = value(product, "brand").unwrap_or("no brand");
    format!("{} by {brand}, {} ({price})", product.name(), product.category)
}
