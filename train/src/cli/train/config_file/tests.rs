use super::*;
use crate::cli::Cli;
use clap::{CommandFactory, FromArgMatches};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// Writes a file, and reads the options of a command line and the file.
    fn read(&self, text: &str, more: &[&str]) -> Result<Options, Error> {
        let path = self.path();
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let arguments =
            ["attendant", "train", "--config", &path].into_iter().chain(more.iter().copied());
        let matches = matches(&mut Cli::command(), arguments.map(OsString::from).collect())?;
        Cli::from_arg_matches(&matches).unwrap();
        Ok(Options::of(&mut Cli::command(), &matches))
    }

    fn error(&self, text: &str, more: &[&str]) -> String {
        let error = self.read(text, more).unwrap_err();
        assert!(matches!(error, Error::Usage(_)));
        let error = error.to_string();
        error.strip_prefix(&format!("{}: ", self.path().display())).unwrap().to_string()
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("f.toml")
    }
}

fn lines(options: &Options) -> Vec<String> {
    let text = options.to_toml();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect()
}

const BASE: &str = "task = \"describe\"\ndata = \"a.jsonl\"\nmodel = \"tiny\"\noutput = \"out\"\n";

#[test]
fn a_file_says_what_the_command_line_can_say() {
    let folder = Folder::new();
    let file = format!(
        "{BASE}lr = 1e-3\nsteps = 7\nno-shuffle = true\nnesterov = false\nseed = 3\n\
                        threads = 2\nfreeze = [\"a\", \"b\"]\nprecision = \"bf16\"\nclip = \"0.5\""
    );
    let found = folder.read(&file, &[]).unwrap();
    let line = "--task describe --data a.jsonl --model tiny --output out --lr 1e-3 --steps 7 \
                --no-shuffle --seed 3 --threads 2 --freeze a --freeze b --precision bf16 --clip 0.5";
    let line: Vec<&str> = line.split_whitespace().collect();
    let expected = folder.read("", &line).unwrap();
    assert_eq!(lines(&found), lines(&expected));
    for expected in [
        "lr = 0.001",
        "no-shuffle = true",
        "freeze = [\"a\", \"b\"]",
        "seed = 3",
        "batch-size = 8",
        "schedule = \"cosine\"",
        "nesterov = false",
    ] {
        assert!(lines(&found).iter().any(|line| line == expected), "{expected}: {found:?}");
    }
}

#[test]
fn the_command_line_goes_before_the_file() {
    let folder = Folder::new();
    let file = format!("{BASE}lr = 1e-3\nsteps = 7\nseed = 3\nfreeze = [\"a\"]");
    let found = folder.read(&file, &["--lr=2", "--epochs", "3", "--seed", "0", "--freeze", "b"]);
    let found = lines(&found.unwrap());
    for expected in ["lr = 2.0", "epochs = 3", "seed = 0", "freeze = [\"b\"]"] {
        assert!(found.iter().any(|line| line == expected), "{expected}: {found:?}");
    }
    assert!(!found.iter().any(|line| line.starts_with("steps")));
}

#[test]
fn what_no_option_takes_is_named_with_the_file() {
    let folder = Folder::new();
    let error = |more: &str| folder.error(&format!("{BASE}{more}"), &[]);
    assert_eq!(error("lrr = 1"), "no option has the name lrr; did you mean lr?");
    assert_eq!(
        error("batch_size = 1"),
        "no option has the name batch_size; did you mean batch-size?"
    );
    assert_eq!(error("zzz = 1"), "no option has the name zzz; attendant train --help lists them");
    assert!(error("config = \"f.toml\"").starts_with("no option has the name config"));
    assert_eq!(error("no-shuffle = 1"), "no-shuffle is 1; it must be true or false");
    assert_eq!(error("lr = true"), "lr is true; it must be a number or a text");
    assert_eq!(error("lr = [1.0]"), "lr is [1.0]; it must be a number or a text");
    assert_eq!(
        error("lr = \"high\""),
        "invalid value 'high' for '--lr <LR>': invalid float literal"
    );
    assert_eq!(
        error("steps = 1.5"),
        "invalid value '1.5' for '--steps <STEPS>': invalid digit found in string"
    );
    assert_eq!(
        error("steps = 2\nepochs = 3"),
        "the argument '--steps <STEPS>' cannot be used with '--epochs <EPOCHS>'"
    );
    assert_eq!(error("lr = 1\nlr = 2"), "line 6: duplicate key");
    let absent = ["attendant", "train", "--config", "absent.toml"].map(OsString::from).to_vec();
    assert_eq!(
        matches(&mut Cli::command(), absent).unwrap_err().to_string(),
        "absent.toml: cannot read: No such file or directory (os error 2)"
    );
}

#[test]
fn what_is_written_says_the_same_again() {
    let folder = Folder::new();
    let odd = [
        "--lr",
        "1e-300",
        "--data",
        "1e3",
        "--model",
        "a \"b\"\\\n'c'",
        "--weight-decay",
        "0.1",
        "--seed",
        "18446744073709551615",
        "--freeze",
        "x",
        "--nesterov",
        "--eps",
        "1e-8",
    ];
    let line = [&["--task", "describe", "--output", "007"][..], &odd].concat();
    let options = folder.read("", &line).unwrap();
    let again = folder.read(&options.to_toml(), &[]).unwrap();
    assert_eq!(again, options);
    assert!(options.to_toml().contains("# steps was not given\n"));
    options.check_same(&folder.path()).unwrap();
}

#[test]
fn a_run_is_gone_on_with_as_it_was_begun() {
    let folder = Folder::new();
    let path = folder.0.path().join("run.toml");
    let begun = folder.read(BASE, &["--lr", "1e-3", "--keep", "3"]).unwrap();
    begun.check_same(&path).unwrap();
    std::fs::write(&path, begun.to_toml()).unwrap();
    let now = |more: &[&str]| folder.read(BASE, more).unwrap().check_same(&path);
    now(&["--lr", "0.001"]).unwrap();
    let free = ["--lr", "0.001", "--threads", "1", "--json", "--resume", "--checkpoint-every", "9"];
    now(&[&free[..], &["--output", "moved", "--data", "moved.jsonl"]].concat()).unwrap();
    assert_eq!(
        now(&["--lr", "0.1", "--seed", "2", "--no-shuffle", "--clip", "1"])
            .unwrap_err()
            .to_string(),
        "--lr is 0.1, the run was begun with 0.001; --clip is 1, the run was begun without it; \
         --no-shuffle is true, the run was begun with false; --seed is 2, the run was begun with 0; \
         give what it was begun with, or begin another run with a new --output"
    );
    std::fs::write(&path, "lr =").unwrap();
    assert!(now(&[]).unwrap_err().to_string().starts_with(&path.display().to_string()));
}
