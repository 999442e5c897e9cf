//! Whether the sizes of a configuration make a model.

use crate::Error;
use tensor::Float;

/// More blocks than this are a wrong number.
const MAX_LAYERS: usize = 1000;

/// # Errors
/// If there are more blocks or parameters than any machine holds; `None` are too many to count.
pub(crate) fn check_count(n_layers: usize, parameters: Option<usize>) -> Result<(), Error> {
    match parameters {
        Some(count) if n_layers <= MAX_LAYERS && count < 1 << 48 => Ok(()),
        _ => Err(Error::Request(
            "the model's sizes are beyond what any machine holds; look for a wrong number".into(),
        )),
    }
}

/// # Errors
/// If one of the named sizes is 0, the heads do not divide the width, or a probability of dropout is
/// not in [0, 1).
pub(crate) fn check(
    sizes: &[(&str, usize)],
    (d_model, n_heads): (usize, usize),
    dropouts: &[Float],
) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::Request(text));
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return wrong(format!("the model's {name} is 0; it must be at least 1"));
    }
    if !d_model.is_multiple_of(n_heads) {
        return wrong(format!(
            "{n_heads} heads do not divide a width of {d_model}; choose a width that is a multiple \
             of the heads"
        ));
    }
    if let Some(p) = dropouts.iter().find(|p| !(0.0..1.0).contains(*p)) {
        return wrong(format!("a dropout of {p} is not in [0, 1)"));
    }
    Ok(())
}
