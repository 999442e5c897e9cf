//! Which versions a lock file names.

/// The versions of these packages, by name, in the text of a `Cargo.lock`.
pub fn locked_versions(lock: &str, names: &[&str]) -> Vec<(String, String)> {
    let value = |line: &str, key: &str| -> Option<String> {
        let quoted = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(quoted.strip_suffix('"')?.into())
    };
    let lines = lock.lines().zip(lock.lines().skip(1));
    let packages =
        lines.filter_map(|(line, next)| Some((value(line, "name")?, value(next, "version")?)));
    packages.filter(|(name, _)| names.contains(&&name[..])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_followed_by_its_version() {
        let lock = "version = 4\n\n[[package]]\nname = \"burn\"\nversion = \"0.22.1\"\nsource = \"x\"\n\
                    dependencies = [\n \"burn-core\",\n]\n\n[[package]]\nname = \"burn-core\"\n\
                    version = \"0.22.0\"\n";
        assert_eq!(locked_versions(lock, &["burn"]), [("burn".into(), "0.22.1".into())]);
        assert_eq!(locked_versions(lock, &["candle-core"]), []);
    }
}
