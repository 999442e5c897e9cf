//! A matrix of weights as text: darker is more.

use tensor::Tensor;

/// From nothing to all.
const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];

/// A row of shades for each row of `weights`, `[rows.len(), columns.len()]`, whose entries are from 0
/// to 1; the columns are numbered and named below.
///
/// # Panics
/// If the names are not as many as the rows and columns.
pub fn text(rows: &[&str], columns: &[&str], weights: &Tensor) -> String {
    assert_eq!(
        weights.shape(),
        [rows.len(), columns.len()],
        "heat map: a name for each row, column"
    );
    let width = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
    let shade = |weight: &tensor::Float| {
        let level = (weight * SHADES.len() as tensor::Float) as usize;
        SHADES[level.min(SHADES.len() - 1)]
    };
    let numbers: Vec<String> = (1..=columns.len()).map(|number| format!("{number:<3}")).collect();
    let mut lines = vec![format!("{:width$}  {}", "", numbers.concat())];
    let weights = weights.to_vec();
    for (row, weights) in rows.iter().zip(weights.chunks(columns.len().max(1))) {
        let shades: Vec<&str> = weights.iter().map(shade).collect();
        lines.push(format!("{row:>width$}  {}", shades.join(" ")));
    }
    let named = columns.iter().enumerate().map(|(index, name)| format!("{} {name}", index + 1));
    lines.push(named.collect::<Vec<_>>().join(", "));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn darker_is_more() {
        let weights = Tensor::new([0.0, 1.0, 0.3, 0.7], &[2, 2]);
        let expected = "        1  2  \n first     ██\nsecond  ░░ ▓▓\n1 red, 2 blue";
        assert_eq!(text(&["first", "second"], &["red", "blue"], &weights), expected);
    }
}
