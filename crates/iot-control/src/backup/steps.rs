//! The changes that a restore makes, one after the other: where one fails, those before it are taken back.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

use anyhow::{Result, anyhow};

use super::names::rename_new;

/// One change, which is made whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Makes a folder.
    Make(PathBuf),
    /// Gives a file or folder another name, which nothing has.
    Move { from: PathBuf, to: PathBuf },
    /// Makes the names in a folder survive a power cut.
    Sync(PathBuf),
}

impl Step {
    fn take(&self) -> io::Result<()> {
        match self {
            Self::Make(folder) => DirBuilder::new().mode(0o755).create(folder),
            Self::Move { from, to } => rename_new(from, to),
            Self::Sync(folder) => File::open(folder)?.sync_all(),
        }
    }

    fn take_back(&self) -> io::Result<()> {
        match self {
            Self::Make(folder) => fs::remove_dir(folder),
            Self::Move { from, to } => rename_new(to, from),
            Self::Sync(_) => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(folder) => write!(f, "making {}", folder.display()),
            Self::Move { from, to } => write!(f, "moving {} to {}", from.display(), to.display()),
            Self::Sync(folder) => write!(f, "writing {}", folder.display()),
        }
    }
}

/// Takes all steps, or none.
///
/// # Errors
/// One could not be taken. Where another could not be taken back either, it says which, and nothing is lost: a step deletes nothing.
pub(super) fn take_all(steps: &[Step]) -> Result<()> {
    take_each(steps, &mut |_| Ok(()))
}

/// As [`take_all`]; `may` is asked before each step is taken or taken back.
fn take_each(steps: &[Step], may: &mut dyn FnMut(&Step) -> io::Result<()>) -> Result<()> {
    for (done, step) in steps.iter().enumerate() {
        let Err(why) = may(step).and_then(|()| step.take()) else {
            continue;
        };
        let failed = anyhow!("{step}: {why}");
        let stuck: Vec<String> = steps[..done]
            .iter()
            .rev()
            .filter_map(|step| {
                let why = may(step).and_then(|()| step.take_back()).err()?;
                Some(format!("{step} could not be taken back: {why}"))
            })
            .collect();
        return Err(match stuck.as_slice() {
            [] => failed.context("nothing was changed"),
            stuck => failed.context(format!(
                "it stopped halfway, put it right by hand, nothing is lost: {}",
                stuck.join("; ")
            )),
        });
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::backup::tree::Tree;

    /// Where the disk fails.
    pub(in crate::backup) fn failing_at(steps: &[Step], at: usize) -> Result<()> {
        let mut asked = 0;
        take_each(steps, &mut |_| {
            asked += 1;
            match asked - 1 == at {
                true => Err(io::Error::other("the disk fails")),
                false => Ok(()),
            }
        })
    }

    /// What a process does that is killed behind so many steps.
    pub(in crate::backup) fn killed_behind(steps: &[Step], taken: usize) {
        for step in &steps[..taken] {
            step.take().unwrap();
        }
    }

    fn steps(root: &Path) -> Vec<Step> {
        let path = |name: &str| root.join(name);
        let moved = |from, to| Step::Move {
            from: path(from),
            to: path(to),
        };
        vec![
            Step::Make(path("new")),
            moved("old", "new/old"),
            moved("file", "old"),
            Step::Sync(root.to_owned()),
        ]
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("old")).unwrap();
        fs::write(root.path().join("old/inside"), "1").unwrap();
        fs::write(root.path().join("file"), "2").unwrap();
        root
    }

    #[test]
    fn steps_are_all_taken_or_none() {
        let done = root();
        take_all(&steps(done.path())).unwrap();
        assert!(done.path().join("new/old/inside").exists());
        assert_eq!(fs::read_to_string(done.path().join("old")).unwrap(), "2");
        for at in 0..4 {
            let root = root();
            let before = Tree::of(root.path());
            let why = failing_at(&steps(root.path()), at).unwrap_err();
            assert_eq!(why.to_string(), "nothing was changed", "{at}");
            assert_eq!(Tree::of(root.path()), before, "{at}");
        }
    }

    #[test]
    fn what_can_t_be_taken_back_is_named_and_all_else_is() {
        let root = root();
        let steps = steps(root.path());
        let mut asked = 0;
        let why = take_each(&steps, &mut |_| {
            asked += 1;
            // The last one, and then the taking back of the one before it.
            match asked {
                4 | 5 => Err(io::Error::other("the disk fails")),
                _ => Ok(()),
            }
        });
        let why = format!("{:#}", why.unwrap_err());
        assert!(why.contains("stopped halfway"), "{why}");
        let stuck = format!("{} could not be taken back", steps[2]);
        assert!(why.contains(&stuck), "{why}");
        let text = fs::read_to_string(root.path().join("old"));
        assert_eq!(text.unwrap(), "2");
        // `old` is taken: the folder that it was stays where it is, with what is in it.
        assert!(root.path().join("new/old/inside").exists());
    }
}
