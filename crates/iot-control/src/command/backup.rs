//! `iot-control backup` and `restore`: a house in one file, and back.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use store::StateFolder;
use types::Shown;

use super::past::hand_over;
use crate::{
    backup::{pack, unpack},
    cli::{Backup, Restore, State},
    control::client,
    printer,
    run::count,
    settings::{self, Settings},
};

/// A card that takes so long to write some kilobytes is broken.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(10);

/// `iot-control backup FILE`.
pub(crate) fn backup(options: &Backup) -> anyhow::Result<ExitCode> {
    let named = named_state(&options.house, &options.state)?;
    if let Some(named) = &named {
        is_there(named)?;
    }
    let state = named.unwrap_or_else(settings::default_state_folder);
    // What happened until now belongs into it; a dispatcher that hangs keeps nobody from a backup of what it wrote.
    if let Ok(mut dispatcher) = client::connect(Some(&state))
        && dispatcher.set_patience(HAND_OVER_PATIENCE).is_ok()
    {
        hand_over(&mut dispatcher);
    }
    let packed = pack(&options.house, &state, &options.file)?;
    for left_out in &packed.left_out {
        printer::tell(left_out);
    }
    printer::result(format_args!(
        "{}: {}, {}, {} kB",
        options.file.display(),
        count(packed.files, "file"),
        until(packed.last_input, &state),
        packed.bytes.div_ceil(1_000),
    ));
    Ok(ExitCode::SUCCESS)
}

/// `iot-control restore FILE`.
pub(crate) fn restore(options: &Restore) -> anyhow::Result<ExitCode> {
    let state = options.state.as_deref();
    let restored = unpack(&options.file, &options.house, state, options.force)?;
    let state = restored.state.display();
    for moved in &restored.moved {
        printer::tell(format_args!("what stood there is in {}", moved.display()));
    }
    if let Some(looked_for) = &restored.looked_for {
        printer::tell(format_args!(
            "the house looks for its state in {}: start it with --state {state}, or write state = \"{state}\" in its settings.toml",
            looked_for.display()
        ));
    }
    printer::result(format_args!(
        "{} and {state}: as of {}, {}, by version {}",
        options.house.display(),
        Shown(&restored.made),
        until(restored.last_input, &restored.state),
        Shown(&restored.version),
    ));
    Ok(ExitCode::SUCCESS)
}

fn until(last_input: Option<u64>, state: &Path) -> String {
    match last_input {
        Some(last) => format!("whole to input {last}"),
        None => format!("no state: no house ran on {}", state.display()),
    }
}

/// Where the house's dispatcher keeps its state, as the command or the settings name it; `None`: they name none.
fn named_state(house: &Path, state: &State) -> anyhow::Result<Option<PathBuf>> {
    if let Some(folder) = &state.folder {
        return Ok(Some(folder.clone()));
    }
    let name = house.join(settings::FILE).display().to_string();
    Settings::state_of(&name, house, house).context(
        "where the house keeps its state can't be read: mend the settings, or name the folder with --state",
    )
}

/// A backup without the state that somebody named would be found out at its restore. Keys come before the first start.
fn is_there(state: &Path) -> anyhow::Result<()> {
    let folder = StateFolder::new(state);
    let found = [folder.database(), folder.keys()].map(|path| path.try_exists());
    let [database, keys] = found.map(|found| found.with_context(|| state.display().to_string()));
    ensure!(
        database? || keys?,
        "{}: there is no state of a house, so nothing was written: mend `state` in {}, or name the folder with --state",
        state.display(),
        settings::FILE
    );
    Ok(())
}
