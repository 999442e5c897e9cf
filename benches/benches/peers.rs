//! How fast is it beside PyTorch, JAX, candle, burn and llama.cpp, at the same work, in turn?
//!
//! `cargo bench --bench peers -- --list`; the head of `docs/performance.md` says how all is measured.

use attendant_benches::peers::{
    Outcome, Paths, Record, Row, locked_versions, page, plot, rows, smallest, with,
};
use attendant_benches::work::Source;
use attendant_benches::{CargoBench, exit_with};
use clap::Parser;
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;
use train::Preset;

/// Does the same work here and elsewhere, in turn.
#[derive(Parser)]
struct Arguments {
    /// The Python that the others run in
    #[arg(long, env = "ATTENDANT_PYTHON", default_value = "python3")]
    python: PathBuf,
    /// Where the programs of benches/compare are
    #[arg(long, value_name = "DIR", default_value = COMPARE_PROGRAMS)]
    compare: PathBuf,
    /// First build those programs, candle and burn: some minutes, once
    #[arg(long, conflicts_with = "compare")]
    build: bool,
    /// SmolLM2 as a quantized GGUF file
    #[arg(long)]
    gguf: Option<PathBuf>,
    /// The folder of all-MiniLM-L6-v2
    #[arg(long)]
    model_minilm: Option<PathBuf>,
    /// Where the models of random weights are written, as folders that all load
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers"))]
    write_models: PathBuf,
    /// Rows whose names begin so; all where absent
    #[arg(long)]
    only: Vec<String>,
    /// Turns of each
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Threads of each; all cores where absent
    #[arg(long)]
    threads: Option<usize>,
    /// Put the rows into docs/performance.json, and make the page and the plot of it
    #[arg(long)]
    write: bool,
    /// Only make the page and the plot
    #[arg(long)]
    page: bool,
    /// Only name the rows
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    cargo: CargoBench,
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const COMPARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/compare");
const COMPARE_PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/compare/target/release");

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_with(|| {
        return_to_the_caller()?;
        run(&arguments)
    })
}

/// Cargo starts a bench in its package's folder; paths are meant from where cargo was called, which
/// the shell tells, or else from the project's.
fn return_to_the_caller() -> Result<(), Box<dyn Error>> {
    if env::var_os("CARGO_MANIFEST_DIR").is_some() {
        let shell = env::var_os("PWD").map(PathBuf::from).filter(|folder| folder.is_dir());
        env::set_current_dir(shell.unwrap_or(ROOT.into()))?;
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.cargo.names_a_baseline() {
        println!("peers compares programs that take turns: it keeps no times for another run");
        return Ok(());
    }
    let mut rows = if arguments.cargo.test { smallest() } else { rows() };
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    if arguments.list {
        rows.iter().for_each(|row| println!("{:32} {}", row.name, row.title));
        return Ok(());
    }
    let record = Path::new(ROOT).join("docs/performance.json");
    if arguments.page {
        return write_page(&Record::read(&record)?);
    }
    if !arguments.only.is_empty() {
        rows.retain(|row| arguments.only.iter().any(|only| row.name.starts_with(only)));
        if rows.is_empty() {
            return Err(format!("--only: no row begins so; they are {}", names.join(", ")).into());
        }
    }
    rows.retain(|row| arguments.cargo.takes(&row.name));
    if arguments.build {
        build()?;
    }
    let paths = paths(arguments)?;
    train::set_threads(Some(paths.threads))?;
    let versions = versions(&arguments.python)?;
    let mut failures = Vec::new();
    for row in &rows {
        write_models(row, arguments)?;
        let rounds = if arguments.cargo.test { 2 } else { arguments.rounds as usize };
        let outcome = with(row, &paths, rounds, &versions);
        tell(&outcome);
        if let Err(reason) = check(&outcome) {
            eprintln!("{reason}");
            failures.push(row.name.clone());
        } else if arguments.write && !arguments.cargo.test {
            let mut known = Record::read(&record)?;
            known.insert(outcome, &names);
            known.write(&record)?;
            write_page(&known)?;
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("rows that can't be taken: {}", failures.join(", ")).into()),
    }
}

fn check(outcome: &Outcome) -> Result<(), String> {
    if let Some(reason) = outcome.ours().and_then(|ours| ours.failed.as_ref()) {
        return Err(format!("{}: ours failed: {reason}", outcome.name));
    }
    outcome.check_losses()
}

fn write_page(record: &Record) -> Result<(), Box<dyn Error>> {
    let docs = Path::new(ROOT).join("docs");
    fs::write(docs.join("performance.md"), page(record))?;
    if let Some(svg) = plot(record) {
        fs::write(docs.join("performance.svg"), svg)?;
    }
    Ok(())
}

fn paths(arguments: &Arguments) -> Result<Paths, Box<dyn Error>> {
    let cores = available_parallelism()?.get();
    Ok(Paths {
        models: arguments.write_models.clone(),
        gguf: arguments.gguf.clone(),
        python: arguments.python.clone(),
        scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("reference"),
        compare: arguments.compare.clone(),
        ours: vec![
            ("train_step", env!("CARGO_BIN_EXE_train_step").into()),
            ("decode", env!("CARGO_BIN_EXE_decode").into()),
            ("operation", env!("CARGO_BIN_EXE_operation").into()),
        ],
        threads: arguments.threads.unwrap_or(cores),
    })
}

/// Writes the models that a row loads, where they are not there yet.
fn write_models(row: &Row, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let shown: Vec<String> = row.sides.iter().map(|side| side.shown()).collect();
    let minilm = arguments.model_minilm.as_ref().map(|path| ("minilm", Source::files(path)));
    let presets = [
        ("gpt2", Preset::Gpt2),
        ("mini", Preset::Mini),
        ("tiny", Preset::Tiny),
        ("smollm2", Preset::Smollm2),
    ];
    let presets = presets.map(|(name, preset)| (name, Source::preset(preset)));
    for (name, source) in presets.into_iter().chain(minilm) {
        let place = format!("{{models}}/{name} ");
        if shown.iter().any(|shown| shown.contains(&place)) {
            source.write(&arguments.write_models.join(name))?;
        }
    }
    Ok(())
}

/// Builds candle's and burn's programs, in their folder, whose own settings of cargo say for which CPU.
fn build() -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env!("CARGO"));
    for overriding in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"] {
        cargo.env_remove(overriding);
    }
    match cargo.args(["build", "--release", "--locked"]).current_dir(COMPARE).status()?.success() {
        true => Ok(()),
        false => Err("--build: candle and burn can't be built".into()),
    }
}

/// Of the packages that the rows are compared with; those of Python where there is such a Python.
fn versions(python: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let script = "import importlib.metadata, json
versions = {}
for name in ['torch', 'transformers', 'peft', 'jax', 'optax', 'llama-cpp-python']:
    try: versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps(versions))";
    let output = Command::new(python).args(["-c", script]).output();
    let versions = output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok());
    let mut versions: BTreeMap<String, String> = versions.unwrap_or_default();
    let lock = fs::read_to_string(Path::new(COMPARE).join("Cargo.lock"))?;
    versions.extend(locked_versions(&lock, &["candle-core", "burn"]));
    Ok(versions)
}

/// A line for each that was compared with.
fn tell(outcome: &Outcome) {
    println!("{}", outcome.roofline);
    let Some(ours) = outcome.ours() else { return };
    let share =
        outcome.share_of_roofline().map(|share| format!(", {:.0} % of peak", 100.0 * share));
    let speed = outcome.speed(ours).unwrap_or(f64::NAN);
    println!("{}: {speed:.1} {}{}", outcome.name, outcome.unit, share.unwrap_or_default());
    for peer in outcome.peers() {
        match (&peer.failed, outcome.speed_ratio(peer)) {
            (Some(reason), _) => println!("  {} did not run: {reason}", peer.name),
            (None, Some(ratio)) => {
                let memory = outcome.memory_ratio(peer).unwrap_or(f64::NAN);
                print!("  {ratio:.2} times as fast as {}, in {memory:.2} of its memory", peer.name);
                match outcome.loss_difference(peer) {
                    Some(difference) => println!("; losses differ by {difference:.1e}"),
                    None => println!(),
                }
            }
            (None, None) => println!("  {} took no turn", peer.name),
        }
    }
}
