//! (E1) Embedding: a row of a table for each token. Vaswani et al. 2017, section 3.4.

use crate::{Gradient, Var};
use std::sync::Arc;
use tensor::{Tensor, Tokens, par};

/// The rows of `table` that the tokens name.
///
/// ```math
/// y_i = E_{t_i}, \qquad \bar E_v = \sum_{i \,:\, t_i = v} \bar y_i \qquad (E1)
/// ```
/// `table [vocab_size, d_model]`, tokens of shape `[..]` → `[.., d_model]`
///
/// Source: Vaswani et al. 2017, section 3.4.
///
/// ```
/// use tensor::{Tensor, Tokens};
/// let table = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
/// let tokens = Tokens::new([1], 2).unwrap();
/// assert_eq!(autograd::ops::embedding::embedding(&table, &tokens).to_vec(), [3.0, 4.0]);
/// ```
///
/// Of a table that lies packed, only these rows are unpacked.
///
/// # Panics
/// If the table has fewer rows than the tokens' vocabulary.
#[track_caller]
pub fn embedding(table: &Tensor, tokens: &Tokens) -> Tensor {
    if table.rank() != 2 || table.size(0) < tokens.vocab_size() {
        let rule = format!("the table does not hold {} tokens", tokens.vocab_size());
        tensor::shape::wrong("embedding", &rule, &[table.shape()], "");
    }
    let (width, table) = (table.size(1), table.contiguous());
    let shape = [tokens.shape(), &[width]].concat();
    Tensor::build(&shape, |out| {
        par::for_rows(out, width, |first, rows| {
            let ids = &tokens.ids()[first..];
            for (row, &id) in rows.chunks_exact_mut(width.max(1)).zip(ids) {
                table.read_row(id as usize, row);
            }
        });
    })
}

impl Var {
    /// The rows of this table that the tokens name: see [`embedding`].
    ///
    /// # Panics
    /// If the table has fewer rows than the tokens' vocabulary.
    #[track_caller]
    pub fn embedding(&self, tokens: &Tokens) -> Var {
        let rows: Arc<[u32]> = tokens.ids().into();
        let width = self.size(-1);
        let value = embedding(self.value(), tokens);
        Var::record("embedding", [self], value, [], move |dy, []| {
            let part = dy.reshape(&[rows.len(), width]);
            [Gradient::Rows { rows, part }]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Rng;

    pub(crate) fn cases() -> Vec<Case> {
        let repeated = Tokens::batch(&[[3, 1, 3], [0, 0, 0]], 4).unwrap();
        let tied = repeated.clone();
        let many = Tokens::new(vec![7; 900], 500).unwrap();
        vec![
            Case::new([&[4, 3]], move |x| x[0].embedding(&repeated)),
            Case::new([&[4, 1]], move |x| x[0].embedding(&tied).matmul(&x[0].transpose(0, 1))),
            Case::new([&[500, 100]], move |x| x[0].embedding(&many)),
        ]
    }

    #[test]
    fn takes_rows_e1() {
        let table = Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]);
        let tokens = Tokens::batch(&[[2, 0]], 3).unwrap();
        let y = embedding(&table, &tokens);
        assert_eq!((y.shape(), y.to_vec()), (&[1, 2, 2][..], vec![5.0, 6.0, 1.0, 2.0]));
    }

    #[test]
    fn equals_a_product_with_one_hot_rows() {
        let table = Rng::seeded(1).normal(&[4, 3], 1.0);
        let tokens = Tokens::new([3, 1, 3], 4).unwrap();
        let one_hot = Tensor::build(&[3, 4], |out| {
            out.fill(0.0);
            tokens.ids().iter().enumerate().for_each(|(i, &id)| out[i * 4 + id as usize] = 1.0);
        });
        assert_eq!(embedding(&table, &tokens).to_vec(), one_hot.matmul(&table).to_vec());
    }

    #[test]
    fn a_packed_table_gives_the_rows_of_its_plain_numbers() {
        let table = Rng::seeded(1).normal(&[4, 32], 1.0).pack(tensor::packed::Format::Q8_0);
        let tokens = Tokens::new([3, 1, 3], 4).unwrap();
        let expected = embedding(&table.unpacked(), &tokens);
        assert_eq!(embedding(&table, &tokens).to_vec(), expected.to_vec());
    }

    #[test]
    fn an_extreme_no_tokens_at_all() {
        let none = Tokens::new([], 4).unwrap();
        assert_eq!(embedding(&Tensor::ones(&[4, 3]), &none).shape(), [0, 3]);
    }

    #[test]
    #[should_panic(expected = "embedding: the table does not hold 5 tokens: [4, 3]")]
    fn the_table_must_hold_the_vocabulary() {
        embedding(&Tensor::ones(&[4, 3]), &Tokens::new([0], 5).unwrap());
    }
}
