//! Retrieval: texts as vectors, and those nearest to a new one.

use crate::Error;
use autograd::no_grad;
use tensor::{Float, Tensor};
use transformer::{Input, Model, Padded, Tokenizer};

/// Texts, or queries, that are computed side by side.
const BATCH_SIZE: usize = 32;

/// A vector of length 1 for each text, as [`Model::embed`] has it; texts of like length are computed
/// together. A text longer than `longest` tokens is cut.
///
/// # Errors
/// If a text can't be tokenized or has no token, the model gives no states, or its states are not
/// numbers.
pub fn embed(
    model: &Model,
    tokenizer: &Tokenizer,
    texts: &[impl AsRef<str>],
    longest: Option<usize>,
) -> Result<Vec<Vec<Float>>, Error> {
    let rows = tokenized(tokenizer, texts, longest)?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| rows[index].len());
    let mut vectors = vec![Vec::new(); rows.len()];
    for batch in order.chunks(BATCH_SIZE) {
        let batch_rows: Vec<&[u32]> = batch.iter().map(|&index| &rows[index][..]).collect();
        let text = Padded::right(&batch_rows, model.vocab_size())?;
        let input = Input { text, token_types: None, target: None };
        let found = no_grad(|| model.embed(&input))?.value().contiguous();
        for (vector, &index) in found.data().chunks(found.size(-1).max(1)).zip(batch) {
            vectors[index] = vector.to_vec();
        }
    }
    if vectors.iter().flatten().any(|x| x.is_nan()) {
        let text = "the model's states are not numbers; its weights are broken";
        return Err(Error::settings(text));
    }
    Ok(vectors)
}

/// The tokens of each text as the model's tokenizer makes them, with its special tokens.
///
/// # Errors
/// If a text can't be tokenized or has no token.
pub(crate) fn tokenized(
    tokenizer: &Tokenizer,
    texts: &[impl AsRef<str>],
    longest: Option<usize>,
) -> Result<Vec<Vec<u32>>, Error> {
    let ids = |(number, text): (usize, &_)| {
        let ids = tokenizer.encode_text(AsRef::<str>::as_ref(text), longest)?.ids;
        match ids.is_empty() {
            true => Err(Error::settings(format!("text {number} is empty; leave it out"))),
            false => Ok(ids),
        }
    };
    (1..).zip(texts).map(ids).collect()
}

/// Known vectors, and which of them are nearest to another.
///
/// ```
/// use train::retrieval::Neighbours;
/// let known = Neighbours::new(vec![vec![3.0, 0.0], vec![0.0, 0.5]])?;
/// assert_eq!(known.nearest(&[0.0, 2.0], 1)?, [(1, 1.0)]);
/// # Ok::<(), train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// `[n_vectors, d_model]`, each row of length 1.
    vectors: Tensor,
}

impl Neighbours {
    /// Keeps these vectors, each made of length 1.
    ///
    /// # Errors
    /// If one is of another size than the first, or holds what is not a number.
    pub fn new(vectors: Vec<Vec<Float>>) -> Result<Neighbours, Error> {
        let size = vectors.first().map_or(0, Vec::len);
        Ok(Neighbours { vectors: unit_rows(&vectors, size, "vector")? })
    }

    /// The `n` vectors with the largest cosine to the query, with their cosines, the largest first;
    /// of equals the first.
    ///
    /// # Errors
    /// If the query is of another size than the vectors, or holds what is not a number.
    pub fn nearest(&self, query: &[Float], n: usize) -> Result<Vec<(usize, Float)>, Error> {
        Ok(self.nearest_of_each(&[query], n)?.remove(0))
    }

    /// [`Neighbours::nearest`] of each query, in one matrix product for some of them at a time:
    ///
    /// ```math
    /// \cos(q, v) = \frac{q \cdot v}{\lVert q \rVert \, \lVert v \rVert}
    /// ```
    ///
    /// A vector of length 0 has a cosine of 0 to all.
    ///
    /// # Errors
    /// As [`Neighbours::nearest`].
    pub fn nearest_of_each(
        &self,
        queries: &[impl AsRef<[Float]>],
        n: usize,
    ) -> Result<Vec<Vec<(usize, Float)>>, Error> {
        let [count, size] = [0, 1].map(|axis| self.vectors.size(axis));
        if count == 0 {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let queries = unit_rows(queries, size, "query")?;
        let mut found = Vec::with_capacity(queries.size(0));
        for start in (0..queries.size(0)).step_by(BATCH_SIZE) {
            let batch = queries.narrow(0, start, BATCH_SIZE.min(queries.size(0) - start));
            let cosines = batch.matmul(&self.vectors.transpose(0, 1)).contiguous();
            found.extend(cosines.data().chunks(count).map(|row| largest(row, n)));
        }
        Ok(found)
    }
}

/// `[rows, size]`, each row of length 1, or of 0 as it was.
fn unit_rows(rows: &[impl AsRef<[Float]>], size: usize, what: &str) -> Result<Tensor, Error> {
    let mut numbers = Vec::with_capacity(rows.len() * size);
    for (number, row) in (1..).zip(rows.iter().map(AsRef::as_ref)) {
        if row.len() != size {
            let found = row.len();
            let text = format!("{what} {number} is of size {found}, not {size}");
            return Err(Error::settings(text));
        }
        if row.iter().any(|x| !x.is_finite()) {
            return Err(Error::settings(format!("{what} {number} holds what is not a number")));
        }
        // Divided by the largest first, so that no square is too large or too small.
        let most = row.iter().fold(0.0, |most: Float, x| most.max(x.abs()));
        let scale = if most > 0.0 { most } else { 1.0 };
        let square: Float = row.iter().map(|x| (x / scale) * (x / scale)).sum();
        let length = if most > 0.0 { square.sqrt() } else { 1.0 };
        numbers.extend(row.iter().map(|x| x / scale / length));
    }
    Ok(Tensor::new(numbers, &[rows.len(), size]))
}

fn largest(cosines: &[Float], n: usize) -> Vec<(usize, Float)> {
    let mut found: Vec<(usize, Float)> = cosines.iter().copied().enumerate().collect();
    let nearer = |a: &(usize, Float), b: &(usize, Float)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if n < found.len() {
        found.select_nth_unstable_by(n, nearer);
        found.truncate(n);
    }
    found.sort_unstable_by(nearer);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Rng;

    #[test]
    fn cosines_by_hand() {
        let known = vec![vec![0.0, 2.0], vec![3.0, 4.0], vec![-1.0, 0.0], vec![0.0, 9.0]];
        let known = Neighbours::new(known).unwrap();
        let found = known.nearest(&[0.0, 0.5], 3).unwrap();
        assert_eq!(found.iter().map(|pair| pair.0).collect::<Vec<_>>(), [0, 3, 1]);
        for ((_, cosine), expected) in found.iter().zip([1.0, 1.0, 0.8]) {
            approx::assert_abs_diff_eq!(*cosine, expected, epsilon = 1e-6);
        }
        assert_eq!(known.nearest(&[0.0, 0.5], 9).unwrap().len(), 4);
        assert!(known.nearest(&[0.0, 0.5], 0).unwrap().is_empty());
    }

    #[test]
    fn each_vector_is_nearest_to_itself_however_long() {
        let random = Rng::seeded(1).normal(&[100, 24], 1.0).to_vec();
        let known: Vec<Vec<Float>> = random.chunks(24).map(<[_]>::to_vec).collect();
        let longer: Vec<Vec<Float>> =
            known.iter().map(|row| row.iter().map(|x| x * 1e30).collect()).collect();
        let neighbours = Neighbours::new(known).unwrap();
        let found = neighbours.nearest_of_each(&longer, 1).unwrap();
        for (row, nearest) in found.iter().enumerate() {
            assert_eq!(nearest[0].0, row);
            approx::assert_abs_diff_eq!(nearest[0].1, 1.0, epsilon = 1e-5);
        }
    }

    #[test]
    fn nothing_and_zeros_are_no_errors() {
        assert!(Neighbours::new(vec![]).unwrap().nearest(&[1.0], 2).unwrap().is_empty());
        let zero = Neighbours::new(vec![vec![0.0, 0.0], vec![0.0, 1.0]]).unwrap();
        assert_eq!(zero.nearest(&[1.0, 0.0], 1).unwrap(), [(0, 0.0)]);
        assert!(zero.nearest_of_each(&[[0.0; 2]; 0], 1).unwrap().is_empty());
    }

    #[test]
    fn vectors_that_do_not_fit_are_refused() {
        let error = |rows| Neighbours::new(rows).unwrap_err().to_string();
        assert_eq!(error(vec![vec![1.0, 0.0], vec![1.0]]), "vector 2 is of size 1, not 2");
        assert_eq!(error(vec![vec![Float::NAN]]), "vector 1 holds what is not a number");
        let known = Neighbours::new(vec![vec![1.0, 0.0]]).unwrap();
        let text = known.nearest(&[1.0], 1).unwrap_err().to_string();
        assert_eq!(text, "query 1 is of size 1, not 2");
    }
}
