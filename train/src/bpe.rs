//! (B1) Byte-level byte-pair encoding trained on one's own text. Sennrich, Haddow & Birch 2016,
//! section 3.2; over bytes as in Radford et al. 2019, section 2.2.

use crate::Error;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer as Inner};
use transformer::{END_OF_TEXT, MASK, Tokenizer};

/// The fewest tokens a vocabulary can have: each byte, and the end of a text.
pub const SMALLEST_VOCABULARY: usize = 257;

/// Trains a tokenizer of at most `vocab_size` tokens: the end of a text, the 256 bytes, and then,
/// again and again, the pair of tokens that stands side by side most often.
///
/// ```math
/// (a, b) = \arg\max_{a, b} \mathrm{count}(ab), \qquad V \leftarrow V \cup \{ab\} \qquad (B1)
/// ```
/// Pairs do not cross the borders of words, as GPT-2's pattern draws them.
///
/// # Errors
/// If the vocabulary is smaller than [`SMALLEST_VOCABULARY`].
pub fn train_bpe(texts: &[&str], vocab_size: usize) -> Result<Tokenizer, Error> {
    if vocab_size < SMALLEST_VOCABULARY {
        return Err(Error::Usage(format!(
            "--vocab-size {vocab_size} is too small: a byte-level vocabulary has at least \
             {SMALLEST_VOCABULARY} tokens"
        )));
    }
    // There are never more pairs than bytes: a larger number would only take memory.
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let vocab_size = vocab_size.min(SMALLEST_VOCABULARY + bytes);
    let mut inner = Inner::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));
    let mut trainer = TrainerWrapper::from(
        BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
            .show_progress(false)
            .build(),
    );
    inner
        .train(&mut trainer, texts.iter())
        .map_err(|error| Error::Settings(format!("the tokenizer cannot be trained: {error}")))?;
    Ok(Tokenizer::from_inner(inner))
}

/// The same tokenizer with the end of a text marked where texts are read whole, by an encoder: one
/// end token before each text, for its state tells of the whole, and one behind.
///
/// # Errors
/// If the tokenizer has no end token.
pub fn mark_ends(tokenizer: Tokenizer) -> Result<Tokenizer, Error> {
    let failed = |error: String| Error::Settings(format!("the tokenizer's ends: {error}"));
    let end = tokenizer.end_of_text().ok_or_else(|| failed("it has no end token".into()))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{END_OF_TEXT} $A {END_OF_TEXT}"))
        .map_err(failed)?
        .special_tokens(vec![(END_OF_TEXT, end)])
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut inner = tokenizer.into_inner();
    inner.with_post_processor(Some(template));
    Ok(Tokenizer::from_inner(inner))
}

/// The same tokenizer with a token that stands for a hidden one, behind all others; as it is where it
/// has one.
pub fn add_mask(tokenizer: Tokenizer) -> Tokenizer {
    if tokenizer.mask_token().is_some() {
        return tokenizer;
    }
    let mut inner = tokenizer.into_inner();
    inner.add_special_tokens(&[AddedToken::from(MASK, true)]);
    Tokenizer::from_inner(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_stands_behind_all_tokens_and_changes_none() {
        let bare = mark_ends(train_bpe(&["the theme"], 270).unwrap()).unwrap();
        let tokenizer = add_mask(bare.clone());
        assert_eq!(tokenizer.mask_token(), Some(bare.vocab_size() as u32));
        assert_eq!(tokenizer.vocab_size(), bare.vocab_size() + 1);
        let ids = |tokenizer: &Tokenizer| tokenizer.encode_special("the theme").unwrap();
        assert_eq!(ids(&tokenizer), ids(&bare));
        assert!(tokenizer.is_special(tokenizer.mask_token().unwrap()));
        assert_eq!(add_mask(tokenizer.clone()).vocab_size(), tokenizer.vocab_size());
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let again = Tokenizer::from_pretrained(folder.path()).unwrap();
        assert_eq!((again.mask_token(), ids(&again)), (tokenizer.mask_token(), ids(&bare)));
    }

    #[test]
    fn a_text_that_is_read_whole_stands_between_ends() {
        let tokenizer = mark_ends(train_bpe(&["the theme"], 270).unwrap()).unwrap();
        let bare = tokenizer.encode("the theme").unwrap();
        let expected = [&[0], &bare[..], &[0]].concat();
        assert_eq!(tokenizer.encode_special("the theme").unwrap(), expected);
    }

    #[test]
    fn any_text_comes_back_whole_b1() {
        let tokenizer = train_bpe(&["the theme of the thesis"], 270).unwrap();
        assert!(tokenizer.vocab_size() > SMALLEST_VOCABULARY);
        assert!(tokenizer.vocab_size() <= 270);
        for text in ["the theme", "größer 更大 🙂", " a\n\tb  c", ""] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
        assert_eq!(tokenizer.encode("the").unwrap().len(), 1);
        assert_eq!(tokenizer.end_of_text(), Some(0));
    }

    #[test]
    fn the_same_text_gives_the_same_tokens() {
        let texts = || (0..200).map(|i| format!("item {i} of {}", i * 37 % 11)).collect::<Vec<_>>();
        let train = || {
            let texts = texts();
            let tokenizer =
                train_bpe(&texts.iter().map(String::as_str).collect::<Vec<_>>(), 400).unwrap();
            tokenizer.encode("item 123 of 7, item 99 of 10").unwrap()
        };
        assert_eq!(train(), train());
    }

    #[test]
    fn too_small_a_vocabulary_is_an_error() {
        assert_eq!(
            train_bpe(&["x"], 100).unwrap_err().to_string(),
            "--vocab-size 100 is too small: a byte-level vocabulary has at least 257 tokens"
        );
    }
}
