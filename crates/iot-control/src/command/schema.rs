//! `iot-control schema`: what editors need to complete and check a house's files.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;

use super::house;
use crate::{cli::Schema, printer};

/// The name that the files' `#:schema ./mapping.schema.json` refers to.
const FILE: &str = "mapping.schema.json";

/// Prints the schema, or writes it into the house's folder. A house with mistakes has one too: the editor in
/// which they are mended needs it.
pub(crate) fn schema(options: &Schema) -> anyhow::Result<ExitCode> {
    let folder = &options.house;
    house::is_there(folder, "iot-control schema HOUSE")?;
    let read = mapping::analyze(Some(folder), &BTreeMap::new());
    if read.loaded.has_errors() {
        printer::tell(format_args!(
            "{}: it does not check; the schema knows the names that could be read",
            folder.display()
        ));
    }
    let schema = mapping::schema(&read.draft);
    let text = serde_json::to_string_pretty(&schema).context("writing the schema")?;
    if options.write {
        let path = folder.join(FILE);
        edit::replace_in(folder, FILE, &format!("{text}\n"))?;
        printer::result(path.display());
    } else {
        printer::result(text);
    }
    Ok(ExitCode::SUCCESS)
}
