//! Writes `examples/data/reviews_en.jsonl` and `reviews_zh.jsonl` anew: the same bytes every time.

use examples::jsonl;
use examples::reviews::{Language, reviews};
use std::path::Path;

fn main() -> std::io::Result<()> {
    for language in [Language::English, Language::Chinese] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(language.file());
        std::fs::write(&path, jsonl::write(&reviews(language)))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
