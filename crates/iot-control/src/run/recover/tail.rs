//! The journal's tail through the house again, and what is said where a part of it is missing.
//!
//! Called by [`super::recover`]. Damage does not stop it: a house that comes up without an input is better
//! than one that does not come up.

use std::sync::Arc;

use anyhow::Context;
use dispatcher::{Dispatcher, Effects};
use mapping::Program;
use replay::{Fed, Player};
use store::{Gap, GapCause, JournalReader, MappingHash, ReadError, Store};
use types::InputNo;

use crate::printer;

/// Applies every record that can be read.
///
/// # Errors
/// A newer version wrote a record, or the operating system does not open a file.
pub(super) fn replay(
    dispatcher: Dispatcher,
    mut tail: JournalReader,
    store: &Store,
    mut program_of: impl FnMut(MappingHash) -> Arc<Program>,
) -> anyhow::Result<Dispatcher> {
    let mut player = Player::new(dispatcher);
    let mut effects = Effects::default();
    let (mut replayed, mut skipped, mut newest) = (0_u64, 0_u64, InputNo(0));
    for record in tail.by_ref() {
        let record = match record {
            Ok(record) => record,
            Err(ReadError::Gap(gap)) => {
                if gap.is_felt() {
                    player.miss();
                }
                tell(&gap, store);
                continue;
            }
            Err(error) => return Err(error).context("the journal"),
        };
        effects.clear();
        match player.feed(&record, |hash, _| program_of(hash), &mut effects) {
            Fed::Passed | Fed::Observed(_) => continue,
            Fed::Applied | Fed::Reloaded => {}
            Fed::Unreadable(why) => {
                skipped += 1;
                tracing::warn!(input = %record.no, %why, "an input of the past can't be replayed");
            }
        }
        newest = record.no;
        replayed += 1;
    }
    for gap in tail.passed() {
        printer::tell(format_args!("{gap}; a newer snapshot covers it"));
    }
    if let Some(differing) = player.differing() {
        printer::tell(format_args!(
            "{differing}; look whether lights and timers are as they should be"
        ));
    }
    if replayed > 0 {
        tracing::info!(replayed, skipped, %newest, "replayed the journal");
    }
    Ok(player.into_dispatcher())
}

/// Says what is missing and sets the damaged segment aside.
fn tell(gap: &Gap, store: &Store) {
    printer::tell(gap);
    if let GapCause::Damage(damage) = &gap.cause {
        match store.set_aside(&damage.file) {
            Ok(copy) => printer::tell(format_args!(
                "a copy of the damaged file is kept as {}",
                copy.display()
            )),
            Err(error) => printer::tell(format_args!(
                "{} could not be copied: {error}",
                damage.file.display()
            )),
        }
        if !damage.is_unwritten {
            printer::tell("the disk may be failing: make a backup and check it");
        }
    }
    if gap.is_felt() {
        printer::tell(
            "the inputs that follow were replayed without the missing ones: look whether lights and timers are as they should be",
        );
    }
}
