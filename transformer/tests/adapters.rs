//! Adapters in PEFT's files: those that it trained (`fixtures/make_adapters.py`) give its logits here,
//! and those that are saved here come back as they were. With `ATTENDANT_SAVE_ADAPTERS=FOLDER` the latter
//! are left there with their logits, for `python/check_adapters.py` to load in PEFT.

use std::fs;
use std::path::{Path, PathBuf};
use tensor::{Float, Rng, Tensor, Tokens};
use transformer::lora::{self, LoraConfig};
use transformer::{Checkpoint, Init, Input, Model, Module, Padded, Pretrained};

const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-6 } else { 1e-4 };

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn trained_in_peft() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures().join("adapters")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 7);
    folders
}

/// The batch of a golden file.
fn input(golden: &Path, vocab_size: usize) -> Input {
    let golden = tensor::file::read(golden).unwrap();
    let tokens = |name: &str, count: usize| {
        let (shape, values) = golden.integers.get(name)?;
        let ids: Vec<u32> = values.iter().map(|&id| u32::try_from(id).unwrap()).collect();
        Some(Tokens::new(ids, count).unwrap().reshape(shape))
    };
    let ids = tokens("ids", vocab_size).unwrap();
    let is_token = match golden.integers.get("mask") {
        Some((_, mask)) => mask.iter().map(|&mask| mask == 1).collect(),
        None => vec![true; ids.ids().len()],
    };
    Input {
        text: Padded { tokens: ids, is_token: is_token.into() },
        token_types: tokens("token_type_ids", 2),
        target: tokens("decoder_ids", vocab_size),
    }
}

fn logits(model: &Model, golden: &Path) -> Tensor {
    let outputs = model.outputs(&input(golden, model.vocab_size())).unwrap();
    outputs.logits.unwrap().value().contiguous()
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let largest = b.to_vec().iter().fold(0.0, |most: f64, &b| most.max(f64::from(b).abs()));
    let pairs = a.to_vec().into_iter().zip(b.to_vec());
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max) / largest
}

#[test]
fn adapters_that_peft_trained_give_its_logits_alone_and_merged() {
    for folder in trained_in_peft() {
        let golden = folder.join("golden.safetensors");
        let expected = tensor::file::read(&golden).unwrap().tensors["logits"].clone();
        let mut model = Model::from_pretrained(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert!(model.has_adapters());
        let apart = difference(&logits(&model, &golden), &expected);
        lora::merge(&mut model);
        let merged = difference(&logits(&model, &golden), &expected);
        let base = lora::base_of(&folder).unwrap().unwrap();
        assert!(apart < TOLERANCE && merged < TOLERANCE, "{folder:?}: {apart:e} {merged:e}");
        assert!(base.ends_with(base.file_name().unwrap()));
    }
}

/// A model of the fixtures with adapters whose B is not zero, and a changed head.
fn adapted(name: &str, config: &str) -> Model {
    let mut rng = Rng::seeded(5);
    let mut model = Model::from_pretrained(fixtures().join("models").join(name)).unwrap();
    model.attach_adapters(&config.parse().unwrap(), &mut rng).unwrap();
    for (_, parameter) in model.parameters_mut() {
        if parameter.is_trainable() {
            let noise = Init::Normal(0.3).tensor(&mut rng, parameter.shape());
            *parameter.value_mut() = parameter.value() + &noise;
        }
    }
    model
}

#[test]
fn adapters_saved_here_come_back_with_the_same_bits() {
    let kept = std::env::var_os("ATTENDANT_SAVE_ADAPTERS").map(PathBuf::from);
    let scratch = tempfile::tempdir().unwrap();
    let root = kept.as_deref().unwrap_or(scratch.path());
    for (name, config) in [
        ("gpt2_plain", "r=2,alpha=3"),
        ("gpt2_classify_padded", "r=3,targets=c_attn+c_fc"),
        ("llama_grouped", "r=4,rslora=true,targets=q_proj+v_proj+down_proj"),
        ("qwen2_untied", "r=2,targets=lm_head+k_proj"),
        ("llama_answer", "r=2"),
        ("bert_classify", "r=2,alpha=5,dropout=0.1"),
        ("bert_masked", "r=2"),
        ("roberta_classify", "r=2"),
        ("distilbert_classify", "r=2"),
        ("t5_tied", "r=2,targets=q+wo"),
        ("t5_v1_1", "r=2"),
    ] {
        let model = adapted(name, config);
        let (folder, base) = (root.join(name), fixtures().join("models").join(name));
        fs::create_dir_all(&folder).unwrap();
        model.save_adapter(&folder, &base).unwrap();
        let again = Model::from_pretrained(&folder).unwrap();
        let golden = base.join("golden.safetensors");
        let expected = logits(&model, &golden);
        assert_eq!(logits(&again, &golden).to_vec(), expected.to_vec(), "{name}");
        for ((ours, before), (_, after)) in model.parameters().iter().zip(again.parameters()) {
            assert_eq!(before.is_trainable(), after.is_trainable(), "{name}: {ours}");
        }
        tensor::file::write(
            &folder.join("logits.safetensors"),
            [("logits".to_string(), &expected)],
            Default::default(),
        )
        .unwrap();
    }
}

#[test]
fn a_model_with_adapters_is_merged_before_it_is_saved_whole() {
    let (folder, name) = (tempfile::tempdir().unwrap(), "gpt2_plain");
    let golden = fixtures().join("models").join(name).join("golden.safetensors");
    let mut model = adapted(name, "r=2");
    let before = logits(&model, &golden);
    let text = "the model has adapters: merge them and save it (attendant convert does), or save \
                them alone";
    assert_eq!(model.save(folder.path()).unwrap_err().to_string(), text);
    lora::merge(&mut model);
    model.save(folder.path()).unwrap();
    let again = Model::from_pretrained(folder.path()).unwrap();
    assert!(difference(&logits(&again, &golden), &before) < TOLERANCE);
    let error = model.save_adapter(folder.path(), Path::new("base")).unwrap_err().to_string();
    assert_eq!(error, "lora: the model has no adapters to be saved; save the model");
}

#[test]
fn what_is_trained_beside_an_adapter_can_not_be_saved_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = adapted("gpt2_plain", "r=2,targets=c_attn");
    for (name, parameter) in model.parameters_mut() {
        if name == "final_norm.gamma" {
            parameter.unfreeze();
            *parameter.value_mut() = parameter.value() * 2.0;
        }
    }
    let base = fixtures().join("models/gpt2_plain");
    model.save_adapter(folder.path(), &base).unwrap();
    let again = Model::from_pretrained(folder.path()).unwrap();
    let golden = base.join("golden.safetensors");
    assert_eq!(logits(&again, &golden).to_vec(), logits(&model, &golden).to_vec());
    model.freeze(|name| name != "blocks.0.attention.w_qkv.bias");
    assert_eq!(
        model.save_adapter(folder.path(), &base).unwrap_err().to_string(),
        "lora: blocks.0.attention.w_qkv.bias is trained beside its adapter, which PEFT's files can't \
         hold; freeze it, or merge the adapters and save the model"
    );
}

/// A copy of a fixture of PEFT's, its configuration changed.
fn changed(change: impl Fn(&mut serde_json::Value)) -> (tempfile::TempDir, PathBuf) {
    let from = fixtures().join("adapters/gpt2");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter_config.json");
    let text = fs::read_to_string(from.join("adapter_config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["base_model_name_or_path"] = fixtures().join("models/gpt2_plain").to_str().into();
    change(&mut config);
    fs::write(&path, config.to_string()).unwrap();
    let weights = "adapter_model.safetensors";
    fs::copy(from.join(weights), folder.path().join(weights)).unwrap();
    (folder, path)
}

#[test]
fn what_is_not_supported_or_does_not_fit_is_named() {
    for (key, value, reason) in [
        ("use_dora", true.into(), "use_dora is true; it is not supported"),
        ("bias", "all".into(), "bias is \"all\"; only \"none\" is supported"),
        ("peft_type", "IA3".into(), "peft_type is \"IA3\"; only \"LORA\" is supported"),
        ("r", (-1).into(), "r: invalid value: integer `-1`, expected usize"),
        ("r", 0.into(), "r is 0, lora_alpha 3; they are to be above 0 and finite"),
        ("lora_dropout", 1.0.into(), "lora_dropout is 1; it is at least 0 and less than 1"),
        ("base_model_name_or_path", ().into(), "base_model_name_or_path names no model"),
        (
            "base_model_name_or_path",
            "/nowhere/at/all".into(),
            "base_model_name_or_path: there is no /nowhere/at/all; write there where the model is",
        ),
        (
            "init_lora_weights",
            "pissa".into(),
            "init_lora_weights is \"pissa\"; it changes the base, and is not supported",
        ),
    ] {
        let value: serde_json::Value = value;
        let (folder, path) = changed(|config| config[key] = value.clone());
        let error = Model::from_pretrained(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {reason}", path.display()));
    }
    let (folder, path) = changed(|config| config["r"] = 1_000_000_000.into());
    let weights = path.with_file_name("adapter_model.safetensors");
    assert_eq!(
        Model::from_pretrained(folder.path()).unwrap_err().to_string(),
        format!(
            "{}: transformer.h.0.attn.c_attn.lora_A.weight is [2, 8] where [1000000000, 8] is \
             expected",
            weights.display()
        )
    );
    let (folder, _) = changed(|_| ());
    let other = fixtures().join("models/llama_grouped");
    let error = lora::open(folder.path(), Some(&other)).and_then(Model::from_checkpoint);
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("c_attn.lora_A.weight has no place in the model"), "{error}");
}

#[test]
fn the_base_may_be_told_and_packed() {
    let folder = tempfile::tempdir().unwrap();
    let base = fixtures().join("models/llama_half");
    let mut model = transformer::Llama::from_pretrained(&base).unwrap();
    let layout = model.layout();
    let config: LoraConfig = "r=2".parse().unwrap();
    lora::attach(&mut model, &layout, &config, &mut Rng::seeded(3)).unwrap();
    lora::save_adapter(&model, folder.path(), Path::new("hf:nobody/nothing@v1")).unwrap();
    let text = fs::read_to_string(folder.path().join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["base_model_name_or_path"], "nobody/nothing");
    assert_eq!(config["revision"], "v1");
    assert_eq!(lora::base_of(folder.path()).unwrap(), Some(PathBuf::from("hf:nobody/nothing@v1")));
    let checkpoint: Checkpoint = lora::open(folder.path(), Some(&base)).unwrap();
    let (model, _) = Model::from_checkpoint(checkpoint).unwrap();
    let formats = model.linears().into_iter().map(|(_, w)| w.weight.value().packed_format());
    assert!(formats.take(3).all(|format| format.is_some()) && model.has_adapters());
}
