//! Named parameters: what makes a struct of layers a model.

pub use autograd::Parameter;

use crate::Linear;

/// Something that holds parameters under dotted names.
///
/// A layer is a struct, its forward, and one line that lists the fields that hold parameters:
///
/// ```
/// use autograd::{Parameter, Var};
/// use tensor::Tensor;
/// use transformer::{Init, Linear, Module, parameters_of};
/// struct Twice {
///     inner: Linear,
///     scale: Parameter,
/// }
/// parameters_of!(Twice { inner, scale });
/// impl Twice {
///     fn forward(&self, x: &Var) -> Var {
///         self.inner.forward(&self.inner.forward(x)) * &*self.scale
///     }
/// }
/// let twice = Twice {
///     inner: Linear::new(&mut tensor::Rng::seeded(1), 4, 4, Init::Normal(0.02)),
///     scale: Parameter::new(Tensor::ones(&[4])),
/// };
/// let names: Vec<String> = twice.parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["inner.weight", "inner.bias", "scale"]);
/// ```
pub trait Module {
    /// Appends each part, its name prefixed with `path`.
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>);

    /// Appends each part, to be changed, its name prefixed with `path`.
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>);

    /// All parameters with their dotted names, in the order of the fields.
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found.into_iter().flat_map(|(path, part)| part.parameters(path)).collect()
    }

    /// All parameters with their dotted names, to be changed.
    fn parameters_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut found = Vec::new();
        self.collect_mut("", &mut found);
        found.into_iter().flat_map(|(path, part)| part.parameters(path)).collect()
    }

    /// All affine maps with their dotted names, in the order of the fields.
    fn linears(&self) -> Vec<(String, &Linear)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found.into_iter().filter_map(|(path, part)| Some((path, part.linear()?))).collect()
    }

    /// All affine maps with their dotted names, to be changed.
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear)> {
        let mut found = Vec::new();
        self.collect_mut("", &mut found);
        found.into_iter().filter_map(|(path, part)| Some((path, part.linear()?))).collect()
    }

    /// Freezes the parameters whose names `choose` picks and thaws all others: a frozen parameter
    /// gets no gradient, and no optimizer changes it.
    ///
    /// ```
    /// use transformer::{Init, Linear, Module};
    /// let mut layer = Linear::new(&mut tensor::Rng::seeded(1), 2, 3, Init::XavierUniform);
    /// layer.freeze(|name| name == "weight");
    /// assert_eq!(layer.trainable_count(), 3);
    /// ```
    fn freeze(&mut self, choose: impl Fn(&str) -> bool)
    where
        Self: Sized,
    {
        for (name, parameter) in self.parameters_mut() {
            if choose(&name) { parameter.freeze() } else { parameter.unfreeze() }
        }
    }

    /// How many numbers the parameters hold that are not frozen.
    fn trainable_count(&self) -> usize {
        let trainable = |parameter: &&Parameter| parameter.is_trainable();
        let parameters = self.parameters().into_iter().map(|(_, parameter)| parameter);
        parameters.filter(trainable).map(|parameter| parameter.value().len()).sum()
    }

    /// How many numbers all parameters hold.
    fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, parameter)| parameter.value().len()).sum()
    }
}

/// Parts of a module with their dotted names.
pub type Parts<'a> = Vec<(String, Part<'a>)>;
/// The same, to be changed.
pub type PartsMut<'a> = Vec<(String, PartMut<'a>)>;

/// What a module is made of.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A parameter that stands alone.
    Parameter(&'a Parameter),
    /// An affine map, whose matrix may be adapted.
    Linear(&'a Linear),
}

/// A [`Part`], to be changed.
#[derive(Debug)]
pub enum PartMut<'a> {
    /// A parameter that stands alone.
    Parameter(&'a mut Parameter),
    /// An affine map, whose matrix may be adapted.
    Linear(&'a mut Linear),
}

impl<'a> Part<'a> {
    fn parameters(self, path: String) -> Vec<(String, &'a Parameter)> {
        match self {
            Part::Parameter(parameter) => vec![(path, parameter)],
            Part::Linear(Linear { weight, bias, adapter }) => {
                let mut found = vec![(join(&path, "weight"), weight)];
                found.extend(bias.iter().map(|bias| (join(&path, "bias"), bias)));
                if let Some(adapter) = adapter {
                    found.push((join(&path, "adapter.a"), &adapter.a));
                    found.push((join(&path, "adapter.b"), &adapter.b));
                }
                found
            }
        }
    }

    fn linear(self) -> Option<&'a Linear> {
        match self {
            Part::Parameter(_) => None,
            Part::Linear(linear) => Some(linear),
        }
    }
}

impl<'a> PartMut<'a> {
    fn parameters(self, path: String) -> Vec<(String, &'a mut Parameter)> {
        match self {
            PartMut::Parameter(parameter) => vec![(path, parameter)],
            PartMut::Linear(Linear { weight, bias, adapter }) => {
                let mut found = vec![(join(&path, "weight"), weight)];
                found.extend(bias.iter_mut().map(|bias| (join(&path, "bias"), bias)));
                if let Some(adapter) = adapter {
                    found.push((join(&path, "adapter.a"), &mut adapter.a));
                    found.push((join(&path, "adapter.b"), &mut adapter.b));
                }
                found
            }
        }
    }

    fn linear(self) -> Option<&'a mut Linear> {
        match self {
            PartMut::Parameter(_) => None,
            PartMut::Linear(linear) => Some(linear),
        }
    }
}

/// Implements [`Module`] for a struct by listing its fields that hold parameters. A field behind
/// `..` gives its parameters under the names they would have in the struct itself.
#[macro_export]
macro_rules! parameters_of {
    ($type:ty { $($(..$flat:ident)? $($field:ident)?),* }) => {
        impl $crate::Module for $type {
            fn collect<'a>(
                &'a self,
                path: &str,
                found: &mut $crate::module::Parts<'a>,
            ) {
                $(
                    $($crate::Module::collect(&self.$flat, path, found);)?
                    $($crate::Module::collect(
                        &self.$field, &$crate::module::join(path, stringify!($field)), found,
                    );)?
                )*
            }
            fn collect_mut<'a>(
                &'a mut self,
                path: &str,
                found: &mut $crate::module::PartsMut<'a>,
            ) {
                $(
                    $($crate::Module::collect_mut(&mut self.$flat, path, found);)?
                    $($crate::Module::collect_mut(
                        &mut self.$field, &$crate::module::join(path, stringify!($field)), found,
                    );)?
                )*
            }
        }
    };
}

/// `path.name`, or `name` at the root.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

impl Module for Parameter {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        found.push((path.into(), Part::Parameter(self)));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        found.push((path.into(), PartMut::Parameter(self)));
    }
}

impl<M: Module> Module for Vec<M> {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        for (index, module) in self.iter().enumerate() {
            module.collect(&join(path, &index.to_string()), found);
        }
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        for (index, module) in self.iter_mut().enumerate() {
            module.collect_mut(&join(path, &index.to_string()), found);
        }
    }
}

impl<M: Module> Module for Option<M> {
    fn collect<'a>(&'a self, path: &str, found: &mut Parts<'a>) {
        self.iter().for_each(|module| module.collect(path, found));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut PartsMut<'a>) {
        self.iter_mut().for_each(|module| module.collect_mut(path, found));
    }
}
