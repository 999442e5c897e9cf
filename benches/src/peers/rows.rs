//! What is compared: each row's work, and the programs that do it.

use super::Bound;
use std::path::PathBuf;
use std::process::Command;

/// A piece of work, done by ours and one other program.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called on the command line.
    pub name: String,
    /// What is done.
    pub title: String,
    /// `f32` or `bf16`.
    pub precision: &'static str,
    /// How much one turn does, in [`Row::unit`]s times seconds.
    pub amount: f64,
    /// What its speed is told in.
    pub unit: &'static str,
    /// What it can't be faster than, where that is known.
    pub bound: Option<Bound>,
    /// Ours first.
    pub sides: Vec<Side>,
}

/// A program and what it is told; `{models}`, `{gguf}` stand for places of files.
#[derive(Clone, Debug)]
pub struct Side {
    /// The program.
    pub program: Program,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A program that takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// One of ours, by its name.
    Ours(&'static str),
    /// A script of `benches/reference`: whose work it does, and its file.
    Python(&'static str, &'static str),
    /// A program of `benches/compare`: whose work it does, and its file.
    Rust(&'static str, &'static str),
}

impl Program {
    /// Whose work it does.
    pub fn name(self) -> &'static str {
        match self {
            Program::Ours(_) => "Attendant",
            Program::Python(name, _) | Program::Rust(name, _) => name,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Program::Ours(file) | Program::Python(_, file) | Program::Rust(_, file) => file,
        }
    }
}

impl Side {
    /// The command as a page shows it.
    pub fn shown(&self) -> String {
        format!("{} {}", self.program.file(), self.arguments.join(" "))
    }
}

/// Where the files and programs are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The folder of model folders: `{models}`.
    pub models: PathBuf,
    /// A quantized SmolLM2: `{gguf}`.
    pub gguf: Option<PathBuf>,
    /// What runs the scripts.
    pub python: PathBuf,
    /// The folder of the scripts.
    pub scripts: PathBuf,
    /// The folder of the programs of `benches/compare`.
    pub compare: PathBuf,
    /// Our programs.
    pub ours: Vec<(&'static str, PathBuf)>,
    /// Threads of each.
    pub threads: usize,
}

impl Paths {
    /// The command of a program that is to take turns.
    ///
    /// # Errors
    /// If a file that it needs was not given, or it was not built.
    pub fn command(&self, side: &Side) -> Result<Command, String> {
        let mut command = match side.program {
            Program::Ours(name) => {
                let found = self.ours.iter().find(|(ours, _)| *ours == name);
                Command::new(&found.ok_or(format!("{name} is no program of ours"))?.1)
            }
            Program::Python(_, script) => {
                let mut command = Command::new(&self.python);
                command.args(["-W", "ignore"]).arg(self.scripts.join(script));
                command
            }
            Program::Rust(_, name) => {
                let program =
                    self.compare.join(name).with_extension(std::env::consts::EXE_EXTENSION);
                if !program.is_file() {
                    return Err("it is not built; --build does".into());
                }
                Command::new(program)
            }
        };
        let gguf = self.gguf.as_ref().map(|path| path.display().to_string());
        for argument in &side.arguments {
            let mut argument = argument.replace("{models}", &self.models.display().to_string());
            if argument.contains("{gguf}") {
                let gguf = gguf.as_ref().ok_or("it needs --gguf FILE, a quantized SmolLM2")?;
                argument = argument.replace("{gguf}", gguf);
            }
            command.arg(argument);
        }
        command.args(["--turns", "--threads", &self.threads.to_string()]);
        Ok(command)
    }
}

const PYTORCH_TEXT: Program = Program::Python("PyTorch", "generate.py");
const PYTORCH_OPERATION: Program = Program::Python("PyTorch", "operation.py");
/// Tells a program to keep what it frees.
const KEEPING: &str = "--keep-freed-memory";
/// What a training step is compared with: a program, what it is told besides, and the end of the
/// row's name.
type Peer = (Program, &'static str, &'static str);
/// PyTorch and candle twice: as they are, and with an allocator that keeps what is freed.
const PYTORCH: [Peer; 2] = [
    (Program::Python("PyTorch", "train_step.py"), "", "pytorch"),
    (Program::Python("PyTorch, memory kept", "train_step.py"), KEEPING, "pytorch-kept"),
];
const JAX: [Peer; 1] = [(Program::Python("JAX", "jax_train_step.py"), "", "jax")];
const RUST: [Peer; 3] = [
    (Program::Rust("candle", "candle"), "", "candle"),
    (Program::Rust("candle, memory kept", "candle"), KEEPING, "candle-kept"),
    (Program::Rust("burn", "burn"), "", "burn"),
];
const LLAMA_CPP: Program = Program::Python("llama.cpp", "llama_cpp_generate.py");

fn side(program: Program, arguments: &str) -> Side {
    Side { program, arguments: arguments.split_whitespace().map(String::from).collect() }
}

/// A model as its training step needs it known.
struct Trained {
    folder: &'static str,
    title: &'static str,
    /// Numbers of the matrices that each token is multiplied with.
    matrices: f64,
    n_layers: f64,
    /// Heads times the width of one.
    width: f64,
}

const GPT2: Trained = Trained {
    folder: "gpt2",
    title: "GPT-2 124M",
    matrices: 12.0 * 12.0 * 768.0 * 768.0 + 50257.0 * 768.0,
    n_layers: 12.0,
    width: 768.0,
};
const MINI: Trained = Trained {
    folder: "mini",
    title: "GPT-2 of 6 layers × 384, vocabulary 8,192",
    matrices: 6.0 * 12.0 * 384.0 * 384.0 + 8192.0 * 384.0,
    n_layers: 6.0,
    width: 384.0,
};
const TINY: Trained = Trained {
    folder: "tiny",
    title: "GPT-2 of 4 layers × 192, vocabulary 4,096",
    matrices: 4.0 * 12.0 * 192.0 * 192.0 + 4096.0 * 192.0,
    n_layers: 4.0,
    width: 192.0,
};
const SMOLLM2: Trained = Trained {
    folder: "smollm2",
    title: "SmolLM2-135M",
    // q and o, k and v, gate, up and down; the embedding scores.
    matrices: 30.0 * 576.0 * (2.0 * 576.0 + 2.0 * 192.0 + 3.0 * 1536.0) + 49152.0 * 576.0,
    n_layers: 30.0,
    width: 576.0,
};
const MINILM: Trained = Trained {
    folder: "minilm",
    title: "MiniLM-L6, classes of texts",
    // The last block's keys and values; all else of it is needed at the first token alone.
    matrices: (5.0 * 12.0 + 2.0) * 384.0 * 384.0,
    n_layers: 5.0,
    width: 384.0,
};

impl Trained {
    /// The operations of a step: those of [`train::flops::flops_per_token`], with and without
    /// gradients of the matrices.
    fn flops(&self, tokens: usize, seq: usize, frozen: bool) -> f64 {
        let per_number = if frozen { 4.0 } else { 6.0 };
        let attention = 12.0 * self.n_layers * self.width * seq as f64;
        tokens as f64 * (per_number * self.matrices + attention)
    }

    /// A row of the step for each peer; of LoRA's step where `lora` says so.
    fn steps(
        &self,
        [batch, seq]: [usize; 2],
        precision: &'static str,
        lora: bool,
        peers: &[Peer],
    ) -> Vec<Row> {
        let arguments = format!(
            "--model {{models}}/{} --batch {batch} --seq {seq} --precision {precision}",
            self.folder
        );
        let (kind, what, ours, theirs) = match lora {
            true => {
                ("lora", ", LoRA r = 8 on q and v", "--lora r=8,targets=q_proj+v_proj", "--lora 8")
            }
            false => ("step", "", "", ""),
        };
        let ours = side(Program::Ours("train_step"), &format!("{arguments} {ours}"));
        let row = |&(program, more, name): &Peer| Row {
            name: format!("{}-{kind}-{precision}-{name}", self.folder),
            title: format!("{}{what}: training step, {batch} × {seq} tokens", self.title),
            precision,
            amount: (batch * seq) as f64,
            unit: "tokens/s",
            bound: Some(Bound::Flops(self.flops(batch * seq, seq, lora))),
            sides: vec![ours.clone(), side(program, &format!("{arguments} {theirs} {more}"))],
        };
        peers.iter().map(row).collect()
    }
}

fn texts(
    name: &str,
    title: &str,
    precision: &'static str,
    (prompt, new): (usize, usize),
    sides: [(Program, &str); 2],
    bound: Option<Bound>,
) -> Row {
    let length = format!("--prompt-tokens {prompt} --new-tokens {new}");
    let (kind, what, amount) = match new {
        1 => (format!("prefill-{prompt}"), format!("reading {prompt} tokens"), prompt),
        _ => ("decode".into(), format!("writing, {} tokens after {prompt}", new - 1), new - 1),
    };
    Row {
        name: format!("{name}-{kind}-{precision}"),
        title: format!("{title}: {what}"),
        precision,
        amount: amount as f64,
        unit: "tokens/s",
        bound,
        sides: sides.map(|(program, model)| side(program, &format!("{model} {length}"))).into(),
    }
}

fn gpt2_texts(precision: &'static str, length: (usize, usize)) -> Row {
    let model = format!("--model {{models}}/gpt2 --precision {precision}");
    let bytes_a_number = if precision == "bf16" { 2.0 } else { 4.0 };
    let bound = match length {
        // The last position alone is scored, and needed of the last block's projection of heads and
        // feed-forward network.
        (prompt, 1) => {
            let everywhere = GPT2.matrices - 50257.0 * 768.0 - 9.0 * 768.0 * 768.0;
            Bound::Flops(2.0 * everywhere * prompt as f64)
        }
        (_, new) => Bound::Bytes(bytes_a_number * GPT2.matrices * (new - 1) as f64),
    };
    let sides = [(Program::Ours("decode"), &model[..]), (PYTORCH_TEXT, &model)];
    texts("gpt2", GPT2.title, precision, length, sides, Some(bound))
}

fn smollm2_texts(length: (usize, usize)) -> Row {
    let ours = "--model {gguf} --precision bf16";
    let sides = [(Program::Ours("decode"), ours), (LLAMA_CPP, "--model {gguf}")];
    texts("smollm2-q4_1", "SmolLM2-135M in Q4_1", "bf16", length, sides, None)
}

fn operation(name: &str, title: String, arguments: &str, precision: &'static str) -> Row {
    let arguments = format!("{arguments} --precision {precision}");
    let programs = [Program::Ours("operation"), PYTORCH_OPERATION];
    Row {
        name: format!("{name}-{precision}"),
        title,
        precision,
        amount: 1.0,
        unit: "a second",
        bound: None,
        sides: programs.map(|program| side(program, &arguments)).into(),
    }
}

fn matmul([m, k, n]: [usize; 3], precision: &'static str) -> Row {
    let flops = 2.0 * (m * k * n) as f64;
    let title = format!("Matrix product {m} × {k} × {n}");
    let row = operation("matmul", title, &format!("matmul {m} {k} {n}"), precision);
    Row { amount: flops / 1e9, unit: "GFLOP/s", bound: Some(Bound::Flops(flops)), ..row }
}

fn attention(seq: usize, precision: &'static str) -> Row {
    let title = format!("Attention, causal, 12 heads of 64, {seq} tokens: forward and backward");
    let arguments = format!("attention --heads 12 --head-dim 64 --seq {seq}");
    let row = operation(&format!("attention-{seq}"), title, &arguments, precision);
    Row { amount: seq as f64, unit: "tokens/s", ..row }
}

/// All that is compared, in the page's order.
pub fn rows() -> Vec<Row> {
    const BOTH: [&str; 2] = ["f32", "bf16"];
    let mut rows = Vec::new();
    for (model, size) in [(GPT2, [4, 256]), (MINI, [16, 256])] {
        rows.extend(model.steps(size, "f32", false, &[&PYTORCH[..], &JAX, &RUST].concat()));
        rows.extend(model.steps(size, "bf16", false, &[&PYTORCH[..], &JAX].concat()));
    }
    for (lora, precision) in [(false, "f32"), (false, "bf16"), (true, "f32"), (true, "bf16")] {
        rows.extend(SMOLLM2.steps([4, 256], precision, lora, &PYTORCH));
    }
    rows.extend(MINILM.steps([32, 128], "f32", false, &PYTORCH));
    rows.extend(BOTH.map(|precision| gpt2_texts(precision, (32, 64))));
    rows.extend(BOTH.map(|precision| gpt2_texts(precision, (512, 1))));
    rows.extend([(32, 64), (512, 1)].map(smollm2_texts));
    rows.extend(BOTH.map(|precision| matmul([1024, 768, 3072], precision)));
    rows.extend([256, 1024, 4096].map(|seq| attention(seq, "f32")));
    rows
}

/// Rows that are over in seconds, to see that all works.
pub fn smallest() -> Vec<Row> {
    let model = "--model {models}/tiny --precision f32";
    let sides = [(Program::Ours("decode"), model), (PYTORCH_TEXT, model)];
    let mut rows = TINY.steps([2, 16], "f32", false, &[PYTORCH[0], PYTORCH[1], JAX[0]]);
    rows.push(texts("tiny", TINY.title, "f32", (16, 4), sides, None));
    rows.push(matmul([16, 16, 16], "bf16"));
    rows.push(attention(16, "f32"));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_are_those_that_are_counted() {
        let mut model = train::Preset::Tiny
            .model(&Default::default(), 0.0, &mut tensor::Rng::seeded(1))
            .unwrap();
        let counted =
            |model: &transformer::Model| train::flops::flops_per_token(model, 16).unwrap() * 32.0;
        assert_eq!(TINY.flops(32, 16, false), counted(&model));
        transformer::Module::freeze(&mut model, |_| true);
        assert_eq!(TINY.flops(32, 16, true), counted(&model));
    }

    #[test]
    fn names_differ_and_commands_are_whole() {
        let rows = rows();
        let folder = tempfile::tempdir().unwrap();
        for (program, ..) in RUST {
            std::fs::write(folder.path().join(program.file()), "").unwrap();
        }
        let paths = Paths {
            models: "models".into(),
            gguf: None,
            python: "python3".into(),
            scripts: "reference".into(),
            compare: folder.path().into(),
            ours: ["train_step", "decode", "operation"].map(|name| (name, name.into())).into(),
            threads: 2,
        };
        for (place, row) in rows.iter().enumerate() {
            assert_eq!(row.sides[0].program.name(), "Attendant");
            assert!(rows[..place].iter().all(|other| other.name != row.name), "{}", row.name);
            let with_file = Paths { gguf: Some("small.gguf".into()), ..paths.clone() };
            for side in &row.sides {
                let command = with_file.command(side).unwrap();
                let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
                assert!(arguments.iter().all(|argument| !argument.contains('{')), "{arguments:?}");
                let needs = side.shown().contains("{gguf}");
                assert_eq!(paths.command(side).is_err(), needs, "{}", side.shown());
            }
        }
    }
}
