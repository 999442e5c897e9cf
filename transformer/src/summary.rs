//! A report of a model's parameters, module by module.

use crate::Module;
use std::fmt;

/// Parameters counted by module; printed as a table.
///
/// ```
/// use transformer::{Init, Linear, Summary};
/// let layer = Linear::new(&mut tensor::Rng::seeded(1), 2, 3, Init::XavierUniform);
/// assert_eq!(Summary::of(&layer, 1).total().parameters, 9);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// A row a module, in the order of the fields.
    pub rows: Vec<SummaryRow>,
}

/// One module's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SummaryRow {
    /// The module's dotted name.
    pub module: String,
    /// Numbers that its parameters hold.
    pub parameters: usize,
    /// Those of them that are not frozen.
    pub trainable: usize,
}

impl Summary {
    /// The parameters under each name of up to `depth` parts.
    pub fn of(model: &impl Module, depth: usize) -> Summary {
        let mut rows: Vec<SummaryRow> = Vec::new();
        for (name, parameter) in model.parameters() {
            let parts: Vec<&str> = name.split('.').collect();
            let module = parts[..depth.min(parts.len())].join(".");
            if rows.last().is_none_or(|row| row.module != module) {
                rows.push(SummaryRow { module, ..SummaryRow::default() });
            }
            let row = rows.last_mut().expect("one was just added");
            row.parameters += parameter.value().len();
            row.trainable += if parameter.is_trainable() { parameter.value().len() } else { 0 };
        }
        Summary { rows }
    }

    /// The whole model.
    pub fn total(&self) -> SummaryRow {
        SummaryRow {
            module: "total".into(),
            parameters: self.rows.iter().map(|row| row.parameters).sum(),
            trainable: self.rows.iter().map(|row| row.trainable).sum(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let rows = self.rows.iter().chain([&total]);
        let width = rows.clone().map(|row| row.module.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:width$}  {:>12}  {:>12}", "module", "parameters", "trainable")?;
        for row in rows {
            let SummaryRow { module, parameters, trainable } = row;
            writeln!(f, "{module:width$}  {parameters:>12}  {trainable:>12}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, FeedForward, Init};
    use tensor::Rng;

    #[test]
    fn counts_by_module_and_prints_a_table() {
        let init = Init::Normal(1.0);
        let mut layer = FeedForward::new(&mut Rng::seeded(1), (2, 3), Activation::Relu, init, init);
        layer.freeze(|name| name == "w_2.weight");
        let expected = "\
module    parameters     trainable
w_1               9             9
w_2               8             2
total            17            11
";
        assert_eq!(Summary::of(&layer, 1).to_string(), expected);
        assert_eq!(Summary::of(&layer, 9).rows.len(), 4);
    }
}
