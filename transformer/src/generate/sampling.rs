//! (S1) temperature, (S2) top-k, (S3) top-p, (S7) min-p, (S8) typical: from scores to the next token.

use super::settings::Generation;
use crate::Error;
use tensor::{Float, Rng, Tensor};

/// Chooses one row's tokens.
pub(super) struct Sampler {
    is_greedy: bool,
    settings: Generation,
    rng: Rng,
}

impl Sampler {
    pub fn new(settings: &Generation, rng: Rng) -> Sampler {
        let is_greedy = !settings.do_sample || settings.temperature == 0.0;
        Sampler { is_greedy, settings: settings.clone(), rng }
    }

    /// The next token and its log-probability.
    pub fn next(&mut self, scores: &[Float]) -> (u32, f64) {
        if self.is_greedy {
            let id = most_probable(scores);
            let whole = Tensor::new(scores, &[scores.len()]).logsumexp_axes(&[0], false);
            return (id, f64::from(scores[id as usize]) - f64::from(whole.data()[0]));
        }
        let (id, p) = draw(&candidates(scores, &self.settings), self.rng.uniform());
        (id, p.ln())
    }
}

/// Transformers' number of most probable tokens, where none is told.
const DEFAULT_TOP_K: usize = 50;

/// The tokens that sampling draws from, with their probabilities, the most probable first.
pub fn candidates(scores: &[Float], settings: &Generation) -> Vec<(u32, f64)> {
    let mut candidates = probabilities(scores, f64::from(settings.temperature));
    match settings.top_k.unwrap_or(DEFAULT_TOP_K) {
        0 => {}
        k => candidates = top_k(candidates, k),
    }
    if let Some(p) = settings.top_p.filter(|&p| p < 1.0) {
        candidates = top_p(candidates, f64::from(p));
    }
    if let Some(p) = settings.min_p {
        candidates = min_p(candidates, f64::from(p));
    }
    if let Some(p) = settings.typical_p.filter(|&p| p < 1.0) {
        candidates = typical(candidates, f64::from(p));
    }
    candidates
}

/// # Errors
/// If a model's score is not a number or +∞, or none is above −∞.
pub(super) fn check(scores: &[Float]) -> Result<(), Error> {
    let broken = |score: &Float| score.is_nan() || *score == Float::INFINITY;
    if let Some(id) = scores.iter().position(broken) {
        return Err(Error::Request(format!(
            "the model gives token {id} the score {}; its weights are broken",
            scores[id]
        )));
    }
    if scores.iter().all(|&score| score == Float::NEG_INFINITY) {
        let text = "the model gives every token the score -inf; its weights are broken";
        return Err(Error::Request(text.into()));
    }
    Ok(())
}

/// # Errors
/// If no token is left.
pub(super) fn check_left(scores: &[Float]) -> Result<(), Error> {
    if scores.iter().any(|&score| score > Float::NEG_INFINITY) {
        return Ok(());
    }
    let text = "no token may follow: bad_words, bad_texts, no_repeat_ngram_size, min_length, \
                min_new_tokens, min_words and the hook of allowed tokens leave none";
    Err(Error::Request(text.into()))
}

/// The id with the largest score, the first of equals.
fn most_probable(scores: &[Float]) -> u32 {
    let better = |best: usize, id: usize| if scores[id] > scores[best] { id } else { best };
    (0..scores.len()).fold(0, better) as u32
}

/// Tokens with their probabilities, the most probable first, equal ones by id; without those whose score
/// is −∞.
///
/// ```math
/// p_i = \mathrm{softmax}(x / \tau)_i \qquad (S1)
/// ```
/// Ackley, Hinton & Sejnowski 1985, section 3: τ is the temperature.
pub fn probabilities(scores: &[Float], temperature: f64) -> Vec<(u32, f64)> {
    let max = scores.iter().fold(f64::NEG_INFINITY, |max, &score| max.max(f64::from(score)));
    let weight = |&score: &Float| ((f64::from(score) - max) / temperature).exp();
    let possible = (0..).zip(scores).filter(|(_, score)| **score > Float::NEG_INFINITY);
    let mut weighed: Vec<(u32, f64)> = possible.map(|(id, score)| (id, weight(score))).collect();
    weighed.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    normalized(weighed)
}

/// The k most probable tokens, and those as probable as the last of them.
///
/// ```math
/// V_k = \arg\max_{V \subset \mathcal{V},\, |V| = k} \sum_{i \in V} p_i \qquad (S2)
/// ```
/// Fan, Lewis & Dauphin 2018, section 5.4.
pub fn top_k(mut candidates: Vec<(u32, f64)>, k: usize) -> Vec<(u32, f64)> {
    if let Some(&(_, last)) = candidates.get(k.max(1) - 1) {
        candidates.truncate(candidates.partition_point(|candidate| candidate.1 >= last));
    }
    normalized(candidates)
}

/// The fewest most probable tokens whose probabilities sum to at least p.
///
/// ```math
/// V_p = \text{the smallest } V \text{ with } \sum_{i \in V} p_i \ge p \qquad (S3)
/// ```
/// Holtzman et al. 2020, section 3.1 (the nucleus).
pub fn top_p(mut candidates: Vec<(u32, f64)>, p: f64) -> Vec<(u32, f64)> {
    let mut sum = 0.0;
    let enough = candidates.iter().position(|candidate| {
        sum += candidate.1;
        sum >= p
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
    normalized(candidates)
}

/// The tokens that are at least `p` times as probable as the most probable.
///
/// ```math
/// V = \{ i : p_i \ge p \cdot \max_j p_j \} \qquad (S7)
/// ```
/// Nguyen et al. 2024, section 3.
pub fn min_p(mut candidates: Vec<(u32, f64)>, p: f64) -> Vec<(u32, f64)> {
    let least = p * candidates.first().map_or(0.0, |candidate| candidate.1);
    candidates.truncate(candidates.partition_point(|candidate| candidate.1 >= least).max(1));
    normalized(candidates)
}

/// The tokens whose surprise is nearest to what is expected, the fewest whose probabilities sum to at
/// least `p`.
///
/// ```math
/// V = \text{the smallest } V \text{ with least } \sum_{i \in V} |{-\log p_i} - H| \text{ and }
/// \sum_{i \in V} p_i \ge p, \quad H = -\sum_j p_j \log p_j \qquad (S8)
/// ```
/// Meister et al. 2022, section 4. Tokens as near as the last of them are kept too, as in Hugging Face's
/// Transformers.
pub fn typical(candidates: Vec<(u32, f64)>, p: f64) -> Vec<(u32, f64)> {
    let surprise = |p: f64| -p.ln();
    let possible = candidates.iter().filter(|candidate| candidate.1 > 0.0);
    let entropy: f64 = possible.map(|candidate| candidate.1 * surprise(candidate.1)).sum();
    let distance = |candidate: &(u32, f64)| (surprise(candidate.1) - entropy).abs();
    let mut nearest = candidates.clone();
    nearest.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    let mut sum = 0.0;
    let enough = nearest.iter().find(|candidate| {
        sum += candidate.1;
        sum >= p
    });
    let Some(farthest) = enough.or(nearest.last()).map(distance) else { return candidates };
    normalized(candidates.into_iter().filter(|candidate| distance(candidate) <= farthest).collect())
}

fn normalized(mut candidates: Vec<(u32, f64)>) -> Vec<(u32, f64)> {
    let sum: f64 = candidates.iter().map(|candidate| candidate.1).sum();
    candidates.iter_mut().for_each(|candidate| candidate.1 /= sum);
    candidates
}

/// The token in whose part of [0, 1) the number `u` falls, and its probability.
fn draw(candidates: &[(u32, f64)], u: f64) -> (u32, f64) {
    let mut sum = 0.0;
    let found = candidates.iter().find(|candidate| {
        sum += candidate.1;
        u < sum
    });
    // Rounding may leave a gap below 1: it belongs to the last token.
    found.or(candidates.last()).copied().unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn ids(candidates: &[(u32, f64)]) -> Vec<u32> {
        candidates.iter().map(|candidate| candidate.0).collect()
    }

    #[test]
    fn temperature_by_hand_s1() {
        let p = probabilities(&[0.0, (4.0 as Float).ln()], 2.0);
        assert_eq!(ids(&p), [1, 0]);
        assert_relative_eq!(p[0].1, 2.0 / 3.0, max_relative = 1e-6);
        assert_eq!(probabilities(&[1e4, -1e4], 0.1)[0], (0, 1.0));
    }

    #[test]
    fn top_k_by_hand_s2() {
        let p = top_k(vec![(3, 0.5), (0, 0.3), (1, 0.2)], 2);
        assert_eq!(ids(&p), [3, 0]);
        assert_relative_eq!(p[1].1, 0.375);
        let p = || vec![(3, 0.4), (0, 0.2), (1, 0.2), (2, 0.2)];
        assert_eq!(ids(&top_k(p(), 2)), [3, 0, 1, 2]);
        assert_eq!(ids(&top_k(p(), 9)), [3, 0, 1, 2]);
    }

    #[test]
    fn top_p_by_hand_s3() {
        let p = || vec![(3, 0.5), (0, 0.3), (1, 0.2)];
        assert_eq!(ids(&top_p(p(), 0.5)), [3]);
        assert_eq!(ids(&top_p(p(), 0.6)), [3, 0]);
        assert_eq!(ids(&top_p(p(), 1.0)), [3, 0, 1]);
    }

    #[test]
    fn min_p_by_hand_s7() {
        let p = || vec![(3, 0.5), (0, 0.3), (1, 0.2)];
        assert_eq!(ids(&min_p(p(), 0.5)), [3, 0]);
        assert_eq!(ids(&min_p(p(), 1.0)), [3]);
        assert_eq!(ids(&min_p(p(), 0.0)), [3, 0, 1]);
    }

    #[test]
    fn typical_by_hand_s8() {
        // H = 0.80 nats; the surprises are 0.36, 1.61, 2.30: 0.45, 0.81 and 1.50 away.
        let p = || vec![(3, 0.7), (0, 0.2), (1, 0.1)];
        assert_eq!(ids(&typical(p(), 0.7)), [3]);
        // H = 0.94; the surprises are 0.69, 0.92, 2.30: 0.25, 0.03 and 1.36 away.
        let p = || vec![(3, 0.5), (0, 0.4), (1, 0.1)];
        assert_eq!(ids(&typical(p(), 0.4)), [0]);
        assert_eq!(ids(&typical(p(), 0.5)), [3, 0]);
        assert_eq!(ids(&typical(vec![(3, 0.5), (0, 0.5)], 0.1)), [3, 0]);
    }

    #[test]
    fn an_impossible_token_is_no_candidate() {
        let p = probabilities(&[Float::NEG_INFINITY, 1.0], 1.0);
        assert_eq!(p, [(1, 1.0)]);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let settings = Generation { do_sample: true, ..Generation::default() };
        let mut sampler = Sampler::new(&settings, Rng::seeded(1));
        let scores = [0.0, (3.0 as Float).ln()];
        let ones: u32 = (0..4000).map(|_| sampler.next(&scores).0).sum();
        assert!((2900..3100).contains(&ones), "{ones}");
    }

    #[test]
    fn a_broken_score_is_an_error() {
        assert_eq!(
            check(&[0.0, Float::NAN]).unwrap_err().to_string(),
            "the model gives token 1 the score NaN; its weights are broken"
        );
        assert_eq!(
            check(&[Float::NEG_INFINITY; 2]).unwrap_err().to_string(),
            "the model gives every token the score -inf; its weights are broken"
        );
    }
}
