//! Tokenizers from all files that models come with; text that comes token by token.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use transformer::Tokenizer;

fn folder(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// GPT-2's files with a small vocabulary.
fn gpt2_files() -> [(&'static str, String); 2] {
    let mut tokens: Vec<String> = ByteLevel::alphabet().into_iter().map(String::from).collect();
    tokens.sort();
    let merges = ["t h", "th e", "Ġ the", "Ġ a", "ä ½", "Ð ·", "Ċ Ċ", "1 2"];
    tokens.extend(merges.map(|merge| merge.replace(' ', "")));
    tokens.push("<|endoftext|>".into());
    let vocab: serde_json::Map<String, Value> =
        tokens.into_iter().zip(0..).map(|(token, id)| (token, json!(id))).collect();
    let merges = format!("#version: 0.2\n{}\n", merges.join("\n"));
    [("vocab.json", Value::from(vocab).to_string()), ("merges.txt", merges)]
}

fn gpt2() -> Tokenizer {
    Tokenizer::from_pretrained(folder(&gpt2_files()).path()).unwrap()
}

const WORDS: &str =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncafe\ncafé\n##s\n##tle\nbot\n.\n中\n'\ns\nCafé\n!\n";

fn bert(config: &str) -> Tokenizer {
    let files = [("vocab.txt", WORDS.into()), ("tokenizer_config.json", config.into())];
    Tokenizer::from_pretrained(folder(&files).path()).unwrap()
}

/// Pieces of words after `▁`, and bytes where there is no piece, as Llama's first tokenizer.
fn llama(decoder: Value) -> Tokenizer {
    let mut vocab: serde_json::Map<String, Value> = [("<unk>", 0), ("<s>", 1), ("</s>", 2)]
        .map(|(token, id)| (token.into(), json!(id)))
        .into_iter()
        .collect();
    for byte in 0..256 {
        vocab.insert(format!("<0x{byte:02X}>"), json!(3 + byte));
    }
    for (id, token) in ["▁", "a", "b", "▁a", "▁▁", "é", "�", "▁▁b"].iter().enumerate()
    {
        vocab.insert((*token).into(), json!(259 + id));
    }
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let merges = ["▁ a", "▁ ▁", "▁▁ b"];
    parse(&json!({
        "version": "1.0",
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": decoder,
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true,
                  "vocab": vocab, "merges": merges}
    }))
    .unwrap()
}

fn fused() -> Value {
    json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})
}

fn parse(json: &Value) -> Result<Tokenizer, transformer::Error> {
    Tokenizer::from_pretrained(folder(&[("tokenizer.json", json.to_string())]).path())
}

#[test]
fn gpt2s_files_make_a_byte_level_tokenizer() {
    let tokenizer = gpt2();
    let (end, the) = (tokenizer.end_of_text().unwrap(), tokenizer.token_id("Ġthe").unwrap());
    let ids = tokenizer.encode(" the<|endoftext|>").unwrap();
    assert_eq!(ids, [the, end]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), " the");
    assert_eq!(tokenizer.decode_special(&ids).unwrap(), " the<|endoftext|>");
    assert_eq!(tokenizer.encode_text(" the", None).unwrap().ids, [the]);
    assert!(tokenizer.is_special(end) && !tokenizer.is_special(the));
}

#[test]
fn robertas_files_put_their_tokens_around_a_text() {
    let [(vocab, text), merges] = gpt2_files();
    let mut map: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let end = map.remove("<|endoftext|>").unwrap().as_u64().unwrap();
    for (index, token) in ["<s>", "<pad>", "</s>", "<mask>"].iter().enumerate() {
        map.insert((*token).into(), json!(end + index as u64));
    }
    let folder = folder(&[(vocab, Value::from(map).to_string()), merges]);
    let tokenizer = Tokenizer::from_pretrained(folder.path()).unwrap();
    let ids = |text: &str| tokenizer.token_id(text).unwrap();
    let (start, end, the, mask) = (ids("<s>"), ids("</s>"), ids("the"), ids("<mask>"));
    assert_eq!(tokenizer.encode_text("the <mask>", None).unwrap().ids, [start, the, mask, end]);
    let pair = tokenizer.encode_pair("the", "the", None).unwrap();
    assert_eq!(pair.ids, [start, the, end, end, the, end]);
}

#[test]
fn berts_vocabulary_makes_pieces_of_words() {
    let tokenizer = bert("{}");
    assert_eq!(
        tokenizer.encode("The Café's 中bottles!").unwrap(),
        [5, 6, 13, 14, 12, 10, 9, 8, 16]
    );
    assert_eq!(tokenizer.encode("Cafés bottle").unwrap(), [6, 8, 10, 9]);
    let cased = bert("{\"do_lower_case\": false, \"strip_accents\": false}");
    assert_eq!(cased.encode("Café café").unwrap(), [15, 7]);
    let plain = bert("{\"tokenize_chinese_chars\": false}");
    assert_eq!(plain.encode("中the").unwrap(), [1]);
    assert_eq!(tokenizer.decode(&[2, 10, 9, 11, 3]).unwrap(), "bottle.");
}

#[test]
fn special_tokens_and_types_stand_where_bert_has_them() {
    let tokenizer = bert("{}");
    let one = tokenizer.encode_text("the cafe", None).unwrap();
    assert_eq!(one.ids, [2, 5, 6, 3]);
    assert_eq!(one.offsets, [(0, 0), (0, 3), (4, 8), (0, 0)]);
    assert_eq!(one.is_special, [true, false, false, true]);
    let two = tokenizer.encode_pair("the cafe", "cafe.", None).unwrap();
    assert_eq!(two.ids, [2, 5, 6, 3, 6, 11, 3]);
    assert_eq!(two.token_types, [0, 0, 0, 0, 1, 1, 1]);
}

#[test]
fn long_texts_are_cut() {
    let tokenizer = bert("{}");
    assert_eq!(tokenizer.encode_text("the cafe the", Some(4)).unwrap().ids, [2, 5, 6, 3]);
    let pair = tokenizer.encode_pair("the", "cafe . the cafe .", Some(6)).unwrap();
    assert_eq!(pair.ids, [2, 5, 3, 6, 11, 3]);
    assert_eq!(
        tokenizer.encode_text("the", Some(1)).unwrap_err().to_string(),
        "at most 1 tokens were asked for, but 2 special ones are added to each text; ask for more"
    );
}

#[test]
fn a_characters_bytes_wait_for_each_other() {
    let tokenizer = gpt2();
    let mut stream = tokenizer.stream();
    let ids = tokenizer.encode("a中🙂!").unwrap();
    let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    assert_eq!(pieces, ["a", "中", "🙂", "!"]);
    let mut stream = tokenizer.stream();
    assert_eq!(stream.push(ids[1]).unwrap(), "");
    assert_eq!(stream.finish().unwrap(), "\u{fffd}");
}

/// Any ids, streamed, give what they give at once.
fn assert_streams(tokenizer: &Tokenizer, ids: &[u32]) -> Result<(), TestCaseError> {
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for &id in ids {
        text += &stream.push(id).unwrap();
    }
    text += &stream.finish().unwrap();
    prop_assert_eq!(text, tokenizer.decode(ids).unwrap());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_comes_back_whole(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let tokenizer = gpt2();
        let lossy = String::from_utf8_lossy(&bytes);
        for text in [&text, &*lossy] {
            let ids = tokenizer.encode(text).unwrap();
            prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn bytes_stream_as_they_decode(ids in prop::collection::vec(0u32..270, 0..30)) {
        assert_streams(&gpt2(), &ids)?;
    }

    #[test]
    fn pieces_of_words_stream_as_they_decode(ids in prop::collection::vec(0u32..20, 0..20)) {
        assert_streams(&bert("{}"), &ids)?;
    }

    #[test]
    fn fallen_back_bytes_stream_as_they_decode(
        ids in prop::collection::vec(prop_oneof![0u32..3, 200u32..270, 255u32..270], 0..20)
    ) {
        assert_streams(&llama(fused()), &ids)?;
        assert_streams(&llama(json!({"type": "Metaspace", "replacement": "▁"})), &ids)?;
        let stripped = json!({"type": "Strip", "content": " ", "start": 2, "stop": 0});
        assert_streams(&llama(stripped), &ids)?;
        assert_streams(&llama(json!(null)), &ids)?;
    }
}

#[test]
fn what_a_tokenizer_takes_for_granted_is_checked() {
    let error = |json: Value| {
        let text = parse(&json).unwrap_err().to_string();
        text.split_once("tokenizer.json: ").unwrap().1.to_string()
    };
    let model = json!({"type": "BPE", "vocab": {"a": 0}, "merges": []});
    assert!(error(json!({})).starts_with("not a tokenizer: "));
    let prefixed = json!({"type": "BPE", "continuing_subword_prefix": "##", "vocab": {"a": 0},
                          "merges": [["a", "a"]]});
    assert_eq!(
        error(json!({"version": "1.0", "model": prefixed})),
        "not a tokenizer: model: merge [\"a\",\"a\"] lacks the prefix \"##\""
    );
    let template = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]",
                          "type_id": 0}}], "pair": [], "special_tokens": {}});
    assert_eq!(
        error(json!({"version": "1.0", "model": model, "post_processor": template})),
        "not a tokenizer: post_processor: single names [CLS], which is not defined"
    );
    for (charsmap, reason) in [
        ("AA!A", "is not base64"),
        ("AAA=", "is too short"),
        ("/////w==", "is too short"),
        ("BAAAAAAAAAA=", "points beyond its end"),
    ] {
        let normalizer = json!({"type": "Precompiled", "precompiled_charsmap": charsmap});
        assert_eq!(
            error(json!({"version": "1.0", "model": model, "normalizer": normalizer})),
            format!("not a tokenizer: normalizer: precompiled_charsmap {reason}")
        );
    }
}

#[test]
fn broken_files_are_errors_that_say_where() {
    let error = |files: &[(&str, String)]| {
        let folder = folder(files);
        let text = Tokenizer::from_pretrained(folder.path()).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "FOLDER")
    };
    assert_eq!(
        error(&[]),
        "FOLDER: has no tokenizer: no tokenizer.json, no vocab.json with merges.txt, no vocab.txt"
    );
    let [vocab, _] = gpt2_files();
    assert_eq!(
        error(&[vocab.clone(), ("merges.txt", "#version: 0.2\nt h\nth\n".into())]),
        "FOLDER/merges.txt: line 3: not two tokens with a space between"
    );
    assert_eq!(
        error(&[vocab, ("merges.txt", "t x\n".into())]),
        "FOLDER/merges.txt: does not fit the vocabulary: Token `tx` out of vocabulary"
    );
    assert_eq!(
        error(&[("vocab.txt", "[UNK]\n[CLS]\n".into())]),
        "FOLDER/vocab.txt: has no line [SEP]; BERT's texts need it"
    );
}

/// The strings of a row, by field in the order of names.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(inner) => inner.iter().for_each(|inner| strings(inner, found)),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.into_iter().for_each(|(_, inner)| strings(inner, found));
        }
        _ => {}
    }
}

fn digest(tokenizer: &Tokenizer, path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for line in fs::read_to_string(path).unwrap().split('\n').filter(|line| !line.is_empty()) {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut texts = Vec::new();
        strings(&row, &mut texts);
        for text in texts {
            let ids = tokenizer.encode(text).unwrap();
            hash.update((ids.len() as u32).to_le_bytes());
            ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn gpt2s_ids_equal_transformers() {
    let Ok(data) = std::env::var("ATTENDANT_DATA") else {
        eprintln!("skipped: ATTENDANT_DATA names no folder with gpt2-tokenizer/ and data sets");
        return;
    };
    let data = Path::new(&data);
    let tokenizer = Tokenizer::from_pretrained(data.join("gpt2-tokenizer")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokens.json");
    let golden: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for case in golden["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(json!(tokenizer.encode(text).unwrap()), case["ids"], "{text:?}");
    }
    for (file, expected) in golden["sha256"].as_object().unwrap() {
        assert_eq!(&digest(&tokenizer, &data.join(file)), expected, "{file}");
    }
}

#[test]
fn tokens_added_later_and_a_prefix_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("vocab.json", r#"{"a": 0, "Ġ": 1, "Ġa": 2, "<|endoftext|>": 3}"#);
    write("merges.txt", "#version: 0.2\nĠ a\n");
    write("added_tokens.json", r#"{"[PAD]": 4}"#);
    let read = || transformer::Tokenizer::from_pretrained(folder.path());
    assert_eq!(read().unwrap().encode("a[PAD] a").unwrap(), [0, 4, 2]);
    write("tokenizer_config.json", r#"{"add_prefix_space": true}"#);
    assert_eq!(read().unwrap().encode("a").unwrap(), [2]);
    write("added_tokens.json", r#"{"[PAD]": 9}"#);
    let error = read().unwrap_err().to_string();
    assert!(error.ends_with("[PAD] has id 9, which does not follow the vocabulary"), "{error}");
}

#[test]
fn a_decoder_that_strips_beyond_a_tokens_start_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Strip", "content": "a", "start": 0, "stop": 1},
        "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}}"#;
    for text in [text.to_string(), text.replace(r#""type": "Strip","#, "")] {
        std::fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        let error = transformer::Tokenizer::from_pretrained(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("a decoder Strip with a stop above 0 is not supported"), "{error}");
    }
}
