//! What a shop asks of its texts.

use crate::Error;
use crate::writing::Wording;
use clap::Args;
use transformer::Generation;
use transformer::generate::words::contains;

/// How often a text is drawn, at most, until it breaks no rule.
const TRIES: usize = 8;

/// Rules about words, and several texts.
#[derive(Args, Default)]
pub struct Rules {
    /// A word, or several in a row, that is not written, in whatever case; may be repeated
    #[arg(long, alias = "bad-words", value_name = "W")]
    bad_word: Vec<String>,
    /// A word, or several in a row, that each text must hold; may be repeated. A text that lacks it is
    /// drawn anew; what the best lacks is told
    #[arg(long, value_name = "W")]
    must_have: Vec<String>,
    /// Words at least: the end waits for them
    #[arg(long, value_name = "N")]
    min_words: Option<usize>,
    /// Words at most: a longer text ends with the last sentence that fits
    #[arg(long, value_name = "N")]
    max_words: Option<usize>,
    /// Draw a text N times, at most, until it breaks no rule [default: 8]
    #[arg(long, value_name = "N")]
    tries: Option<usize>,
    /// Write N different texts: the first as without this option, the others drawn
    #[arg(long, value_name = "N")]
    variants: Option<usize>,
    /// Tell how sure the model is of each text, from 0 to 1: the mean probability of its tokens, taken
    /// geometrically
    #[arg(long)]
    pub confidence: bool,
    /// Answer "I don't know." where the model is less sure than P, from 0 to 1;
    /// `attendant evaluate --valid` tells which P is best
    #[arg(long, value_name = "P")]
    pub threshold: Option<f64>,
    /// Tell the sentence of the context that an answer rests on: the one without which the model
    /// finds it least likely
    #[arg(long)]
    pub cite: bool,
}

impl Rules {
    /// # Errors
    /// If rules contradict each other or are out of range.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Usage(text));
        let numbers = [
            ("--min-words", self.min_words),
            ("--max-words", self.max_words),
            ("--tries", self.tries),
            ("--variants", self.variants),
        ];
        if let Some((option, _)) = numbers.into_iter().find(|(_, number)| *number == Some(0)) {
            return wrong(format!("{option} is 0; it must be at least 1"));
        }
        for (option, words) in [("--bad-word", &self.bad_word), ("--must-have", &self.must_have)] {
            if words.iter().any(|word| word.trim().is_empty()) {
                return wrong(format!("{option} is empty; write a word, or leave it out"));
            }
        }
        if let (Some(least), Some(most)) = (self.min_words, self.max_words)
            && least > most
        {
            return wrong(format!(
                "--min-words {least} is more than --max-words {most}; it must be no more"
            ));
        }
        for wanted in &self.must_have {
            if let Some(bad) = self.bad_word.iter().find(|bad| contains(wanted, bad)) {
                return wrong(format!(
                    "--must-have {wanted:?} holds what --bad-word {bad:?} forbids; leave one out"
                ));
            }
        }
        if let Some(threshold) = self.threshold.filter(|p| p.is_nan() || *p < 0.0) {
            return wrong(format!("--threshold is {threshold}; it must be at least 0"));
        }
        if self.tries.is_some() && !self.can_fail() {
            let text = "--tries needs a rule that a text can break; add --must-have, --min-words, \
                        --max-words or --variants";
            return wrong(text.into());
        }
        Ok(())
    }

    /// One of the options that are about answers to questions.
    pub fn of_answers(&self) -> Option<&'static str> {
        match (self.threshold, self.cite) {
            (Some(_), _) => Some("--threshold"),
            (None, true) => Some("--cite"),
            (None, false) => None,
        }
    }

    /// One of the options that were given.
    pub fn given(&self) -> Option<&'static str> {
        let options = [
            ("--bad-word", !self.bad_word.is_empty()),
            ("--must-have", !self.must_have.is_empty()),
            ("--min-words", self.min_words.is_some()),
            ("--max-words", self.max_words.is_some()),
            ("--variants", self.variants.is_some()),
            ("--confidence", self.confidence),
        ];
        options.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    fn can_fail(&self) -> bool {
        let has_range = self.min_words.is_some() || self.max_words.is_some();
        !self.must_have.is_empty() || has_range || self.variants() > 1
    }

    /// Texts for each prompt.
    pub fn variants(&self) -> usize {
        self.variants.unwrap_or(1)
    }

    /// The settings with the rules that are kept while a text is written.
    pub fn set(&self, settings: Generation) -> Generation {
        Generation {
            bad_texts: self.bad_word.clone(),
            min_words: self.min_words.unwrap_or(0),
            max_words: self.max_words,
            ..settings
        }
    }

    /// The rules that a whole text is held to.
    pub fn wording(&self) -> Wording {
        Wording {
            must_have: self.must_have.clone(),
            tries: self.tries.unwrap_or(TRIES),
            variants: self.variants(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(rules: Rules) -> String {
        rules.check().unwrap_err().to_string()
    }

    #[test]
    fn rules_that_contradict_each_other_say_what_to_write() {
        let words = |word: &str| vec![word.to_string()];
        assert_eq!(
            error(Rules { min_words: Some(9), max_words: Some(5), ..Rules::default() }),
            "--min-words 9 is more than --max-words 5; it must be no more"
        );
        assert_eq!(
            error(Rules { variants: Some(0), ..Rules::default() }),
            "--variants is 0; it must be at least 1"
        );
        assert_eq!(
            error(Rules { must_have: words(" "), ..Rules::default() }),
            "--must-have is empty; write a word, or leave it out"
        );
        let (bad_word, must_have) = (words("cheap"), words("Cheap lamp"));
        assert_eq!(
            error(Rules { bad_word, must_have, ..Rules::default() }),
            "--must-have \"Cheap lamp\" holds what --bad-word \"cheap\" forbids; leave one out"
        );
        assert_eq!(
            error(Rules { tries: Some(3), bad_word: words("cheap"), ..Rules::default() }),
            "--tries needs a rule that a text can break; add --must-have, --min-words, --max-words \
             or --variants"
        );
    }

    #[test]
    fn without_rules_nothing_changes() {
        let rules = Rules::default();
        assert!(rules.check().is_ok() && rules.given().is_none());
        assert_eq!(rules.set(Generation::default()), Generation::default());
    }
}
