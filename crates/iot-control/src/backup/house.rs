//! What of a house's folder goes into a backup: copied at one moment, while no edit of ours is written.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use mapping::disk::Stamp;

use super::{
    FILES_MAX, HOUSE, create_private,
    manifest::{Folder, GIT, Mode, leads_inside},
    place::ASIDE,
    staging::is_staging,
};
use crate::settings;

/// Copies that are tried where an editor or a program writes meanwhile.
const TRIES: usize = 5;

/// Files that may be links out of the house: the person who starts the dispatcher chose them, and it reads them there.
const LINKS_OUT: [&str; 3] = ["mapping.toml", settings::FILE, mapping::blocklist::FILE];

/// What was copied.
pub(super) struct Copied {
    pub(super) folders: Vec<Folder>,
    pub(super) files: Vec<Source>,
    pub(super) left_out: Vec<LeftOut>,
}

/// A file that goes into the archive.
pub(super) struct Source {
    /// Its name there: `house/rules/hall.toml`.
    pub(super) name: String,
    pub(super) mode: Mode,
    /// The copy.
    pub(super) path: PathBuf,
}

/// What is in the house's folder and not in the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(super) path: PathBuf,
    /// Follows the path.
    pub(super) why: &'static str,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path} {}: it is not in the backup", self.why)
    }
}

/// Copies the house's files into the folder `to`, which is made. Of what changes meanwhile there is another copy: the files belong
/// together.
pub(super) fn copy_house(house: &Path, state: &Path, to: &Path) -> Result<Copied> {
    for _ in 0..TRIES {
        let alone = edit::alone(house)?;
        if edit::is_unfinished(house) {
            drop(alone);
            edit::finish(house)?;
            continue;
        }
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::create_dir(to)?;
        let found = Found::look(house, state)?;
        let copied = found.copy(to)?;
        if copied && Found::look(house, state)? == found {
            return Ok(found.copied(to));
        }
    }
    bail!(
        "{}: its files change all the time; try again when nobody writes them",
        house.display()
    )
}

/// What is in a house's folder, at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    folders: Vec<Folder>,
    files: Vec<FoundFile>,
    left_out: Vec<LeftOut>,
}

#[derive(Debug, PartialEq, Eq)]
struct FoundFile {
    name: String,
    /// Links followed.
    real: PathBuf,
    mode: Mode,
    stamp: Option<Stamp>,
}

impl Found {
    fn look(house: &Path, state: &Path) -> Result<Self> {
        let real = house.canonicalize()?;
        let mut search = Search {
            state: state.canonicalize().ok(),
            above: vec![real.clone()],
            found: Self {
                folders: Vec::new(),
                files: Vec::new(),
                left_out: Vec::new(),
            },
            house: real,
        };
        search.folder(Path::new(""))?;
        Ok(search.found)
    }

    /// Copies each file, by its number: what a stick's file system makes of its name does not matter. `false`: one is
    /// not there any more.
    fn copy(&self, to: &Path) -> Result<bool> {
        for (number, file) in self.files.iter().enumerate() {
            let mut source = match File::open(&file.real) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                opened => opened.with_context(|| file.real.display().to_string())?,
            };
            let mut copy = create_private(&to.join(number.to_string()))?;
            io::copy(&mut source, &mut copy).with_context(|| file.real.display().to_string())?;
        }
        Ok(true)
    }

    fn copied(self, to: &Path) -> Copied {
        let files = self.files.into_iter().enumerate();
        Copied {
            folders: self.folders,
            files: files
                .map(|(number, file)| Source {
                    name: file.name,
                    mode: file.mode,
                    path: to.join(number.to_string()),
                })
                .collect(),
            left_out: self.left_out,
        }
    }
}

struct Search {
    /// Links followed.
    house: PathBuf,
    /// Where a state is, which is packed by itself.
    state: Option<PathBuf>,
    /// The real folders in which the search is just now.
    above: Vec<PathBuf>,
    found: Found,
}

impl Search {
    /// Looks into the folder `inside` the house.
    fn folder(&mut self, inside: &Path) -> Result<()> {
        let here = self.house.join(inside);
        self.found.folders.push(Folder {
            path: name_of(inside).unwrap_or_default(),
            mode: Mode::of(&here.metadata()?),
        });
        let mut entries: Vec<_> = fs::read_dir(&here)
            .with_context(|| here.display().to_string())?
            .collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            ensure!(
                self.found.files.len() + self.found.folders.len() <= FILES_MAX,
                "{}: more than {FILES_MAX} files",
                self.house.display()
            );
            let name = entry.file_name();
            let inside_house = inside.join(&name);
            let text = name.to_string_lossy();
            if edit::is_leftover(&text) || is_staging(&name) {
                continue;
            }
            if text == GIT {
                self.leave_out(entry.path(), "is the history of the files, which git keeps");
            } else if text.starts_with(ASIDE) && inside == Path::new("") {
                self.leave_out(entry.path(), "is what a restore moved aside");
            } else if name_of(&inside_house).is_none() {
                self.leave_out(entry.path(), "has a name that can't be kept");
            } else {
                self.entry(&entry, &inside_house)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &fs::DirEntry, inside: &Path) -> Result<()> {
        let path = entry.path();
        let is_link = entry.file_type()?.is_symlink();
        let real = match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // What is no link went in this moment, and the second look shows it.
                if is_link {
                    self.leave_out(path, "is a link that leads to nothing");
                }
                return Ok(());
            }
            real => real.with_context(|| path.display().to_string())?,
        };
        if Some(&real) == self.state.as_ref() {
            return Ok(());
        }
        let may_lead_out = LINKS_OUT.iter().any(|name| inside == Path::new(name));
        let is_ours = real.starts_with(&self.house) || (may_lead_out && real.is_file());
        if !is_ours {
            self.leave_out(path, "leads out of the house");
        } else if real.is_dir() {
            if self.above.contains(&real) {
                self.leave_out(path, "leads to a folder that it is in");
                return Ok(());
            }
            self.above.push(real);
            self.folder(inside)?;
            self.above.pop();
        } else if real.is_file() {
            let metadata = real.metadata();
            self.found.files.push(FoundFile {
                name: name_of(inside).unwrap_or_default(),
                mode: metadata.as_ref().map(Mode::of).unwrap_or_default(),
                stamp: Stamp::of(&real),
                real,
            });
        } else {
            self.leave_out(path, "is no file");
        }
        Ok(())
    }

    fn leave_out(&mut self, path: PathBuf, why: &'static str) {
        self.found.left_out.push(LeftOut { path, why });
    }
}

/// The name in the archive of what is `inside` the house; `None`: such a name can't be kept.
fn name_of(inside: &Path) -> Option<String> {
    let name = match inside.to_str()? {
        "" => HOUSE.to_owned(),
        text => format!("{HOUSE}/{text}"),
    };
    leads_inside(&name, &[HOUSE]).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new(files: &[&str]) -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = folders.house().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            folders
        }

        fn house(&self) -> PathBuf {
            self.0.path().join("house")
        }

        fn copy(&self) -> Copied {
            let state = self.house().join("state");
            copy_house(&self.house(), &state, &self.0.path().join("copy")).unwrap()
        }
    }

    fn names(copied: &Copied) -> Vec<(&str, String)> {
        let text = |file: &Source| fs::read_to_string(&file.path).unwrap();
        let files = copied.files.iter();
        files.map(|file| (&*file.name, text(file))).collect()
    }

    fn left_out(copied: &Copied) -> Vec<String> {
        copied.left_out.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_an_edit_or_a_restore_left_is_no_part_of_the_house() {
        let folders = Folders::new(&[
            "mapping.toml",
            ".mapping.toml.4711-0.new",
            "rules/.hall.toml.4711-3.new",
            "rules/hall.toml",
            ".iot-control-unfinished-1-0/house/mapping.toml",
            "before-restore-1/mapping.toml",
            ".git/HEAD",
            "state/house.db",
        ]);
        let copied = folders.copy();
        let files = names(&copied);
        assert_eq!(
            files.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["house/mapping.toml", "house/rules/hall.toml"]
        );
        let told = left_out(&copied);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(".git is the history"), "{told:?}");
        assert!(told[1].contains("before-restore-1 is what"), "{told:?}");
    }

    #[test]
    fn an_edit_that_was_interrupted_is_finished_before_the_copy() {
        let folders = Folders::new(&["mapping.toml", ".mapping.toml.4711-0.new"]);
        let note = r#"{"files":[{"from":".mapping.toml.4711-0.new","to":"mapping.toml"}]}"#;
        fs::write(folders.house().join(".iot-control-edit"), note).unwrap();
        let copied = folders.copy();
        let whole = ("house/mapping.toml", ".mapping.toml.4711-0.new".to_owned());
        assert_eq!(names(&copied), [whole]);
    }

    #[test]
    fn an_edit_waits_until_the_house_is_copied() {
        let folders = Folders::new(&["mapping.toml"]);
        let alone = edit::alone(&folders.house()).unwrap();
        let copying = std::thread::scope(|scope| {
            let copying = scope.spawn(|| folders.copy().files.len());
            // It waits for the edit, which is seen in what it copied.
            fs::write(folders.house().join("a.toml"), "a").unwrap();
            fs::write(folders.house().join("b.toml"), "b").unwrap();
            drop(alone);
            copying.join().unwrap()
        });
        assert_eq!(copying, 3);
    }

    #[test]
    fn modes_are_noted_as_they_are() {
        let folders = Folders::new(&["mapping.toml", "tls/key.pem"]);
        let set = |name: &str, mode| {
            let path = folders.house().join(name);
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set("mapping.toml", 0o644);
        set("tls/key.pem", 0o600);
        set("tls", 0o700);
        set("", 0o2750);
        let copied = folders.copy();
        let files: Vec<_> = copied.files.iter().map(|file| file.mode).collect();
        assert_eq!(files, [Mode(0o644), Mode(0o600)]);
        let folders: Vec<_> = copied
            .folders
            .iter()
            .map(|folder| (&*folder.path, folder.mode))
            .collect();
        assert_eq!(
            folders,
            [("house", Mode(0o750)), ("house/tls", Mode(0o700))]
        );
    }

    #[test]
    fn a_link_within_the_house_is_what_it_leads_to_and_one_out_of_it_is_told() {
        let folders = Folders::new(&["rooms-2026/hall.toml", "blocklist.toml"]);
        let away = folders.0.path().join("away");
        fs::write(&away, "away").unwrap();
        let link = |to: &str, name: &str| symlink(to, folders.house().join(name)).unwrap();
        link("rooms-2026", "rooms");
        link("rooms-2026/hall.toml", "hall.toml");
        link("../away", "mapping.toml");
        link("../away", "settings.toml");
        link("../away", "keys.toml");
        link("nowhere", "gone.toml");
        link("..", "rooms-2026/up");
        let copied = folders.copy();
        let texts = names(&copied);
        let hall = "rooms-2026/hall.toml".to_owned();
        assert_eq!(
            texts,
            [
                ("house/blocklist.toml", "blocklist.toml".to_owned()),
                ("house/hall.toml", hall.clone()),
                ("house/mapping.toml", "away".to_owned()),
                ("house/rooms/hall.toml", hall.clone()),
                ("house/rooms-2026/hall.toml", hall),
                ("house/settings.toml", "away".to_owned()),
            ]
        );
        let told = left_out(&copied);
        for (name, why) in [
            ("gone.toml", "leads to nothing"),
            ("keys.toml", "leads out of the house"),
            ("rooms/up", "leads to a folder that it is in"),
            ("rooms-2026/up", "leads to a folder that it is in"),
        ] {
            let is_it = |text: &&String| text.contains(name) && text.contains(why);
            assert_eq!(told.iter().filter(is_it).count(), 1, "{name}: {told:?}");
        }
    }

    #[test]
    fn links_in_a_circle_end() {
        let folders = Folders::new(&["a/a.toml", "b/b.toml"]);
        symlink("../b", folders.house().join("a/to-b")).unwrap();
        symlink("../a", folders.house().join("b/to-a")).unwrap();
        let copied = folders.copy();
        let names: Vec<_> = copied.files.iter().map(|file| &*file.name).collect();
        let each = ["a/a.toml", "a/to-b/b.toml", "b/b.toml", "b/to-a/a.toml"];
        assert_eq!(names, each.map(|name| format!("house/{name}")));
        assert_eq!(left_out(&copied).len(), 2);
    }
}
