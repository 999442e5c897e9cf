//! A byte n-gram language model: what counting alone makes of the text a model learns from.

/// The bytes, and the end of a text, which also stands before its beginning.
const N_SYMBOLS: usize = 257;
const END: u64 = 256;
/// Bits of a symbol in a packed run of them.
const SYMBOL_BITS: usize = 9;

/// An interpolated, modified Kneser–Ney model of bytes.
///
/// ```math
/// p(w \mid h) = \frac{\max(0, c(hw) - D(c(hw)))}{\sum_{v} c(hv)}
///   + \frac{\sum_v D(c(hv))}{\sum_{v} c(hv)} \; p(w \mid h')
/// ```
///
/// `` $`h`$ `` are the `order - 1` bytes before the byte `` $`w`$ ``, `` $`h'`$ `` all of them
/// but the first. `` $`c`$ `` counts how often a run stands in the training texts; in the shorter
/// contexts it counts how many different bytes stand before the run. Below the empty context
/// lies `` $`1/257`$ ``: the bytes and the end. The discounts
///
/// ```math
/// D(k) = k - (k + 1)\, Y\, \frac{n_{k+1}}{n_k}, \quad Y = \frac{n_1}{n_1 + 2 n_2}, \quad
/// k = 1, 2, 3
/// ```
///
/// hold for a count of 1, 2, and 3 or more, `` $`n_k`$ `` being how many runs of that length
/// count `` $`k`$ ``.
///
/// Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling"
/// (1998), section 3.
#[derive(Clone, Debug)]
pub struct NGram {
    /// By length of the runs, from 1.
    levels: Vec<Level>,
}

/// The runs of one length, packed and rising, so that those of one context lie together.
#[derive(Clone, Debug)]
struct Level {
    runs: Vec<(u64, u32)>,
    contexts: Vec<(u64, Context)>,
    discounts: [f64; 3],
}

/// What is known of one context: its count, and how many symbols it saw once, twice, and more.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    total: u32,
    seen: [u32; 3],
}

impl NGram {
    /// Counts the runs of `order` bytes in the training texts, `(prompt, target)` each: the bytes
    /// of the prompt, of the target, and the end, as a model sees them.
    ///
    /// # Panics
    /// If `order` is not 1 to 7.
    #[track_caller]
    pub fn fit<'a>(order: usize, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> NGram {
        assert!((1..=7).contains(&order), "NGram::fit: order {order} is not 1 to 7");
        let mut runs = Vec::new();
        for (prompt, target) in texts {
            let mut run = start();
            for symbol in symbols(prompt).chain(symbols(target)).chain([END]) {
                run = shift(run, symbol);
                runs.push(last(run, order));
            }
        }
        let mut levels = vec![Level::new(runs)];
        for length in (1..order).rev() {
            let longer = levels[levels.len() - 1].runs.iter();
            levels.push(Level::new(longer.map(|&(run, _)| last(run, length)).collect()));
        }
        levels.reverse();
        NGram { levels }
    }

    /// The loss of the target's bytes and the end after them, in nats, given the prompt.
    pub fn nats(&self, prompt: &str, target: &str) -> f64 {
        let mut context = symbols(prompt).fold(start(), shift);
        let mut nats = 0.0;
        for symbol in symbols(target).chain([END]) {
            nats -= self.probability(context, symbol).ln();
            context = shift(context, symbol);
        }
        nats
    }

    /// The probability of a symbol after a packed context.
    fn probability(&self, context: u64, symbol: u64) -> f64 {
        let run = shift(context, symbol);
        let mut probability = 1.0 / N_SYMBOLS as f64;
        for (before, level) in self.levels.iter().enumerate() {
            let Some(seen) = find(&level.contexts, last(context, before)) else { break };
            let count = find(&level.runs, last(run, before + 1)).unwrap_or(0);
            let kept = f64::from(count) - level.discount(count);
            let shared: f64 =
                level.discounts.iter().zip(seen.seen).map(|(d, n)| d * f64::from(n)).sum();
            probability = (kept + shared * probability) / f64::from(seen.total);
        }
        probability
    }
}

impl Level {
    fn new(mut all: Vec<u64>) -> Level {
        all.sort_unstable();
        let runs: Vec<_> =
            all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
        let by_context = runs.chunk_by(|a, b| a.0 >> SYMBOL_BITS == b.0 >> SYMBOL_BITS);
        let contexts = by_context.map(|runs| (runs[0].0 >> SYMBOL_BITS, Context::new(runs)));
        Level { contexts: contexts.collect(), discounts: discounts(&runs), runs }
    }

    fn discount(&self, count: u32) -> f64 {
        if count == 0 { 0.0 } else { self.discounts[count.min(3) as usize - 1] }
    }
}

impl Context {
    fn new(runs: &[(u64, u32)]) -> Context {
        let mut context = Context::default();
        for &(_, count) in runs {
            context.total += count;
            context.seen[count.min(3) as usize - 1] += 1;
        }
        context
    }
}

/// The discounts of counts 1, 2, and 3 or more; a half where too few runs are there to tell.
fn discounts(runs: &[(u64, u32)]) -> [f64; 3] {
    let n: [f64; 4] = [1, 2, 3, 4].map(|k| runs.iter().filter(|run| run.1 == k).count() as f64);
    if n.contains(&0.0) {
        return [0.5; 3];
    }
    let y = n[0] / (n[0] + 2.0 * n[1]);
    [1, 2, 3].map(|k| {
        let discount = k as f64 - (k + 1) as f64 * y * n[k] / n[k - 1];
        if discount > 0.0 && discount <= k as f64 { discount } else { 0.5 }
    })
}

fn symbols(text: &str) -> impl Iterator<Item = u64> {
    text.bytes().map(u64::from)
}

/// Nothing but ends: what stands before a text.
fn start() -> u64 {
    (0..7).fold(0, |run, _| shift(run, END))
}

/// The run with one symbol more at its end; the oldest of seven falls out.
fn shift(run: u64, symbol: u64) -> u64 {
    last(run << SYMBOL_BITS | symbol, 7)
}

/// The last `length` symbols of a run.
fn last(run: u64, length: usize) -> u64 {
    run & ((1 << (SYMBOL_BITS * length)) - 1)
}

fn find<T: Copy>(rising: &[(u64, T)], key: u64) -> Option<T> {
    rising.binary_search_by_key(&key, |entry| entry.0).ok().map(|place| rising[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::bits_per_byte;

    const TEXTS: [(&str, &str); 3] =
        [("name: lamp\n", " a red lamp"), ("name: cup\n", " a red cup"), ("", "löwe 🦁")];

    fn packed(text: &str) -> u64 {
        symbols(text).fold(start(), shift)
    }

    #[test]
    fn probabilities_sum_to_one() {
        for order in 1..=7 {
            let model = NGram::fit(order, TEXTS);
            for context in ["", "name: la", " a re", "zzzzzzzz", "\u{1F981}"] {
                let all = (0..N_SYMBOLS as u64).map(|s| model.probability(packed(context), s));
                approx::assert_relative_eq!(all.sum::<f64>(), 1.0, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn a_bigram_by_hand() {
        // Runs of two, `^` and `$` the ends: ^a aa ab b$, once each, so that all discounts are ½.
        // Before an a stand ^ and a, before b an a, before $ a b: p(a) = (2 - ½ + 3/2 · 1/257)/4.
        let model = NGram::fit(2, [("a", "ab")]);
        let single = (2.0 - 0.5 + 1.5 / 257.0) / 4.0;
        let expected = (1.0 - 0.5 + 2.0 * 0.5 * single) / 2.0;
        let a = u64::from(b'a');
        approx::assert_relative_eq!(model.probability(packed("a"), a), expected, epsilon = 1e-12);
    }

    #[test]
    fn without_texts_all_symbols_are_equal() {
        let model = NGram::fit(5, []);
        approx::assert_relative_eq!(model.nats("x", "ab"), 3.0 * 257f64.ln(), epsilon = 1e-12);
    }

    #[test]
    fn texts_like_the_training_ones_cost_less() {
        let model = NGram::fit(5, TEXTS);
        let bits = |target: &str| bits_per_byte(model.nats("name: lamp\n", target), target.len());
        assert!(bits(" a red lamp") < 1.0, "{}", bits(" a red lamp"));
        assert!(bits(" qqq xyz") > 6.0, "{}", bits(" qqq xyz"));
    }
}
