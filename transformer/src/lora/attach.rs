//! Adapters on a model.

use super::{Adapter, LoraConfig, Targets};
use crate::pretrained::Layout;
use crate::{Error, Linear, Module};
use std::collections::BTreeSet;
use tensor::Rng;

/// Parts of heads that a task trains whole: a classifier starts from random numbers, and a change of low
/// rank to these says nothing.
const TASK_HEADS: [&str; 3] = ["head.classes", "head.span", "head.dense"];

/// Puts adapters on the affine maps that the targets name and freezes everything else, but for the head of
/// a classifier and of a model that answers, which stays trainable. `layout` gives Hugging Face's names;
/// [`Layout::default`] has none.
///
/// ```
/// use transformer::{Init, Linear, Module, lora, pretrained::Layout};
/// let mut rng = tensor::Rng::seeded(1);
/// let mut layer = Linear::new(&mut rng, 8, 8, Init::Normal(0.1));
/// lora::attach(&mut layer, &Layout::default(), &"r=2".parse().unwrap(), &mut rng).unwrap();
/// assert_eq!(layer.trainable_count(), 2 * (8 + 8));
/// ```
///
/// # Errors
/// If there are adapters already, a target names no affine map that can have one, or the rank is larger than
/// both sizes of a matrix; then nothing is changed.
pub fn attach(
    model: &mut impl Module,
    layout: &Layout,
    config: &LoraConfig,
    rng: &mut Rng,
) -> Result<(), Error> {
    config.check()?;
    if adapters(model).next().is_some() {
        let text = "lora: the model has adapters already; merge them first";
        return Err(Error::Request(text.into()));
    }
    let chosen = chosen(model, layout, config)?;
    model.freeze(|name| !is_of_task_head(name));
    for (name, linear) in model.linears_mut() {
        if chosen.contains(&name) {
            let [d_in, d_out] = [0, 1].map(|axis| linear.weight.size(axis));
            linear.adapter = Some(Adapter::new(rng, d_in, d_out, config));
        }
    }
    Ok(())
}

/// The adapters of a model and the names of the maps that they are on, in the order of the fields.
pub fn adapters(model: &impl Module) -> impl Iterator<Item = (String, &Adapter)> {
    let linears = model.linears().into_iter();
    linears.filter_map(|(name, linear)| Some((name, linear.adapter.as_ref()?)))
}

/// Whether a parameter or map is of a head that is trained whole.
pub(super) fn is_of_task_head(name: &str) -> bool {
    TASK_HEADS.iter().any(|head| {
        name.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn is_of_head(name: &str) -> bool {
    name == "head" || name.starts_with("head.")
}

/// Our names of the maps that get adapters.
fn chosen(
    model: &impl Module,
    layout: &Layout,
    config: &LoraConfig,
) -> Result<BTreeSet<String>, Error> {
    let mut linears = model.linears();
    linears.retain(|(name, _)| !is_of_task_head(name));
    let chosen: Vec<(String, &Linear)> = match &config.targets {
        Targets::AllLinear => linears.into_iter().filter(|(name, _)| !is_of_head(name)).collect(),
        Targets::Named(targets) => {
            for target in targets {
                if !linears.iter().any(|(name, _)| is_named(name, layout, target)) {
                    return Err(nothing_named(target, &linears, layout));
                }
            }
            let named = |name: &str| targets.iter().any(|target| is_named(name, layout, target));
            linears.into_iter().filter(|(name, _)| named(name)).collect()
        }
    };
    for (name, linear) in &chosen {
        let shape = linear.weight.shape();
        if shape.iter().all(|&size| size < config.r) {
            return Err(Error::Request(format!(
                "lora: r is {}, but {name} is {shape:?}; a change of its whole rank needs less",
                config.r
            )));
        }
    }
    Ok(chosen.into_iter().map(|(name, _)| name).collect())
}

/// Whether `target` is a map's name, ours or Hugging Face's, or its last parts.
fn is_named(name: &str, layout: &Layout, target: &str) -> bool {
    let ends = |name: &str| {
        name.strip_suffix(target).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    ends(name) || layout.module_in_file(name).is_some_and(|theirs| ends(&theirs))
}

fn nothing_named(target: &str, linears: &[(String, &Linear)], layout: &Layout) -> Error {
    let last = |(name, _): &(String, &Linear)| {
        let name = layout.module_in_file(name).unwrap_or_else(|| name.clone());
        name.rsplit('.').next().unwrap_or(&name).to_string()
    };
    let mut names: Vec<String> = linears.iter().map(last).collect();
    names.sort();
    names.dedup();
    Error::Request(format!(
        "lora: targets: no linear layer is named {target}; there are {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bert, BertConfig, Gpt2, Gpt2Config, Pretrained, T5, T5Config};
    use crate::{HeadConfig, HeadKind};
    use tensor::Tokens;

    fn gpt2() -> Gpt2 {
        let config = Gpt2Config {
            vocab_size: 11,
            d_model: 8,
            n_layers: 2,
            n_heads: 2,
            max_seq_len: 8,
            ..Gpt2Config::default()
        };
        Gpt2::new(config, &mut Rng::seeded(1)).unwrap()
    }

    fn attached<M: Pretrained>(model: &mut M, config: &str) -> Result<Vec<String>, String> {
        let config = config.parse().map_err(|error: Error| error.to_string())?;
        let layout = model.layout();
        attach(model, &layout, &config, &mut Rng::seeded(2)).map_err(|error| error.to_string())?;
        Ok(adapters(model).map(|(name, _)| name).collect())
    }

    #[test]
    fn targets_are_named_as_hugging_face_names_them_or_as_here() {
        let names = |config: &str| attached(&mut gpt2(), config).unwrap();
        let all = ["attention.w_qkv", "attention.w_o", "feed_forward.w_1", "feed_forward.w_2"];
        let of = |which: &[usize]| -> Vec<String> {
            let blocks = (0..2).flat_map(|block| which.iter().map(move |&i| (block, i)));
            blocks.map(|(block, i)| format!("blocks.{block}.{}", all[i])).collect()
        };
        assert_eq!(names("r=2"), of(&[0, 1, 2, 3]));
        assert_eq!(names("r=2,targets=c_attn"), of(&[0]));
        assert_eq!(names("r=2,targets=w_qkv"), of(&[0]));
        assert_eq!(names("r=2,targets=c_proj+w_1"), of(&[1, 2, 3]));
        assert_eq!(names("r=2,targets=mlp.c_proj"), of(&[3]));
        assert_eq!(names("r=2,targets=transformer.h.1.attn.c_attn"), of(&[0])[1..]);
        assert_eq!(
            attached(&mut gpt2(), "r=2,targets=c_attn+q_proj").unwrap_err(),
            "lora: targets: no linear layer is named q_proj; there are c_attn, c_fc, c_proj"
        );
        assert_eq!(
            attached(&mut gpt2(), "r=25,targets=c_attn").unwrap_err(),
            "lora: r is 25, but blocks.0.attention.w_qkv is [8, 24]; a change of its whole rank \
             needs less"
        );
    }

    #[test]
    fn t5s_short_names_are_told_apart() {
        let config =
            T5Config { vocab_size: 11, d_model: 8, d_ff: 16, n_layers: 1, ..T5Config::default() };
        let names = |targets: &str| {
            let mut model = T5::new(config.clone(), &mut Rng::seeded(1)).unwrap();
            attached(&mut model, &format!("r=2,targets={targets}")).unwrap().len()
        };
        assert_eq!([names("q"), names("SelfAttention.q"), names("wo"), names("q+v")], [3, 2, 2, 6]);
    }

    fn trainable(model: &impl Module) -> Vec<String> {
        let all = model.parameters().into_iter();
        all.filter(|(_, parameter)| parameter.is_trainable()).map(|(name, _)| name).collect()
    }

    fn matrices(paths: &[String]) -> Vec<String> {
        let of = |path: &String| ["a", "b"].map(|matrix| format!("{path}.adapter.{matrix}"));
        paths.iter().flat_map(of).collect()
    }

    #[test]
    fn what_is_not_of_an_adapter_is_frozen_but_a_classifiers_head() {
        let mut model = gpt2();
        let names = attached(&mut model, "r=2,targets=c_attn").unwrap();
        assert_eq!(trainable(&model), matrices(&names));
        let labels = vec!["a".into(), "b".into()];
        let head = HeadConfig { kind: HeadKind::Classification, labels, ..HeadConfig::default() };
        let config =
            BertConfig { vocab_size: 11, d_model: 24, n_layers: 1, head, ..BertConfig::default() };
        let mut bert = Bert::new(config, &mut Rng::seeded(1)).unwrap();
        let names = attached(&mut bert, "r=2").unwrap();
        assert_eq!(names.len(), 6);
        let head = ["dense.weight", "dense.bias", "classes.weight", "classes.bias"];
        let head = head.map(|name| format!("head.{name}"));
        assert_eq!(trainable(&bert), [matrices(&names), head.to_vec()].concat());
        assert_eq!(
            attached(&mut bert, "r=2").unwrap_err(),
            "lora: the model has adapters already; merge them first"
        );
    }

    #[test]
    fn adapters_alone_get_gradients_and_the_model_starts_as_it_was() {
        use crate::DecoderOnly;
        let tokens = Tokens::batch(&[[1, 2, 3, 4]], 11).unwrap();
        let mut model = gpt2();
        let before = model.forward(&tokens).value().to_vec();
        attached(&mut model, "r=2").unwrap();
        let y = model.forward(&tokens);
        assert_eq!(y.value().to_vec(), before);
        let gradients = (&y * &y).sum().backward().unwrap();
        for (name, parameter) in model.parameters() {
            let gradient = gradients.get(parameter);
            assert_eq!(gradient.is_some(), name.contains("adapter"), "{name}");
            // B is zero, so that A's first gradient is; B's is not.
            if let Some(gradient) = gradient {
                let is_zero = gradient.data().iter().all(|&g| g == 0.0);
                assert_eq!(is_zero, name.ends_with(".a"), "{name}");
            }
        }
    }
}
