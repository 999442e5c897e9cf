//! The state of a model: its parameters' tensors by dotted name, in and out of a file.

use crate::{Error, Module};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tensor::Tensor;

/// The tensors of all parameters by their dotted names; nothing is copied.
///
/// ```
/// use transformer::{Init, Linear, state};
/// let mut rng = tensor::Rng::seeded(1);
/// let [a, mut b] = [(); 2].map(|()| Linear::new(&mut rng, 2, 3, Init::XavierUniform));
/// state::load(&mut b, state::of(&a)).unwrap();
/// assert_eq!(a.weight.value().to_vec(), b.weight.value().to_vec());
/// ```
pub fn of(model: &impl Module) -> BTreeMap<String, Tensor> {
    let parameters = model.parameters().into_iter();
    parameters.map(|(name, parameter)| (name, parameter.value().clone())).collect()
}

/// Replaces the tensors of all parameters.
///
/// # Errors
/// If one is missing, unexpected, or of another shape: then nothing is changed.
pub fn load(model: &mut impl Module, mut state: BTreeMap<String, Tensor>) -> Result<(), Error> {
    let report = mismatches(&shapes(model), &state);
    if !report.is_empty() {
        return Err(Error::Request(format!("the state does not fit the model: {report}")));
    }
    for (name, parameter) in model.parameters_mut() {
        *parameter.value_mut() = state.remove(&name).expect("none is missing");
    }
    Ok(())
}

/// Writes the state as a safetensors file.
///
/// # Errors
/// If it can't be written.
pub fn save(model: &impl Module, path: &Path) -> Result<(), Error> {
    let parameters = model.parameters().into_iter();
    let tensors = parameters.map(|(name, parameter)| (name, parameter.value()));
    Ok(tensor::file::write(path, tensors, HashMap::new())?)
}

/// Reads the state that [`save`] wrote. The tensors stay in the file's memory map until they are
/// changed.
///
/// # Errors
/// If the file can't be read, or does not fit the model: then nothing is changed.
pub fn load_file(model: &mut impl Module, path: &Path) -> Result<(), Error> {
    let contents = tensor::file::read(path)?;
    load(model, contents.tensors)
        .map_err(|error| Error::Request(format!("{}: {error}", path.display())))
}

fn shapes(model: &impl Module) -> BTreeMap<String, Vec<usize>> {
    let parameters = model.parameters().into_iter();
    parameters.map(|(name, parameter)| (name, parameter.shape().to_vec())).collect()
}

/// What does not fit, a clause each; empty if all does.
pub(crate) fn mismatches(
    expected: &BTreeMap<String, Vec<usize>>,
    found: &BTreeMap<String, Tensor>,
) -> String {
    let mut clauses = Vec::new();
    let missing: Vec<&String> = expected.keys().filter(|name| !found.contains_key(*name)).collect();
    if let Some(first) = missing.first() {
        clauses.push(format!("{} tensors missing, the first is {first}", missing.len()));
    }
    let extra: Vec<&String> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
    if let Some(first) = extra.first() {
        clauses.push(format!("{} tensors unexpected, the first is {first}", extra.len()));
    }
    let misshaped = expected.iter().filter_map(|(name, shape)| {
        let found = found.get(name)?.shape();
        (found != shape).then(|| format!("{name} is {found:?} where {shape:?} is expected"))
    });
    clauses.extend(misshaped.take(3));
    clauses.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Linear};
    use tensor::Rng;

    fn layer(d_out: usize) -> Linear {
        Linear::new(&mut Rng::seeded(d_out as u64), 2, d_out, Init::Normal(1.0))
    }

    #[test]
    fn a_file_brings_the_same_numbers_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer.safetensors");
        let (a, mut b) = (layer(3), Linear::new(&mut Rng::seeded(9), 2, 3, Init::Zeros));
        save(&a, &path).unwrap();
        load_file(&mut b, &path).unwrap();
        assert_eq!(a.weight.value().to_vec(), b.weight.value().to_vec());
        let error = load_file(&mut layer(4), &path).unwrap_err().to_string();
        assert!(error.contains("layer.safetensors"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        let mut model = layer(3);
        let before = model.weight.value().to_vec();
        let mut state = of(&layer(4));
        let bias = state.remove("bias").unwrap();
        state.insert("shift".into(), bias);
        assert_eq!(
            load(&mut model, state).unwrap_err().to_string(),
            "the state does not fit the model: 1 tensors missing, the first is bias; \
             1 tensors unexpected, the first is shift; weight is [2, 4] where [2, 3] is expected"
        );
        assert_eq!(model.weight.value().to_vec(), before);
    }
}
