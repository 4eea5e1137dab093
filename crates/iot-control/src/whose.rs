//! Whose state a state folder holds: a start must neither forget a house for another one, nor for files that lost it.
//!
//! Called where files are about to take over from what was in force, and by commands that look for the state of a house. Decides by
//! programs and paths alone.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf, absolute},
};

use mapping::{Program, program::Device};
use store::contents::HOUSE_FOLDER;
use types::DeviceId;

use crate::whole;

/// Largest such file in bytes: two paths.
const BYTES_MAX: u64 = 1 << 14;

/// Devices that a message names.
const NAMES_MAX: usize = 3;

/// Whether `state`, which a state folder was left with, has no device of `house`: neither one of the same name nor one
/// that was only renamed.
pub(crate) fn is_another_house(state: &Program, house: &Program) -> bool {
    let is_shared = |was: &Device| {
        let mut devices = house.devices.iter();
        devices.any(|is| is.name == was.name || is_renamed((state, was), (house, is)))
    };
    !state.devices.is_empty() && !house.devices.is_empty() && !state.devices.iter().any(is_shared)
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
    format!(
        "state folder {}: it holds another house, with {}, and yours has none of these devices. Name a folder of \
         its own with --state; or, if this house is to take its place, start once with --replace-house: what is known of \
         those devices is forgotten, users and history stay",
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
            assert_eq!(is_another_house(&was, &house(&is)), is_another, "{is}");
        }
        let mode = "[device.mode]\nvirtual = true\nio.away = { kind = \"contact\" }\n";
        let others = mode.replace("mode", "phones").replace("away", "anna");
        assert!(is_another_house(&house(mode), &house(&others)));
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
