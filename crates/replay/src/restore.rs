//! The house from its newest snapshot that can be used: where a restart and every look into the past begin.

use std::sync::Arc;

use dispatcher::{Blocklist, Config, Dispatcher, Input, Note, SnapshotError};
use mapping::Program;
use store::{Class, DatabaseReader, Record, Snapshot};
use types::{InputNo, Now};

use crate::{programs::Programs, trouble::HistoryError};

/// A house as it was when a snapshot was taken.
#[derive(Debug)]
pub struct Restored {
    /// The house.
    pub house: Dispatcher,
    /// The last input that it knows.
    pub no: InputNo,
    /// What of the snapshot did not fit the mapping.
    pub notes: Vec<Note>,
}

/// The house of `snapshot`, or, where that is damaged, of the newest one before it that is not; `None`: there is
/// none. `instead` stands in for mappings that can't be found. `passed` hears of each snapshot that is passed over, in
/// words for people.
///
/// # Errors
/// A newer version wrote the snapshot, or the database can't be read.
pub fn restore(
    mut snapshot: Option<Snapshot>,
    database: &DatabaseReader,
    (programs, instead): (&mut Programs, &Arc<Program>),
    config: &Config,
    passed: impl Fn(String),
) -> Result<Option<Restored>, HistoryError> {
    while let Some(taken) = snapshot {
        let no = taken.no;
        let program = programs.find_or(database, taken.mapping, instead);
        match Dispatcher::restore(program, config.clone(), &taken.body, taken.now) {
            Ok((house, notes)) => return Ok(Some(Restored { house, no, notes })),
            Err(why @ SnapshotError::Malformed(_)) => passed(format!(
                "the snapshot of input {no}: {why}; an older one is used, with a longer replay"
            )),
            Err(why) => {
                let binary = taken.binary;
                return Err(HistoryError::Snapshot { no, binary, why });
            }
        }
        let Some(before) = no.0.checked_sub(1) else {
            break;
        };
        let (older, rejected) = database.newest_snapshot(InputNo(before))?;
        rejected
            .iter()
            .for_each(|rejected| passed(rejected.to_string()));
        snapshot = older;
    }
    Ok(None)
}

/// The house before the `first` record of its journal, where there is no snapshot: before it began, which that record may tell.
/// Where an older version began the journal it does not, and the house began already. `now` counts where there is no record.
#[must_use]
pub fn from_nothing(
    program: Arc<Program>,
    config: Config,
    blocklist: Blocklist,
    first: Option<&Record>,
    now: Now,
) -> Dispatcher {
    let now = first.map_or(now, |record| record.now);
    if first.is_none_or(|record| is_beginning(&program, record)) {
        Dispatcher::unbegun(program, config, blocklist, now)
    } else {
        Dispatcher::new(program, config, blocklist, now)
    }
}

/// Whether a house begins with `record`.
pub(crate) fn is_beginning(program: &Program, record: &Record) -> bool {
    record.class == Class::Input && Input::decode(program, &record.body) == Ok(Input::Began)
}
