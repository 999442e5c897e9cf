//! (S1) temperature, (S2) top-k, (S3) top-p: from scores to the next token.

use super::settings::Generation;
use crate::Error;
use tensor::{Float, Rng};

/// Chooses one row's tokens.
pub(super) struct Sampler {
    greedy: bool,
    temperature: f64,
    top_k: usize,
    top_p: f64,
    rng: Rng,
}

impl Sampler {
    pub fn new(settings: &Generation, rng: Rng) -> Sampler {
        Sampler {
            greedy: !settings.do_sample || settings.temperature == 0.0,
            temperature: f64::from(settings.temperature),
            top_k: settings.top_k.unwrap_or(usize::MAX),
            top_p: settings.top_p.map_or(1.0, f64::from),
            rng,
        }
    }

    pub fn next(&mut self, scores: &[Float]) -> Result<u32, Error> {
        check(scores)?;
        if self.greedy {
            return Ok(most_probable(scores));
        }
        let candidates = probabilities(scores, self.temperature);
        let candidates = top_p(top_k(candidates, self.top_k), self.top_p);
        Ok(draw(&candidates, self.rng.uniform()))
    }
}

/// # Errors
/// If a score is not a number or +∞, or none is above −∞.
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

/// The id with the largest score, the first of equals.
fn most_probable(scores: &[Float]) -> u32 {
    let better = |best: usize, id: usize| if scores[id] > scores[best] { id } else { best };
    (0..scores.len()).fold(0, better) as u32
}

/// Tokens with their probabilities, the most probable first, equal ones by id.
///
/// ```math
/// p_i = \mathrm{softmax}(x / \tau)_i \qquad (S1)
/// ```
/// Ackley, Hinton & Sejnowski 1985, section 3: τ is the temperature.
pub fn probabilities(scores: &[Float], temperature: f64) -> Vec<(u32, f64)> {
    let scaled = scores.iter().map(|&score| f64::from(score) / temperature);
    let max = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
    let mut weighed: Vec<(u32, f64)> =
        scaled.enumerate().map(|(id, score)| (id as u32, (score - max).exp())).collect();
    weighed.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    normalized(weighed)
}

/// The k most probable tokens.
///
/// ```math
/// V_k = \arg\max_{V \subset \mathcal{V},\, |V| = k} \sum_{i \in V} p_i \qquad (S2)
/// ```
/// Fan, Lewis & Dauphin 2018, section 5.4.
pub fn top_k(mut candidates: Vec<(u32, f64)>, k: usize) -> Vec<(u32, f64)> {
    candidates.truncate(k.max(1));
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

fn normalized(mut candidates: Vec<(u32, f64)>) -> Vec<(u32, f64)> {
    let sum: f64 = candidates.iter().map(|candidate| candidate.1).sum();
    candidates.iter_mut().for_each(|candidate| candidate.1 /= sum);
    candidates
}

/// The token in whose part of [0, 1) the number `u` falls.
fn draw(candidates: &[(u32, f64)], u: f64) -> u32 {
    let mut sum = 0.0;
    let found = candidates.iter().find(|candidate| {
        sum += candidate.1;
        u < sum
    });
    // Rounding may leave a gap below 1: it belongs to the last token.
    found.or(candidates.last()).map_or(0, |candidate| candidate.0)
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
    }

    #[test]
    fn top_p_by_hand_s3() {
        let p = || vec![(3, 0.5), (0, 0.3), (1, 0.2)];
        assert_eq!(ids(&top_p(p(), 0.5)), [3]);
        assert_eq!(ids(&top_p(p(), 0.6)), [3, 0]);
        assert_eq!(ids(&top_p(p(), 1.0)), [3, 0, 1]);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let settings = Generation { do_sample: true, ..Generation::default() };
        let mut sampler = Sampler::new(&settings, Rng::seeded(1));
        let scores = [0.0, (3.0 as Float).ln()];
        let ones: u32 = (0..4000).map(|_| sampler.next(&scores).unwrap()).sum();
        assert!((2900..3100).contains(&ones), "{ones}");
    }

    #[test]
    fn a_broken_score_is_an_error() {
        let mut sampler = Sampler::new(&Generation::default(), Rng::seeded(1));
        assert_eq!(
            sampler.next(&[0.0, Float::NAN]).unwrap_err().to_string(),
            "the model gives token 1 the score NaN; its weights are broken"
        );
        assert_eq!(
            sampler.next(&[Float::NEG_INFINITY; 2]).unwrap_err().to_string(),
            "the model gives every token the score -inf; its weights are broken"
        );
    }
}
