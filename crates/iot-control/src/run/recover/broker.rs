//! What the broker kept: the newest part of a snapshot, and the facts of the journal behind it.
//!
//! Called by [`super::recover`], apart from the house: of either a part may be damaged, and neither needs the other.

use anyhow::Context;
use broker::Kept;
use store::{Class, ReadError, Store};
use types::InputNo;

use crate::printer;

/// Sessions and retained messages as they were. What can't be read is left out, and said.
///
/// # Errors
/// The database can't be read, a newer version wrote a record, or the operating system does not open a file.
pub(super) fn bring_back(store: &Store) -> anyhow::Result<Kept> {
    let (part, damaged) = store.read().newest_broker_part()?;
    for no in damaged {
        printer::tell(format_args!(
            "what the broker kept with the snapshot of input {no} is damaged; an older one is used, with a longer replay"
        ));
    }
    let mut kept = Kept::default();
    let from = part.as_ref().map_or(InputNo(0), |part| part.no);
    if let Some(part) = part {
        apply(&mut kept, part.no, &part.body);
    }
    for record in store.reader(from.next()) {
        match record {
            Ok(record) if record.class == Class::Facts => {
                apply(&mut kept, record.no, &record.body);
            }
            // Gaps were told with the house's inputs.
            Ok(_) | Err(ReadError::Gap(_)) => {}
            Err(error) => return Err(error).context("the journal"),
        }
    }
    let (retained, sessions) = kept.counts();
    if retained + sessions > 0 {
        tracing::info!(retained, sessions, "the broker goes on with what it kept");
    }
    Ok(kept)
}

fn apply(kept: &mut Kept, no: InputNo, facts: &[u8]) {
    if let Err(why) = kept.apply(facts) {
        printer::tell(format_args!(
            "record {no}: {why}; sessions and retained messages of MQTT clients may be missing"
        ));
    }
}
