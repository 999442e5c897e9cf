//! A tokenizer in the metadata of a GGUF file, in and out: byte-level byte-pair encoding with the
//! pre-tokenizer that `tokenizer.ggml.pre` names, as llama.cpp splits texts by that name.

use crate::Error;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use tensor::gguf::{Array, Value};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

/// Tokens that are never part of an ordinary text.
const CONTROL: i64 = 3;
/// Tokens that were added to a vocabulary, and stand for themselves in any text.
const USER_DEFINED: i64 = 4;
/// All others.
const NORMAL: i32 = 1;

/// GPT-2's words; what is between them is split off too. Radford et al. 2019, section 2.2.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's words, numbers in groups of up to three digits.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen2's words, each digit by itself.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// What llama.cpp does where a file names no pre-tokenizer.
const DEFAULT: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"];

type Metadata = BTreeMap<String, Value>;

/// The tokenizer of a file, if it has one.
///
/// # Errors
/// If the file can't be read, or its tokenizer is broken or of a kind that is not supported.
pub(super) fn read(path: &Path) -> Result<Option<super::Tokenizer>, Error> {
    let metadata = tensor::gguf::read(path)?.metadata;
    if matches!(metadata.get("tokenizer.ggml.model").and_then(Value::as_str), None | Some("none")) {
        return Ok(None);
    }
    let wrong = |reason| Error::Tokenizer { path: path.into(), reason };
    Ok(Some(super::Tokenizer::from_inner(of_metadata(&metadata).map_err(wrong)?)))
}

/// The tokenizer that the metadata describes; an error says what is missing or not supported.
fn of_metadata(metadata: &Metadata) -> Result<Tokenizer, String> {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    match text("tokenizer.ggml.model") {
        Some("gpt2") => {}
        Some(other) => {
            return Err(format!("tokenizer.ggml.model is {other:?}; only \"gpt2\" is supported"));
        }
        None => return Err("it holds no tokenizer: tokenizer.ggml.model is missing".into()),
    }
    let name = text("tokenizer.ggml.pre").unwrap_or("default");
    let pre = pre_tokenizer(name)?;
    let tokens = tokens(metadata)?;
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary(&tokens)?, merges(metadata)?)
        .ignore_merges(is_llama3(name))
        .build()
        .map_err(|error| format!("tokenizer.ggml.merges: {error}"))?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(pre)).with_decoder(Some(ByteLevel::new(false, true, true)));
    let added = |kind, special| added(metadata, &tokens, kind, special);
    tokenizer.add_tokens(&added(USER_DEFINED, false)?);
    tokenizer.add_special_tokens(&added(CONTROL, true)?);
    if let Some(template) = template(metadata, &tokens, is_llama3(name))? {
        tokenizer.with_post_processor(Some(template));
    }
    Ok(tokenizer)
}

fn is_llama3(name: &str) -> bool {
    matches!(name, "llama3" | "llama-v3" | "llama-bpe" | "falcon3")
}

fn pre_tokenizer(name: &str) -> Result<Sequence, String> {
    let bytes = |words| PreTokenizerWrapper::from(ByteLevel::new(false, true, words));
    Ok(Sequence::new(match name {
        "gpt-2" | "phi-2" => vec![bytes(true)],
        "smollm" | "starcoder" | "refact" | "command-r" => {
            vec![Digits::new(true).into(), bytes(true)]
        }
        "qwen2" | "deepseek-r1-qwen" => vec![split(QWEN2)?, bytes(false)],
        "default" => {
            let mut steps = DEFAULT.into_iter().map(split).collect::<Result<Vec<_>, _>>()?;
            steps.push(bytes(false));
            steps
        }
        name if is_llama3(name) => vec![split(LLAMA3)?, bytes(false)],
        other => {
            return Err(format!(
                "tokenizer.ggml.pre is {other:?}; supported are \"gpt-2\", \"smollm\", \
                 \"llama-bpe\", \"qwen2\" and \"default\""
            ));
        }
    }))
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, String> {
    let pattern = SplitPattern::Regex(pattern.into());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
    Ok(split.map_err(|error| format!("a pattern of words: {error}"))?.into())
}

fn tokens(metadata: &Metadata) -> Result<Vec<&str>, String> {
    let list = metadata.get("tokenizer.ggml.tokens").and_then(Value::as_array);
    let texts = list.and_then(Array::texts).ok_or("tokenizer.ggml.tokens is no list of texts")?;
    Ok(texts.collect())
}

fn vocabulary(tokens: &[&str]) -> Result<Vocab, String> {
    let mut vocabulary = Vocab::default();
    for (id, token) in tokens.iter().enumerate() {
        let id = u32::try_from(id).map_err(|_| "tokenizer.ggml.tokens is too long")?;
        if let Some(first) = vocabulary.insert(token.to_string(), id) {
            return Err(format!(
                "tokenizer.ggml.tokens: {token:?} is both token {first} and token {id}"
            ));
        }
    }
    Ok(vocabulary)
}

fn merges(metadata: &Metadata) -> Result<Merges, String> {
    let list = metadata.get("tokenizer.ggml.merges").and_then(Value::as_array);
    let texts = list.and_then(Array::texts).ok_or("tokenizer.ggml.merges is no list of texts")?;
    let pair = |text: &str| {
        let pair = text.split_once(' ').filter(|(a, b)| !a.is_empty() && !b.is_empty());
        let pair = pair.ok_or_else(|| format!("tokenizer.ggml.merges: {text:?} is no pair"))?;
        Ok((pair.0.to_string(), pair.1.to_string()))
    };
    texts.map(pair).collect()
}

/// The tokens of one type.
fn added(
    metadata: &Metadata,
    tokens: &[&str],
    kind: i64,
    special: bool,
) -> Result<Vec<AddedToken>, String> {
    let Some(types) = metadata.get("tokenizer.ggml.token_type") else { return Ok(Vec::new()) };
    let types = types.as_array().filter(|types| types.len() == tokens.len());
    let types = types.and_then(Array::integers).ok_or_else(|| {
        format!("tokenizer.ggml.token_type is no list of {} numbers", tokens.len())
    })?;
    let of_kind =
        tokens.iter().zip(types).filter(|(token, found)| *found == kind && !token.is_empty());
    Ok(of_kind.map(|(token, _)| AddedToken::from(*token, special).normalized(false)).collect())
}

/// What is put before and after a text where special tokens are asked for.
fn template(
    metadata: &Metadata,
    tokens: &[&str],
    begins: bool,
) -> Result<Option<TemplateProcessing>, String> {
    let flag = |key: &str| metadata.get(key).and_then(Value::as_bool);
    let begins = flag("tokenizer.ggml.add_bos_token").unwrap_or(begins);
    let ends = flag("tokenizer.ggml.add_eos_token").unwrap_or(false);
    let mut special = Vec::new();
    let mut token = |wanted: bool, key: &str| {
        if !wanted {
            return Ok::<String, String>(String::new());
        }
        let id = metadata.get(key).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let token = id.and_then(|id| Some((tokens.get(id as usize)?, id)));
        let token = token.filter(|(token, _)| !token.starts_with('$'));
        let (token, id) = token.ok_or_else(|| format!("{key} names no token"))?;
        special.push((token.to_string(), id));
        Ok(token.to_string())
    };
    let first = token(begins, "tokenizer.ggml.bos_token_id")?;
    let last = token(ends, "tokenizer.ggml.eos_token_id")?;
    if special.is_empty() {
        return Ok(None);
    }
    let around = |text: &str| -> Vec<String> {
        let parts = [first.as_str(), text, last.as_str()];
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.to_string()).collect()
    };
    TemplateProcessing::builder()
        .try_single(around("$A"))
        .and_then(|builder| builder.try_pair([around("$A"), around("$B:1")].concat()))
        .map_err(|error| format!("the template of special tokens: {error}"))?
        .special_tokens(special)
        .build()
        .map(Some)
        .map_err(|error| format!("the template of special tokens: {error}"))
}

/// The metadata that describes a tokenizer of `vocab_size` tokens; ids that it has no token for
/// become unused ones.
pub(crate) fn to_metadata(
    tokenizer: &Tokenizer,
    vocab_size: usize,
) -> Result<Vec<(String, Value)>, String> {
    let json = serde_json::to_value(tokenizer).map_err(|error| error.to_string())?;
    let model = &json["model"];
    if model["type"] != "BPE" {
        return Err(format!("a tokenizer of type {} has no form in GGUF here", model["type"]));
    }
    let pre = pre_name(&json["pre_tokenizer"])
        .ok_or("its pre-tokenizer is none that GGUF has a name for here")?;
    if let Some(what) = not_implied(&json, pre) {
        return Err(format!("its {what} has no form in GGUF here"));
    }
    let mut tokens: Vec<String> = (0..vocab_size).map(|id| format!("[PAD{id}]")).collect();
    let mut types = vec![UNUSED; vocab_size];
    for (token, id) in tokenizer.get_vocab(true) {
        let place = tokens
            .get_mut(id as usize)
            .ok_or_else(|| format!("token {token:?} has id {id}, the model {vocab_size} tokens"))?;
        *place = token;
        types[id as usize] = NORMAL;
    }
    for (id, token) in tokenizer.get_added_tokens_decoder() {
        types[id as usize] = if token.special { CONTROL } else { USER_DEFINED } as i32;
    }
    let merges = merges_of(&model["merges"]).ok_or("its merges are no pairs")?;
    let text = |text: &str| Value::String(text.into());
    let values = [
        ("model", text("gpt2")),
        ("pre", text(pre)),
        ("tokens", Value::Array(Array::of_texts(tokens))),
        ("token_type", Value::Array(Array::of_integers(&types))),
        ("merges", Value::Array(Array::of_texts(merges))),
    ];
    let key = |(key, value)| (format!("tokenizer.ggml.{key}"), value);
    Ok(values.into_iter().map(key).collect())
}

/// What a tokenizer does that the name of its pre-tokenizer does not say.
fn not_implied(tokenizer: &Json, pre: &str) -> Option<&'static str> {
    let (model, normalizer) = (&tokenizer["model"], &tokenizer["normalizer"]);
    let is_nothing = |value: &Json| matches!(value.as_str(), None | Some(""));
    // llama.cpp leaves out Qwen2's, which changes composed characters alone.
    if !(normalizer.is_null() || pre == "qwen2" && normalizer["type"] == "NFC") {
        return Some("normalizer");
    }
    if (model["ignore_merges"] == true) != is_llama3(pre) {
        return Some("ignore_merges");
    }
    let (affix, bytes) = (["continuing_subword_prefix", "end_of_word_suffix"], "byte_fallback");
    match affix.iter().find(|name| !is_nothing(&model[**name])) {
        Some(name) => Some(name),
        None if model[bytes] == true => Some(bytes),
        None => None,
    }
}

/// Ids without a token.
const UNUSED: i32 = 5;

fn merges_of(merges: &Json) -> Option<Vec<String>> {
    let merge = |merge: &Json| match merge {
        Json::String(text) => Some(text.clone()),
        pair => Some(format!("{} {}", pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)),
    };
    merges.as_array()?.iter().map(merge).collect()
}

/// The name of a pre-tokenizer.
fn pre_name(json: &Json) -> Option<&'static str> {
    let steps = match json["type"].as_str()? {
        "Sequence" => json["pretokenizers"].as_array()?.clone(),
        _ => vec![json.clone()],
    };
    let (bytes, steps) = steps.split_last()?;
    let plain = bytes["type"] == "ByteLevel" && bytes["add_prefix_space"] == false;
    let words = bytes["use_regex"] != false;
    let patterns: Option<Vec<&str>> =
        steps.iter().map(|step| step["pattern"]["Regex"].as_str()).collect();
    match (plain, words, steps, patterns.as_deref()) {
        (true, true, [], _) => Some("gpt-2"),
        (true, true, [digits], _) if digits["individual_digits"] == true => Some("smollm"),
        (true, false, _, Some([LLAMA3])) => Some("llama-bpe"),
        (true, false, _, Some([QWEN2])) => Some("qwen2"),
        (true, false, _, Some(patterns)) if patterns == DEFAULT => Some("default"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pre: &str) -> Metadata {
        let tokens = ["<s>", "a", "b", "1", "2", "Ġ", "ab", "12", "Ġa", "<|x|>"];
        let types = [3, 1, 1, 1, 1, 1, 1, 1, 1, 4];
        let values = [
            ("model", Value::String("gpt2".into())),
            ("pre", Value::String(pre.into())),
            ("tokens", Value::Array(Array::of_texts(tokens))),
            ("token_type", Value::Array(Array::of_integers(&types))),
            ("merges", Value::Array(Array::of_texts(["a b", "1 2", "Ġ a"]))),
            ("bos_token_id", Value::U32(0)),
        ];
        let key = |(key, value)| (format!("tokenizer.ggml.{key}"), value);
        values.into_iter().map(key).collect()
    }

    fn ids(tokenizer: &Tokenizer, text: &str, special: bool) -> Vec<u32> {
        tokenizer.encode(text, special).unwrap().get_ids().to_vec()
    }

    #[test]
    fn each_pre_tokenizer_splits_as_it_is_named() {
        for (pre, digits) in [
            ("gpt-2", vec![7]),
            ("smollm", vec![3, 4]),
            ("llama-bpe", vec![7]),
            ("qwen2", vec![3, 4]),
        ] {
            let tokenizer = of_metadata(&metadata(pre)).unwrap();
            assert_eq!(ids(&tokenizer, "12", false), digits, "{pre}");
            assert_eq!(ids(&tokenizer, "ab a<|x|>ab<s>", false), [6, 8, 9, 6, 0], "{pre}");
            assert_eq!(tokenizer.decode(&[6, 8, 9, 0], true).unwrap(), "ab a<|x|>");
        }
        assert_eq!(ids(&of_metadata(&metadata("llama-bpe")).unwrap(), "a", true), [0, 1]);
        let mut values = metadata("smollm");
        values.insert("tokenizer.ggml.add_bos_token".into(), Value::Bool(true));
        assert_eq!(ids(&of_metadata(&values).unwrap(), "a", true), [0, 1]);
        assert_eq!(ids(&of_metadata(&metadata("default")).unwrap(), "ab12", false), [6, 7]);
    }

    #[test]
    fn what_is_written_is_the_same_tokenizer() {
        for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"] {
            let tokenizer = of_metadata(&metadata(pre)).unwrap();
            let written: Metadata = to_metadata(&tokenizer, 12).unwrap().into_iter().collect();
            assert_eq!(written["tokenizer.ggml.pre"].as_str(), Some(pre));
            let mut written = written;
            written.insert("tokenizer.ggml.bos_token_id".into(), Value::U32(0));
            let again = of_metadata(&written).unwrap();
            assert_eq!(again.get_vocab_size(true), 12);
            let text = "ab12 a<|x|>1<s>";
            assert_eq!(ids(&again, text, true), ids(&tokenizer, text, true), "{pre}");
        }
        let error = to_metadata(&of_metadata(&metadata("qwen2")).unwrap(), 9).unwrap_err();
        assert_eq!(error, "token \"<|x|>\" has id 9, the model 9 tokens");
    }

    #[test]
    fn what_is_not_supported_or_broken_is_named() {
        let with = |key: &str, value| {
            let mut values = metadata("gpt-2");
            values.insert(format!("tokenizer.ggml.{key}"), value);
            of_metadata(&values).map(|_| ()).unwrap_err()
        };
        let text = |text: &str| Value::String(text.into());
        let texts = |texts: &[&str]| Value::Array(Array::of_texts(texts));
        assert_eq!(
            with("model", text("llama")),
            "tokenizer.ggml.model is \"llama\"; only \"gpt2\" is supported"
        );
        assert!(with("pre", text("tekken")).starts_with("tokenizer.ggml.pre is \"tekken\"; supp"));
        assert_eq!(with("merges", texts(&["ab"])), "tokenizer.ggml.merges: \"ab\" is no pair");
        assert_eq!(
            with("merges", texts(&["b a"])),
            "tokenizer.ggml.merges: Token `ba` out of vocabulary"
        );
        assert_eq!(
            with("tokens", texts(&["a", "a"])),
            "tokenizer.ggml.tokens: \"a\" is both token 0 and token 1"
        );
        assert_eq!(
            with("token_type", Value::Array(Array::of_integers(&[1]))),
            "tokenizer.ggml.token_type is no list of 10 numbers"
        );
        assert_eq!(with("tokens", Value::U8(1)), "tokenizer.ggml.tokens is no list of texts");
        let error = of_metadata(&Metadata::new()).map(|_| ()).unwrap_err();
        assert_eq!(error, "it holds no tokenizer: tokenizer.ggml.model is missing");
        let mut values = metadata("llama-bpe");
        values.insert("tokenizer.ggml.bos_token_id".into(), Value::U32(99));
        let error = of_metadata(&values).map(|_| ()).unwrap_err();
        assert_eq!(error, "tokenizer.ggml.bos_token_id names no token");
    }
}
