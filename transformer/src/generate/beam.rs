//! (S4) Beam search: at each step the most probable beginnings go on. Graves 2012, section 2.5;
//! Wu et al. 2016, section 7.

use super::settings::{EarlyStopping, Generation};
use super::{
    Autoregressive, Begun, Generated, Hooks, Pipeline, StopTexts, column, forbid, reorder, sampling,
};
use crate::Error;
use autograd::no_grad;
use std::cmp::Ordering;
use tensor::{Float, Tensor};

/// A text that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, with what the row began with.
    pub ids: Vec<u32>,
    /// (S4)
    pub score: f64,
    /// Of each new token.
    pub log_probabilities: Vec<f64>,
}

impl From<Hypothesis> for Generated {
    fn from(found: Hypothesis) -> Generated {
        Generated { ids: found.ids, log_probabilities: found.log_probabilities }
    }
}

/// The best texts that beam search finds for each row of `ids`, at most `num_return_sequences`, best
/// first.
///
/// ```math
/// \mathrm{score}(y) = \frac{1}{|y|^{\alpha}} \sum_{t=1}^{|y|} \log p(y_t \mid y_{<t}, x)
/// \qquad (S4)
/// ```
/// x are the ids, |y| counts the new tokens, the end token too, and α is the `length_penalty`.
/// At each step the `num_beams` most probable beginnings that do not end go on; those of the
/// `num_beams` most probable that end, or are as long as they may become, are kept if they are among
/// the best that ended. When the search of a row stops, [`EarlyStopping`] says.
///
/// Departs from Graves, who does not divide by the length, and from Wu et al., who divide by
/// ((5 + |y|) / 6)^α and reward a translation for all of the source that it covers: this is the
/// definition of Hugging Face's Transformers. With one beam it is greedy search.
///
/// ```
/// use transformer::{Generation, Gpt2, Gpt2Config, generate::beam};
/// let config = Gpt2Config { vocab_size: 11, d_model: 8, n_heads: 2, ..Gpt2Config::default() };
/// let model = Gpt2::new(config, &mut tensor::Rng::seeded(1)).unwrap();
/// let settings = Generation { num_beams: 2, num_return_sequences: 2, ..Generation::default() };
/// let found = beam::search(&model, &[[1, 2]], &settings).unwrap().remove(0);
/// assert!(found[0].score >= found[1].score);
/// ```
///
/// # Errors
/// As [`Autoregressive::generate_batch`].
pub fn search<M: Autoregressive>(
    model: &M,
    ids: &[impl AsRef<[u32]>],
    settings: &Generation,
) -> Result<Vec<Vec<Hypothesis>>, Error> {
    search_with(model, ids, settings, &Hooks::default())
}

/// [`search`], with a say in which tokens may follow, and stop texts.
pub(super) fn search_with<M: Autoregressive>(
    model: &M,
    ids: &[impl AsRef<[u32]>],
    settings: &Generation,
    hooks: &Hooks<'_>,
) -> Result<Vec<Vec<Hypothesis>>, Error> {
    settings.check()?;
    if settings.do_sample {
        let text = "beam search draws nothing; leave out do_sample";
        return Err(Error::Request(text.into()));
    }
    let vocab_size = model.vocab_size();
    let Begun { rows, limits, end_tokens, mut tokens, mut state } =
        Begun::new(model, ids, settings)?;
    let pipeline =
        Pipeline::new(settings, &end_tokens, hooks.allowed, hooks.tokenizer, vocab_size)?;
    let stop = StopTexts::new(settings, hooks.tokenizer)?;
    let begin = |(row, limit)| Search::new(row, limit, settings, &end_tokens, &stop);
    let mut searches: Vec<Search<'_>> = rows.into_iter().zip(limits).map(begin).collect();
    let live = |searches: &[Search<'_>]| searches.iter().map(|search| search.live.len()).sum();
    let mut count: usize = live(&searches);
    while count > 0 {
        let mut scores = no_grad(|| log_probabilities(&model.next_scores(&tokens, &mut state)))?;
        let (mut rest, mut parents, mut next) = (&mut scores[..], Vec::new(), Vec::new());
        let mut first = 0;
        for (row, search) in searches.iter_mut().enumerate() {
            let beams = search.live.len();
            let scores = rest.split_off_mut(..beams * vocab_size).unwrap_or_default();
            let histories: Vec<&[u32]> = search.live.iter().map(|beam| &beam.ids[..]).collect();
            pipeline.process(row, search.prompt_len, &histories, scores)?;
            parents.extend(search.step(scores, &pipeline)?.into_iter().map(|beam| first + beam));
            next.extend(search.live.iter().filter_map(|beam| beam.ids.last()));
            first += beams;
        }
        reorder(model, &mut state, &parents, count);
        tokens = column(next, vocab_size)?;
        count = live(&searches);
    }
    Ok(searches.into_iter().map(Search::best).collect())
}

/// `[rows, vocab_size]`, row by row.
fn log_probabilities(scores: &Tensor) -> Result<Vec<Float>, Error> {
    let vocab_size = scores.size(-1);
    scores.contiguous().data().chunks_exact(vocab_size).try_for_each(sampling::check)?;
    Ok((scores - scores.logsumexp_axes(&[-1], true)).to_vec())
}

/// A beginning that may go on.
struct Beam {
    ids: Vec<u32>,
    /// Σ log p of its new tokens.
    sum: f64,
    log_probabilities: Vec<f64>,
}

/// A beam with one more token.
struct Candidate {
    beam: usize,
    id: u32,
    sum: f64,
    log_probability: f64,
}

impl Candidate {
    /// The most probable first; equal ones by beam and token.
    fn order(&self, other: &Candidate) -> Ordering {
        let by_sum = other.sum.total_cmp(&self.sum);
        by_sum.then_with(|| (self.beam, self.id).cmp(&(other.beam, other.id)))
    }
}

/// The search for one row.
struct Search<'a> {
    settings: &'a Generation,
    end_tokens: &'a [u32],
    stop: &'a StopTexts<'a>,
    prompt_len: usize,
    /// New tokens of every live beam.
    len: usize,
    /// Most new tokens.
    room: usize,
    /// The most probable first.
    live: Vec<Beam>,
    /// The best first.
    ended: Vec<Hypothesis>,
}

impl<'a> Search<'a> {
    fn new(
        ids: Vec<u32>,
        limit: usize,
        settings: &'a Generation,
        end_tokens: &'a [u32],
        stop: &'a StopTexts<'a>,
    ) -> Search<'a> {
        let (prompt_len, room) = (ids.len(), limit - ids.len());
        let (mut live, mut ended) = (Vec::new(), Vec::new());
        match room {
            0 => ended.push(Hypothesis { ids, score: 0.0, log_probabilities: Vec::new() }),
            _ => live.push(Beam { ids, sum: 0.0, log_probabilities: Vec::new() }),
        }
        Search { settings, end_tokens, stop, prompt_len, len: 0, room, live, ended }
    }

    /// Takes the log-probabilities of the next token, `[live, vocab_size]`, and returns which of the
    /// live beams each of the new ones goes on from.
    fn step(
        &mut self,
        log_probabilities: &mut [Float],
        rules: &Pipeline<'_>,
    ) -> Result<Vec<usize>, Error> {
        let num_beams = self.settings.num_beams;
        self.len += 1;
        let (mut live, mut parents) = (Vec::new(), Vec::new());
        for (rank, candidate) in self.lawful(log_probabilities, rules)?.into_iter().enumerate() {
            let beam = self.grown(&candidate);
            if self.ends(&beam)? {
                if rank < num_beams {
                    self.end(beam);
                }
            } else if live.len() < num_beams {
                live.push(beam);
                parents.push(candidate.beam);
            }
        }
        self.live = live;
        if self.is_settled() {
            self.live.clear();
            parents.clear();
        }
        Ok(parents)
    }

    fn grown(&self, candidate: &Candidate) -> Beam {
        let Beam { ids, log_probabilities, .. } = &self.live[candidate.beam];
        Beam {
            ids: [ids, &[candidate.id][..]].concat(),
            sum: candidate.sum,
            log_probabilities: [log_probabilities, &[candidate.log_probability][..]].concat(),
        }
    }

    fn ends(&self, beam: &Beam) -> Result<bool, Error> {
        let new = &beam.ids[self.prompt_len..];
        let is_end = new.last().is_some_and(|id| self.end_tokens.contains(id));
        Ok(self.len == self.room || is_end || self.stop.is_complete(new)?)
    }

    /// The most probable continuations that complete no bad text.
    fn lawful(
        &self,
        log_probabilities: &mut [Float],
        rules: &Pipeline<'_>,
    ) -> Result<Vec<Candidate>, Error> {
        let vocab_size = log_probabilities.len() / self.live.len().max(1);
        loop {
            let (candidates, mut is_lawful) = (self.candidates(log_probabilities), true);
            for candidate in &candidates {
                let before = &self.live[candidate.beam].ids[self.prompt_len..];
                if rules.completes_bad_text(before, candidate.id)? {
                    forbid(&mut log_probabilities[candidate.beam * vocab_size..], candidate.id);
                    is_lawful = false;
                }
            }
            if is_lawful {
                return Ok(candidates);
            }
        }
    }

    /// The most probable continuations: so many that if all tokens that end are among them, there are
    /// still enough to go on.
    fn candidates(&self, log_probabilities: &[Float]) -> Vec<Candidate> {
        let vocab_size = log_probabilities.len() / self.live.len().max(1);
        let mut all = Vec::with_capacity(log_probabilities.len());
        for (beam, row) in log_probabilities.chunks_exact(vocab_size.max(1)).enumerate() {
            let possible = (0..).zip(row).filter(|(_, log_p)| **log_p > Float::NEG_INFINITY);
            all.extend(possible.map(|(id, &log_p)| {
                let log_probability = f64::from(log_p);
                let sum = self.live[beam].sum + log_probability;
                Candidate { beam, id, sum, log_probability }
            }));
        }
        let enough = (1 + self.end_tokens.len().max(1)).saturating_mul(self.settings.num_beams);
        if enough < all.len() {
            all.select_nth_unstable_by(enough - 1, Candidate::order);
            all.truncate(enough);
        }
        all.sort_unstable_by(Candidate::order);
        all
    }

    /// A beam has ended: it is kept if it is one of the best.
    fn end(&mut self, Beam { ids, sum, log_probabilities }: Beam) {
        let score = self.score(sum, self.len);
        let rank = self.ended.partition_point(|better| better.score >= score);
        self.ended.insert(rank, Hypothesis { ids, score, log_probabilities });
        self.ended.truncate(self.settings.num_beams);
    }

    fn score(&self, sum: f64, len: usize) -> f64 {
        sum / (len as f64).powf(f64::from(self.settings.length_penalty))
    }

    fn is_settled(&self) -> bool {
        let (Some(best), Some(worst)) = (self.live.first(), self.ended.last()) else {
            return false;
        };
        if self.ended.len() < self.settings.num_beams {
            return false;
        }
        let len = match self.settings.early_stopping {
            EarlyStopping::Yes => return true,
            // A longer text divides its sum, which is not above 0, by more.
            EarlyStopping::Never if self.settings.length_penalty > 0.0 => self.room,
            _ => self.len,
        };
        self.score(best.sum, len) <= worst.score
    }

    fn best(mut self) -> Vec<Hypothesis> {
        self.ended.truncate(self.settings.num_return_sequences);
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Padded;
    use approx::assert_relative_eq;
    use tensor::Tensor;

    /// A model that knows the last token alone: row `i` holds the probabilities after token `i`.
    struct Chain([[Float; 3]; 3]);

    impl Autoregressive for Chain {
        type State = ();

        fn vocab_size(&self) -> usize {
            3
        }

        fn max_seq_len(&self) -> Option<usize> {
            None
        }

        fn end_tokens(&self) -> Vec<u32> {
            vec![2]
        }

        fn first_tokens<'a>(&'a self, ids: &'a [u32]) -> &'a [u32] {
            ids
        }

        fn start(&self, _ids: &[&[u32]], _capacity: usize) -> Result<(), Error> {
            Ok(())
        }

        fn next_scores(&self, tokens: &Padded, (): &mut ()) -> Tensor {
            let last = tokens.tokens.ids().chunks_exact(tokens.tokens.shape()[1]);
            let rows = last.map(|row| self.0[row[row.len() - 1] as usize]);
            let rows: Vec<Float> = rows.flatten().map(Float::ln).collect();
            Tensor::new(&rows, &[rows.len() / 3, 3])
        }

        fn reorder(&self, (): &mut (), _rows: &[usize]) {}
    }

    fn chain() -> Chain {
        Chain([[0.2, 0.5, 0.3], [0.45, 0.45, 0.1], [1.0, 0.0, 0.0]])
    }

    fn beams(num_beams: usize, max_new_tokens: usize, length_penalty: Float) -> Generation {
        Generation {
            num_beams,
            length_penalty,
            num_return_sequences: num_beams,
            max_new_tokens: Some(max_new_tokens),
            ..Generation::default()
        }
    }

    #[track_caller]
    fn assert_found(settings: &Generation, expected: &[(&[u32], f64)]) {
        let found = search(&chain(), &[[0]], settings).unwrap().remove(0);
        let ids: Vec<&[u32]> = found.iter().map(|hypothesis| &hypothesis.ids[..]).collect();
        assert_eq!(ids, expected.iter().map(|(ids, _)| *ids).collect::<Vec<_>>());
        for (found, (_, score)) in found.iter().zip(expected) {
            assert_relative_eq!(found.score, score, max_relative = 1e-5);
        }
    }

    #[test]
    fn by_hand_s4() {
        // Beginnings after one token: 1 (0.5), 0 (0.2); 2 (0.3) has ended. After two: 1 0 and 1 1
        // (0.225 each).
        let (end, long) = (0.3f64.ln(), 0.225f64.ln());
        assert_found(&beams(2, 2, 0.0), &[(&[0, 2], end), (&[0, 1, 0], long)]);
        let halves = [(&[0, 1, 0][..], long / 2.0), (&[0, 1, 1], long / 2.0)];
        assert_found(&beams(2, 2, 1.0), &halves);
    }

    #[test]
    fn stops_when_it_is_told_to() {
        // After two tokens 0 2 and 0 1 2 have ended; 1 0 and 1 1 go on.
        let chain = Chain([[0.2, 0.5, 0.3], [0.35, 0.3, 0.35], [1.0, 0.0, 0.0]]);
        let found = |early_stopping| {
            let settings = Generation { early_stopping, ..beams(2, 30, 2.0) };
            let found = search(&chain, &[[0]], &settings).unwrap().remove(0);
            found.into_iter().map(|hypothesis| hypothesis.ids.len()).collect::<Vec<_>>()
        };
        assert_eq!(found(EarlyStopping::Yes), [3, 2]);
        assert!(found(EarlyStopping::Never)[0] > 3);
    }

    #[test]
    fn an_impossible_token_is_never_chosen() {
        let found = search(&chain(), &[[2]], &beams(3, 1, 1.0)).unwrap().remove(0);
        let log_probabilities = vec![0.0];
        assert_eq!(found, [Hypothesis { ids: vec![2, 0], score: 0.0, log_probabilities }]);
    }

    #[test]
    fn broken_scores_are_an_error() {
        let broken = Chain([[Float::NAN; 3]; 3]);
        let error = search(&broken, &[[0]], &beams(2, 2, 1.0)).unwrap_err().to_string();
        assert_eq!(error, "the model gives token 0 the score NaN; its weights are broken");
    }
}
