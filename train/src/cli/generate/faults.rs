//! What is wrong with texts, told by their rows.

use crate::writing::Written;
use serde_json::{Value, json};

/// A way in which a text can be wrong.
struct Fault {
    name: &'static str,
    is_found: fn(&Written) -> bool,
    /// What is wrong with `n texts`, and what to do.
    says: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        name: "missing",
        is_found: |written| !written.missing.is_empty(),
        says: "lack words that must appear; allow more --tries, or tell the words in the prompt",
    },
    Fault {
        name: "unwanted",
        is_found: |written| !written.unwanted.is_empty(),
        says: "hold words that may not appear; special tokens part what they spell",
    },
    Fault {
        name: "short",
        is_found: |written| written.is_short,
        says: "have fewer words than --min-words; allow more --max-new-tokens",
    },
    Fault {
        name: "cut",
        is_found: |written| written.is_cut,
        says: "end in the middle of a sentence; allow more --max-words, --max-new-tokens or --tries",
    },
    Fault {
        name: "repeated",
        is_found: |written| written.is_repeated,
        says: "repeat another of their row; allow more --tries, or a higher --temperature",
    },
];

/// Collects the numbers of rows, from 1.
pub struct Faults([Vec<usize>; FAULTS.len()], [usize; FAULTS.len()]);

impl Faults {
    /// None so far.
    pub fn new() -> Faults {
        Faults(Default::default(), [0; FAULTS.len()])
    }

    /// Notes what is wrong with the variants of a row.
    pub fn note<'a>(
        &mut self,
        row: usize,
        variants: impl IntoIterator<Item = &'a Written> + Clone,
    ) {
        for (fault, (rows, count)) in FAULTS.iter().zip(self.0.iter_mut().zip(&mut self.1)) {
            let found =
                variants.clone().into_iter().filter(|written| (fault.is_found)(written)).count();
            *count += found;
            if found > 0 {
                rows.push(row);
            }
        }
    }

    /// Tells them on stderr.
    pub fn warn(&self) {
        for line in self.lines() {
            eprintln!("warning: {line}");
        }
    }

    fn lines(&self) -> Vec<String> {
        let found = FAULTS.iter().zip(self.0.iter().zip(&self.1));
        let line = |(fault, (rows, count)): (&Fault, (&Vec<usize>, &usize))| {
            let first = rows.first()?;
            Some(format!("texts: {count}, the first in row {first}, {}", fault.says))
        };
        found.filter_map(line).collect()
    }

    /// The rows by fault.
    pub fn fields(&self) -> impl Iterator<Item = (String, Value)> {
        let named = FAULTS.iter().zip(&self.0);
        named.map(|(fault, rows)| (fault.name.to_string(), json!(rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_their_faults() {
        let good = Written::default();
        let lacks = Written { missing: vec!["oak".into()], is_cut: true, ..Written::default() };
        let mut faults = Faults::new();
        faults.note(1, &[good.clone(), good.clone()]);
        faults.note(2, &[lacks.clone(), lacks.clone()]);
        faults.note(3, &[good, lacks]);
        let fields: Vec<(String, Value)> = faults.fields().collect();
        assert_eq!(fields[0], ("missing".to_string(), json!([2, 3])));
        assert_eq!(fields[3], ("cut".to_string(), json!([2, 3])));
        assert_eq!(fields[4].1, json!([]));
        let lines = faults.lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("texts: 3, the first in row 2, lack words"), "{}", lines[0]);
    }
}
