//! A vocabulary of characters, taken from one's own text: for writing without spaces, such as Chinese,
//! where each character means something by itself. Li et al. 2019, "Is Word Segmentation Necessary for
//! Deep Learning of Chinese Representations?"

use crate::Error;
use std::collections::BTreeMap;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, Tokenizer as Inner};
use transformer::{END_OF_TEXT, Tokenizer};

/// The token of each character that the vocabulary does not have.
pub const UNKNOWN: &str = "<unk>";

/// How often a character must stand in the texts to become a token: of one seen once, nothing that
/// would be told of it could be held against another place.
const SEEN: usize = 2;

/// Makes a tokenizer of at most `vocab_size` tokens: the end of a text, the unknown character, and
/// the characters seen at least twice, the most frequent first, of equally frequent ones the lower
/// code point.
///
/// ```math
/// V = \{\text{end}, \text{unknown}\} \cup \mathrm{top}_{n - 2}
///     \{c : \mathrm{count}(c) \ge 2\}
/// ```
/// A text becomes one token a character, its spaces and capitals too, and comes back whole if the
/// vocabulary has them all; where texts are written, unknown characters are left out. In files it is a
/// byte-pair encoding without pairs, which other programs read.
///
/// ```
/// let tokenizer = train::characters::train_characters(&["红灯 red", "红灯 red"], 100).unwrap();
/// assert_eq!(tokenizer.encode("红red").unwrap().len(), 4);
/// ```
///
/// # Errors
/// If the vocabulary has no room for a character, or no character is seen twice.
pub fn train_characters(texts: &[&str], vocab_size: usize) -> Result<Tokenizer, Error> {
    if vocab_size < 3 {
        return Err(Error::Usage(format!(
            "--vocab-size {vocab_size} is too small: a vocabulary of characters has at least 3 \
             tokens, the end of a text, the unknown character, and one that is known"
        )));
    }
    let characters = most_frequent(texts, vocab_size - 2);
    if characters.is_empty() {
        return Err(Error::settings(
            "no character of the data is seen twice; a vocabulary of characters needs more text",
        ));
    }
    let tokens = [END_OF_TEXT, UNKNOWN].map(String::from).into_iter();
    let vocab: Vocab = tokens.chain(characters.iter().map(char::to_string)).zip(0..).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocab, Vec::new())
        .unk_token(UNKNOWN.into())
        .cache_capacity(0) // a text is one word here, and seldom comes again
        .build()
        .map_err(|error| Error::settings(format!("the tokenizer cannot be made: {error}")))?;
    let mut inner = Inner::new(model);
    inner.with_decoder(Some(Fuse::new()));
    inner.add_special_tokens(&[END_OF_TEXT, UNKNOWN].map(|token| AddedToken::from(token, true)));
    Ok(Tokenizer::from_inner(inner))
}

/// At most `count` characters that are seen often enough, the most frequent first.
fn most_frequent(texts: &[&str], count: usize) -> Vec<char> {
    let mut seen = BTreeMap::new();
    for character in texts.iter().flat_map(|text| text.chars()) {
        *seen.entry(character).or_insert(0_usize) += 1;
    }
    let mut often: Vec<(char, usize)> = seen.into_iter().filter(|(_, n)| *n >= SEEN).collect();
    often.sort_by_key(|(character, n)| (std::cmp::Reverse(*n), *character));
    often.into_iter().take(count).map(|(character, _)| character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpe::mark_ends;

    const TEXTS: [&str; 2] = ["红灯 Red!\n", "红灯 Red!\n绿"];

    #[test]
    fn the_most_frequent_characters_come_first() {
        // "b" three times, "a" and "红" twice, "x" once
        let tokenizer = train_characters(&["b红a", "abb红x"], 100).unwrap();
        let ids = ["<|endoftext|>", "<unk>", "b", "a", "红"].map(|token| tokenizer.token_id(token));
        assert_eq!(ids, [0, 1, 2, 3, 4].map(Some));
        assert_eq!((tokenizer.vocab_size(), tokenizer.end_of_text()), (5, Some(0)));
        assert_eq!(tokenizer.encode("红ab").unwrap(), [4, 3, 2]);
        let smaller = train_characters(&["b红a", "abb红x"], 4).unwrap();
        assert_eq!(smaller.encode("红ab").unwrap(), [1, 3, 2]);
    }

    #[test]
    fn known_characters_come_back_whole_and_each_unknown_one_is_one_token() {
        let tokenizer = train_characters(&TEXTS, 100).unwrap();
        for text in ["Red 红灯", " \n\n  R!e", "灯", "", &"红 ".repeat(5000)] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(ids.len(), text.chars().count());
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
        let ids = tokenizer.encode("r绿🙂灯").unwrap();
        assert_eq!(ids[..3], [1, 1, 1], "a capital's small letter, one seen once, one never seen");
        assert_eq!(tokenizer.decode(&ids).unwrap(), "灯");
        assert_eq!(tokenizer.decode_special(&ids).unwrap(), "<unk><unk><unk>灯");
    }

    #[test]
    fn its_file_and_its_stream_give_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let made = mark_ends(train_characters(&TEXTS, 100).unwrap()).unwrap();
        made.save(folder.path()).unwrap();
        let read = Tokenizer::from_pretrained(folder.path()).unwrap();
        let text = "灯 is Red!";
        let encoded = read.encode_text(text, None).unwrap();
        assert_eq!(encoded, made.encode_text(text, None).unwrap());
        assert_eq!(encoded.offsets[1..4], [(0, 3), (3, 4), (4, 5)]);
        let ids = read.encode("红灯 Red!").unwrap();
        let mut stream = read.stream();
        let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
        assert_eq!(pieces, ["红", "灯", " ", "R", "e", "d", "!"]);
    }

    #[test]
    fn too_little_of_anything_is_an_error() {
        assert_eq!(
            train_characters(&["xx"], 2).unwrap_err().to_string(),
            "--vocab-size 2 is too small: a vocabulary of characters has at least 3 tokens, the end \
             of a text, the unknown character, and one that is known"
        );
        assert_eq!(
            train_characters(&["abc"], 9).unwrap_err().to_string(),
            "no character of the data is seen twice; a vocabulary of characters needs more text"
        );
    }
}
