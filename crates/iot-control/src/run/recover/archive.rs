//! The mapping of a start comes into the archive before any input is taken under it.

use std::sync::Arc;

use mapping::Program;
use store::{MappingHash, Store};
use types::Now;

use crate::run::{desk::Waiting, house::House};

/// What a start goes on with.
pub(super) struct Start {
    /// What comes into force.
    pub(super) house: House,
    /// The house of the files, where the archive does not take its mapping and the one before goes on.
    pub(super) waits: Option<Waiting>,
    /// Why what comes into force is not archived: there is nothing else to go on with.
    pub(super) unarchived: Option<String>,
}

/// Archives the mapping of `house`. Where that can't be and another one is archived that was in force until now, that goes on: a
/// restart could not tell what inputs came to under a mapping that it does not have.
pub(super) fn archive(house: House, store: &mut Store, in_force: &Arc<Program>, now: Now) -> Start {
    let kept = store.database().archive_mapping(&house.archived(now.at));
    let Err(error) = kept else {
        return Start {
            house,
            waits: None,
            unarchived: None,
        };
    };
    let why = error.to_string();
    // One that can't be read is none.
    let before = store.read().mapping(MappingHash(in_force.hash)).ok();
    match before.flatten() {
        Some(before) if in_force.hash != house.program.hash => Start {
            house: House::going_on(Arc::clone(in_force), before),
            waits: Some(Waiting::since_start(house, &why)),
            unarchived: None,
        },
        before => Start {
            house,
            waits: None,
            unarchived: before.is_none().then_some(why),
        },
    }
}
