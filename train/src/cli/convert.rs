//! `attendant convert`

use super::Common;
use super::model::Loaded;
use super::output::{check_is_free, lines, print};
use crate::Error;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use tensor::packed::Format;
use transformer::pretrained::{BESIDE_WEIGHTS, GgufOptions, is_gguf, resolve};
use transformer::{ChatTemplate, Module, lora};

/// Write a model in another form.
#[derive(Args)]
#[command(after_help = "Example:\n  attendant convert --from model.gguf --to folder\n  \
                        attendant convert --from folder --to model.gguf --dtype q8-0")]
pub struct Arguments {
    /// The model: a folder in Hugging Face's layout, a .gguf file, or hf:ORG/NAME; the adapters of a
    /// folder in PEFT's layout are merged into their base
    #[arg(long)]
    from: PathBuf,
    /// What is written: a new folder in Hugging Face's layout, or a .gguf file
    #[arg(long)]
    to: PathBuf,
    /// The numbers of the matrices
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
}

/// A form of numbers.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Dtype {
    /// 4 bytes each
    F32,
    /// 2 bytes, more digits
    F16,
    /// 2 bytes, more range
    Bf16,
    /// 1 byte and 2 for each 32, in a .gguf file
    #[value(alias = "q8_0")]
    Q8_0,
}

impl Dtype {
    fn format(self) -> Option<Format> {
        match self {
            Dtype::F32 => None,
            Dtype::F16 => Some(Format::F16),
            Dtype::Bf16 => Some(Format::BF16),
            Dtype::Q8_0 => Some(Format::Q8_0),
        }
    }
}

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    let to = &arguments.to;
    let to_gguf = is_gguf(to);
    if arguments.dtype == Dtype::Q8_0 && !to_gguf {
        let text = "--dtype q8-0 needs a file: name one that ends in .gguf with --to";
        return Err(Error::Usage(text.into()));
    }
    match to_gguf {
        true if to.exists() => {
            let text = format!("{}: is there already; name a new file with --to", to.display());
            return Err(Error::settings(text));
        }
        true => {}
        false => check_is_free(to, "--to")?,
    }
    let from = resolve(&arguments.from)?;
    let mut loaded = Loaded::open(&from)?;
    lora::merge(&mut loaded.model);
    match to_gguf {
        true => write_file(&loaded, &from, to, arguments.dtype)?,
        false => write_folder(&loaded, &from, to, arguments.dtype)?,
    }
    let result =
        json!({ "to": to.display().to_string(), "parameters": loaded.model.parameter_count() });
    print(if common.json { result.to_string() } else { lines(&result) })
}

/// The template of a chat, which adapters may leave to their base.
fn template(loaded: &Loaded, from: &Path) -> Result<Option<String>, Error> {
    match (ChatTemplate::text_of(from)?, loaded.base()) {
        (None, Some(base)) => Ok(ChatTemplate::text_of(base)?),
        (found, _) => Ok(found),
    }
}

fn write_file(loaded: &Loaded, from: &Path, to: &Path, dtype: Dtype) -> Result<(), Error> {
    let template = template(loaded, from)?;
    let options = GgufOptions {
        format: dtype.format(),
        tokenizer: loaded.tokenizer.as_ref(),
        chat_template: template.as_deref(),
    };
    Ok(loaded.model.save_gguf(to, &options)?)
}

fn write_folder(loaded: &Loaded, from: &Path, to: &Path, dtype: Dtype) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { path, action: "write", source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    match dtype.format() {
        Some(format) => loaded.model.save_as(to, format)?,
        None => loaded.model.save(to)?,
    }
    if let Some(tokenizer) = &loaded.tokenizer {
        tokenizer.save(to)?;
    }
    // What lies with adapters goes over what lies with their base.
    let places = loaded.base().into_iter().chain([from]);
    for (place, name) in places.flat_map(|place| BESIDE_WEIGHTS.map(|name| (place, name))) {
        let (old, new) = (place.join(name), to.join(name));
        if old.is_file() {
            let folder = new.parent().unwrap_or(to);
            let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(&old, &new));
            copied.map_err(failed(&new))?;
        }
    }
    let is_of_gguf = is_gguf(loaded.base().unwrap_or(from));
    if let (Some(template), true) = (template(loaded, from)?, is_of_gguf) {
        let path = to.join("chat_template.jinja");
        fs::write(&path, template).map_err(failed(&path))?;
    }
    Ok(())
}
