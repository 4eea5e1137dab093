//! Whose state a state folder holds: a start must neither forget a house for another one, nor for files that lost it.
//!
//! Called where files are about to take over from what was in force, and by commands that look for the state of a house. Decides by
//! programs and paths alone.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf, absolute},
};

use mapping::{
    Program,
    program::{Device, Former},
};
use store::contents::HOUSE_FOLDER;
use types::DeviceId;

use crate::whole;

/// Largest such file in bytes: two paths.
const BYTES_MAX: u64 = 1 << 14;

/// Devices that a message names.
const NAMES_MAX: usize = 3;

/// Whether `state`, which a state folder was left with, is not `house` as it was. In the folder where it lived
/// (`is_at_home`) it is, as long as one device is called as before or was only renamed. Most houses begin with the numbers 1, 2
/// and 3 and a few switches, so in another folder half of the devices must have both name and number still.
pub(crate) fn is_another_house(state: &Program, house: &Program, is_at_home: bool) -> bool {
    let is_called_so = |was: &Device, is: &Device| {
        let mut others = house.renamed.iter();
        let had = |other: &Former| matches!(other, Former::Device(name, ix) if *name == was.name && house[*ix].name == is.name);
        is.name == was.name || others.any(had)
    };
    let is_shared = |was: &&Device| {
        let mut devices = house.devices.iter();
        devices.any(|is| match is_at_home {
            true => is_called_so(was, is) || is_renamed((state, was), (house, is)),
            false => is_called_so(was, is) && is.id == was.id,
        })
    };
    let smaller = state.devices.len().min(house.devices.len());
    let wanted = match is_at_home {
        true => smaller.min(1),
        false => smaller.div_ceil(2),
    };
    state.devices.iter().filter(is_shared).take(wanted).count() < wanted
}

/// Whether a device has the number of another one. That alone would do, were 1, 2 and 3 not the numbers with which most
/// houses begin: something in it must be of the same kind as well, whatever it is called.
fn is_renamed(was: (&Program, &Device), is: (&Program, &Device)) -> bool {
    let kinds = |(program, device): (&Program, &Device)| -> BTreeSet<_> {
        let channels = device.channels.iter();
        channels.map(|ix| program[*ix].kind.clone()).collect()
    };
    let is_alike =
        was.1.role == is.1.role || (was.1.id != DeviceId(0) && !kinds(was).is_disjoint(&kinds(is)));
    was.1.id == is.1.id && is_alike
}

/// Why a start is refused that would take the state in `folder` for another house.
pub(crate) fn another_house(folder: &Path, state: &Program) -> String {
    let lived = house_of(folder).map_or_else(String::new, |lived| format!(", run from {lived}"));
    format!(
        "state folder {}: it holds another house, with {}{lived}; yours has hardly any of these devices, or none. Name a folder of \
         its own with --state; or, if this house is to take its place, start once with --replace-house: what is known of \
         those devices is forgotten, users and history stay. If it is that house, moved and with other names, start it once \
         where it was before it moves",
        folder.display(),
        named(state)
    )
}

/// Why files without a device don't take over from `before`; `None`: there is nothing to forget.
pub(crate) fn emptied(before: &Program, house: &Program) -> Option<String> {
    let is_emptied = house.devices.is_empty() && !before.devices.is_empty();
    is_emptied.then(|| {
        format!(
            "the files have no device any more, and the house has {}: what is known of these would be forgotten. If that \
             is meant, start once with --replace-house",
            named(before)
        )
    })
}

fn named(program: &Program) -> String {
    let names = program.devices.iter().take(NAMES_MAX);
    let names: Vec<&str> = names.map(|device| &*device.name).collect();
    let more = match program.devices.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

/// Notes in the state folder which house it belongs to.
///
/// # Errors
/// It can't be written.
pub(crate) fn remember(state: &Path, house: &Path) -> io::Result<()> {
    whole::write(&state.join(HOUSE_FOLDER), &paths(house).join("\n"))
}

/// Whether the state folder says that it belongs to the house in this folder: where mapping.toml is gone, a folder
/// that was named by mistake must not start the house of another one.
pub(crate) fn is_at_home(state: &Path, house: &Path) -> bool {
    match mapping::disk::text(&state.join(HOUSE_FOLDER), BYTES_MAX) {
        Ok(known) => {
            let paths = paths(house);
            known
                .lines()
                .any(|line| paths.iter().any(|path| path == line))
        }
        Err(_) => false,
    }
}

/// The house to which the state folder says that it belongs.
pub(crate) fn house_of(state: &Path) -> Option<String> {
    let known = mapping::disk::text(&state.join(HOUSE_FOLDER), BYTES_MAX).ok()?;
    known.lines().next().map(str::to_owned)
}

/// A folder as it is named, and where links lead; the latter not where it is gone.
fn paths(house: &Path) -> Vec<String> {
    let named = absolute(house).unwrap_or_else(|_| house.to_owned());
    let real = house.canonicalize().ok();
    let paths: BTreeSet<PathBuf> = [Some(named), real].into_iter().flatten().collect();
    let texts = paths.iter().map(|path| path.to_string_lossy().into_owned());
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(devices: &str) -> Program {
        let loaded = mapping::load_texts([("mapping.toml", devices)]);
        let problems = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        let program = loaded.program.unwrap_or_else(|| panic!("{problems}"));
        (*program).clone()
    }

    const HALL: &str = "[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\nio.button = { kind = \"button\" }\n";

    #[test]
    fn a_house_is_known_by_a_name_or_by_a_number_with_something_of_its_kind() {
        let was = house(HALL);
        for (is, is_another) in [
            (HALL.to_owned(), false),
            (HALL.replace("hall", "floor"), false),
            (
                HALL.replace("hall", "floor").replace("lamp", "light"),
                false,
            ),
            // Its number and its kinds are others, but it is called so still.
            (
                "[device.hall]\nid = 9\nio.gas = { kind = \"counter\" }\n".to_owned(),
                false,
            ),
            // What a second house begins with, too.
            (
                "[device.shed]\nid = 1\nio.gas = { kind = \"counter\" }\n".to_owned(),
                true,
            ),
            (
                HALL.replace("hall", "floor").replace("id = 1", "id = 2"),
                true,
            ),
            (String::new(), false),
        ] {
            assert_eq!(
                is_another_house(&was, &house(&is), true),
                is_another,
                "{is}"
            );
        }
        let mode = "[device.mode]\nvirtual = true\nio.away = { kind = \"contact\" }\n";
        let others = mode.replace("mode", "phones").replace("away", "anna");
        assert!(is_another_house(&house(mode), &house(&others), true));
    }

    #[test]
    fn elsewhere_a_house_is_known_by_half_of_its_devices_with_name_and_number() {
        let all = |names: &[&str]| {
            let devices = (1..).zip(names).map(|(id, name)| {
                HALL.replace("hall", name)
                    .replace("id = 1", &format!("id = {id}"))
            });
            devices.collect::<String>()
        };
        let was = house(&all(&["hall", "desk", "attic"]));
        for (is, is_another) in [
            (all(&["hall", "desk", "attic"]), false),
            (all(&["hall", "desk", "loft"]), false),
            // What a second house begins with: the same numbers, the same kinds.
            (all(&["kitchen", "bath", "shed"]), true),
            (all(&["hall", "bath", "shed"]), true),
            // The same names with other numbers.
            (all(&["attic", "hall", "desk"]), true),
            // It has grown, and it has shrunk.
            (
                all(&["hall", "desk", "attic", "a", "b", "c", "d", "e"]),
                false,
            ),
            (all(&["hall"]), false),
            // It says what it was.
            (
                all(&["hall", "table", "loft"])
                    + "[renamed]\n\"desk\" = \"table\"\n\"attic\" = \"loft\"\n",
                false,
            ),
        ] {
            let is_another_now = is_another_house(&was, &house(&is), false);
            assert_eq!(is_another_now, is_another, "{is}");
        }
        assert!(!is_another_house(&was, &house(""), false));
    }

    #[test]
    fn files_that_lost_all_devices_are_told_with_what_would_be_forgotten() {
        let more: String = (2..=4)
            .map(|id| {
                HALL.replace("hall", &format!("hall{id}"))
                    .replace("id = 1", &format!("id = {id}"))
            })
            .collect();
        let before = house(&(HALL.to_owned() + &more));
        let said = emptied(&before, &house("")).expect("they are gone");
        assert!(said.contains("hall, hall2, hall3 and 1 more"), "{said}");
        assert_eq!(emptied(&before, &house(HALL)), None);
        assert_eq!(emptied(&house(""), &house("")), None);
    }

    #[test]
    fn a_state_folder_knows_its_house_by_each_of_its_paths_also_when_it_is_gone() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = |name: &str| folder.path().join(name);
        assert!(!is_at_home(folder.path(), &path("any")), "it never said so");
        std::fs::create_dir(path("house")).expect("a folder for the test");
        std::os::unix::fs::symlink("house", path("link")).expect("a link for the test");
        remember(folder.path(), &path("link")).expect("it can be written");
        for (name, expected) in [("link", true), ("house", true), ("other", false)] {
            assert_eq!(is_at_home(folder.path(), &path(name)), expected, "{name}");
        }
        std::fs::remove_dir(path("house")).expect("it can be removed");
        assert!(is_at_home(folder.path(), &path("link")));
        assert!(is_at_home(folder.path(), &path("house")));
    }
}
