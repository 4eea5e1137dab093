//! What an archive says it holds. It is believed in nothing else but this: which files there are, how long, with which hash.
//!
//! Called by whoever makes or reads an archive. Whatever stands in it, it is a house and its state by the names that those
//! have, or it is refused: a file of another name may mean something where it is put.

use std::{
    collections::BTreeSet,
    fs::Metadata,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use store::contents;

use super::{
    BYTES_MAX, FILES_MAX, FORMAT, HOUSE, MANIFEST, NAME_BYTES_MAX, STATE, place::ASIDE,
    staging::is_staging,
};

/// The folder in which git keeps the history of a house, and programs that it runs.
pub(super) const GIT: &str = ".git";

/// What an archive holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Of the program that wrote it.
    pub(super) version: String,
    /// When, in UTC.
    pub(super) made: String,
    /// Those of the house, `house` itself first; each comes before what is in it.
    #[serde(default)]
    pub(super) folders: Vec<Folder>,
    pub(super) files: Vec<Entry>,
}

impl Manifest {
    /// What the archive says it holds, from the bytes of its first file.
    ///
    /// # Errors
    /// It is none of this version's, or of no house that was packed: a name leads elsewhere or is no file's of a house or a state,
    /// one is there twice, something is missing.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(text).context(MANIFEST)?;
        ensure!(
            manifest.format == FORMAT,
            "it has format {}, this version reads {FORMAT}: restore it with iot-control {}",
            manifest.format,
            manifest.version
        );
        ensure!(
            manifest.files.len() + manifest.folders.len() <= FILES_MAX,
            "it tells of more than {FILES_MAX} files"
        );
        let bytes = manifest.files.iter().map(|file| file.bytes);
        let total = bytes.fold(0, u64::saturating_add);
        ensure!(total <= BYTES_MAX, "it tells of {total} bytes");
        manifest.check_names()?;
        manifest.check_whole()?;
        Ok(manifest)
    }

    fn check_names(&self) -> Result<()> {
        let folders = self.folders.iter();
        let folders = folders.map(|folder| (&*folder.path, folder.is_inside()));
        let files = self.files.iter();
        let files = files.map(|file| (&*file.path, file.is_inside()));
        let mut names = BTreeSet::new();
        for (path, is_inside) in folders.chain(files) {
            ensure!(is_inside, "{path:?} would lead out of the house");
            ensure!(names.insert(path), "{path:?} is in it twice");
            let is_known = match path.split_once('/') {
                Some((STATE, name)) => contents::is_of_state(name),
                Some((_, name)) => is_of_house(name),
                None => true,
            };
            ensure!(
                is_known,
                "{path:?} is no file that a house or its state has"
            );
        }
        for file in &self.files {
            let below = format!("{}/", file.path);
            let next = names.range(&*below..).next();
            ensure!(
                next.is_none_or(|next| !next.starts_with(&below)),
                "{:?} is a file, and a folder as well",
                file.path
            );
        }
        Ok(())
    }

    /// Looks whether it holds what a start needs.
    fn check_whole(&self) -> Result<()> {
        let has = |path: &str| self.files.iter().any(|file| file.path == path);
        ensure!(
            has("house/mapping.toml"),
            "house/mapping.toml is missing: it holds no house"
        );
        let ran = |file: &&Entry| file.path.starts_with("state/journal/");
        if let Some(file) = self.files.iter().find(ran) {
            ensure!(
                has("state/house.db"),
                "state/house.db is missing, and {:?} is there",
                file.path
            );
        }
        Ok(())
    }
}

/// Whether a backup takes a file or folder of this name from a house: what edits, restores and git have there is none of it, and
/// would be followed by whoever finds it.
fn is_of_house(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or(name);
    let mut parts = name.split('/');
    !first.starts_with(ASIDE)
        && !parts.any(|part| part == GIT || edit::is_leftover(part) || is_staging(part.as_ref()))
}

/// One folder of the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    /// `house/rules`.
    pub(super) path: String,
    pub(super) mode: Mode,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// `house/rules/hall.toml`.
    pub(super) path: String,
    pub(super) bytes: u64,
    #[serde(default)]
    pub(super) mode: Mode,
    /// Hexadecimal.
    pub(super) blake2s: String,
}

impl Entry {
    /// Whether its path leads nowhere but below `house/` or `state/`.
    pub(super) fn is_inside(&self) -> bool {
        self.path.contains('/') && leads_inside(&self.path, &[HOUSE, STATE])
    }
}

impl Folder {
    /// Whether it is `house` or below it.
    fn is_inside(&self) -> bool {
        leads_inside(&self.path, &[HOUSE])
    }
}

/// Whether a path is one of `roots` or below one, written in the one way there is.
pub(super) fn leads_inside(text: &str, roots: &[&str]) -> bool {
    let path = Path::new(text);
    let root = path.components().next();
    roots
        .iter()
        .any(|name| root == Some(Component::Normal(name.as_ref())))
        && text.len() <= NAME_BYTES_MAX
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        && !text.contains(['\0', '\\'])
        && path.components().collect::<PathBuf>().as_os_str() == text
}

/// Who may read, write and run a file or folder: the nine bits, in JSON as octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Mode(pub(super) u32);

impl Mode {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self(metadata.permissions().mode() & 0o777)
    }
}

impl Default for Mode {
    /// Its owner may read and write it.
    fn default() -> Self {
        Self(0o600)
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        format!("{:03o}", mode.0)
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let mode = u32::from_str_radix(&text, 8).ok();
        let mode = mode.filter(|mode| *mode <= 0o777);
        mode.map(Self)
            .ok_or_else(|| format!("{text:?} is no mode of a file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_leads_out_of_the_folders() {
        let is_inside = |path: &str| {
            let entry = Entry {
                path: path.to_owned(),
                bytes: 0,
                mode: Mode::default(),
                blake2s: String::new(),
            };
            entry.is_inside()
        };
        assert!(is_inside("house/mapping.toml") && is_inside("state/journal/00000001.journal"));
        for path in [
            "",
            "house",
            "house/",
            "mapping.toml",
            "/etc/passwd",
            "house/../x",
            "house/./x",
            "house//x",
            "./house/x",
            "state/journal/../../x",
            "house/a\0b",
            "other/x",
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
        assert!(!is_inside(&format!("house/{}", "x".repeat(2_000))));
    }

    fn read(paths: &[&str]) -> std::result::Result<Manifest, String> {
        let file = |path: &&str| serde_json::json!({ "path": path, "bytes": 0, "blake2s": "" });
        let files: Vec<_> = paths.iter().map(file).collect();
        let text = serde_json::json!({ "format": 1, "version": "1", "made": "", "files": files });
        Manifest::read(text.to_string().as_bytes()).map_err(|why| format!("{why:#}"))
    }

    #[test]
    fn only_what_a_house_and_its_state_have_is_known() {
        let whole = [
            "house/mapping.toml",
            "house/tls/key.pem",
            "state/house.db",
            "state/journal/00000001.journal",
            "state/journal/end",
            "state/keys/house",
            "state/external-broker.id",
        ];
        read(&whole).unwrap();
        for unknown in [
            "state/authorized_keys",
            "state/lock",
            "state/journal",
            "state/journal/authorized_keys",
            "state/keys/id_ed25519",
            "state/house.db/x",
            "house/.git/config",
            "house/rules/.git/hooks/post-checkout",
            "house/.iot-control-edit",
            "house/.mapping.toml.4711-0.new",
            "house/.iot-control-unfinished-1-0/x",
            "house/before-restore-1/mapping.toml",
        ] {
            let why = read(&["house/mapping.toml", unknown]).unwrap_err();
            let says = format!("{unknown:?} is no file that a house");
            assert!(why.contains(&says), "{why}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (paths, why) in [
            (&[][..], "house/mapping.toml is missing"),
            (
                &["house/settings.toml", "state/house.db"],
                "house/mapping.toml is missing",
            ),
            (
                &["house/mapping.toml", "state/journal/00000001.journal"],
                "state/house.db is missing, and \"state/journal/00000001.journal\" is there",
            ),
            (
                &["house/mapping.toml", "house/rules", "house/rules/a.toml"],
                "\"house/rules\" is a file, and a folder as well",
            ),
            (
                &["house/mapping.toml", "house/mapping.toml/a"],
                "\"house/mapping.toml\" is a file, and a folder as well",
            ),
            (
                &["house/mapping.toml", "house/mapping.toml"],
                "is in it twice",
            ),
        ] {
            let said = read(paths).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_mode_is_written_as_chmod_takes_it() {
        let text = |mode| serde_json::to_string(&Mode(mode)).unwrap();
        assert_eq!(
            (text(0o600), text(0o7)),
            ("\"600\"".into(), "\"007\"".into())
        );
        let mode = |text: &str| serde_json::from_str::<Mode>(text).ok();
        assert_eq!(mode("\"750\""), Some(Mode(0o750)));
        for wrong in ["\"4755\"", "\"8\"", "\"\"", "\"-1\"", "600"] {
            assert_eq!(mode(wrong), None, "{wrong}");
        }
    }
}
