//! The other house where a trial begins: the one that was, under the tried mapping.

use std::sync::Arc;

use dispatcher::{Blocklist, Config, Dispatcher, Effects, Input};
use mapping::{
    Program,
    program::{DeviceIx, Kin},
};

use crate::{heirs::Heirs, history::History, travel::Travel};

/// The house as `travel` has it, under `program`; `heirs` are what its things are there.
pub(super) fn other(
    history: &History,
    travel: &Travel<'_>,
    program: Arc<Program>,
    heirs: &Heirs,
) -> Dispatcher {
    let (house, now) = (travel.house(), travel.now());
    let config = Config {
        conduct: house.conduct().clone(),
        ..Config::default()
    };
    let in_force = Arc::clone(house.program());
    let restored = Dispatcher::restore(in_force, config.clone(), &house.state(), now);
    let Ok((mut other, _)) = restored else {
        // Its own bytes; a house from nothing is the next best.
        return Dispatcher::new(program, config, Blocklist::default(), now);
    };
    if other.program().hash == program.hash {
        return other;
    }
    if history.begins_after(travel.last()) {
        return Dispatcher::unbegun(program, config, heirs.blocks(house.blocklist()), now);
    }
    edit(&mut other, travel, program, heirs);
    other
}

/// Brings `program` into force in `other`, which is still as the house of `travel`, blocks and connections included.
fn edit(other: &mut Dispatcher, travel: &Travel<'_>, program: Arc<Program>, heirs: &Heirs) {
    let (house, now) = (travel.house(), travel.now());
    let effects = &mut Effects::default();
    other.replace_by(now, program, &heirs.succession(), effects);
    let blocks = heirs.blocks(house.blocklist());
    for input in other.blocklist().changes_to(&blocks) {
        other.apply(now, input, effects);
    }
    // A module logs in anew under another name; here it had that all along.
    for device in DeviceIx::all(other.program().devices.len()) {
        let was = heirs.before().device(device);
        if was.is_some_and(|was| house.online(was)) && !other.online(device) {
            other.apply(now, Input::Online(device), effects);
        }
    }
}
