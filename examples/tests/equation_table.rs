//! The README and the code say the same: its table of equations, its names, and its Rust.

use autograd::cross_entropy;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use tensor::{Rng, Targets, Tokens};
use train::optimizer::{AdamW, Optimizer};
use transformer::gpt2::hugging_face_name;
use transformer::{Autoregressive, DecoderOnly, Generation, Gpt2, Gpt2Config};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A row: `| (A1) | equation | source | [function](file) | [test](file) |`.
struct Row {
    tag: String,
    function: Link,
    test: Link,
}

/// ``[`name`](file)``
struct Link {
    name: String,
    file: String,
}

impl Link {
    fn parse(text: &str) -> Option<Link> {
        let (name, rest) = text.split_once("[`")?.1.split_once("`](")?;
        let file = rest.split_once(')')?.0;
        Some(Link { name: name.into(), file: file.into() })
    }
}

/// The cells of the rows of all tables of a text.
fn cells(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect())
}

fn equation_table() -> Vec<Row> {
    let readme = read("README.md");
    let tagged = cells(&readme).filter(|cells| tag_at_start(cells[0]).is_some());
    let row = |cells: Vec<&str>| {
        let [tag, _, _, function, test] = cells[..] else {
            panic!(
                "README.md: {} has {} columns, not 5: no | in an equation",
                cells[0],
                cells.len()
            )
        };
        let link = |cell| Link::parse(cell).unwrap_or_else(|| panic!("{tag}: no link in {cell}"));
        Row { tag: tag.into(), function: link(function), test: link(test) }
    };
    tagged.map(row).collect()
}

/// The tag that a text begins with: a capital letter and digits in round brackets.
fn tag_at_start(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?.split_once(')')?.0;
    let digits = inner.strip_prefix(|c: char| c.is_ascii_uppercase())?;
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| &text[..inner.len() + 2])
}

/// The tags that stand at the right margin of a file's equations.
fn tags_of_equations(text: &str) -> impl Iterator<Item = &str> {
    text.split("\\qquad ").skip(1).filter_map(tag_at_start)
}

/// All Rust files of the workspace, relative to its root.
fn rust_files() -> Vec<String> {
    let mut folders: Vec<PathBuf> =
        ["tensor", "autograd", "transformer", "train", "examples", "benches"]
            .map(PathBuf::from)
            .into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.extend((entry.file_name() != "target").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files
}

fn defines(text: &str, function: &str) -> bool {
    ["(", "<"].iter().any(|next| text.contains(&format!("fn {function}{next}")))
}

/// The lines of a test from its `#[test]` to its closing brace, if the file has such a test.
fn test_body(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().position(|line| line.contains(&format!("fn {name}()")))?;
    let is_attribute = |line: &&&str| line.trim_start().starts_with("#[");
    let is_test = |line: &&str| line.trim() == "#[test]";
    lines[..head].iter().rev().take_while(is_attribute).find(|line| is_test(line))?;
    let indent = lines[head].len() - lines[head].trim_start().len();
    let end = lines[head..].iter().position(|line| *line == format!("{:indent$}}}", ""))?;
    Some(lines[head..=head + end].join("\n"))
}

#[test]
fn every_row_names_a_file_a_function_and_a_test_that_carry_its_tag() {
    let table = equation_table();
    assert!(!table.is_empty(), "README.md: the equation table was not found");
    for Row { tag, function, test } in table {
        let text = read(&function.file);
        assert!(text.contains(&tag), "{tag} does not stand in {}", function.file);
        let (owner, name) = match function.name.rsplit_once("::") {
            Some((owner, name)) => (Some(owner), name),
            None => (None, &function.name[..]),
        };
        assert!(defines(&text, name), "{tag}: {} has no fn {name}", function.file);
        if let Some(owner) = owner {
            let is_there =
                [" ", " for "].iter().any(|before| text.contains(&format!("{before}{owner} {{")));
            assert!(is_there, "{tag}: {} has no impl {owner}", function.file);
        }
        let body = test_body(&read(&test.file), &test.name)
            .unwrap_or_else(|| panic!("{tag}: {} has no test {}", test.file, test.name));
        let short = tag[1..tag.len() - 1].to_lowercase();
        let is_named = test.name.split('_').any(|part| part == short) || body.contains(&tag);
        assert!(is_named, "{tag}: the test {} does not carry the tag", test.name);
    }
}

#[test]
fn every_equation_with_a_tag_has_its_one_row() {
    let mut in_code = BTreeSet::new();
    for file in rust_files() {
        for tag in tags_of_equations(&read(&file)) {
            assert!(in_code.insert((tag.to_string(), file.clone())), "{file}: {tag} stands twice");
        }
    }
    let mut in_table = BTreeSet::new();
    for row in equation_table() {
        let is_new = in_table.insert((row.tag.clone(), row.function.file));
        assert!(is_new, "README.md: {} has two rows", row.tag);
    }
    let without_row: Vec<_> = in_code.difference(&in_table).collect();
    assert!(without_row.is_empty(), "README.md has no row for {without_row:?}");
    let without_equation: Vec<_> = in_table.difference(&in_code).collect();
    assert!(without_equation.is_empty(), "no equation is tagged so: {without_equation:?}");
}

#[test]
fn names_are_hugging_faces() {
    let readme = read("README.md");
    let name = |cell: &str| cell.strip_prefix('`')?.strip_suffix('`').map(str::to_string);
    let mut count = 0;
    for cells in cells(&readme).filter(|cells| cells.len() == 2) {
        let (Some(ours), Some(theirs)) = (name(cells[0]), name(cells[1])) else { continue };
        if theirs.starts_with("transformer.") {
            assert_eq!(hugging_face_name(&ours), theirs);
            count += 1;
        }
    }
    assert!(count >= 12, "README.md: the table of names was not found");
}

/// A block of Rust in the README stands, comments and indentation aside, in the file that the last
/// link before it names.
#[test]
fn the_rust_of_the_readme_stands_in_the_files_it_names() {
    fn plain(text: &str) -> String {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("///").trim());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
    let readme = read("README.md");
    let mut parts = readme.split("```rust\n");
    let mut before = parts.next().unwrap();
    let mut count = 0;
    for part in parts {
        let (code, after) = part.split_once("```").unwrap();
        let link = before.rsplit_once("](").expect("a link before the code").1;
        let file = link.split_once(')').unwrap().0;
        assert!(plain(&read(file)).contains(&plain(code)), "{file} does not hold:\n{code}");
        (before, count) = (after, count + 1);
    }
    assert!(count >= 2, "README.md: the Rust was not found");
}

#[test]
fn a_training_loop_of_ones_own() -> Result<(), Box<dyn Error>> {
    let mut model = Gpt2::new(
        Gpt2Config {
            vocab_size: 8,
            max_seq_len: 16,
            d_model: 32,
            n_layers: 2,
            n_heads: 4,
            ..Gpt2Config::default()
        },
        &mut Rng::seeded(1),
    )?;
    let mut optimizer = AdamW::new(0.01);
    let inputs = Tokens::batch(&[[0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]], 8)?;
    let targets = Targets::new([1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0], 8)?;
    for _step in 0..100 {
        let loss = cross_entropy(&model.forward(&inputs), &targets);
        let gradients = loss.backward()?;
        optimizer.step(&mut model, &gradients, 1e-2)?;
    }
    let settings = Generation { max_new_tokens: Some(6), ..Generation::default() };
    let ids = model.generate(&[0, 1, 2], &settings)?;
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6, 7, 0]);
    Ok(())
}
