//! The asking side of the control socket; blocking, used by short-lived commands.

use std::{
    fmt,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Request, Response};
use crate::settings;

/// Name of the socket in a state folder.
pub(crate) const SOCKET: &str = "control.sock";

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No dispatcher listens in any of these folders.
    NotRunning(Vec<PathBuf>),
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
    let found = folders
        .iter()
        .find_map(|folder| UnixStream::connect(folder.join(SOCKET)).ok());
    let stream = found.ok_or(Unanswered::NotRunning(folders))?;
    Ok(Connection(BufReader::new(stream)))
}

/// The named state folder, or the places where a dispatcher keeps its state.
pub(crate) fn folders(named: Option<&Path>) -> Vec<PathBuf> {
    match named {
        Some(folder) => vec![folder.to_owned()],
        None => {
            let base = settings::default_state_folder();
            vec![base.clone(), base.join("simulate")]
        }
    }
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
