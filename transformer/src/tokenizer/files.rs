//! Tokenizers from the files that models come with.

use super::{END_OF_TEXT, Tokenizer, validate};
use crate::Error;
use serde_json::{Map, Value};
use std::path::Path;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, Model, Tokenizer as Inner};

/// The tokenizer of a folder, or of the file `tokenizer.json` under whatever name.
pub(super) fn read(source: &Path) -> Result<Option<Tokenizer>, Error> {
    let file = |name: &str| Some(source.join(name)).filter(|path| path.exists());
    if !source.is_dir() {
        read_json(source).map(Some)
    } else if let Some(path) = file("tokenizer.json") {
        read_json(&path).map(Some)
    } else if let (Some(vocab), Some(merges)) = (file("vocab.json"), file("merges.txt")) {
        byte_level(&vocab, &merges, &Options::read(source)?).map(Some)
    } else if let Some(vocab) = file("vocab.txt") {
        word_piece(&vocab, &Options::read(source)?).map(Some)
    } else {
        Ok(None)
    }
}

pub(super) fn read_json(path: &Path) -> Result<Tokenizer, Error> {
    let text = read_text(path)?;
    let wrong = |error: String| wrong(path, format!("not a tokenizer: {error}"));
    validate::json(&text).map_err(wrong)?;
    let inner = text.parse().map_err(|error: tokenizers::Error| wrong(error.to_string()))?;
    Ok(Tokenizer::from_inner(inner))
}

fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.into(),
        action: "read",
        source,
    })
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Tokenizer { path: path.into(), reason }
}

/// GPT-2's byte-level pairs (Radford et al. 2019, section 2.2), or RoBERTa's, whose vocabulary has
/// `<s>` and `</s>`.
fn byte_level(
    vocab_path: &Path,
    merges_path: &Path,
    options: &Options,
) -> Result<Tokenizer, Error> {
    let vocab: Vocab = serde_json::from_str(&read_text(vocab_path)?)
        .map_err(|error| wrong(vocab_path, format!("not a vocabulary: {error}")))?;
    let merges = merges(merges_path)?;
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .build()
        .map_err(|error| wrong(merges_path, format!("does not fit the vocabulary: {error}")))?;
    let mut inner = Inner::new(model);
    let prefix = options.flag("add_prefix_space").unwrap_or(false);
    let bytes = ByteLevel::new(prefix, true, true);
    inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));
    match (inner.token_to_id("<s>"), inner.token_to_id("</s>")) {
        (Some(start), Some(end)) if inner.token_to_id(END_OF_TEXT).is_none() => {
            let post = RobertaProcessing::new(("</s>".into(), end), ("<s>".into(), start));
            inner.with_post_processor(Some(post.add_prefix_space(prefix)));
            add_special(&mut inner, &["<s>", "<pad>", "</s>", "<unk>"]);
            if inner.token_to_id("<mask>").is_some() {
                inner.add_special_tokens(&[AddedToken::from("<mask>", true).lstrip(true)]);
            }
        }
        _ => {
            inner.with_post_processor(Some(ByteLevel::new(true, false, true)));
            add_special(&mut inner, &[END_OF_TEXT]);
        }
    }
    add_later(&mut inner, &vocab_path.with_file_name("added_tokens.json"))?;
    Ok(Tokenizer::from_inner(inner))
}

/// The tokens of `added_tokens.json`, which were added to a vocabulary later.
fn add_later(inner: &mut Inner, path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    let added: Vocab = serde_json::from_str(&read_text(path)?)
        .map_err(|error| wrong(path, format!("not a vocabulary: {error}")))?;
    let mut added: Vec<(String, u32)> = added.into_iter().collect();
    added.sort_by_key(|(_, id)| *id);
    for (token, id) in added {
        inner.add_special_tokens(&[AddedToken::from(token.as_str(), true)]);
        if inner.token_to_id(&token) != Some(id) {
            let reason = format!("{token} has id {id}, which does not follow the vocabulary");
            return Err(wrong(path, reason));
        }
    }
    Ok(())
}

/// A pair of tokens a line, the first to be merged first; a line `#version …` at the head.
fn merges(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let text = read_text(path)?;
    let lines = text.lines().enumerate();
    let pairs = lines
        .filter(|(index, line)| !(line.is_empty() || *index == 0 && line.starts_with("#version")));
    let pair = |(index, line): (usize, &str)| match line.split_once(' ') {
        Some((a, b)) if !b.contains(' ') => Ok((a.to_string(), b.to_string())),
        _ => Err(wrong(path, format!("line {}: not two tokens with a space between", index + 1))),
    };
    pairs.map(pair).collect()
}

/// BERT's pieces of words (Devlin et al. 2019, section 3): a token a line.
fn word_piece(path: &Path, options: &Options) -> Result<Tokenizer, Error> {
    let text = read_text(path)?;
    let ids = text.lines().zip(0..).map(|(token, id)| (token.trim_end().to_string(), id));
    let unknown = options.token("unk_token", "[UNK]");
    let model = WordPiece::builder()
        .vocab(ids.collect::<Vocab>())
        .unk_token(unknown.clone())
        .build()
        .map_err(|error| wrong(path, format!("not a vocabulary: {error}")))?;
    let special = |name, usual| -> Result<(String, u32), Error> {
        let token = options.token(name, usual);
        let id = model.token_to_id(&token);
        let id =
            id.ok_or_else(|| wrong(path, format!("has no line {token}; BERT's texts need it")))?;
        Ok((token, id))
    };
    special("unk_token", "[UNK]")?;
    let (cls, sep) = (special("cls_token", "[CLS]")?, special("sep_token", "[SEP]")?);
    let names = [("pad_token", "[PAD]"), ("mask_token", "[MASK]")];
    let others = names.map(|(name, usual)| options.token(name, usual));
    let tokens = [&unknown, &sep.0, &others[0], &cls.0, &others[1]].map(String::clone);
    let mut inner = Inner::new(model);
    let lowercase = options.flag("do_lower_case").unwrap_or(true);
    inner
        .with_normalizer(Some(BertNormalizer::new(
            true,
            options.flag("tokenize_chinese_chars").unwrap_or(true),
            options.flag("strip_accents"),
            lowercase,
        )))
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()))
        .with_post_processor(Some(BertProcessing::new(sep, cls)));
    add_special(&mut inner, &tokens.each_ref().map(String::as_str));
    Ok(Tokenizer::from_inner(inner))
}

/// Marks tokens of the vocabulary as special; those that it does not have are left out.
fn add_special(inner: &mut Inner, tokens: &[&str]) {
    let known = tokens.iter().filter(|token| inner.token_to_id(token).is_some());
    let known: Vec<_> = known.map(|token| AddedToken::from(*token, true)).collect();
    inner.add_special_tokens(&known);
}

/// `tokenizer_config.json`.
struct Options(Map<String, Value>);

impl Options {
    fn read(folder: &Path) -> Result<Options, Error> {
        let path = folder.join("tokenizer_config.json");
        if !path.exists() {
            return Ok(Options(Map::new()));
        }
        let map = serde_json::from_str(&read_text(&path)?);
        map.map(Options).map_err(|error| wrong(&path, format!("not a JSON object: {error}")))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    /// A token is its text, or an object with it as `content`.
    fn token(&self, name: &str, usual: &str) -> String {
        let value = self.0.get(name);
        let text = value.and_then(|value| value.get("content").unwrap_or(value).as_str());
        text.unwrap_or(usual).into()
    }
}
