//! A model's parameters under the names of Hugging Face's files.

/// How an architecture's parameters are named in files, part by part. A `*` stands for a number.
///
/// ```
/// use transformer::pretrained::Layout;
/// let layout = Layout {
///     prefix: "model.",
///     linears: &[("blocks.*.attention.w_q", "model.layers.*.self_attn.q_proj")],
///     ..Layout::default()
/// };
/// let named = layout.in_file("blocks.3.attention.w_q.weight").unwrap();
/// assert_eq!(named.name, "model.layers.3.self_attn.q_proj.weight");
/// assert!(named.transposed);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// What the names of the body begin with where the model has a head; files of a body alone
    /// leave it out.
    pub prefix: &'static str,
    /// What stands in its place in files of this model's head, where that is something else.
    pub prefix_in_files: Option<&'static str>,
    /// Affine maps, ours and theirs: their matrix is `[d_out, d_in]` in files, ours `[d_in, d_out]`.
    pub linears: &'static [(&'static str, &'static str)],
    /// All others, ours and theirs, whose tensors are the same.
    pub others: &'static [(&'static str, &'static str)],
    /// Theirs, and a tensor that is taken where it is absent: the same weight under another name.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Beginnings of names of what files may hold and the model has no use for: buffers, and
    /// weights of other tasks.
    pub ignored: &'static [&'static str],
}

/// A parameter as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Whether the file's matrix is the transpose of ours.
    pub transposed: bool,
}

impl Layout {
    /// Where a file holds the parameter that we call `ours`.
    pub fn in_file(&self, ours: &str) -> Option<Named> {
        if let Some((path, matrix)) = ours.rsplit_once(".adapter.") {
            return self.adapter_in_file(path, matrix);
        }
        let (path, leaf) = ours.rsplit_once('.').unwrap_or(("", ours));
        let leaf = match leaf {
            "gamma" => "weight",
            "beta" => "bias",
            leaf => leaf,
        };
        let of = |names: &[(&str, &str)], path: &str| {
            names.iter().find_map(|(from, to)| Some(filled(to, &numbers(from, path)?)))
        };
        if let Some(theirs) = of(self.linears, path) {
            let name = self.prefixed(format!("{theirs}.{leaf}"));
            return Some(Named { name, transposed: leaf == "weight" });
        }
        let whole = of(self.others, ours);
        let name = whole.or_else(|| Some(format!("{}.{leaf}", of(self.others, path)?)))?;
        Some(Named { name: self.prefixed(name), transposed: false })
    }

    /// PEFT's name of an adapter's matrix, without what all its names begin with.
    fn adapter_in_file(&self, path: &str, matrix: &str) -> Option<Named> {
        let theirs = match matrix {
            "a" => "lora_A",
            "b" => "lora_B",
            _ => return None,
        };
        let name = format!("{}.{theirs}.weight", self.module_in_file(path)?);
        Some(Named { name, transposed: true })
    }

    /// Hugging Face's name of the module that we call `ours`: an affine map, or another of the list.
    pub fn module_in_file(&self, ours: &str) -> Option<String> {
        let named = self.in_file(&format!("{ours}.weight"))?.name;
        named.strip_suffix(".weight").map(str::to_string)
    }

    fn prefixed(&self, name: String) -> String {
        match (self.prefix_in_files, name.strip_prefix(self.prefix)) {
            (Some(prefix), Some(bare)) => format!("{prefix}{bare}"),
            _ => name,
        }
    }

    /// `name` without the prefix, if it has it.
    pub(super) fn bare<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.prefix_in_files.unwrap_or(self.prefix))
    }

    /// The names under which a file may hold the tensor `name`, the likeliest first.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let mut names = vec![name.to_string()];
        let alias = self.aliases.iter().filter(|(theirs, _)| *theirs == name);
        names.extend(alias.map(|(_, other)| other.to_string()));
        let bare: Vec<String> =
            names.iter().filter_map(|name| self.bare(name)).map(str::to_string).collect();
        names.extend(bare);
        names
    }

    /// Whether a file may hold `name` though the model has no such parameter.
    pub fn ignores(&self, name: &str) -> bool {
        let bare = self.bare(name).unwrap_or(name);
        self.ignored.iter().any(|start| begins(start, name) || begins(start, bare))
    }

    /// Whether `name` is one of a model of this architecture, perhaps of other sizes.
    pub fn knows(&self, name: &str) -> bool {
        let name = self.bare(name).unwrap_or(name);
        let path = name.rsplit_once('.').map_or("", |(path, _)| path);
        let all = self.linears.iter().chain(self.others).map(|(_, theirs)| *theirs);
        all.into_iter().any(|theirs| {
            let theirs = theirs.strip_prefix(self.prefix).unwrap_or(theirs);
            numbers(theirs, path).is_some() || numbers(theirs, name).is_some()
        })
    }
}

/// The numbers that stand for the stars of `pattern` in `path`, if it fits.
fn numbers<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(found),
            (Some("*"), Some(part)) if is_number(part) => found.push(part),
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return None,
        }
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// `pattern` with its stars replaced.
fn filled(pattern: &str, numbers: &[&str]) -> String {
    let mut numbers = numbers.iter();
    let part = |part| if part == "*" { numbers.next().copied().unwrap_or(part) } else { part };
    pattern.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// Whether the parts of `name` begin with those of `pattern`.
fn begins(pattern: &str, name: &str) -> bool {
    let count = pattern.split('.').count();
    let parts: Vec<&str> = name.split('.').take(count).collect();
    parts.len() == count && numbers(pattern, &parts.join(".")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        prefix: "bert.",
        prefix_in_files: None,
        linears: &[("blocks.*.w_q", "bert.layer.*.query"), ("head.linear", "classifier")],
        others: &[("blocks.*.norm", "bert.layer.*.LayerNorm"), ("output_bias", "cls.bias")],
        aliases: &[("cls.bias", "cls.decoder.bias")],
        ignored: &["cls.seq_relationship", "layer.*.mask"],
    };

    #[test]
    fn names_are_translated_part_by_part() {
        let name = |ours| LAYOUT.in_file(ours).map(|named| (named.name, named.transposed));
        let is = |theirs: &str, transposed| Some((theirs.to_string(), transposed));
        assert_eq!(name("blocks.12.w_q.weight"), is("bert.layer.12.query.weight", true));
        assert_eq!(name("blocks.12.w_q.bias"), is("bert.layer.12.query.bias", false));
        assert_eq!(name("blocks.0.norm.gamma"), is("bert.layer.0.LayerNorm.weight", false));
        assert_eq!(name("head.linear.weight"), is("classifier.weight", true));
        assert_eq!(name("output_bias"), is("cls.bias", false));
        assert_eq!(name("blocks.x.w_q.weight"), None);
        assert_eq!(name("blocks.0.w_q.adapter.a"), is("bert.layer.0.query.lora_A.weight", true));
        assert_eq!(name("blocks.0.w_q.adapter.b"), is("bert.layer.0.query.lora_B.weight", true));
        assert_eq!(name("blocks.0.w_q.adapter.c"), None);
        let module = |ours| LAYOUT.module_in_file(ours);
        assert_eq!(module("blocks.12.w_q").as_deref(), Some("bert.layer.12.query"));
        assert_eq!(module("blocks.12.w_x"), None);
    }

    #[test]
    fn prefixes_and_other_names_are_tried() {
        let bare = LAYOUT.candidates("bert.layer.1.query.bias");
        assert_eq!(bare, ["bert.layer.1.query.bias", "layer.1.query.bias"]);
        assert_eq!(LAYOUT.candidates("cls.bias"), ["cls.bias", "cls.decoder.bias"]);
    }

    #[test]
    fn what_is_ignored_is_told_from_what_belongs_to_a_larger_model() {
        assert!(LAYOUT.ignores("cls.seq_relationship.weight"));
        assert!(LAYOUT.ignores("bert.layer.7.mask") && LAYOUT.ignores("layer.7.mask"));
        assert!(!LAYOUT.ignores("cls.bias"));
        assert!(
            LAYOUT.knows("layer.99.query.weight") && LAYOUT.knows("bert.layer.1.LayerNorm.bias")
        );
        assert!(!LAYOUT.knows("layer.1.other.weight"));
    }
}
