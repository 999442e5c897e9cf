//! Models written as GGUF files and read back: the same model, whatever its options.

use std::path::{Path, PathBuf};
use tensor::gguf::{Part, Value};
use tensor::packed::Format;
use tensor::{Float, Tensor};
use transformer::pretrained::GgufOptions;
use transformer::{Input, Model, Module, Padded, Tokenizer};

fn fixture(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name);
    Model::from_pretrained(folder).unwrap()
}

/// The model written and read again; the folder holds its file.
fn through(model: &Model, options: &GgufOptions) -> (tempfile::TempDir, PathBuf, Model) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    model.save_gguf(&path, options).unwrap();
    let again = Model::from_pretrained(&path).unwrap();
    (folder, path, again)
}

fn logits(model: &Model) -> Tensor {
    let rows = [vec![3u32, 14, 15, 9, 2, 6], vec![5, 3, 5, 8, 9, 7]];
    let text = Padded::right(&rows, model.vocab_size()).unwrap();
    let outputs = model.outputs(&Input { text, token_types: None, target: None }).unwrap();
    outputs.logits.unwrap().value().clone()
}

/// The largest difference, over the largest number.
fn difference(a: &Tensor, b: &Tensor) -> Float {
    let largest = |x: &[Float]| x.iter().fold(0.0, |most: Float, x| x.abs().max(most));
    let (a, b) = (a.to_vec(), b.to_vec());
    let apart: Vec<Float> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    largest(&apart) / largest(&b)
}

/// Language models that GGUF files can hold.
const MODELS: [&str; 16] = [
    "gpt2_bare",
    "gpt2_epsilon",
    "gpt2_plain",
    "gpt2_repeated_head",
    "gpt2_untied",
    "llama_biases",
    "llama_grouped",
    "llama_head_dim",
    "llama_linear",
    "llama_llama3",
    "llama_mha",
    "llama_tied",
    "qwen2_tied",
    "qwen2_untied",
    "qwen3_minimal",
    "qwen3_tied",
];

#[test]
fn a_model_comes_back_with_the_same_logits() {
    for name in MODELS {
        let model = fixture(name);
        let (_folder, _, again) = through(&model, &GgufOptions::default());
        let worst = difference(&logits(&again), &logits(&model));
        assert!(worst < 1e-6, "{name}: {worst}");
        assert_eq!(again.parameters().len(), model.parameters().len(), "{name}");
    }
}

#[test]
fn packed_models_stay_packed_and_give_the_logits_of_their_numbers() {
    for name in ["gpt2_plain", "llama_grouped", "qwen3_tied"] {
        let model = fixture(name);
        for format in [Format::F16, Format::BF16, Format::Q8_0] {
            let options = GgufOptions { format: Some(format), ..GgufOptions::default() };
            let (_folder, _, again) = through(&model, &options);
            let mut plain = again.clone();
            for (name, parameter) in plain.parameters_mut() {
                let is_packed = parameter.value().packed_format().is_some();
                let kept_whole =
                    name.contains("norm") || name.ends_with("bias") || name.starts_with("position");
                assert_eq!(is_packed, !kept_whole, "{name}");
                let value = parameter.value().unpacked();
                *parameter.value_mut() = value;
            }
            let worst = difference(&logits(&again), &logits(&plain));
            assert!(worst < 1e-5, "{name} {format:?}: {worst}");
            let lost = difference(&logits(&again), &logits(&model));
            assert!(lost > 0.0 && lost < 0.05, "{name} {format:?}: {lost}");
        }
    }
}

#[test]
fn the_tokenizer_and_the_chats_template_come_back() {
    let model = fixture("llama_grouped");
    let tokenizer = small_tokenizer();
    let options = GgufOptions {
        tokenizer: Some(&tokenizer),
        chat_template: Some("{{ messages }}"),
        ..GgufOptions::default()
    };
    let (_folder, path, _) = through(&model, &options);
    let again = Tokenizer::from_pretrained(&path).unwrap();
    assert_eq!(again.encode("ab ba<e>").unwrap(), tokenizer.encode("ab ba<e>").unwrap());
    let metadata = tensor::gguf::read(&path).unwrap().metadata;
    assert_eq!(metadata["tokenizer.chat_template"].as_str(), Some("{{ messages }}"));
    assert_eq!(metadata["tokenizer.ggml.tokens"].as_array().unwrap().len(), 37);
}

/// A tokenizer of the 5 tokens `<e>`, `a`, `b`, `Ġ`, `ab`.
fn small_tokenizer() -> Tokenizer {
    let json = r#"{
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{"id": 0, "content": "<e>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "model": {"type": "BPE", "vocab": {"<e>": 0, "a": 1, "b": 2, "Ġ": 3, "ab": 4},
            "merges": ["a b"]}
    }"#;
    Tokenizer::from_inner(json.parse().unwrap())
}

#[test]
fn what_gguf_has_no_form_for_is_named() {
    let refused = |name: &str| {
        let path = tempfile::tempdir().unwrap().path().join("x.gguf");
        let error = fixture(name).save_gguf(&path, &GgufOptions::default()).unwrap_err();
        let text = error.to_string();
        text.split_once("x.gguf: cannot be written: ").expect("the file is named").1.to_string()
    };
    assert_eq!(
        refused("llama_classify"),
        "a \"LlamaForSequenceClassification\" has no form in GGUF; only LlamaForCausalLM has"
    );
    assert_eq!(
        refused("gpt2_by_layer"),
        "scale_attn_by_inverse_layer_idx is true, which GGUF has no key for"
    );
    assert!(refused("bert_masked").starts_with("GGUF files of \"bert\" are not known"));
}

/// The error of a file of `llama_grouped` with a key or a tensor changed.
fn broken(key: Option<(&str, Value)>, tensor: Option<(&str, Option<Tensor>)>) -> String {
    let (_folder, path, _) = through(&fixture("llama_grouped"), &GgufOptions::default());
    let mut contents = tensor::gguf::read(&path).unwrap();
    contents.metadata.extend(key.map(|(key, value)| (key.to_string(), value)));
    if let Some((name, tensor)) = tensor {
        contents.tensors.remove(name);
        contents.tensors.extend(tensor.map(|tensor| (name.to_string(), tensor)));
    }
    let part = |(name, tensor)| Part { name, tensor, format: None };
    let parts: Vec<Part> = contents.tensors.into_iter().map(part).collect();
    let metadata: Vec<(String, Value)> = contents.metadata.into_iter().collect();
    let path = path.with_file_name("broken.gguf");
    tensor::gguf::write(&path, &metadata, &parts).unwrap();
    let text = Model::from_pretrained(&path).map(|_| ()).unwrap_err().to_string();
    text.split_once("broken.gguf: ").expect("the file is named").1.to_string()
}

#[test]
fn a_file_that_disagrees_with_itself_is_an_error() {
    let lies = |key: &str, count: u64| broken(Some((key, Value::U64(count))), None);
    for count in [0, 3, u64::MAX / 2, u64::MAX] {
        lies("llama.attention.head_count", count);
        lies("llama.attention.head_count_kv", count);
        lies("llama.attention.key_length", count);
        lies("llama.block_count", count);
        lies("llama.embedding_length", count);
        lies("llama.feed_forward_length", count);
    }
    assert_eq!(
        broken(None, Some(("blk.1.attn_q.weight", None))),
        "the weights do not fit config.json: 1 tensors missing, the first is \
         model.layers.1.self_attn.q_proj.weight"
    );
    let small = Some(Tensor::ones(&[4]));
    assert_eq!(
        broken(None, Some(("blk.0.attn_q.weight", small.clone()))),
        "tensor \"blk.0.attn_q.weight\" [4] can't be shared out to [4, 2] heads"
    );
    assert_eq!(broken(None, Some(("token_embd.weight", small))), "no matrix token_embd.weight");
    let text = Value::String("x".into());
    assert_eq!(
        broken(Some(("llama.block_count", text)), None),
        "llama.block_count is String(\"x\"), no number that it can be"
    );
}

/// Where `ATTENDANT_WRITE_GGUF` names a folder, the models are written there for `check_gguf.py`,
/// each with its logits.
#[test]
fn files_for_other_readers_are_written_where_they_are_asked_for() {
    let Some(folder) = std::env::var_os("ATTENDANT_WRITE_GGUF").map(PathBuf::from) else {
        eprintln!("skipped: ATTENDANT_WRITE_GGUF names no folder");
        return;
    };
    for name in MODELS {
        let (model, folder) = (fixture(name), folder.join(name));
        std::fs::create_dir_all(&folder).unwrap();
        model.save_gguf(&folder.join("model.gguf"), &GgufOptions::default()).unwrap();
        let logits = logits(&model);
        let named = [("logits".to_string(), &logits)];
        tensor::file::write(&folder.join("logits.safetensors"), named, Default::default()).unwrap();
    }
}
