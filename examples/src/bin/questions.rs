//! Writes `examples/data/questions.jsonl` and `examples/data/intents.jsonl` anew: the same bytes
//! every time.

use examples::{intents::intents, jsonl, questions::questions};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let sets = [
        ("questions.jsonl", jsonl::write(&questions())),
        ("intents.jsonl", jsonl::write(&intents())),
    ];
    for (name, lines) in sets {
        let path = data.join(name);
        std::fs::write(&path, lines)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
