//! The asking side of the control socket; blocking, used by short-lived commands.

use std::{
    fmt, fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroize;

use super::{Request, Response};
use crate::{
    settings::{self, Settings},
    whose,
};

/// Name of the socket in a state folder.
pub(crate) const SOCKET: &str = "control.sock";

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No dispatcher listens in any of these folders.
    NotRunning(Vec<PathBuf>),
    /// Whether one runs in this folder is not for this user to see.
    Hidden(PathBuf),
    /// The connection broke.
    Broken(std::io::Error),
    /// The dispatcher refused, and says why.
    Refused(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(folders) => {
                f.write_str("no dispatcher is running here (looked in")?;
                for folder in folders {
                    write!(f, " {}", folder.display())?;
                }
                f.write_str("); start one with `iot-control run HOUSE`, or name its state folder with --state")
            }
            Self::Hidden(folder) => write!(
                f,
                "{} may not be looked at by this user, so nobody knows whether a dispatcher runs there; try sudo",
                folder.display()
            ),
            Self::Broken(error) => write!(f, "the dispatcher does not answer: {error}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unanswered {}

/// An open connection to a running dispatcher.
pub(crate) struct Connection(BufReader<UnixStream>);

/// Connects to the dispatcher of `folder`, or to the one that runs in a default place.
///
/// # Errors
/// None is running there.
pub(crate) fn connect(folder: Option<&Path>) -> Result<Connection, Unanswered> {
    let folders = folders(folder);
    let stream = first(folders, |folder| UnixStream::connect(folder.join(SOCKET)))?;
    Ok(Connection(BufReader::new(stream)))
}

/// What the first folder gives in which a dispatcher listens.
fn first<T>(
    folders: Vec<PathBuf>,
    connect: impl Fn(&Path) -> io::Result<T>,
) -> Result<T, Unanswered> {
    let mut hidden = None;
    for folder in &folders {
        match connect(folder) {
            Ok(found) => return Ok(found),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                hidden.get_or_insert_with(|| folder.clone());
            }
            Err(_) => {}
        }
    }
    Err(hidden.map_or(Unanswered::NotRunning(folders), Unanswered::Hidden))
}

/// State folders of the house in whose folder somebody stands: those that say so themselves.
pub(crate) fn folders_of_here() -> Vec<PathBuf> {
    let here = Path::new(".");
    let mut places = Settings::states_of(here);
    places.retain(|place| whose::is_at_home(place, here));
    places
}

/// The named state folder, or the places where a dispatcher keeps its state: that of the house in whose folder somebody stands, the
/// machine's, then those of simulated houses, the one that was started or ended last first.
pub(crate) fn folders(named: Option<&Path>) -> Vec<PathBuf> {
    match named {
        Some(folder) => vec![folder.to_owned()],
        None => {
            let mut folders = folders_of_here();
            let machine = settings::default_state_folder();
            folders.extend((!folders.contains(&machine)).then_some(machine));
            folders.extend(newest_first(&settings::simulations_folder()));
            folders
        }
    }
}

/// The folders in `parent`; none where it can't be read.
fn newest_first(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            Some((
                about.is_dir().then(|| about.modified().ok())??,
                entry.path(),
            ))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

impl Connection {
    /// Waits at most so long for each part of an answer.
    ///
    /// # Errors
    /// The socket takes no timeout.
    pub(crate) fn set_patience(&mut self, patience: Duration) -> Result<(), Unanswered> {
        let stream = self.0.get_ref();
        let set = stream
            .set_read_timeout(Some(patience))
            .and_then(|()| stream.set_write_timeout(Some(patience)));
        set.map_err(Unanswered::Broken)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The connection broke, or the dispatcher refused.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<serde_json::Value, Unanswered> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| Unanswered::Broken(error.into()))?;
        line.push(b'\n');
        self.0
            .get_mut()
            .write_all(&line)
            .map_err(Unanswered::Broken)?;
        // It may have held a secret.
        line.zeroize();
        let line = self.line()?.unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::Error(why)) => Err(Unanswered::Refused(why)),
            Err(error) => Err(Unanswered::Broken(error.into())),
        }
    }

    /// The next line of a stream; `None` at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn line(&mut self) -> Result<Option<String>, Unanswered> {
        let mut line = String::new();
        let bytes = self.0.read_line(&mut line).map_err(Unanswered::Broken)?;
        Ok((bytes > 0).then(|| line.trim_end_matches('\n').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_folder_that_may_not_be_looked_at_is_told_unless_a_dispatcher_is_found_elsewhere() {
        let folders = || ["ours", "theirs", "third"].map(PathBuf::from).to_vec();
        let ask = |runs: &str| {
            first(folders(), |folder| match folder.to_str() {
                Some("theirs") => Err(io::ErrorKind::PermissionDenied.into()),
                Some(name) if name == runs => Ok(name.to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            })
        };
        assert_eq!(ask("third").expect("it runs"), "third");
        let why = ask("nowhere").expect_err("none is seen").to_string();
        assert!(why.starts_with("theirs may not be looked at"), "{why}");
        assert!(why.ends_with("try sudo"), "{why}");
        let none = first(folders(), |_| Err::<(), _>(io::ErrorKind::NotFound.into()));
        assert!(matches!(none, Err(Unanswered::NotRunning(_))));
    }

    #[test]
    fn the_simulation_that_ran_last_is_looked_at_first() {
        let parent = tempfile::tempdir().expect("a folder for the test");
        fs::write(parent.path().join("no-folder"), "").expect("it is written");
        for (name, seconds) in [("older", 1), ("newest", 3), ("newer", 2)] {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).expect("it is made");
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let folder = fs::File::open(&folder).expect("it is there");
            folder.set_modified(then).expect("its time is set");
        }
        let found = newest_first(parent.path());
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["newest", "newer", "older"]);
        assert!(newest_first(&parent.path().join("nothing")).is_empty());
    }
}
