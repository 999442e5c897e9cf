//! The nearest text: what was written to another prompt, unchanged.

use super::Bm25;
use crate::data::Example;

/// Answers a prompt with the target of the training row whose prompt is nearest by [`Bm25`].
///
/// ```math
/// \hat y = y_{i^*}, \quad i^* = \arg\max_i s(x, x_i)
/// ```
///
/// `` $`s`$ `` is the score of the training prompt `` $`x_i`$ `` for the prompt `` $`x`$ `` as a
/// query; of equals the first is taken. It knows by heart and understands nothing: a model that is
/// not better has learned no more than that. A row of token ids has no words and gets the
/// first row's target.
#[derive(Clone, Debug)]
pub struct NearestText<'a> {
    training: &'a [Example],
    search: Bm25,
}

impl<'a> NearestText<'a> {
    /// The baseline of these training rows.
    pub fn new(training: &'a [Example]) -> NearestText<'a> {
        let search = Bm25::new(training.iter().map(|example| &example.prompt[..]));
        NearestText { training, search }
    }

    /// The target's text of the nearest training row; empty without training rows.
    pub fn predict(&self, example: &Example) -> &'a str {
        let nearest = self.search.nearest(&example.prompt, 1);
        nearest.first().map_or("", |&(row, _)| self.training[row].target_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prompt: &str, target: &str) -> Example {
        let (prompt, target) = (prompt.to_string(), format!(" {target}"));
        Example { prompt, target, line: 1, ..Example::default() }
    }

    #[test]
    fn the_nearest_prompts_target_is_the_answer() {
        let training = [
            row("question: Is the rug soft?\nanswer:", "Yes."),
            row("question: What does delivery cost?\nanswer:", "4.90 euros."),
            row("question: 电池可以用多久？\nanswer:", "两天。"),
        ];
        let nearest = NearestText::new(&training);
        let predict = |prompt: &str| nearest.predict(&row(prompt, ""));
        assert_eq!(predict("question: how much does delivery cost\nanswer:"), "4.90 euros.");
        assert_eq!(predict("question: 电池耐用吗？\nanswer:"), "两天。");
        assert_eq!(
            training.iter().map(|r| nearest.predict(r)).collect::<Vec<_>>(),
            ["Yes.", "4.90 euros.", "两天。"]
        );
    }

    #[test]
    fn without_shared_words_it_is_the_first_and_without_rows_nothing() {
        let training = [row("a", "first"), row("b", "second")];
        assert_eq!(NearestText::new(&training).predict(&row("z", "")), "first");
        assert_eq!(NearestText::new(&[]).predict(&training[0]), "");
    }
}
