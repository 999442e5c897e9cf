//! Where a measured model comes from.

use clap::Args;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use tensor::Rng;
use train::{Preset, Sizes};
use transformer::{Checkpoint, HeadKind, Model};

/// A model's files, or random weights.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// The model: a folder with config.json and model.safetensors, or a .gguf file
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Random weights of these sizes
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
}

impl Source {
    /// Random weights of these sizes.
    pub fn preset(preset: Preset) -> Source {
        Source { model: None, preset: Some(preset) }
    }

    /// The model of these files.
    pub fn files(path: &Path) -> Source {
        Source { model: Some(path.into()), preset: None }
    }

    /// The model, dropout 0.
    ///
    /// # Errors
    /// If a file is missing or broken.
    pub fn model(&self) -> Result<Model, Box<dyn Error>> {
        let mut model = match (&self.model, self.preset) {
            (Some(path), _) => Model::from_pretrained(path)?,
            (None, Some(preset)) => preset.model(&Sizes::default(), 0.0, &mut Rng::seeded(0))?,
            (None, None) => return Err("one of --model and --preset is required".into()),
        };
        model.set_dropout(0.0)?;
        Ok(model)
    }

    /// The model as it is trained: an encoder that is no classifier yet becomes one of two classes.
    ///
    /// # Errors
    /// As [`Source::model`].
    pub fn learner(&self) -> Result<Model, Box<dyn Error>> {
        let model = self.model()?;
        let path = match &self.model {
            Some(path) if model.is_encoder() => path,
            _ => return Ok(model),
        };
        if model.head_kind() == HeadKind::Classification {
            return Ok(model);
        }
        let labels = ["no", "yes"].map(String::from);
        let checkpoint = Checkpoint::open(path)?;
        let (mut model, _) = Model::classifier(checkpoint, &labels, &mut Rng::seeded(0))?;
        model.set_dropout(0.0)?;
        Ok(model)
    }

    /// Writes [`Source::learner`] as a folder that other libraries load, unless it stands there.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        if folder.join("complete").exists() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        self.learner()?.save(folder)?;
        Ok(fs::write(folder.join("complete"), "")?)
    }
}
