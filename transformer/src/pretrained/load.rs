//! From a checkpoint to a model.

use super::{Checkpoint, Named, Pretrained};
use crate::{Error, Init};
use std::collections::BTreeSet;
use tensor::{Rng, Tensor};

/// What a checkpoint held beside the model's weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tensors that the model has no place for, buffers and weights of other tasks left out.
    pub unexpected: Vec<String>,
    /// Parameters of a fresh head, under Hugging Face's names.
    pub fresh: Vec<String>,
}

/// The model of a checkpoint. With `fresh`, parameters of its head may be missing, and are drawn.
///
/// # Errors
/// If the configuration or the weights are not what they should be.
pub(super) fn model<M: Pretrained>(
    checkpoint: Checkpoint,
    mut fresh: Option<&mut Rng>,
) -> Result<(M, Report), Error> {
    let mut checkpoint = checkpoint.renamed();
    M::settle(&mut checkpoint);
    let mut model = M::from_config(&checkpoint.config)?;
    let (layout, mut report, mut faults) = (model.layout(), Report::default(), Faults::default());
    let (mut adapters, mut whole) = (checkpoint.adapters.take(), BTreeSet::new());
    for (ours, parameter) in model.parameters_mut() {
        let named = layout.in_file(&ours).unwrap_or_else(|| panic!("{ours} has no name in files"));
        let names = layout.candidates(&named.name);
        let mut found = checkpoint.take(&names);
        // Aliases are left out: an output layer beside adapters is no table of tokens.
        let own = [Some(named.name.as_str()), layout.bare(&named.name)];
        let saved = adapters.as_mut().and_then(|saved| saved.take_whole(own));
        if let Some((tensor, is_trained)) = saved {
            found = Some(tensor);
            whole.extend(is_trained.then(|| ours.clone()));
        }
        let is_of_head = ours.starts_with("head");
        match (found, &mut fresh) {
            (Some(tensor), _) if fits(&tensor, parameter.shape(), &named) => {
                *parameter.value_mut() = ours_of(tensor, &named);
            }
            (_, Some(rng)) if is_of_head => {
                let init = match parameter.value().rank() {
                    _ if ours.ends_with(".gamma") => Init::Ones,
                    0 | 1 => Init::Zeros,
                    _ => Init::Normal(0.02),
                };
                *parameter.value_mut() = init.tensor(rng, parameter.shape());
                report.fresh.push(named.name);
            }
            (Some(tensor), _) => faults.misshaped(&named, tensor.shape(), parameter.shape()),
            (None, _) => faults.missing(named, &checkpoint, &layout),
        }
        // Blocks cannot be trained; numbers in half precision are widened by their first update.
        if parameter.value().packed_format().is_some_and(|format| format.block_len() > 1) {
            parameter.freeze();
        }
    }
    let left = checkpoint.tensors.into_keys().filter(|name| !layout.ignores(name));
    for name in left {
        if layout.knows(&name) { &mut faults.unexpected } else { &mut report.unexpected }
            .push(name);
    }
    if let Some(report) = faults.text() {
        return Err(Error::Weights { path: checkpoint.weights, report });
    }
    if let Some(adapters) = adapters {
        adapters.attach(&mut model, &layout, &whole)?;
    }
    Ok((model, report))
}

fn fits(tensor: &Tensor, shape: &[usize], named: &Named) -> bool {
    match named.transposed {
        true => tensor.shape().iter().eq(shape.iter().rev()),
        false => tensor.shape() == shape,
    }
}

fn ours_of(tensor: Tensor, named: &Named) -> Tensor {
    if named.transposed { tensor.transpose(0, 1) } else { tensor }
}

/// What does not fit.
#[derive(Default)]
struct Faults {
    missing: Vec<String>,
    unexpected: Vec<String>,
    others: Vec<String>,
}

impl Faults {
    fn misshaped(&mut self, named: &Named, found: &[usize], ours: &[usize]) {
        let mut expected = ours.to_vec();
        if named.transposed {
            expected.reverse();
        }
        let text = format!("{} is {found:?} where {expected:?} is expected", named.name);
        self.others.push(text);
    }

    fn missing(&mut self, named: Named, checkpoint: &Checkpoint, layout: &super::Layout) {
        let names = layout.candidates(&named.name);
        match names.iter().find_map(|name| checkpoint.unsupported.get(name)) {
            Some(dtype) => self.others.push(format!(
                "{} has type {dtype}; F32, F64, F16 and BF16 are supported",
                named.name
            )),
            None => self.missing.push(named.name),
        }
    }

    /// A clause each; none if all fits.
    fn text(&self) -> Option<String> {
        let count = |names: &[String], what: &str| {
            names
                .iter()
                .min()
                .map(|first| format!("{} tensors {what}, the first is {first}", names.len()))
        };
        let counted = [count(&self.missing, "missing"), count(&self.unexpected, "unexpected")];
        let clauses: Vec<String> =
            counted.into_iter().flatten().chain(self.others.iter().take(3).cloned()).collect();
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }
}
