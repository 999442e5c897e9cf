//! Named parameters: what makes a struct of layers a model.

pub use autograd::Parameter;

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
    /// Appends each parameter, its name prefixed with `path`.
    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Parameter)>);

    /// Appends each parameter, to be changed, its name prefixed with `path`.
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut Vec<(String, &'a mut Parameter)>);

    /// All parameters with their dotted names, in the order of the fields.
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    /// All parameters with their dotted names, to be changed.
    fn parameters_mut(&mut self) -> Vec<(String, &mut Parameter)> {
        let mut found = Vec::new();
        self.collect_mut("", &mut found);
        found
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

/// Implements [`Module`] for a struct by listing its fields that hold parameters. A field behind
/// `..` gives its parameters under the names they would have in the struct itself.
#[macro_export]
macro_rules! parameters_of {
    ($type:ty { $($(..$flat:ident)? $($field:ident)?),* }) => {
        impl $crate::Module for $type {
            fn collect<'a>(
                &'a self,
                path: &str,
                found: &mut Vec<(String, &'a $crate::module::Parameter)>,
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
                found: &mut Vec<(String, &'a mut $crate::module::Parameter)>,
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
    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Parameter)>) {
        found.push((path.into(), self));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut Vec<(String, &'a mut Parameter)>) {
        found.push((path.into(), self));
    }
}

impl<M: Module> Module for Vec<M> {
    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Parameter)>) {
        for (index, module) in self.iter().enumerate() {
            module.collect(&join(path, &index.to_string()), found);
        }
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut Vec<(String, &'a mut Parameter)>) {
        for (index, module) in self.iter_mut().enumerate() {
            module.collect_mut(&join(path, &index.to_string()), found);
        }
    }
}

impl<M: Module> Module for Option<M> {
    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Parameter)>) {
        self.iter().for_each(|module| module.collect(path, found));
    }
    fn collect_mut<'a>(&'a mut self, path: &str, found: &mut Vec<(String, &'a mut Parameter)>) {
        self.iter_mut().for_each(|module| module.collect_mut(path, found));
    }
}
