//! Where a restored folder goes: what stands there, whether something can be put there, and the steps that do it. Changes nothing
//! itself.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Access, access};

use super::{
    staging::{Staging, is_staging},
    steps::Step,
};

/// How the name begins under which what stood in a place is kept.
pub(super) const ASIDE: &str = "before-restore-";

/// What a file system has of its own in its root: it is nobody's.
const OF_THE_DISK: &str = "lost+found";

/// A folder that a restore fills.
#[derive(Debug)]
pub(super) struct Place {
    /// Links followed.
    path: PathBuf,
    /// The nearest folder that is there: the place itself, or the one in which it is made.
    there: PathBuf,
    way: Way,
}

/// How what stands in a place is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The folder gets another name, and the new one its name.
    Whole,
    /// All that is in the folder: where a disk is mounted there, where somebody works in it, or where the folder above can't be
    /// written, it must stay itself.
    Inside,
}

/// Who owns a folder, and who else may look into it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Place {
    /// Looks at the folder at `named`, which need not be there.
    ///
    /// # Errors
    /// It is no folder, or can't be written.
    pub(super) fn look(named: &Path) -> Result<Self> {
        let shown = named.display();
        let whole = std::path::absolute(named).with_context(|| shown.to_string())?;
        let (there, missing) = nearest(&whole)?;
        ensure!(there.is_dir(), "{} is no folder", there.display());
        // Joined to nothing it would get a slash at its end.
        let path = match missing.as_os_str().is_empty() {
            true => there.clone(),
            false => there.join(&missing),
        };
        ensure!(
            path.parent().is_some(),
            "{shown} is the root of this machine: name a folder in it"
        );
        let way = if path == there && must_stay(&path) {
            Way::Inside
        } else {
            Way::Whole
        };
        let place = Self { path, there, way };
        let written = place.staged_in();
        access(written, Access::WRITE_OK | Access::EXEC_OK).with_context(|| {
            format!(
                "{} can't be written to, and {shown} is to be put there",
                written.display()
            )
        })?;
        Ok(place)
    }

    /// Links followed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_there(&self) -> bool {
        self.path == self.there
    }

    /// Whether something stands there that somebody may miss.
    pub(super) fn is_taken(&self) -> Result<bool> {
        Ok(self.is_there() && !self.entries()?.is_empty())
    }

    /// A folder on the same disk for what is to be put there.
    pub(super) fn staging(&self) -> Result<Staging> {
        Staging::within(self.staged_in())
    }

    /// Who owns what is there; `None`: it is not there.
    pub(super) fn owner(&self) -> Option<Owner> {
        let metadata = self.is_there().then(|| self.path.metadata().ok())??;
        Some(Owner {
            user: metadata.uid(),
            group: metadata.gid(),
        })
    }

    /// Gives the folder `staged` and all in it the owner that they are to have, and lets those look into it who may look into what
    /// is there.
    pub(super) fn dress(&self, staged: &Path, owner: Option<Owner>) -> Result<()> {
        if let Some(owner) = owner {
            give(staged, owner).with_context(|| {
                format!(
                    "giving what belongs into {} to user {}",
                    self.path.display(),
                    owner.user
                )
            })?;
        }
        if self.is_there() {
            let mode = self.path.metadata()?.permissions().mode() & 0o777;
            fs::set_permissions(staged, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// What puts the folder `staged` there, and the folder in which what stood there is then; `None`: nothing did.
    pub(super) fn steps(&self, staged: &Path) -> Result<(Vec<Step>, Option<PathBuf>)> {
        match self.way {
            Way::Whole => self.whole(staged),
            Way::Inside => self.inside(staged),
        }
    }

    fn whole(&self, staged: &Path) -> Result<(Vec<Step>, Option<PathBuf>)> {
        let mut steps = Vec::new();
        let mut aside = None;
        let above = self.path.parent().unwrap_or(&self.there);
        if self.is_there() {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            let to = free(above, &format!("{name}.{ASIDE}"));
            steps.push(Step::Move {
                from: self.path.clone(),
                to: to.clone(),
            });
            aside = Some(to);
        } else {
            let mut missing: Vec<_> = above
                .ancestors()
                .take_while(|folder| *folder != self.there)
                .map(|folder| Step::Make(folder.to_owned()))
                .collect();
            missing.reverse();
            steps.extend(missing);
        }
        steps.push(Step::Move {
            from: staged.to_owned(),
            to: self.path.clone(),
        });
        steps.push(Step::Sync(above.to_owned()));
        Ok((steps, aside))
    }

    fn inside(&self, staged: &Path) -> Result<(Vec<Step>, Option<PathBuf>)> {
        let into = |folder: &Path, from: PathBuf| Step::Move {
            to: folder.join(from.file_name().unwrap_or_default()),
            from,
        };
        let mut steps = Vec::new();
        let mut aside = None;
        let old = self.entries()?;
        if !old.is_empty() {
            let to = free(&self.path, ASIDE);
            steps.push(Step::Make(to.clone()));
            steps.extend(old.into_iter().map(|entry| into(&to, entry)));
            aside = Some(to);
        }
        let new = entries(staged)?.into_iter();
        steps.extend(new.map(|entry| into(&self.path, entry)));
        steps.push(Step::Sync(self.path.clone()));
        Ok((steps, aside))
    }

    /// What is in it, but for what earlier restores and the file system have there.
    fn entries(&self) -> Result<Vec<PathBuf>> {
        let mut entries = entries(&self.path)?;
        entries.retain(|path| {
            let name = path.file_name().unwrap_or_default();
            let is_aside = name.as_encoded_bytes().starts_with(ASIDE.as_bytes());
            !(is_staging(name) || is_aside || name == OF_THE_DISK)
        });
        Ok(entries)
    }

    fn staged_in(&self) -> &Path {
        match (self.way, self.is_there()) {
            (Way::Whole, true) => self.path.parent().unwrap_or(&self.path),
            _ => &self.there,
        }
    }
}

/// The nearest folder to `whole` that is there, links followed, and the rest of the way.
fn nearest(whole: &Path) -> Result<(PathBuf, PathBuf)> {
    for above in whole.ancestors() {
        match above.canonicalize() {
            Ok(there) => {
                let missing = whole.strip_prefix(above)?.to_owned();
                let is_plain = missing
                    .components()
                    .all(|part| matches!(part, Component::Normal(_)));
                ensure!(is_plain, "{} is not there", above.display());
                return Ok((there, missing));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ensure!(
                    above.symlink_metadata().is_err(),
                    "{} is a link that leads to nothing",
                    above.display()
                );
            }
            Err(error) => return Err(error).with_context(|| above.display().to_string()),
        }
    }
    bail!("{} is nowhere", whole.display())
}

/// Whether a folder can't get another name, or should not.
fn must_stay(path: &Path) -> bool {
    let Some(above) = path.parent() else {
        return true;
    };
    let is_worked_in = std::env::current_dir().is_ok_and(|here| here.starts_with(path));
    is_worked_in || is_mounted(path, above) || access(above, Access::WRITE_OK).is_err()
}

fn is_mounted(path: &Path, above: &Path) -> bool {
    let disk = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    disk(path) != disk(above) || is_root_of_mount(path)
}

/// A folder of the same disk can be mounted elsewhere too.
#[cfg(target_os = "linux")]
fn is_root_of_mount(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::empty(), StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_root_of_mount(_: &Path) -> bool {
    false
}

/// A name in `folder` that nothing has.
fn free(folder: &Path, prefix: &str) -> PathBuf {
    let mut names = (1_u32..).map(|n| folder.join(format!("{prefix}{n}")));
    let is_free = |path: &PathBuf| path.symlink_metadata().is_err();
    names.find(is_free).unwrap_or_default()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// Gives everything below to another owner, where that is another one.
fn give(path: &Path, owner: Owner) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if (metadata.uid(), metadata.gid()) != (owner.user, owner.group) {
        chown(path, Some(owner.user), Some(owner.group))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            steps::{
                take_all,
                tests::{failing_at, killed_behind},
            },
            tree::Tree,
        },
        *,
    };

    /// A place, and what is to be put there.
    struct Scene {
        root: tempfile::TempDir,
        way: Way,
    }

    impl Scene {
        fn new(way: Way, is_there: bool) -> Self {
            let root = tempfile::tempdir().unwrap();
            let write = |name: &str, text: &str| {
                let path = root.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            if is_there {
                write("above/place/rules/old.toml", "old rule");
                write("above/place/mapping.toml", "old mapping");
                write("above/place/before-restore-1/mapping.toml", "oldest");
            }
            write("staged/rules/new.toml", "new rule");
            write("staged/mapping.toml", "new mapping");
            write("staged/.hidden", "hidden");
            Self { root, way }
        }

        fn steps(&self) -> (Vec<Step>, Option<PathBuf>) {
            let mut place = Place::look(&self.root.path().join("above/place")).unwrap();
            if place.is_there() {
                place.way = self.way;
            }
            place.steps(&self.root.path().join("staged")).unwrap()
        }

        fn texts(&self) -> Vec<Vec<u8>> {
            Tree::of(self.root.path()).texts()
        }

        fn read(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.root.path().join("above").join(name)).ok()
        }
    }

    const SCENES: [(Way, bool); 3] = [(Way::Whole, true), (Way::Inside, true), (Way::Whole, false)];

    #[test]
    fn what_is_put_there_is_all_that_is_there_and_what_was_is_kept() {
        for (way, is_there) in SCENES {
            let scene = Scene::new(way, is_there);
            let before = scene.texts();
            let (steps, aside) = scene.steps();
            take_all(&steps).unwrap();
            assert_eq!(scene.texts(), before);
            assert_eq!(scene.read("place/mapping.toml").unwrap(), "new mapping");
            assert_eq!(scene.read("place/.hidden").unwrap(), "hidden");
            assert!(scene.read("place/rules/new.toml").is_some());
            assert_eq!(scene.read("place/rules/old.toml"), None);
            assert_eq!(aside.is_some(), is_there);
            if let Some(aside) = aside {
                let old = fs::read_to_string(aside.join("rules/old.toml"));
                assert_eq!(old.unwrap(), "old rule", "{way:?}");
            }
        }
    }

    #[test]
    fn whichever_step_fails_all_is_as_it_was() {
        for (way, is_there) in SCENES {
            let scene = Scene::new(way, is_there);
            let before = Tree::of(scene.root.path());
            let (steps, _) = scene.steps();
            for at in 0..steps.len() {
                let why = failing_at(&steps, at).unwrap_err();
                assert!(format!("{why:#}").contains("the disk fails"), "{why:#}");
                assert_eq!(Tree::of(scene.root.path()), before, "{way:?} {at}");
            }
        }
    }

    #[test]
    fn wherever_a_restore_is_killed_nothing_is_lost_and_it_can_be_done_again() {
        for (way, is_there) in SCENES {
            let steps = Scene::new(way, is_there).steps().0.len();
            for taken in 0..=steps {
                let scene = Scene::new(way, is_there);
                let before = scene.texts();
                killed_behind(&scene.steps().0, taken);
                assert_eq!(scene.texts(), before, "{way:?} {taken}");
                let again = scene.root.path().join("staged");
                drop(fs::remove_dir_all(&again));
                fs::create_dir(&again).unwrap();
                fs::write(again.join("mapping.toml"), "again").unwrap();
                take_all(&scene.steps().0).unwrap();
                assert_eq!(scene.read("place/mapping.toml").unwrap(), "again");
                let texts = scene.texts();
                for old in [&b"old rule"[..], b"old mapping", b"oldest"] {
                    assert_eq!(
                        texts.iter().any(|text| text == old),
                        is_there,
                        "{way:?} {taken}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_link_to_a_folder_stays_a_link() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("disk/house")).unwrap();
        let link = root.path().join("house");
        std::os::unix::fs::symlink("disk/house", &link).unwrap();
        let staged = root.path().join("staged");
        fs::create_dir(&staged).unwrap();
        fs::write(staged.join("mapping.toml"), "new").unwrap();
        let place = Place::look(&link).unwrap();
        take_all(&place.steps(&staged).unwrap().0).unwrap();
        assert!(link.is_symlink());
        assert!(root.path().join("disk/house/mapping.toml").exists());
    }

    #[test]
    fn a_folder_of_which_nothing_is_there_yet_is_made_with_those_above_it() {
        let root = tempfile::tempdir().unwrap();
        let staged = root.path().join("staged");
        fs::create_dir(&staged).unwrap();
        let named = root.path().join("a/b/house");
        let place = Place::look(&named).unwrap();
        assert!(!place.is_there() && !place.is_taken().unwrap());
        take_all(&place.steps(&staged).unwrap().0).unwrap();
        assert!(named.is_dir());
    }

    #[test]
    fn a_place_where_nothing_can_be_put_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
        for (name, why) in [
            ("file", "is no folder"),
            ("file/house", "Not a directory"),
            ("link", "leads to nothing"),
            ("link/house", "leads to nothing"),
            ("gone/../house", "is not there"),
            ("/", "is the root"),
        ] {
            let refused = format!("{:#}", Place::look(&root.path().join(name)).unwrap_err());
            assert!(refused.contains(why), "{name}: {refused}");
        }
    }

    #[test]
    fn a_folder_that_can_t_be_written_is_refused() {
        if rustix::process::geteuid().is_root() {
            // It may write everywhere.
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
        for named in [closed.join("house"), closed.join("a/house"), closed] {
            // The folder itself could be exchanged, were the one above it not writable.
            let is_closed_itself = named.ends_with("closed");
            let looked = Place::look(&named);
            assert_eq!(looked.is_ok(), is_closed_itself, "{looked:?}");
        }
    }

    #[test]
    fn what_the_file_system_has_in_its_root_is_nobody_s() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(OF_THE_DISK)).unwrap();
        let place = Place::look(root.path()).unwrap();
        assert!(!place.is_taken().unwrap());
    }
}
