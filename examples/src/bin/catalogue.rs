//! Writes `examples/data/catalogue.jsonl` anew: the same bytes every time.

use examples::catalogue::catalogue;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/catalogue.jsonl");
    let lines: String = catalogue().iter().map(|product| product.to_line() + "\n").collect();
    std::fs::write(&path, lines)?;
    println!("wrote {}", path.display());
    Ok(())
}
