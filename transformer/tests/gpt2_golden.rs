//! GPT-2 against PyTorch and Transformers, on the fixture that `fixtures/make_gpt2.py` makes.

mod golden;

use autograd::cross_entropy;
use golden::{assert_close, ids, targets};
use std::path::PathBuf;
use tensor::{Tensor, Tokens, file::Contents};
use transformer::{
    Autoregressive, Cache, DecoderOnly, Generation, Gpt2, Module, Pretrained,
    gpt2::hugging_face_name,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpt2_tiny")
}

fn fixture() -> (Gpt2, Contents) {
    let golden = tensor::file::read(&folder().join("golden.safetensors")).unwrap();
    (Gpt2::from_pretrained(folder()).unwrap(), golden)
}

#[test]
fn logits_and_hidden_states_equal_transformers() {
    let (model, golden) = fixture();
    let tokens = Tokens::batch(&ids(&golden, "ids"), 97).unwrap();
    assert_close("hidden", model.hidden(&tokens).value(), &golden.tensors["hidden.2"]);
    assert_close("logits", model.forward(&tokens).value(), &golden.tensors["logits"]);
}

#[test]
fn loss_and_every_gradient_equal_pytorchs() {
    let (model, golden) = fixture();
    let tokens = Tokens::batch(&ids(&golden, "ids"), 97).unwrap();
    let loss = cross_entropy(&model.forward(&tokens), &targets(&golden, 97));
    assert_close("loss", &loss.value().reshape(&[1]), &golden.tensors["loss"]);
    let gradients = loss.backward().unwrap();
    for (name, parameter) in model.parameters() {
        let name = hugging_face_name(&name);
        let gradient = gradients.get(parameter).expect(&name);
        assert_close(&name, gradient, &golden.tensors[&format!("grad.{name}")]);
        assert!(gradient.to_vec().iter().any(|&x| x != 0.0), "{name} has no gradient");
    }
}

#[test]
fn greedy_ids_equal_transformers_with_and_without_sampling_settings() {
    let (model, golden) = fixture();
    let expected = &ids(&golden, "greedy")[0];
    let greedy = Generation { max_new_tokens: Some(10), ..Generation::default() };
    assert_eq!(&model.generate(&expected[..6], &greedy).unwrap(), expected);
    let top_1 = Generation { do_sample: true, top_k: Some(1), ..greedy.clone() };
    assert_eq!(&model.generate(&expected[..6], &top_1).unwrap(), expected);
    let cold = Generation { do_sample: true, temperature: 0.0, ..greedy };
    assert_eq!(&model.generate(&expected[..6], &cold).unwrap(), expected);
}

#[test]
fn padded_rows_equal_transformers_and_the_same_rows_alone() {
    let (model, golden) = fixture();
    let rows = ids(&golden, "padded.ids");
    let (_, mask) = &golden.integers["padded.mask"];
    let is_token: Vec<bool> = mask.iter().map(|&m| m == 1).collect();
    let mut cache = Cache::new(2, 2, 8);
    let tokens = Tokens::batch(&rows, 97).unwrap();
    let logits = model.logits(&model.hidden_cached(&tokens, &is_token, &mut cache));
    let tokens_of = |x: &Tensor, row: usize| {
        let start = is_token[8 * row..8 * row + 8].iter().position(|&is_token| is_token).unwrap();
        x.narrow(0, row, 1).narrow(1, start, 8 - start)
    };
    for (row, ids) in rows.iter().enumerate() {
        let ours = tokens_of(logits.value(), row);
        assert_close("padded", &ours, &tokens_of(&golden.tensors["padded.logits"], row));
        let alone = Tokens::batch(&[&ids[8 - ours.size(1)..]], 97).unwrap();
        assert_close("alone", &ours, model.forward(&alone).value());
    }
}

#[test]
fn a_batch_of_prompts_generates_what_each_generates_alone() {
    let (model, golden) = fixture();
    let prompts = [&ids(&golden, "ids")[0][..3], &ids(&golden, "ids")[1][..7], &[5]];
    for do_sample in [false, true] {
        let settings = Generation {
            max_new_tokens: Some(12),
            do_sample,
            end_tokens: Some(vec![53]),
            ..Generation::default()
        };
        let batch = model.generate_batch(&prompts, &settings).unwrap();
        assert_eq!(batch[0], model.generate(prompts[0], &settings).unwrap());
        if !do_sample {
            for (prompt, row) in prompts.iter().zip(&batch) {
                assert_eq!(row, &model.generate(prompt, &settings).unwrap());
                let end = row.iter().skip(prompt.len()).position(|&id| id == 53);
                assert!(end.is_none_or(|end| end + prompt.len() + 1 == row.len()));
            }
        }
    }
}

#[test]
fn cached_logits_equal_uncached() {
    let (model, golden) = fixture();
    let row = &ids(&golden, "ids")[0];
    let all = model.forward(&Tokens::batch(&[row], 97).unwrap());
    let mut cache = Cache::new(2, 1, row.len());
    for (position, &id) in row.iter().enumerate() {
        let token = Tokens::batch(&[[id]], 97).unwrap();
        let hidden = model.hidden_cached(&token, &[true], &mut cache);
        let expected = all.value().narrow(1, position, 1);
        assert_close("cached", model.logits(&hidden).value(), &expected);
    }
}

#[test]
fn requests_that_make_no_sense_are_errors() {
    let (model, _) = fixture();
    let error = |prompt: &[u32], settings: Generation| {
        model.generate(prompt, &settings).unwrap_err().to_string()
    };
    let default = Generation::default;
    assert_eq!(
        error(&[1; 40], default()),
        "the prompt has 40 tokens, the model's context holds 32; shorten the prompt"
    );
    assert_eq!(
        error(&[1; 30], default()),
        "the prompt has 30 tokens and 20 new ones were asked for, the model's context holds 32; \
         ask for at most 2"
    );
    assert_eq!(
        error(&[1, 97], default()),
        "token id 97 at position 1 is beyond the vocabulary of 97 tokens (ids 0 to 96)"
    );
    assert_eq!(error(&[], default()), "the prompt is empty; give at least one token");
    assert_eq!(
        error(&[1], Generation { temperature: 0.7, ..default() }),
        "temperature, top_k, top_p, min_p and typical_p need sampling; set do_sample"
    );
    assert_eq!(
        error(&[1], Generation { max_length: Some(5), max_new_tokens: Some(5), ..default() }),
        "max_new_tokens and max_length are both set; set one of them"
    );
    assert_eq!(
        error(&[1, 2], Generation { max_length: Some(2), ..default() }),
        "max_length is 2, but the prompt alone has 2 tokens"
    );
}

#[test]
fn what_is_saved_is_loaded_again() {
    let (model, _) = fixture();
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path()).unwrap();
    let again = Gpt2::from_pretrained(folder.path()).unwrap();
    assert_eq!(again.config, model.config);
    let tokens = Tokens::batch(&[[1, 2, 3]], 97).unwrap();
    assert_eq!(again.forward(&tokens).value().to_vec(), model.forward(&tokens).value().to_vec());
}

#[test]
fn weights_that_do_not_fit_are_reported() {
    let (model, _) = fixture();
    let folder = tempfile::tempdir().unwrap();
    let copy = |config: &str| {
        model.save(folder.path()).unwrap();
        let path = folder.path().join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let (from, to) = config.split_once('>').unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let error = Gpt2::from_pretrained(folder.path()).unwrap_err().to_string();
        error.rsplit('/').next().unwrap().to_string()
    };
    assert_eq!(
        copy("\"n_layer\": 2>\"n_layer\": 3"),
        "model.safetensors: the weights do not fit config.json: 12 tensors missing, the first is \
         transformer.h.2.attn.c_attn.bias"
    );
    assert_eq!(
        copy("\"vocab_size\": 97>\"vocab_size\": 98"),
        "model.safetensors: the weights do not fit config.json: transformer.wte.weight is \
         [97, 16] where [98, 16] is expected"
    );
    assert_eq!(
        copy("gelu_new>softplus"),
        "config.json: activation_function: unknown variant `softplus`, expected one of `relu`, \
         `gelu`, `gelu_fast`, `gelu_new`, `gelu_pytorch_tanh`, `silu`, `swish`, `tanh`"
    );
    assert_eq!(
        copy("\"model_type\": \"gpt2\">\"model_type\": \"bert\""),
        "config.json: model_type is \"bert\"; only \"gpt2\" is supported"
    );
}

#[test]
fn generation_config_is_read_as_transformers_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        std::fs::write(folder.path().join("generation_config.json"), text).unwrap();
        Generation::from_pretrained(folder.path())
    };
    let sampled = read("{\"do_sample\": true, \"temperature\": 0.6, \"top_k\": 0, \"top_p\": 0.9}");
    let expected = Generation {
        do_sample: true,
        temperature: 0.6,
        top_k: Some(0),
        top_p: Some(0.9),
        ..Generation::default()
    };
    assert_eq!(sampled.unwrap(), expected);
    let greedy = read("{\"temperature\": 0.6, \"max_new_tokens\": 7}").unwrap();
    assert_eq!(greedy, Generation { max_new_tokens: Some(7), ..Generation::default() });
    assert!(read("{").unwrap_err().to_string().contains("generation_config.json: EOF"));
    std::fs::remove_file(folder.path().join("generation_config.json")).unwrap();
    assert_eq!(Generation::from_pretrained(folder.path()).unwrap(), Generation::default());
}
