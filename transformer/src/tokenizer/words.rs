//! Numbers of tokens as numbers of words.

use super::Encoded;
use tensor::Float;
use unicode_segmentation::UnicodeSegmentation;

impl Encoded {
    /// The text cut into words, each with the white space before it, and the sum of its tokens'
    /// `values`, one for each token; the words joined are the text.
    ///
    /// Words end where Unicode says (UAX 29, section 4.1): a mark stands for itself, and so does a
    /// Chinese character; white space at the end goes with the last word. A token is never cut: words
    /// that share one are one. What has no token, because the text was too long, has 0; special tokens
    /// that the text does not hold are left out.
    ///
    /// ```
    /// use transformer::Encoded;
    /// let offsets = vec![(0, 0), (0, 4), (4, 8), (8, 9)]; // of [CLS] good, ness, !
    /// let encoded = Encoded { offsets, ..Encoded::default() };
    /// let words = encoded.words("goodness!", &[9.0, 1.0, 0.5, -2.0]);
    /// assert_eq!(words, [("goodness".into(), 1.5), ("!".into(), -2.0)]);
    /// ```
    ///
    /// # Panics
    /// If there is not one value for each token.
    #[track_caller]
    pub fn words(&self, text: &str, values: &[Float]) -> Vec<(String, Float)> {
        let (tokens, given) = (self.offsets.len(), values.len());
        assert_eq!(tokens, given, "words: {given} values are given for {tokens} tokens");
        let starts = self.starts(text);
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let pieces = starts.iter().zip(ends).map(|(&start, end)| text[start..end].to_string());
        let mut words: Vec<(String, Float)> = pieces.map(|piece| (piece, 0.0)).collect();
        for (&(start, end), value) in self.offsets.iter().zip(values) {
            let word = starts.partition_point(|&first| first <= start);
            if start < end && word > 0 {
                words[word - 1].1 += value;
            }
        }
        words
    }

    /// Where words start, in bytes: at borders that no token crosses, before white space.
    fn starts(&self, text: &str) -> Vec<usize> {
        let mut tokens: Vec<(usize, usize)> = self.offsets.clone();
        tokens.sort_unstable();
        let (mut tokens, mut covered) = (tokens.into_iter().peekable(), 0);
        let (mut starts, mut is_space) = (Vec::new(), false);
        for (start, segment) in text.split_word_bound_indices() {
            while let Some((_, end)) = tokens.next_if(|(first, _)| *first < start) {
                covered = covered.max(end);
            }
            if starts.is_empty() || (!is_space && covered <= start) {
                starts.push(start);
            }
            is_space = segment.trim().is_empty();
        }
        if is_space && starts.len() > 1 && text[starts[starts.len() - 1]..].trim().is_empty() {
            starts.pop();
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each token has 1.
    fn words(text: &str, offsets: &[(usize, usize)]) -> Vec<(String, Float)> {
        let encoded = Encoded { offsets: offsets.to_vec(), ..Encoded::default() };
        let words = encoded.words(text, &vec![1.0; offsets.len()]);
        assert_eq!(words.iter().map(|(word, _)| &word[..]).collect::<String>(), text);
        words
    }

    #[track_caller]
    fn check(text: &str, offsets: &[(usize, usize)], expected: &[(&str, Float)]) {
        let found = words(text, offsets);
        let found: Vec<_> = found.iter().map(|(word, value)| (&word[..], *value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn pieces_are_joined_to_words_with_their_spaces() {
        // " the" "rug" "'s" "soft" "ness" "." with and without the spaces in the tokens
        let expected = [(" the", 1.0), ("\n  rug's", 2.0), (" softness", 2.0), (".  ", 1.0)];
        let text = " the\n  rug's softness.  ";
        check(text, &[(1, 4), (7, 10), (10, 12), (13, 17), (17, 21), (21, 22)], &expected);
        check(text, &[(0, 4), (4, 10), (10, 12), (12, 17), (17, 21), (21, 22)], &expected);
        // As characters, a space is a token.
        let each: Vec<_> = (0..text.len()).map(|i| (i, i + 1)).collect();
        check(text, &each, &[(" the", 4.0), ("\n  rug's", 8.0), (" softness", 9.0), (".  ", 3.0)]);
    }

    #[test]
    fn a_character_is_never_cut_and_a_token_of_several_is_one_word() {
        // 灯 of three byte tokens, 很好 one token, 。 one
        let offsets = [(0, 3), (0, 3), (0, 3), (3, 9), (9, 12)];
        check("灯很好。", &offsets, &[("灯", 3.0), ("很好", 1.0), ("。", 1.0)]);
        check("灯很好。", &[(0, 3)], &[("灯", 1.0), ("很", 0.0), ("好", 0.0), ("。", 0.0)]);
        check("e\u{301}a 🧑‍🚀", &[(0, 3), (3, 4)], &[("e\u{301}a", 2.0), (" 🧑‍🚀", 0.0)]);
    }

    #[test]
    fn extremes_join_to_the_text_too() {
        check("", &[(0, 0)], &[]);
        check(" \n ", &[], &[(" \n ", 0.0)]);
        check("a b", &[(0, 0), (0, 3), (0, 0)], &[("a b", 1.0)]);
        check("a", &[(5, 9)], &[("a", 1.0)]);
    }

    #[test]
    #[should_panic(expected = "words: 1 values are given for 0 tokens")]
    fn values_are_one_for_each_token() {
        Encoded::default().words("a", &[1.0]);
    }
}
