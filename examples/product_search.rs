//! A shop's catalogue searched by meaning: products for a query, near-duplicates, rivals.
//!
//! `cargo run --release --example product_search -- --model MINILM`, where MINILM is the folder of
//! all-MiniLM-L6-v2 or another encoder of sentences.

use autograd::no_grad;
use clap::Parser;
use examples::catalogue::{self, Product};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use tensor::{Float, Tensor};
use transformer::{Input, Model, Padded, Tokenizer};

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

/// Texts that are computed side by side.
const BATCH_SIZE: usize = 16;
/// Results of each kind.
const SHOWN: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let products: Vec<Product> =
        catalogue::parse_lines(catalogue::EMBEDDED)?.into_iter().take(arguments.products).collect();
    let chosen = products.get(arguments.rivals_of).ok_or("there is no product of that number")?;
    let search = Search::open(&arguments.model)?;

    let start = Instant::now();
    let texts: Vec<&str> = products.iter().map(|product| &product.description[..]).collect();
    let vectors = search.embed(&texts)?; // [n_products, d_model], each of length 1
    let seconds = start.elapsed().as_secs_f64();
    println!("{} descriptions became vectors in {seconds:.1} s", products.len());

    println!("\nfor \"{}\":", arguments.query);
    let query = search.embed(&[&arguments.query])?;
    let cosines = vectors.matmul(&query.transpose(0, 1)).to_vec();
    for (index, cosine) in best(&cosines, |_| true) {
        println!("  {cosine:.3}  {}", line(&products[index]));
    }

    println!("\nthe most alike, perhaps the same product listed twice:");
    for (a, b, cosine) in pairs(&vectors) {
        println!("  {cosine:.3}  {}\n         {}", line(&products[a]), line(&products[b]));
    }

    println!("\nrivals of {}:", line(chosen));
    let own = vectors.narrow(0, arguments.rivals_of, 1);
    let cosines = vectors.matmul(&own.transpose(0, 1)).to_vec();
    let is_rival = |other: usize| {
        let brand = |product: &Product| value(product, "brand").map(str::to_string);
        products[other].category == chosen.category && brand(&products[other]) != brand(chosen)
    };
    for (index, cosine) in best(&cosines, is_rival) {
        println!("  {cosine:.3}  {}", line(&products[index]));
    }
    Ok(())
}

/// A model and its tokenizer.
struct Search {
    model: Model,
    tokenizer: Tokenizer,
}

impl Search {
    fn open(source: &PathBuf) -> Result<Search, Box<dyn Error>> {
        let (model, tokenizer) =
            (Model::from_pretrained(source)?, Tokenizer::from_pretrained(source)?);
        Ok(Search { model, tokenizer })
    }

    /// A vector for each text, `[texts, d_model]`; texts of like length are computed together.
    fn embed(&self, texts: &[&str]) -> Result<Tensor, Box<dyn Error>> {
        let mut rows = Vec::new();
        for text in texts {
            rows.push(self.tokenizer.encode_text(text, self.model.max_seq_len())?.ids);
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&index| rows[index].len());
        let mut vectors = vec![Tensor::zeros(&[0]); rows.len()];
        for batch in order.chunks(BATCH_SIZE) {
            let batch_rows: Vec<&[u32]> = batch.iter().map(|&index| &rows[index][..]).collect();
            let text = Padded::right(&batch_rows, self.model.vocab_size())?;
            let input = Input { text, token_types: None, target: None };
            let found = no_grad(|| self.model.embed(&input))?;
            for (row, &index) in batch.iter().enumerate() {
                vectors[index] = found.value().narrow(0, row, 1);
            }
        }
        Ok(Tensor::concat(&vectors.iter().collect::<Vec<_>>(), 0))
    }
}

/// The largest cosines of those that `fits` lets through, with their numbers.
fn best(cosines: &[Float], fits: impl Fn(usize) -> bool) -> Vec<(usize, Float)> {
    let mut found: Vec<(usize, Float)> =
        cosines.iter().copied().enumerate().filter(|(index, _)| fits(*index)).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(SHOWN);
    found
}

/// The pairs with the largest cosines.
fn pairs(vectors: &Tensor) -> Vec<(usize, usize, Float)> {
    let count = vectors.size(0);
    let cosines = vectors.matmul(&vectors.transpose(0, 1)).to_vec();
    let is_upper = |index: usize| index / count < index % count;
    let found = best(&cosines, is_upper).into_iter();
    found.map(|(index, cosine)| (index / count, index % count, cosine)).collect()
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
