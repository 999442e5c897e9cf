//! all-MiniLM-L6-v2 against Transformers, on the fixture that `fixtures/make_minilm.py` makes. The
//! model is not part of the project: `ATTENDANT_MODELS` names the folder that holds `minilm/`.

use std::path::{Path, PathBuf};
use transformer::{Input, Model, Padded, Tokenizer};

fn folder() -> Option<PathBuf> {
    let folder =
        std::env::var_os("ATTENDANT_MODELS").map(|models| Path::new(&models).join("minilm"));
    let found = folder.filter(|folder| folder.exists());
    if found.is_none() {
        println!("skipped: ATTENDANT_MODELS names no folder with minilm");
    }
    found
}

#[test]
fn tokens_and_cosines_equal_transformers() {
    let Some(folder) = folder() else { return };
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/minilm.safetensors");
    let golden = tensor::file::read(&fixture).unwrap();
    let model = Model::from_pretrained(&folder).unwrap();
    let tokenizer = Tokenizer::from_pretrained(&folder).unwrap();
    let count = golden.tensors["vectors"].size(0);
    let mut rows = Vec::new();
    for number in 0..count {
        let integers = |name: &str| golden.integers[&format!("{name}.{number}")].1.clone();
        let text = integers("text").into_iter().map(|byte| byte as u8).collect();
        let text = String::from_utf8(text).unwrap();
        let ids = tokenizer.encode_text(&text, Some(256)).unwrap().ids;
        let expected: Vec<u32> = integers("ids").into_iter().map(|id| id as u32).collect();
        assert_eq!(ids, expected, "text {number}");
        rows.push(ids);
    }
    // All side by side, so that padding is looked at too.
    let text = Padded::right(&rows, model.vocab_size()).unwrap();
    let input = Input { text, token_types: None, target: None };
    let vectors = autograd::no_grad(|| model.embed(&input)).unwrap();
    let cosines = vectors.value().matmul(&vectors.value().transpose(0, 1));
    let pairs = cosines.to_vec().into_iter().zip(golden.tensors["cosines"].to_vec());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, tensor::Float::max);
    assert!(worst < 1e-5, "{worst:e}");
    println!("{count} texts: cosines differ by at most {worst:e}");
}
