//! Days of a house on virtual time that leave a state folder, as the dispatcher would have written it: the questions
//! about its past are then asked of the real binary.

mod home;
mod life;

use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use types::{Instant, Now, UnixTime};

use crate::house;
use home::Home;

/// Rules of the house: those of some fourteen rooms.
const RULES: usize = 300;

/// What was lived through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lived {
    /// What producers said.
    pub events: u64,
    /// All inputs: consumers report what they do, and time passes.
    pub inputs: u64,
    /// Commands to consumers.
    pub commands: u64,
}

/// Lets a house live until `end` for `days` days of `events` events each. Writes its state to `folder/state`, its mapping to
/// `folder/house`, and to `folder/changed` another one in which one lamp goes on earlier.
///
/// # Errors
/// The disk, or the house doesn't check.
pub fn live(folder: &Path, days: f64, events: u64, end: UnixTime) -> anyhow::Result<Lived> {
    let files = house::files(RULES);
    write(&folder.join("house"), &files)?;
    let changed = files.iter().map(|(name, text)| {
        let (was, is) = (
            "state.room3.lux < 50 && !var",
            "state.room3.lux < 120 && !var",
        );
        (name.clone(), text.replace(was, is))
    });
    write(&folder.join("changed"), &changed.collect::<Vec<_>>())?;
    let span = Duration::from_secs_f64(days * 86_400.0);
    let begin = Now {
        at: Instant(1_000_000),
        wall: UnixTime(end.0.saturating_sub_unsigned(span.as_micros() as u64)),
        synced: true,
    };
    let mut home = Home::start(&folder.join("state"), files, begin)?;
    let said = life::live(&mut home, (days * events as f64) as u64, span)?;
    let lived = Lived {
        events: said,
        inputs: home.inputs(),
        commands: home.commands(),
    };
    home.end()?;
    Ok(lived)
}

fn write(folder: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}
