//! Each operation of the list is a whole unit: equation, backward, and the four kinds of tests.

use std::fs;
use std::path::Path;

#[test]
fn every_operation_has_all_its_parts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let list = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let names: Vec<&str> =
        list.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(names.len() >= 19, "the list of operations was not found");
    for name in &names {
        let text = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        let (code, tests) = text.split_once("#[cfg(test)]").expect(name);
        assert!(code.contains("```math"), "{name}: no equation");
        assert!(code.contains("Var::record"), "{name}: records no backward");
        assert!(tests.contains("fn gradient"), "{name}: no gradient check");
        assert!(tests.contains("gradcheck("), "{name}: no gradient check");
        assert!(tests.contains("extreme") || tests.contains("infinit") || tests.contains("1e30"));
        assert!(
            tests.matches("#[test]").count() >= 3,
            "{name}: value, invariant, extreme, gradient"
        );
    }
    let files = fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(files, names.len(), "a file in ops/ is not in the list");
}
