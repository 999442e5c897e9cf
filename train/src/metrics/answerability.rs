//! Answerability: whether a model says that it does not know where it can't, and only there.

use serde::Serialize;

use super::{Estimate, exact_match, ratio_of_sums, token_f1};
use crate::data::Example;

/// What is said in place of an answer.
pub const UNKNOWN: &str = "I don't know.";
/// Sums that differ by less are equal but for rounding.
const ROUNDING: f64 = 1e-9;

/// An answer that a model wrote, with what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// How sure the model is of it, from 0 to 1, as the mean probability of its tokens.
    pub confidence: f64,
    /// Whether it answers at all: it is not itself [`UNKNOWN`].
    pub is_given: bool,
    /// Whether the question can be answered.
    pub is_answerable: bool,
    /// What it is worth where it is given and the question can be answered, from 0 to 1.
    pub score: f64,
}

impl Answer {
    /// The answer `text` to an example's question, its score being [`token_f1`].
    ///
    /// Where the example does not say whether its question can be answered, it can unless its own
    /// answer is [`UNKNOWN`]. Texts are compared as [`exact_match`] does, whichever apostrophe they
    /// have.
    pub fn new(example: &Example, text: &str, confidence: f64) -> Answer {
        let is_given = |text: &str| exact_match(UNKNOWN, &text.replace('’', "'")) == 0.0;
        Answer {
            confidence,
            is_given: is_given(text),
            is_answerable: example.answerable.unwrap_or_else(|| is_given(example.target_text())),
            score: token_f1(example.target_text(), text),
        }
    }

    /// Whether the model says that it does not know, by itself or for being less sure than the
    /// threshold.
    pub fn is_withheld(&self, threshold: f64) -> bool {
        !self.is_given || self.confidence < threshold
    }

    /// What the model is worth on this question.
    ///
    /// ```math
    /// u_\tau = \begin{cases}
    ///   s & \text{answered and answerable} \\
    ///   1 & \text{neither answered nor answerable} \\
    ///   0 & \text{else}
    /// \end{cases}
    /// ```
    ///
    /// s is the answer's score; it is answered if it is given and its confidence is not below the
    /// threshold `` $`\tau`$ ``.
    ///
    /// Source: Rajpurkar, Jia and Liang, "Know What You Don't Know: Unanswerable Questions for
    /// SQuAD" (2018), section 5.
    pub fn worth(&self, threshold: f64) -> f64 {
        match (self.is_withheld(threshold), self.is_answerable) {
            (false, true) => self.score,
            (true, false) => 1.0,
            _ => 0.0,
        }
    }
}

/// The threshold below which a model had better say that it does not know.
///
/// ```math
/// \tau^* = \min \arg\max_{\tau} \frac{1}{n} \sum_{i=1}^{n} u_\tau(i)
/// ```
///
/// u is [`Answer::worth`]. Tried are 0, with which each answer is told; each confidence; and the
/// next number above the highest, with which none of these is told. To be chosen on rows that
/// neither trained the model nor measure it.
pub fn choose_threshold(answers: &[Answer]) -> f64 {
    let mut given: Vec<&Answer> = answers.iter().filter(|answer| answer.is_given).collect();
    given.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let Some(surest) = given.first() else { return 0.0 };
    // Given that none is told: the sum over all rows, less what does not depend on the threshold.
    let (mut sum, mut threshold) = (0.0, surest.confidence.next_up());
    let mut best = sum;
    for same in given.chunk_by(|a, b| a.confidence == b.confidence) {
        let told = |answer: &&Answer| {
            if answer.is_answerable { answer.score } else { -1.0 }
        };
        sum += same.iter().map(told).sum::<f64>();
        if sum > best - ROUNDING {
            (best, threshold) = (sum, same[0].confidence);
        }
    }
    let tells_all = given.last().is_some_and(|least| threshold <= least.confidence);
    if tells_all { 0.0 } else { threshold }
}

/// How well a model with a threshold tells what it can answer from what it can't.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Answerability {
    /// Below it the model says that it does not know.
    pub threshold: f64,
    /// The mean of [`Answer::worth`].
    pub worth: Estimate,
    /// The share of questions that are answered and can be, or neither.
    pub accuracy: Estimate,
    /// F1 of saying that it does not know, the questions that can't be answered being those wanted.
    pub f1: Estimate,
}

/// Measures answers to questions with a threshold; the seed fixes the draws of the intervals.
///
/// ```math
/// \mathrm{accuracy} = \frac{tp + tn}{n}, \quad F_1 = \frac{2\, tp}{2\, tp + fp + fn}
/// ```
///
/// tp are questions that can't be answered and were not, tn such that can and were, fp such that can
/// and were not, fn such that can't and were. F1 is 0 where all can be answered and were.
///
/// Source: Rajpurkar, Jia and Liang, "Know What You Don't Know: Unanswerable Questions for SQuAD"
/// (2018), section 5.
pub fn answerability(answers: &[Answer], threshold: f64, seed: u64) -> Answerability {
    let mean = |figure: &dyn Fn(&Answer) -> (f64, f64)| {
        ratio_of_sums(&answers.iter().map(figure).collect::<Vec<_>>(), seed)
    };
    let sides = |answer: &Answer| [answer.is_withheld(threshold), !answer.is_answerable];
    let count = |is: bool| if is { 1.0 } else { 0.0 };
    Answerability {
        threshold,
        worth: mean(&|answer| (answer.worth(threshold), 1.0)),
        accuracy: mean(&|answer| {
            let [said, wanted] = sides(answer);
            (count(said == wanted), 1.0)
        }),
        f1: mean(&|answer| {
            let [said, wanted] = sides(answer);
            (2.0 * count(said && wanted), count(said) + count(wanted))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(confidence: f64, is_answerable: bool, score: f64) -> Answer {
        Answer { confidence, is_given: true, is_answerable, score }
    }

    fn mean_worth(answers: &[Answer], threshold: f64) -> f64 {
        answers.iter().map(|answer| answer.worth(threshold)).sum::<f64>() / answers.len() as f64
    }

    #[test]
    fn an_answer_is_worth_what_the_example_says() {
        let example = |target: &str, answerable| {
            let target = format!(" {target}");
            Example { target, answerable, ..Example::default() }
        };
        let wool = Answer::new(&example("Red wool.", None), "wool", 0.7);
        let worth = [wool.worth(0.7), wool.worth(0.71)];
        approx::assert_relative_eq!(worth[0], 2.0 / 3.0, epsilon = 1e-12);
        assert_eq!(worth[1], 0.0);
        let said = Answer::new(&example("Red wool.", None), "i don't know", 0.9);
        assert_eq!((said.is_given, said.worth(0.0)), (false, 0.0));
        let unknown = Answer::new(&example("I don’t know.", None), "I dont know!", 0.9);
        assert_eq!((unknown.is_given, unknown.worth(0.0)), (false, 1.0));
        let guessed = Answer::new(&example(UNKNOWN, None), "Wool.", 0.4);
        assert_eq!([guessed.worth(0.4), guessed.worth(0.5)], [0.0, 1.0]);
    }

    #[test]
    fn a_threshold_by_hand() {
        let answers = [
            answer(0.9, true, 0.8),
            answer(0.7, false, 0.0),
            answer(0.6, true, 0.5),
            answer(0.2, false, 0.0),
            Answer { is_given: false, ..answer(0.1, false, 1.0) },
        ];
        // told from 0.9: 0.8 + 3; from 0.7: 0.8 + 2; from 0.6: 1.3 + 2; all: 1.3 + 1; none: 3
        let threshold = choose_threshold(&answers);
        assert_eq!(threshold, 0.9);
        let found = answerability(&answers, threshold, 1);
        approx::assert_relative_eq!(found.worth.value, 3.8 / 5.0, epsilon = 1e-12);
        assert_eq!(found.accuracy.value, 0.8);
        approx::assert_relative_eq!(found.f1.value, 6.0 / 7.0, epsilon = 1e-12);
    }

    #[test]
    fn of_equals_the_lowest_is_chosen() {
        assert_eq!(choose_threshold(&[answer(0.9, true, 1.0), answer(0.3, true, 0.0)]), 0.0);
        let answers = [answer(0.9, false, 0.0), answer(0.6, true, 1.0), answer(0.3, false, 0.0)];
        assert_eq!(choose_threshold(&answers), 0.6);
        let thirds = [0.9, 0.8, 0.7].map(|confidence| answer(confidence, true, 0.1));
        assert_eq!(choose_threshold(&[&thirds[..], &[answer(0.5, false, 0.3)]].concat()), 0.7);
    }

    #[test]
    fn at_the_ends_all_or_none_is_told() {
        assert_eq!(choose_threshold(&[]), 0.0);
        let none = [answer(1.0, false, 0.0), answer(0.5, false, 0.0)];
        let threshold = choose_threshold(&none);
        assert!(threshold > 1.0 && none.iter().all(|answer| answer.is_withheld(threshold)));
        let all = answerability(&[answer(0.5, true, 1.0)], 0.0, 1);
        assert_eq!([all.worth.value, all.accuracy.value, all.f1.value], [1.0, 1.0, 0.0]);
        assert_eq!(answerability(&[], 0.0, 1).accuracy.value, 0.0);
    }

    proptest! {
        #[test]
        fn no_threshold_is_better(
            rows in proptest::collection::vec((0u8..6, any::<bool>(), any::<bool>(), 0u8..5), 1..12)
        ) {
            let answers: Vec<Answer> = rows.iter().map(|&(confidence, given, can, score)| Answer {
                is_given: given,
                ..answer(f64::from(confidence) / 5.0, can, f64::from(score) / 4.0)
            }).collect();
            let chosen = choose_threshold(&answers);
            let best = mean_worth(&answers, chosen);
            for other in (0..=12).map(|i| f64::from(i) / 10.0) {
                let worth = mean_worth(&answers, other);
                prop_assert!(worth <= best + 1e-9);
                prop_assert!(other >= chosen || worth < best - 1e-9
                    || !answers.iter().any(|a| a.is_given && a.confidence < chosen && a.confidence >= other));
            }
        }
    }
}
