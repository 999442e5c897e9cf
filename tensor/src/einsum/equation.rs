//! The equation of an einsum, read against the shapes of its operands.

use crate::shape;
use std::collections::BTreeMap;

/// What an axis is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// An axis that `...` stands for, counted from the last of them.
    Ellipsis(usize),
    Letter(char),
}

/// The labels of the axes of a tensor; `None` is an axis of size 1 that broadcasting stretches.
pub(super) type Labels = Vec<Option<Label>>;

/// Labels of operands and output, and the size that each stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Equation {
    pub operands: Vec<Labels>,
    pub output: Labels,
    pub sizes: BTreeMap<Label, usize>,
}

/// An equation's text and the shapes of its operands, for messages.
struct Source<'a> {
    text: &'a str,
    shapes: &'a [&'a [usize]],
}

impl Source<'_> {
    #[track_caller]
    fn wrong(&self, rule: &str) -> ! {
        shape::wrong("einsum", rule, self.shapes, &format!("in \"{}\"", self.text))
    }
}

impl Equation {
    /// Reads `text`, such as `bqd,bkd->bqk`.
    ///
    /// # Panics
    /// If the text is no equation or does not fit the shapes.
    #[track_caller]
    pub fn new(text: &str, shapes: &[&[usize]]) -> Equation {
        let source = Source { text, shapes };
        let spaceless: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = match spaceless.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (&spaceless[..], None),
        };
        let terms: Vec<&str> = inputs.split(',').collect();
        if terms.len() != shapes.len() {
            source.wrong(&format!("{} terms for {} operands", terms.len(), shapes.len()));
        }
        let mut operands = Vec::with_capacity(terms.len());
        for (term, shape) in terms.into_iter().zip(shapes) {
            let labels = read_term(term, &source, |letters| {
                shape.len().checked_sub(letters).unwrap_or_else(|| {
                    source.wrong(&format!("`{term}` has more letters than {shape:?} has axes"))
                })
            });
            if labels.len() != shape.len() {
                source.wrong(&format!("`{term}` does not name each axis of {shape:?}"));
            }
            operands.push(labels);
        }
        let sizes = sizes(&operands, &source);
        let output = output.map_or_else(
            || implicit_output(&operands),
            |output| explicit_output(output, &sizes, &source),
        );
        let named = |labels: &Vec<Label>, shape: &[usize]| -> Labels {
            let stretched =
                |(label, size): (&Label, &usize)| (sizes[label] == *size).then_some(*label);
            labels.iter().zip(shape).map(stretched).collect()
        };
        Equation {
            operands: operands.iter().zip(shapes).map(|(o, shape)| named(o, shape)).collect(),
            output: output.into_iter().map(Some).collect(),
            sizes,
        }
    }
}

/// The labels of one term, `...` standing for as many axes as `ellipsis_rank` says for the number
/// of letters beside it.
#[track_caller]
fn read_term(
    term: &str,
    source: &Source<'_>,
    ellipsis_rank: impl FnOnce(usize) -> usize,
) -> Vec<Label> {
    let (before, ellipsis, after) = match term.split_once("...") {
        Some((before, after)) => (before, true, after),
        None => (term, false, ""),
    };
    if let Some(bad) = before.chars().chain(after.chars()).find(|c| !c.is_ascii_alphabetic()) {
        source.wrong(&format!("`{bad}` in `{term}` is no letter"));
    }
    let rank = ellipsis_rank(before.len() + after.len());
    let ellipsis = (0..if ellipsis { rank } else { 0 }).rev().map(Label::Ellipsis);
    let letters = |letters: &'_ str| letters.chars().map(Label::Letter).collect::<Vec<_>>();
    letters(before).into_iter().chain(ellipsis).chain(letters(after)).collect()
}

/// The size of each label; along an ellipsis 1 stretches to the others' size.
#[track_caller]
fn sizes(operands: &[Vec<Label>], source: &Source<'_>) -> BTreeMap<Label, usize> {
    let mut sizes = BTreeMap::new();
    for (labels, shape) in operands.iter().zip(source.shapes) {
        for (&label, &size) in labels.iter().zip(*shape) {
            let known = sizes.entry(label).or_insert(size);
            match label {
                Label::Ellipsis(_) if *known == 1 => *known = size,
                Label::Ellipsis(_) if size == 1 => {}
                _ if *known == size => {}
                Label::Letter(letter) => {
                    source.wrong(&format!("`{letter}` is both {known} and {size}"))
                }
                Label::Ellipsis(_) => {
                    source.wrong(&format!("`...` holds both {known} and {size}, and neither is 1"))
                }
            }
        }
    }
    sizes
}

/// The axes of `...`, then each letter that stands once in all operands, in alphabetical order.
fn implicit_output(operands: &[Vec<Label>]) -> Vec<Label> {
    let mut counts = BTreeMap::<Label, usize>::new();
    operands.iter().flatten().for_each(|&label| *counts.entry(label).or_default() += 1);
    let rank = counts.keys().filter(|label| matches!(label, Label::Ellipsis(_))).count();
    let letters = |(label, count)| matches!(label, Label::Letter(_)) && count == 1;
    let letters = counts.into_iter().filter(|&pair| letters(pair)).map(|(label, _)| label);
    (0..rank).rev().map(Label::Ellipsis).chain(letters).collect()
}

#[track_caller]
fn explicit_output(term: &str, sizes: &BTreeMap<Label, usize>, source: &Source<'_>) -> Vec<Label> {
    let rank = sizes.keys().filter(|label| matches!(label, Label::Ellipsis(_))).count();
    let labels = read_term(term, source, |_| rank);
    for (i, label) in labels.iter().enumerate() {
        if let Label::Letter(letter) = label {
            if !sizes.contains_key(label) {
                source.wrong(&format!("`{letter}` of the output is in no operand"));
            }
            if labels[..i].contains(label) {
                source.wrong(&format!("`{letter}` stands twice in the output"));
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::Label::{Ellipsis, Letter};
    use super::*;

    #[test]
    fn reads_letters_and_ellipses() {
        let equation = Equation::new("b...i, ...ij -> ...bj", &[&[2, 3, 1, 4], &[5, 4, 6]]);
        let labels = |labels: &[Label]| labels.iter().copied().map(Some).collect::<Labels>();
        let mut first = labels(&[Letter('b'), Ellipsis(1), Ellipsis(0), Letter('i')]);
        first[2] = None;
        assert_eq!(equation.operands[0], first);
        assert_eq!(equation.operands[1], labels(&[Ellipsis(0), Letter('i'), Letter('j')]));
        let output = labels(&[Ellipsis(1), Ellipsis(0), Letter('b'), Letter('j')]);
        assert_eq!(equation.output, output);
        assert_eq!(equation.sizes[&Ellipsis(0)], 5);
    }

    #[test]
    fn an_output_left_out_is_what_stands_once() {
        let shapes: [&[usize]; 2] = [&[7, 2, 3], &[3, 4]];
        let implicit = Equation::new("...bA,Aa", &shapes);
        assert_eq!(implicit, Equation::new("...bA,Aa->...ab", &shapes));
        assert_eq!(Equation::new("ii", &[&[2, 2]]).output, []);
    }

    macro_rules! refuses {
        ($name:ident, $text:literal, $shapes:expr, $message:literal) => {
            #[test]
            #[should_panic(expected = $message)]
            fn $name() {
                let shapes: &[&[usize]] = $shapes;
                Equation::new($text, shapes);
            }
        };
    }

    refuses!(
        sizes_that_differ,
        "ij,jk->ik",
        &[&[2, 3], &[4, 5]],
        "einsum: `j` is both 3 and 4: [2, 3] and [4, 5]; in \"ij,jk->ik\""
    );
    refuses!(
        ellipses_that_do_not_broadcast,
        "...,...",
        &[&[2], &[3]],
        "einsum: `...` holds both 2 and 3, and neither is 1: [2] and [3]; in \"...,...\""
    );
    refuses!(
        another_number_of_operands,
        "ij,jk",
        &[&[2, 3]],
        "einsum: 2 terms for 1 operands: [2, 3]; in \"ij,jk\""
    );
    refuses!(
        too_many_letters,
        "ijk",
        &[&[2, 3]],
        "einsum: `ijk` has more letters than [2, 3] has axes: [2, 3]; in \"ijk\""
    );
    refuses!(
        too_few_letters,
        "i",
        &[&[2, 3]],
        "einsum: `i` does not name each axis of [2, 3]: [2, 3]; in \"i\""
    );
    refuses!(
        what_is_no_letter,
        "i1",
        &[&[2, 3]],
        "einsum: `1` in `i1` is no letter: [2, 3]; in \"i1\""
    );
    refuses!(
        an_unknown_letter_in_the_output,
        "ij->ik",
        &[&[2, 3]],
        "einsum: `k` of the output is in no operand: [2, 3]; in \"ij->ik\""
    );
    refuses!(
        a_letter_twice_in_the_output,
        "ij->ii",
        &[&[2, 3]],
        "einsum: `i` stands twice in the output: [2, 3]; in \"ij->ii\""
    );
}
