//! The way back: everything is unpacked beside its place and looked at there; only what is whole gets into it. What stood
//! there is moved aside, never deleted.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use store::{FolderLock, StateFolder};

use super::{
    HOUSE, STATE,
    manifest::Manifest,
    place::{Owner, Place},
    read::extract,
    staging::Staging,
    state::last_input,
    steps::{Step, take_all},
};
use crate::settings::{self, Settings};

/// What was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// Version that made the backup.
    pub(crate) version: String,
    /// When, in UTC.
    pub(crate) made: String,
    /// The newest input; `None`: the house had never run.
    pub(crate) last_input: Option<u64>,
    /// Where the state is now.
    pub(crate) state: PathBuf,
    /// Where what stood there is now.
    pub(crate) moved: Vec<PathBuf>,
    /// Where a dispatcher of this house looks for its state, where that is another folder.
    pub(crate) looked_for: Option<PathBuf>,
}

/// Puts the house of `file` into `house` and its state into `state`, or, where the settings of that house name no other folder,
/// where a dispatcher of this machine keeps it. With `over`, what stands there is moved aside.
///
/// # Errors
/// `file` is no whole backup, its settings name a folder for the state and nobody else does, something stands there, it can't
/// be written, or a dispatcher runs on the state: then nothing is changed.
pub(crate) fn unpack(
    file: &Path,
    house: &Path,
    state: Option<&Path>,
    over: bool,
) -> Result<Restored> {
    Ready::new(file, house, state, over)?.put(take_all)
}

/// A backup that was unpacked beside its places; nothing is changed yet.
struct Ready {
    manifest: Manifest,
    last_input: Option<u64>,
    house: Place,
    state: Place,
    looked_for: Option<PathBuf>,
    of_house: Staging,
    of_state: Staging,
    /// Nobody edits the house or runs on the states, neither on what is there nor on what comes.
    _alone: (Option<edit::Alone>, Vec<FolderLock>),
}

impl Ready {
    fn new(file: &Path, house: &Path, state: Option<&Path>, over: bool) -> Result<Self> {
        let shown = file.display();
        let open = || File::open(file).with_context(|| shown.to_string());
        let house = Place::look(house)?;
        may_be_filled(&house, over)?;
        if let Some(state) = state {
            may_be_filled(&Place::look(state)?, over)?;
        }
        let of_house = house.staging()?;
        let staged_house = of_house.path(HOUSE);
        let not_whole = || format!("{shown} is no whole backup; nothing was changed");
        let manifest = extract(open()?, &[(HOUSE, &staged_house)]).with_context(not_whole)?;

        let (state, looked_for) = state_of((&staged_house, house.path()), state)?;
        may_be_filled(&state, over)?;
        apart(&house, &state)?;
        let mut locks = Vec::from_iter(lock_of(state.path())?);
        let edit = house.is_there().then(|| edit::alone(house.path()));
        let edit = edit.transpose()?;

        let of_state = state.staging()?;
        let staged_state = of_state.path(STATE);
        let again = extract(open()?, &[(STATE, &staged_state)]).with_context(not_whole)?;
        ensure!(
            again == manifest,
            "{shown} changed while it was read; nothing was changed"
        );
        let last_input = StateFolder::new(&staged_state)
            .database()
            .exists()
            .then(|| {
                // The journal of a house to which nothing happened yet is an empty folder, which no archive holds.
                StateFolder::new(&staged_state).make()?;
                last_input(&staged_state)
            })
            .transpose()
            .with_context(|| {
                format!("{shown} holds a state that is not whole; nothing was changed")
            })?;
        locks.push(StateFolder::new(&staged_state).lock()?);

        // One dispatcher reads both: what is not there yet is its as well.
        let owner: Option<Owner> = house.owner().or(state.owner());
        house.dress(&staged_house, owner)?;
        state.dress(&staged_state, state.owner().or(owner))?;
        Ok(Self {
            manifest,
            last_input,
            house,
            state,
            looked_for,
            of_house,
            of_state,
            _alone: (edit, locks),
        })
    }

    /// Puts both in place; `take` takes the steps.
    fn put(self, take: impl FnOnce(&[Step]) -> Result<()>) -> Result<Restored> {
        let (of_state, state_aside) = self.state.steps(&self.of_state.path(STATE))?;
        let (of_house, house_aside) = self.house.steps(&self.of_house.path(HOUSE))?;
        // The state first: its lock keeps a dispatcher off until its house is there.
        let mut steps = of_state;
        for step in of_house {
            // Both may lie in a folder that is not there yet.
            let is_made = matches!(step, Step::Make(_)) && steps.contains(&step);
            if !is_made {
                steps.push(step);
            }
        }
        take(&steps)?;
        let asides = house_aside.into_iter().chain(state_aside);
        Ok(Restored {
            version: self.manifest.version,
            made: self.manifest.made,
            last_input: self.last_input,
            state: self.state.path().to_owned(),
            // An empty folder is not worth a word.
            moved: asides
                .filter(|aside| std::fs::remove_dir(aside).is_err())
                .collect(),
            looked_for: self.looked_for,
        })
    }
}

fn may_be_filled(place: &Place, over: bool) -> Result<()> {
    ensure!(
        over || !place.is_taken()?,
        "{} is there already: --force moves it aside",
        place.path().display()
    );
    Ok(())
}

/// Where the state of a staged house that is to be at `house` belongs, and where a dispatcher of the house looks for it, if that is elsewhere. What the settings of an archive
/// name is no place to write to: whoever made it chose it.
fn state_of(
    (staged_house, house): (&Path, &Path),
    named: Option<&Path>,
) -> Result<(Place, Option<PathBuf>)> {
    let name = format!("{} of the backup", settings::FILE);
    let wanted = Settings::state_of(&name, staged_house, house)
        .map(|set| set.unwrap_or_else(settings::default_state_folder));
    match (wanted, named) {
        (Ok(wanted), None) => {
            let own = Settings::state_of_machine();
            ensure!(
                is_same(&wanted, &own)?,
                "the settings in the backup keep the state in {0}, and not in {1} as this machine does; nothing was changed: say where \
                 it goes, with --state {0} or another folder",
                wanted.display(),
                own.display()
            );
            Ok((Place::look(&own)?, None))
        }
        (Ok(wanted), Some(named)) => {
            let place = Place::look(named)?;
            let wanted = std::path::absolute(wanted)?;
            let real = wanted.canonicalize().unwrap_or_else(|_| wanted.clone());
            let elsewhere = (real != place.path()).then_some(wanted);
            Ok((place, elsewhere))
        }
        (Err(_), Some(named)) => Ok((Place::look(named)?, None)),
        (Err(why), None) => Err(why).context(
            "where the house keeps its state can't be read; nothing was changed: name the folder with --state",
        ),
    }
}

/// Whether two paths are one folder, which need not be there.
fn is_same(one: &Path, other: &Path) -> Result<bool> {
    let (one, other) = (std::path::absolute(one)?, std::path::absolute(other)?);
    let real = |path: &Path| path.canonicalize().ok();
    Ok(one == other || real(&one).is_some_and(|one| real(&other) == Some(one)))
}

/// One can't be moved aside without the other where it lies in it.
fn apart(house: &Place, state: &Place) -> Result<()> {
    let (house, state) = (house.path(), state.path());
    ensure!(
        !house.starts_with(state) && !state.starts_with(house),
        "the house ({}) and its state ({}) would lie in each other; nothing was changed: name another folder with --state, and in \
         {} as well",
        house.display(),
        state.display(),
        settings::FILE
    );
    Ok(())
}

/// Keeps a dispatcher from running on a state meanwhile. Where none ever ran, nothing is made.
fn lock_of(state: &Path) -> Result<Option<FolderLock>> {
    let state = StateFolder::new(state);
    let is_there = state.lock_file().exists();
    Ok(is_there.then(|| state.lock()).transpose()?)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use store::{Options, Store};

    use super::{
        super::{pack::pack, steps::tests::failing_at, tree::Tree},
        *,
    };

    #[test]
    fn a_house_to_which_nothing_happened_yet_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("house")).unwrap();
        fs::write(path("house/mapping.toml"), "format = 1\n").unwrap();
        fs::create_dir_all(path("state/keys")).unwrap();
        fs::write(path("state/keys/house"), "a key").unwrap();
        for (name, mode) in [("state/keys", 0o700), ("state/keys/house", 0o600)] {
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let never_ran = pack(&path("house"), &path("state"), &path("never-ran")).unwrap();
        assert_eq!((never_ran.last_input, never_ran.files), (None, 2));
        drop(Store::open(&path("state"), Options::default()).unwrap());
        assert_eq!(path("state/journal").read_dir().unwrap().count(), 0);
        let packed = pack(&path("house"), &path("state"), &path("file")).unwrap();
        assert_eq!(packed.last_input, Some(0));
        let restored = unpack(&path("file"), &path("new"), Some(&path("its-state")), false);
        assert_eq!(restored.unwrap().last_input, Some(0));
        let key = fs::read_to_string(path("its-state/keys/house"));
        assert_eq!(key.unwrap(), "a key");
        drop(Store::open(&path("its-state"), Options::default()).unwrap());
    }

    #[test]
    fn whichever_step_of_a_restore_fails_house_and_state_are_as_they_were() {
        for is_there in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let path = |name: &str| root.path().join(name);
            fs::create_dir_all(path("house/rules")).unwrap();
            fs::write(path("house/mapping.toml"), "packed").unwrap();
            drop(Store::open(&path("state"), Options::default()).unwrap());
            pack(&path("house"), &path("state"), &path("file")).unwrap();
            fs::write(path("house/mapping.toml"), "since").unwrap();
            let (house, state) = match is_there {
                true => (path("house"), path("state")),
                false => (path("new/house"), path("new/state")),
            };
            let ready = || Ready::new(&path("file"), &house, Some(&state), true).unwrap();
            let mut steps = 0;
            let counted = ready().put(|all| {
                steps = all.len();
                failing_at(all, 0)
            });
            assert!(counted.is_err() && steps >= 4, "{steps}");
            // What its lock says of the process that tried is nobody's.
            let tree = || Tree::of(root.path()).without("state/lock");
            let before = tree();
            for at in 0..steps {
                let why = ready().put(|steps| failing_at(steps, at)).unwrap_err();
                assert_eq!(why.to_string(), "nothing was changed");
                assert_eq!(tree(), before, "{is_there} {at}");
            }
            ready().put(take_all).unwrap();
            let text = fs::read_to_string(house.join("mapping.toml")).unwrap();
            assert_eq!(text, "packed");
            assert!(house.join("rules").is_dir(), "an empty folder is kept");
        }
    }
}
