//! How the files of a mapping lie in the archive: names and texts, as JSON.

use std::sync::Arc;

use mapping::{Program, Sources};
use store::ArchivedMapping;

/// The files of a house as they are archived.
///
/// # Errors
/// What serde says; texts always can be written.
pub fn pack(sources: &Sources) -> Result<Vec<u8>, serde_json::Error> {
    let files: Vec<(&str, &str)> = sources
        .iter()
        .map(|(_, file)| (&*file.name, file.text.as_str()))
        .collect();
    serde_json::to_vec(&files)
}

/// The program of an archived house; its tests passed when it came into force.
///
/// # Errors
/// The archive can't be read, or this version no longer takes the mapping: said for people.
pub fn unpack(archived: &ArchivedMapping) -> Result<Arc<Program>, String> {
    let files: Vec<(String, String)> = serde_json::from_slice(&archived.files)
        .map_err(|error| format!("its archive is damaged: {error}"))?;
    let loaded = mapping::load_texts(files);
    loaded
        .program
        .ok_or_else(|| mapping::render(&loaded.sources, &loaded.diagnostics, false))
}
