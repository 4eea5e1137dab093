//! JSON -> the files of a house, and every mistake at its place in the JSON.
//!
//! The JSON becomes TOML, and the loader that reads every house reads it: there is no second checker. Each
//! value's place in that TOML is remembered, so that what the loader says of it is said of the JSON.

mod folder;
mod read;
mod write;

use std::{collections::BTreeMap, fmt};

use mapping::{Analysis, Diagnostic, Severity, analyze};

use crate::{model::Model, pointer::Pointer};

pub use folder::ImportError;
pub use read::BYTES_MAX;
use write::Written;

/// A house that was read from JSON and checks.
#[derive(Clone, Debug)]
pub struct Imported {
    files: BTreeMap<String, String>,
    analysis: Analysis,
    warnings: Vec<Problem>,
}

/// Something that is wrong or strange in the JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Pointer,
    /// Whether it keeps the house from being read.
    pub is_error: bool,
    /// Stable name of the message; `json` for what is no JSON of a house.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Vec<String>,
}

/// `error at /rule/x/if: nothing is called ..; did you mean ..?`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_error { "error" } else { "warning" };
        let at = self.at.to_string();
        let at = if at.is_empty() { "the top" } else { &at };
        write!(f, "{severity} at {at}: {}", self.message)?;
        for help in &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl Imported {
    /// The files by their names.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// What they mean.
    #[must_use]
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// What is strange but keeps nothing from working.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// Reads a house from the JSON of [`crate::export()`].
///
/// # Errors
/// Everything that is wrong with it: it is no JSON, or what it says would not check.
pub fn import(json: &str) -> Result<Imported, Vec<Problem>> {
    let model = read::model(json).map_err(|problem| vec![problem])?;
    from_model(&model)
}

/// Reads any JSON value that a house can hold: what [`crate::Edit::Set`] takes.
///
/// # Errors
/// It is no JSON, or holds something that no house can say.
pub fn read_json(json: &str) -> Result<Model, Problem> {
    read::value(json)
}

/// The same for a model.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_model(model: &Model) -> Result<Imported, Vec<Problem>> {
    let Written { files, places } = write::files(model);
    let analysis = analyze(None, &files);
    let found = analysis.loaded.diagnostics.iter();
    let problem = |diagnostic: &Diagnostic| {
        let at = diagnostic.labels.first().map(|label| {
            let name = &*analysis.loaded.sources.file(label.span.file).name;
            places.at(name, &label.span.bytes)
        });
        Problem {
            at: at.unwrap_or_default(),
            is_error: diagnostic.severity == Severity::Error,
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    };
    let mut problems: Vec<Problem> = Vec::new();
    for problem in found.map(problem) {
        // What stands once in the model may stand in several files.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if problems.iter().any(|problem| problem.is_error) {
        return Err(problems);
    }
    Ok(Imported {
        files,
        analysis,
        warnings: problems,
    })
}
