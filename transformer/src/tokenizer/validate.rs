//! What must hold of a `tokenizer.json` before it becomes a tokenizer.
//!
//! The `tokenizers` crate takes these for granted, and panics, or takes memory without bound, where a
//! file breaks them.

use serde_json::Value;

/// # Errors
/// What is wrong.
pub(super) fn json(text: &str) -> Result<(), String> {
    let root: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let model = &root["model"];
    if model["type"] == "BPE" || model["merges"].is_array() {
        prefixes(model)?;
    }
    each(
        &root["normalizer"],
        "normalizers",
        &mut |part| match part["precompiled_charsmap"].as_str() {
            Some(text) => charsmap(text),
            None => Ok(()),
        },
    )?;
    each(&root["decoder"], "decoders", &mut strip)?;
    each(&root["post_processor"], "processors", &mut template)
}

/// A part, or each part of a sequence.
fn each(
    part: &Value,
    parts: &str,
    check: &mut impl FnMut(&Value) -> Result<(), String>,
) -> Result<(), String> {
    match part[parts].as_array() {
        Some(inner) => inner.iter().try_for_each(|inner| each(inner, parts, check)),
        None => check(part),
    }
}

/// A decoder that strips the ends of tokens counts beyond the start of one that is shorter. It is one
/// without its type, too.
fn strip(part: &Value) -> Result<(), String> {
    match part.get("stop").is_some_and(|stop| *stop != 0) {
        true => Err("a decoder Strip with a stop above 0 is not supported".into()),
        false => Ok(()),
    }
}

/// The second token of each merge begins with the prefix of tokens within a word, if there is one.
fn prefixes(model: &Value) -> Result<(), String> {
    let Some(prefix) = model["continuing_subword_prefix"].as_str().filter(|text| !text.is_empty())
    else {
        return Ok(());
    };
    for merge in model["merges"].as_array().into_iter().flatten() {
        let second = match merge {
            Value::String(text) => text.split_once(' ').map(|(_, second)| second),
            pair => pair[1].as_str(),
        };
        if second.is_some_and(|second| !second.starts_with(prefix)) {
            return Err(format!("model: merge {merge} lacks the prefix \"{prefix}\""));
        }
    }
    Ok(())
}

/// A template of one text names that text alone, and special tokens that are defined.
fn template(part: &Value) -> Result<(), String> {
    for name in ["single", "pair"] {
        for piece in part[name].as_array().into_iter().flatten() {
            let token = &piece["SpecialToken"]["id"];
            if let Some(id) = token.as_str().filter(|id| part["special_tokens"][id].is_null()) {
                return Err(format!("post_processor: {name} names {id}, which is not defined"));
            }
            if name == "single" && piece["Sequence"]["id"] == "B" {
                return Err("post_processor: single names B, a second text".into());
            }
        }
    }
    Ok(())
}

/// SentencePiece's table of replacements: the bytes of a trie, their number before them, and texts,
/// each up to a zero byte. The trie is a double array of 32-bit units.
fn charsmap(base64: &str) -> Result<(), String> {
    let wrong = |reason: &str| Err(format!("normalizer: precompiled_charsmap {reason}"));
    let Some(bytes) = decode_base64(base64) else { return wrong("is not base64") };
    let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return wrong("is too short") };
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    let Some((trie, texts)) = rest.split_at_checked(size) else { return wrong("is too short") };
    let Ok(texts) = std::str::from_utf8(texts) else { return wrong("is not UTF-8") };
    let unit = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let units: Vec<usize> = trie.chunks_exact(4).map(unit).collect();
    match walk(&units, texts) {
        Some(()) => Ok(()),
        None => wrong("points beyond its end"),
    }
}

/// Follows every path of the trie; `None` where one leads out of it, or to no text.
fn walk(units: &[usize], texts: &str) -> Option<()> {
    let offset = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
    let mut seen = vec![false; units.len()];
    let mut open = vec![offset(*units.first()?)];
    while let Some(base) = open.pop() {
        for byte in 1..=255 {
            let position = base ^ byte;
            let unit = *units.get(position)?;
            let is_child = unit & ((1 << 31) | 0xff) == byte;
            if !is_child || std::mem::replace(&mut seen[position], true) {
                continue;
            }
            let next = position ^ offset(unit);
            if unit >> 8 & 1 == 1 {
                let text = units.get(next)? & ((1 << 31) - 1);
                let rest = texts.get(text..)?;
                let end = rest.bytes().position(|byte| byte == 0).unwrap_or(rest.len());
                rest.get(..end)?;
            }
            open.push(next);
        }
    }
    Some(())
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text.trim_end_matches('=').bytes().map(digit).collect::<Option<Vec<u8>>>()?;
    let group = |group: &[u8]| {
        let bits = (0..4).fold(0, |bits, i| bits << 6 | u32::from(*group.get(i).unwrap_or(&0)));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    Some(digits.chunks(4).flat_map(group).collect())
}
