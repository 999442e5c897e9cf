//! Sequences that are longer than a model reads: left out, or cut.

use super::{Sequence, Target};

/// Parts the sequences of which the model can read all tokens from the lines of those it cannot.
pub fn fitting(sequences: Vec<Sequence>, max_len: usize) -> (Vec<Sequence>, Vec<usize>) {
    let (fit, long): (Vec<_>, Vec<_>) =
        sequences.into_iter().partition(|sequence| sequence.longest() <= max_len);
    (fit, long.into_iter().map(|sequence| sequence.line).collect())
}

/// Cuts the ends off the sequences that the model cannot read whole, and tells the lines of those that
/// were cut and of those that were left out because nothing to be learned is left of them. Of a text
/// with a class, and of a source, the last token stays the last: it may mark the text's end.
pub fn cut(sequences: Vec<Sequence>, max_len: usize) -> (Vec<Sequence>, Vec<usize>, Vec<usize>) {
    let (mut kept, mut shortened, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let is_beyond = |place: u32| place as usize + 1 >= max_len;
    for mut sequence in sequences {
        if sequence.longest() > max_len {
            match &mut sequence.target {
                Target::From(first) if *first > max_len => {
                    left_out.push(sequence.line);
                    continue;
                }
                Target::From(_) => sequence.ids.truncate(max_len + 1),
                Target::Class(_) => cut_before_last(&mut sequence.ids, max_len),
                Target::Hidden(hidden)
                    if !hidden.is_empty() && hidden.iter().all(|&(place, _)| is_beyond(place)) =>
                {
                    left_out.push(sequence.line);
                    continue;
                }
                Target::Hidden(hidden) => {
                    hidden.retain(|&(place, _)| !is_beyond(place));
                    cut_before_last(&mut sequence.ids, max_len);
                }
                Target::Text(text) => {
                    text.truncate(max_len);
                    cut_before_last(&mut sequence.ids, max_len);
                }
            }
            shortened.push(sequence.line);
        }
        kept.push(sequence);
    }
    (kept, shortened, left_out)
}

fn cut_before_last(ids: &mut Vec<u32>, max_len: usize) {
    if let Some(&last) = ids.last().filter(|_| ids.len() > max_len) {
        ids.truncate(max_len);
        *ids.last_mut().expect("max_len is at least 1") = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_are_told_by_their_lines() {
        let rows = [4, 9].map(|len| Sequence::whole(vec![0; len], len));
        let (fit, long) = fitting(rows.to_vec(), 5);
        assert_eq!((fit.len(), long), (1, vec![9]));
    }

    #[test]
    fn what_is_cut_keeps_a_target_and_a_texts_last_token() {
        let of = |target, line| Sequence { ids: vec![1, 2, 3, 4, 5, 9], target, line };
        let rows = [
            of(Target::From(2), 1),
            of(Target::From(4), 2),
            of(Target::Class(1), 3),
            of(Target::Text(vec![6, 7, 8, 0]), 4),
            Sequence::whole(vec![1, 2], 5),
            of(Target::Hidden(vec![(4, 7)]), 6),
        ];
        let (kept, shortened, left_out) = cut(rows.to_vec(), 3);
        assert_eq!((shortened, left_out), (vec![1, 3, 4], vec![2, 6]));
        let ids: Vec<&[u32]> = kept.iter().map(|row| &row.ids[..]).collect();
        assert_eq!(ids, [&[1, 2, 3, 4][..], &[1, 2, 9], &[1, 2, 9], &[1, 2]]);
        assert_eq!(kept[2].target, Target::Text(vec![6, 7, 8]));
        assert!(kept.iter().all(|row| row.longest() <= 3 && row.target_count() > 0));
    }
}
