#![no_main]
//! Writes what the fuzz targets begin with into the folder that ATTENDANT_SEEDS names: a program of
//! its own, for what is built with their flags needs libFuzzer's `main`.

use attendant_fuzz::fixture;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::Path;
use tensor::Tensor;
use tensor::gguf::{Array, Part, Value, write};
use tensor::packed::Format;

fuzz_target!(init: seeds(), |bytes: &[u8]| {
    std::hint::black_box(bytes);
});

fn seeds() {
    let folder = std::env::var_os("ATTENDANT_SEEDS").expect("ATTENDANT_SEEDS names a folder");
    let folder = Path::new(&folder);
    for target in ["safetensors", "gguf", "config", "tokenizer"] {
        fs::create_dir_all(folder.join(target)).expect("a folder");
    }
    let names =
        ["gpt2_plain", "llama_grouped", "qwen3_tied", "bert_masked", "roberta_classify", "t5_flan"];
    for (index, name) in names.into_iter().enumerate() {
        let config = fs::read(fixture(name).join("config.json")).expect("a fixture");
        let config = [&[index as u8][..], &config].concat();
        fs::write(folder.join("config").join(name), config).expect("a seed");
        let weights = fixture(name).join("model.safetensors");
        fs::copy(weights, folder.join("safetensors").join(name)).expect("a seed");
    }
    let tokenizers = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/tokenizer");
    for seed in fs::read_dir(tokenizers).expect("seeds").flatten() {
        let name = seed.file_name();
        fs::copy(seed.path(), folder.join("tokenizer").join(name)).expect("a seed");
    }
    gguf(&folder.join("gguf"));
}

/// Small Llamas, one in each format.
fn gguf(folder: &Path) {
    let formats = [None, Some(Format::F16), Some(Format::BF16), Some(Format::Q8_0)];
    for (index, format) in formats.into_iter().enumerate() {
        let part = |(name, shape): (&str, &[usize])| {
            let tensor = Tensor::ones(shape);
            let format = if shape.len() == 1 { None } else { format };
            Part { name: name.into(), tensor, format }
        };
        let parts: Vec<Part> = tensors().into_iter().map(part).collect();
        write(&folder.join(format!("llama{index}")), &metadata(), &parts).expect("a seed");
    }
}

fn tensors() -> Vec<(&'static str, &'static [usize])> {
    vec![
        ("token_embd.weight", &[6, 32]),
        ("output_norm.weight", &[32]),
        ("blk.0.attn_norm.weight", &[32]),
        ("blk.0.attn_q.weight", &[32, 32]),
        ("blk.0.attn_k.weight", &[16, 32]),
        ("blk.0.attn_v.weight", &[16, 32]),
        ("blk.0.attn_output.weight", &[32, 32]),
        ("blk.0.ffn_norm.weight", &[32]),
        ("blk.0.ffn_gate.weight", &[32, 32]),
        ("blk.0.ffn_up.weight", &[32, 32]),
        ("blk.0.ffn_down.weight", &[32, 32]),
    ]
}

fn metadata() -> Vec<(String, Value)> {
    let text = |text: &str| Value::String(text.into());
    let number = Value::U32;
    let pairs = [
        ("general.architecture", text("llama")),
        ("llama.block_count", number(1)),
        ("llama.context_length", number(16)),
        ("llama.embedding_length", number(32)),
        ("llama.feed_forward_length", number(32)),
        ("llama.attention.head_count", number(2)),
        ("llama.attention.head_count_kv", number(1)),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("smollm")),
        ("tokenizer.ggml.tokens", Value::Array(Array::of_texts(["<s>", "a", "b", "ab", "Ġ", "1"]))),
        ("tokenizer.ggml.token_type", Value::Array(Array::of_integers(&[3, 1, 1, 1, 1, 1]))),
        ("tokenizer.ggml.merges", Value::Array(Array::of_texts(["a b"]))),
        ("tokenizer.ggml.eos_token_id", number(0)),
        ("tokenizer.chat_template", text("{% for m in messages %}{{ m['content'] }}{% endfor %}")),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}
