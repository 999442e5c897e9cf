//! The rows that a report shows: some that went well, some that did not.

use super::evaluation::{Group, Shown};
use crate::data::Example;
use crate::evaluation::Prediction;
use crate::metrics::rouge_l;

/// Rows of each kind.
const ROWS: usize = 5;

/// Rows told right and wrong, the surest ones, and those the model is least sure of.
pub fn shown_classes(examples: &[Example], labels: &[String], told: &[Prediction]) -> Vec<Group> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by(|&a, &b| told[b].confidence().total_cmp(&told[a].confidence()));
    let is_right = |&row: &usize| examples[row].target == labels[row];
    let (right, wrong): (Vec<usize>, Vec<usize>) = order.iter().partition(|row| is_right(row));
    let unsure: Vec<usize> = order.iter().rev().copied().collect();
    let rows = |rows: &[usize]| {
        let shown = |&row: &usize| Shown {
            written: labels[row].clone(),
            score_name: "probability".into(),
            score: told[row].confidence(),
            ..given(&examples[row])
        };
        rows.iter().take(ROWS).map(shown).collect()
    };
    let named =
        [("Told wrong, and sure of it", wrong), ("Told right", right), ("Least sure", unsure)];
    let groups = named.into_iter().filter(|(_, numbers)| !numbers.is_empty());
    groups.map(|(title, numbers)| Group { title: title.into(), rows: rows(&numbers) }).collect()
}

/// Texts from the worst to the best, by what they have in common with what was wanted.
pub fn shown_texts(examples: &[Example], texts: &[String]) -> Vec<Group> {
    let shown = |(example, text): (&Example, &String)| Shown {
        written: text.clone(),
        score_name: "rouge_l".into(),
        score: rouge_l(example.target_text(), text),
        ..given(example)
    };
    let mut rows: Vec<Shown> = examples.iter().zip(texts).map(shown).collect();
    rows.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.line.cmp(&b.line)));
    let count = ROWS.min(rows.len());
    let middle = (rows.len() - count) / 2;
    let groups = [
        ("Least like what was wanted", rows[..count].to_vec()),
        ("In the middle", rows[middle..middle + count].to_vec()),
        ("Most like what was wanted", rows[rows.len() - count..].to_vec()),
    ];
    groups.into_iter().map(|(title, rows)| Group { title: title.into(), rows }).collect()
}

fn given(example: &Example) -> Shown {
    Shown {
        line: example.line,
        given: vec![(example.prompt.clone(), 0.0)],
        wanted: example.target_text().into(),
        ..Shown::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(targets: &[&str]) -> Vec<Example> {
        let row = |(index, target): (usize, &&str)| Example {
            prompt: format!("text {index}"),
            target: target.to_string(),
            line: index + 1,
            ..Example::default()
        };
        targets.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_surest_mistake_comes_first() {
        let told = |p: f64| Prediction { class: 0, probabilities: vec![p, 1.0 - p] };
        let labels = vec!["a".to_string(); 3];
        let groups =
            shown_classes(&rows(&["b", "b", "a"]), &labels, &[told(0.6), told(0.9), told(0.8)]);
        let lines = |group: &Group| group.rows.iter().map(|row| row.line).collect::<Vec<_>>();
        assert_eq!(
            groups.iter().map(lines).collect::<Vec<_>>(),
            [vec![2, 1], vec![3], vec![1, 3, 2]]
        );
        assert_eq!(groups[0].rows[0].wanted, "b");
    }

    #[test]
    fn texts_rise_and_few_are_enough() {
        let written: Vec<String> = ["wool", "a wool rug"].map(String::from).into();
        let groups = shown_texts(&rows(&["a wool rug", "a wool rug"]), &written);
        assert_eq!(groups[0].rows[0].line, 1);
        assert_eq!(groups[2].rows[1].score, 1.0);
        assert!(shown_texts(&[], &[]).iter().all(|group| group.rows.is_empty()));
    }
}
