//! A model's matrices in fewer bits, for inference.

use crate::Module;
use crate::module::PartMut;
use autograd::Parameter;
use tensor::packed::Format;

/// Packs each matrix in `format` and freezes it; vectors stay as they are. A step of decoding reads
/// each matrix once, so that half the bytes are twice the tokens a second.
///
/// The matrix of an affine map is packed as `[d_out, d_in]`, so that each number of the result is one
/// dot product. What is packed already stays, and so does a matrix whose rows are no whole number
/// of blocks.
///
/// ```
/// use tensor::{Rng, packed::Format};
/// use transformer::{Init, Linear, packing};
/// let mut layer = Linear::new(&mut Rng::seeded(1), 4, 3, Init::Normal(0.02));
/// packing::pack_matrices(&mut layer, Format::BF16);
/// assert_eq!(layer.weight.value().packed_format(), Some(Format::BF16));
/// assert!(!layer.weight.is_trainable());
/// ```
///
/// # Panics
/// If the format is only read: see [`Format::can_pack`].
pub fn pack_matrices(model: &mut impl Module, format: Format) {
    let mut parts = Vec::new();
    model.collect_mut("", &mut parts);
    for (_, part) in parts {
        match part {
            PartMut::Linear(linear) => pack(&mut linear.weight, format, true),
            PartMut::Parameter(parameter) => pack(parameter, format, false),
        }
    }
}

/// Packs by rows, or by columns: then the columns are what is contiguous afterwards.
fn pack(matrix: &mut Parameter, format: Format, by_columns: bool) {
    let value = matrix.value();
    if value.rank() != 2 || value.packed_format().is_some() {
        return;
    }
    let turned = |x: &tensor::Tensor| if by_columns { x.transpose(0, 1) } else { x.clone() };
    let rows = turned(value);
    if format.bytes_of(rows.size(1)).is_some() {
        *matrix.value_mut() = turned(&rows.pack(format));
        matrix.freeze();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecoderOnly, Gpt2, Gpt2Config};
    use tensor::{Rng, Tokens};

    fn model() -> Gpt2 {
        let sizes = Gpt2Config {
            vocab_size: 40,
            d_model: 32,
            n_layers: 2,
            n_heads: 2,
            ..Default::default()
        };
        Gpt2::new(sizes, &mut Rng::seeded(1)).unwrap()
    }

    #[test]
    fn matrices_are_packed_and_the_scores_are_those_of_the_rounded_numbers() {
        let (mut packed, mut rounded) = (model(), model());
        pack_matrices(&mut packed, Format::BF16);
        for (_, parameter) in rounded.parameters_mut() {
            if parameter.value().rank() == 2 {
                *parameter.value_mut() = parameter.value().rounded_to_bf16();
            }
        }
        for (name, parameter) in packed.parameters() {
            let matrix = parameter.value().rank() == 2;
            assert_eq!(parameter.value().packed_format(), matrix.then_some(Format::BF16), "{name}");
            assert_eq!(parameter.is_trainable(), !matrix, "{name}");
        }
        let tokens = Tokens::batch(&[[1, 2, 3]], 40).unwrap();
        let [a, b] = [packed, rounded].map(|model| model.forward(&tokens).value().to_vec());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn what_does_not_fill_blocks_or_is_packed_stays() {
        let mut model = model();
        model.token_embedding.weight.value_mut().data_mut()[0] = 0.0;
        pack_matrices(&mut model, Format::Q8_0);
        pack_matrices(&mut model, Format::BF16);
        let formats = model.parameters().into_iter().map(|(_, p)| p.value().packed_format());
        assert!(formats.flatten().all(|format| format == Format::Q8_0));
        let mut odd = crate::Linear::new(&mut Rng::seeded(1), 5, 64, crate::Init::Normal(1.0));
        pack_matrices(&mut odd, Format::Q8_0);
        assert!(odd.weight.value().packed_format().is_none() && odd.weight.is_trainable());
    }
}
