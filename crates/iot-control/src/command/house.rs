//! Whether a house is where somebody says that it is; where not, what to type instead.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;

/// What makes a folder a house.
const MAIN: &str = "mapping.toml";

/// Folders above that are looked at: `HOUSE/rules/evening.toml` is two below its house.
const ABOVE_MAX: usize = 3;

/// Entries of a folder that are looked at for a house in it.
const ENTRIES_MAX: usize = 1_000;

/// A house is a folder that holds a mapping.toml. `command` is what was typed, with `HOUSE` in its place.
///
/// # Errors
/// `house` is none; says what to type.
pub(crate) fn is_there(house: &Path, command: &str) -> anyhow::Result<()> {
    let is_folder = house.is_dir();
    // What leads nowhere, or can't be read, is told with the files.
    if is_folder && fs::symlink_metadata(house.join(MAIN)).is_ok() {
        return Ok(());
    }
    let shown = house.display();
    let what = match is_folder {
        true => format!("{shown} holds no mapping.toml"),
        false if house.exists() => format!("{shown} is a file, and a house is a folder"),
        false => format!("{shown}: there is no such folder"),
    };
    let inside = || below(house).filter(|_| is_folder);
    if let Some(meant) = above(house).or_else(inside) {
        let meant = meant.display().to_string();
        bail!(
            "{what}; the house is {meant}: {}",
            command.replace("HOUSE", &meant)
        );
    }
    let new = house.join(MAIN);
    match is_folder {
        true => bail!(
            "{what}; name a folder that does: {command}. A new house begins with the line `format = 1` in {}",
            new.display()
        ),
        false => bail!("{what}; a house is a folder with a mapping.toml: {command}"),
    }
}

fn is_house(folder: &Path) -> bool {
    folder.join(MAIN).is_file()
}

/// The nearest house around `path`.
fn above(path: &Path) -> Option<PathBuf> {
    let folders = path.ancestors().skip(1).take(ABOVE_MAX);
    let named = folders.map(|folder| match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_owned(),
    });
    named.into_iter().find(|folder| is_house(folder))
}

/// The one house in `folder`.
fn below(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.take(ENTRIES_MAX).flatten();
    let mut houses = entries
        .map(|entry| entry.path())
        .filter(|path| is_house(path));
    houses.next().filter(|_| houses.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_something_in_or_around_a_house_is_told_what_to_type() {
        let root = tempfile::tempdir().unwrap();
        let house = root.path().join("house");
        fs::create_dir_all(house.join("rules")).unwrap();
        fs::create_dir_all(root.path().join("empty")).unwrap();
        fs::write(house.join(MAIN), "format = 1\n").unwrap();
        is_there(&house, "iot-control check HOUSE").expect("it is one");
        let here = house.display().to_string();
        for (named, words) in [
            ("house/mapping.toml", "is a file, and a house is a folder"),
            ("house/rules", "holds no mapping.toml; the house is"),
            (
                "house/rules/none.toml",
                "there is no such folder; the house is",
            ),
            ("house/none", "there is no such folder; the house is"),
            ("", "holds no mapping.toml; the house is"),
        ] {
            let named = root.path().join(named);
            let said = is_there(&named, "iot-control check HOUSE")
                .unwrap_err()
                .to_string();
            assert!(said.contains(words), "{said}");
            let typed = format!("iot-control check {here}");
            assert!(said.ends_with(&typed), "{said}");
        }
        for named in ["empty", "nowhere"] {
            let named = root.path().join(named);
            let said = is_there(&named, "iot-control edit set HOUSE ..")
                .unwrap_err()
                .to_string();
            assert!(said.contains("iot-control edit set HOUSE .."), "{said}");
        }
    }
}
