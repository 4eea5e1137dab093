//! The live stream: lines for a terminal, for `iot-control events` and for machines. Formatting is
//! done only while somebody looks; a reader that is too slow misses lines and is told how many.

use std::{
    rc::Rc,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::{self, JoinHandle},
};

use dispatcher::explain::Filter;
use tokio::sync::mpsc;

use crate::printer;

/// Lines that may wait for one reader.
pub(crate) const WAITING_LINES_MAX: usize = 4_096;

/// Everybody who looks.
#[derive(Default)]
pub(crate) struct Stream {
    readers: Vec<Reader>,
}

struct Reader {
    to: To,
    json: bool,
    filters: Vec<Filter>,
    missed: u64,
}

enum To {
    Terminal(SyncSender<String>),
    Socket(mpsc::Sender<Rc<str>>),
}

/// The printing thread; joined so that the last lines are out before the program ends.
pub(crate) struct Printing(JoinHandle<()>);

impl Stream {
    /// Prints every line to stdout, from a thread of its own: a stopped terminal stops nobody else.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(crate) fn print(&mut self, json: bool) -> std::io::Result<Printing> {
        let (sender, lines) = sync_channel::<String>(WAITING_LINES_MAX);
        let thread = thread::Builder::new()
            .name("stream".into())
            .spawn(move || {
                for line in lines {
                    printer::result(line);
                }
            })?;
        self.readers.push(Reader {
            to: To::Terminal(sender),
            json,
            filters: Vec::new(),
            missed: 0,
        });
        Ok(Printing(thread))
    }

    /// Sends every line that one of `filters` wants to a connection of the control socket.
    pub(crate) fn follow(&mut self, json: bool, filters: Vec<Filter>) -> mpsc::Receiver<Rc<str>> {
        let (sender, receiver) = mpsc::channel(WAITING_LINES_MAX);
        self.readers.push(Reader {
            to: To::Socket(sender),
            json,
            filters,
            missed: 0,
        });
        receiver
    }

    /// Whether anybody looks; where not, nothing need be formatted.
    pub(crate) fn is_watched(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Shows `text` to people and `json` to machines, where `is_wanted` by their filters; each is made only where
    /// it is.
    pub(crate) fn show(
        &mut self,
        is_wanted: impl Fn(&[Filter]) -> bool,
        text: impl Fn() -> String,
        json: impl Fn() -> String,
    ) {
        self.readers.retain_mut(|reader| {
            if !is_wanted(&reader.filters) {
                return true;
            }
            let line = if reader.json { json() } else { text() };
            line.is_empty() || reader.send(&line)
        });
    }

    /// Lets go of all readers.
    pub(crate) fn close(&mut self) {
        self.readers.clear();
    }
}

impl Printing {
    /// Waits until all lines are out.
    pub(crate) fn finish(self) {
        if self.0.join().is_err() {
            tracing::warn!("the printing thread had stopped");
        }
    }
}

impl Reader {
    /// False: the reader is gone.
    fn send(&mut self, line: &str) -> bool {
        if self.missed > 0 {
            let missed = self.missed;
            let note = if self.json {
                format!("{{\"missed_lines\":{missed}}}")
            } else {
                format!("... {missed} lines left out: this reader is too slow")
            };
            match self.to.send(&note) {
                Sent::Yes => self.missed = 0,
                Sent::Full => {}
                Sent::Gone => return false,
            }
        }
        match self.to.send(line) {
            Sent::Yes => true,
            Sent::Full => {
                self.missed += 1;
                true
            }
            Sent::Gone => false,
        }
    }
}

enum Sent {
    Yes,
    Full,
    Gone,
}

impl To {
    fn send(&self, line: &str) -> Sent {
        match self {
            Self::Terminal(sender) => match sender.try_send(line.to_owned()) {
                Ok(()) => Sent::Yes,
                Err(TrySendError::Full(_)) => Sent::Full,
                Err(TrySendError::Disconnected(_)) => Sent::Gone,
            },
            Self::Socket(sender) => match sender.try_send(line.into()) {
                Ok(()) => Sent::Yes,
                Err(mpsc::error::TrySendError::Full(_)) => Sent::Full,
                Err(mpsc::error::TrySendError::Closed(_)) => Sent::Gone,
            },
        }
    }
}
