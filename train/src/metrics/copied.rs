//! Copies of training text: the longest run of words that a text shares with what was learned.

use std::collections::{BTreeMap, HashMap};

use super::words;

/// The longest run of a text's words that stands in some training text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Copied {
    /// Its length in words; 0 where no word is shared.
    pub words: usize,
    /// The share of the text's words that it is, from 0 to 1.
    pub share: f64,
    /// The first training text that it stands in.
    pub row: Option<usize>,
}

/// Finds for each text the longest run of its words that stands in one of the training texts.
///
/// ```math
/// \mathrm{copied}(p) = \max_{i} \mathrm{LCR}(p, t_i), \quad
/// \mathrm{share} = \frac{\mathrm{copied}(p)}{|p|}
/// ```
///
/// LCR is the length of the longest common run of words, without a gap; of runs of that length the
/// first in the text is taken. Words are lower-cased runs of letters and digits, and single
/// characters of scripts without spaces: other signs do not part a copy.
///
/// A suffix automaton of all texts reads each training text once. So it takes time in proportion to
/// the words of both, and memory to those of the texts alone.
///
/// Source of the automaton: Blumer et al., "The Smallest Automaton Recognizing the Subwords of a
/// Text" (1985), section 3.
pub fn copied<'a>(
    texts: &[impl AsRef<str>],
    training: impl IntoIterator<Item = &'a str>,
) -> Vec<Copied> {
    let mut numbers = HashMap::new();
    let mut number = |word: String| {
        let next = numbers.len() as u32;
        *numbers.entry(word).or_insert(next)
    };
    let cut = |text: &_| -> Vec<u32> {
        words(AsRef::<str>::as_ref(text)).into_iter().map(&mut number).collect()
    };
    let texts: Vec<Vec<u32>> = texts.iter().map(cut).collect();
    let mut automaton = Automaton::new(&texts, numbers.len() as u32);
    for (row, text) in training.into_iter().enumerate() {
        let text = words(text);
        automaton.read(text.iter().map(|word| numbers.get(word).copied()), row);
    }
    automaton.pass_on();
    texts.iter().map(|text| automaton.longest(text)).collect()
}

/// The states of all runs of words in some texts; a state holds the runs that end at the same
/// places.
struct Automaton {
    states: Vec<State>,
}

/// Runs that are each other's ends, and what was read of them.
#[derive(Clone, Default)]
struct State {
    /// The length of the longest of these runs.
    length: usize,
    /// The state of the longest end that stands in more places: shorter than all of these runs.
    shorter: Option<usize>,
    next: BTreeMap<u32, usize>,
    /// The longest of the runs that was read, and the first row it was read in.
    read: Option<(usize, usize)>,
    /// The first row that any of the runs was read in.
    first_row: Option<usize>,
}

impl Automaton {
    /// The automaton of the texts one after the other, each closed by a word that stands nowhere else.
    fn new(texts: &[Vec<u32>], n_words: u32) -> Automaton {
        let mut automaton = Automaton { states: vec![State::default()] };
        let mut last = 0;
        for (text, end) in texts.iter().zip(n_words..) {
            for &word in text.iter().chain([&end]) {
                last = automaton.push(last, word);
            }
        }
        automaton
    }

    /// Adds a word after the state of all that was added; gives the new state of all.
    fn push(&mut self, last: usize, word: u32) -> usize {
        let new = self.states.len();
        let length = self.states[last].length + 1;
        self.states.push(State { length, shorter: Some(0), ..State::default() });
        let mut end = Some(last);
        while let Some(state) = end.filter(|&state| !self.states[state].next.contains_key(&word)) {
            self.states[state].next.insert(word, new);
            end = self.states[state].shorter;
        }
        if let Some(state) = end {
            let after = self.states[state].next[&word];
            self.states[new].shorter = Some(self.split(state, word, after));
        }
        new
    }

    /// The state of the longest run of `state` with the word after it: `after`, or a part of it where
    /// longer runs are in it too.
    fn split(&mut self, state: usize, word: u32, after: usize) -> usize {
        let length = self.states[state].length + 1;
        if self.states[after].length == length {
            return after;
        }
        let part = self.states.len();
        self.states.push(State { length, ..self.states[after].clone() });
        self.states[after].shorter = Some(part);
        let mut end = Some(state);
        while let Some(state) = end.filter(|&s| self.states[s].next.get(&word) == Some(&after)) {
            self.states[state].next.insert(word, part);
            end = self.states[state].shorter;
        }
        part
    }

    /// Reads a training text, and notes in each state how long its runs were there. A word that
    /// stands in no text is `None`.
    fn read(&mut self, text: impl Iterator<Item = Option<u32>>, row: usize) {
        let (mut state, mut length) = (0, 0);
        for word in text {
            (state, length) = word.map_or((0, 0), |word| self.step(state, length, word));
            let known = &mut self.states[state];
            known.first_row.get_or_insert(row);
            if known.read.is_none_or(|(longest, _)| longest < length) {
                known.read = Some((length, row));
            }
        }
    }

    /// The longest end of a run of this length with the word after it, and its state.
    fn step(&self, mut state: usize, mut length: usize, word: u32) -> (usize, usize) {
        loop {
            if let Some(&next) = self.states[state].next.get(&word) {
                return (next, length + 1);
            }
            let Some(shorter) = self.states[state].shorter else { return (0, 0) };
            (state, length) = (shorter, self.states[shorter].length);
        }
    }

    /// Passes what was read on to the ends of the runs, which were read with them; then back to runs
    /// that were not read what is known of their ends.
    fn pass_on(&mut self) {
        let mut order: Vec<usize> = (1..self.states.len()).collect();
        order.sort_by_key(|&state| self.states[state].length);
        for &state in order.iter().rev() {
            let (Some(row), Some(shorter)) =
                (self.states[state].first_row, self.states[state].shorter)
            else {
                continue;
            };
            let end = &mut self.states[shorter];
            end.first_row = Some(end.first_row.map_or(row, |first| first.min(row)));
            let whole = (end.length, row);
            let is_first = |(length, first)| length < whole.0 || (length == whole.0 && row < first);
            if end.read.is_none_or(is_first) {
                end.read = Some(whole);
            }
        }
        for state in order {
            if self.states[state].read.is_none() {
                self.states[state].read =
                    self.states[state].shorter.and_then(|shorter| self.states[shorter].read);
            }
        }
    }

    /// The longest run of one of the automaton's texts that was read.
    fn longest(&self, text: &[u32]) -> Copied {
        let (mut state, mut best) = (0, (0, None));
        for word in text {
            state = self.states[state].next[word];
            let Some((length, row)) = self.states[state].read else { continue };
            if length > best.0 {
                best = (length, Some(row));
            }
        }
        let share = best.0 as f64 / text.len().max(1) as f64;
        Copied { words: best.0, share, row: best.1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str, training: &[&str]) -> (usize, Option<usize>) {
        let found = copied(&[text], training.iter().copied())[0];
        (found.words, found.row)
    }

    /// Each run of the text, the longest first, looked for in each training text.
    fn by_definition(text: &str, training: &[String]) -> (usize, Option<usize>) {
        let text = words(text);
        for length in (1..=text.len()).rev() {
            for run in text.windows(length) {
                let stands = |row: &String| words(row).windows(length).any(|other| other == run);
                if let Some(row) = training.iter().position(stands) {
                    return (length, Some(row));
                }
            }
        }
        (0, None)
    }

    #[test]
    fn runs_by_hand() {
        let training = ["A lamp of oak.", "This warm lamp, of red oak", "台灯很亮"];
        assert_eq!(one("Our warm lamp of red oak!", &training), (5, Some(1)));
        assert_eq!(one("a lamp; of steel", &training), (3, Some(0)));
        assert_eq!(one("of steel", &training), (1, Some(0)));
        assert_eq!(one("手机很亮", &training), (2, Some(2)));
        assert_eq!(one("nothing here", &training), (0, None));
        let share = copied(&["warm lamp in oak"], training)[0].share;
        assert_eq!(share, 0.5);
    }

    #[test]
    fn empty_texts_share_nothing_and_a_copy_is_whole() {
        assert_eq!(copied(&["", "?"], ["a"]), [Copied::default(); 2]);
        assert_eq!(copied(&["a b"], []), [Copied::default()]);
        let long = "one two three ".repeat(400);
        let whole = Copied { words: 1200, share: 1.0, row: Some(1) };
        assert_eq!(copied(&[&long, &long], ["one two", &long, &long]), [whole; 2]);
    }

    proptest! {
        #[test]
        fn the_automaton_finds_what_the_definition_does(
            texts in proptest::collection::vec("([abc] ){0,9}", 1..5),
            training in proptest::collection::vec("([abcd] ){0,9}", 0..5),
        ) {
            let found = copied(&texts, training.iter().map(String::as_str));
            for (text, found) in texts.iter().zip(found) {
                let expected = by_definition(text, &training);
                prop_assert_eq!((found.words, found.row), expected, "{}", text);
            }
        }
    }
}
