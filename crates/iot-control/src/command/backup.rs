//! `iot-control backup` and `restore`: a house in one file, and back.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    backup::{pack, unpack},
    cli::{Backup, Restore, State},
    printer,
    run::count,
    settings::{self, Settings},
};

/// `iot-control backup FILE`.
pub(crate) fn backup(options: &Backup) -> anyhow::Result<ExitCode> {
    let state = state_of(&options.house, &options.state);
    let packed = pack(&options.house, &state, &options.file)?;
    for path in &packed.left_out {
        printer::tell(format_args!(
            "{} leads out of the house: it is not in the backup",
            path.display()
        ));
    }
    printer::result(format_args!(
        "{}: {}, {}, {} kB",
        options.file.display(),
        count(packed.files, "file"),
        until(packed.last_input),
        packed.bytes.div_ceil(1_000),
    ));
    Ok(ExitCode::SUCCESS)
}

/// `iot-control restore FILE`.
pub(crate) fn restore(options: &Restore) -> anyhow::Result<ExitCode> {
    let state = options.state.folder.clone();
    let state = state.unwrap_or_else(settings::default_state_folder);
    let restored = unpack(&options.file, &options.house, &state, options.force)?;
    for moved in &restored.moved {
        printer::tell(format_args!("what stood there is in {}", moved.display()));
    }
    printer::result(format_args!(
        "{} and {}: as of {}, {}, by version {}",
        options.house.display(),
        state.display(),
        restored.made,
        until(restored.last_input),
        restored.version,
    ));
    Ok(ExitCode::SUCCESS)
}

fn until(last_input: Option<u64>) -> String {
    match last_input {
        Some(last) => format!("whole to input {last}"),
        None => "no state: the house never ran".to_owned(),
    }
}

/// Where the house's dispatcher keeps its state. Settings that can't be read keep nobody from a backup.
fn state_of(house: &Path, state: &State) -> PathBuf {
    let named = state.folder.clone();
    named.unwrap_or_else(|| Settings::read(house).unwrap_or_default().state_folder(None))
}
