//! Watches what a house was read from, from a thread of its own: an edited file is read, checked and tested
//! here, and only what passed reaches the dispatcher.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use mapping::{Reads, disk::Stamp};
use tokio::sync::mpsc;

use super::house::{self, House, Reading};

/// How often it is looked at. Comparing the times of a few dozen files costs less than a page of output, works
/// on every file system and through every link, and needs no kernel watch that a rename would lose.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Looks after which an edit of several files that is still being written was interrupted.
const UNFINISHED_LOOKS: u32 = 12;

/// What an edit led to.
pub(crate) enum Edit {
    /// A house that checks and whose tests pass.
    Good(Box<House>),
    /// What is wrong with it, rendered for people; the running house stays.
    Bad(String),
    /// blocklist.toml changed.
    Blocklist,
}

/// Everything on disk that the running house hangs on, as it was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    house: Reads,
    blocklist: (PathBuf, Option<Stamp>),
}

impl Seen {
    /// What the house in `folder` was read from. To be made before its blocklist is read.
    pub(crate) fn new(folder: &Path, house: Reads) -> Self {
        let blocklist = house::blocklist_path(folder);
        let stamp = Stamp::of(&blocklist);
        Self {
            house,
            blocklist: (blocklist, stamp),
        }
    }

    /// The same places as they are now.
    fn now(&self) -> Self {
        let (path, _) = &self.blocklist;
        Self {
            house: self.house.now(),
            blocklist: (path.clone(), Stamp::of(path)),
        }
    }
}

/// Starts watching the house in `folder` for changes since `seen`; the thread ends when the receiver is dropped.
///
/// # Errors
/// The thread can't be started.
pub(crate) fn watch(folder: &Path, mut seen: Seen) -> std::io::Result<mpsc::Receiver<Edit>> {
    let (sender, receiver) = mpsc::channel(1);
    let folder = folder.to_owned();
    thread::Builder::new().name("watch".into()).spawn(move || {
        let mut unfinished = 0_u32;
        loop {
            thread::sleep(LOOK_EVERY);
            if sender.is_closed() {
                return;
            }
            if edit::is_unfinished(&folder) {
                unfinished = unfinished.saturating_add(1);
                if unfinished == UNFINISHED_LOOKS {
                    tell_unfinished(&folder);
                }
                continue;
            }
            unfinished = 0;
            let now = seen.now();
            if now == seen {
                continue;
            }
            let mut edits = edits(&folder, &mut seen, settle(now)).into_iter();
            if edits.any(|edit| sender.blocking_send(edit).is_err()) {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn tell_unfinished(folder: &Path) {
    let folder = folder.display();
    tracing::warn!(
        "an edit of {folder} was interrupted, and the house goes on as before; `iot-control check {folder}` finishes it"
    );
}

/// An editor may still be writing: waits until two looks in a row are the same.
fn settle(mut last: Seen) -> Seen {
    const LOOKS_MAX: u8 = 10;
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_EVERY / 4);
        let now = last.now();
        if now == last {
            break;
        }
        last = now;
    }
    last
}

/// What the changes from `seen` to `now` led to. Afterwards `seen` is what was looked at for it, which may be
/// other files than before.
fn edits(folder: &Path, seen: &mut Seen, now: Seen) -> Vec<Edit> {
    let before = std::mem::replace(seen, now);
    let mut edits = Vec::new();
    if before.blocklist != seen.blocklist {
        edits.push(Edit::Blocklist);
    }
    if before.house != seen.house {
        let Reading { house, reads } = house::read(folder);
        if edit::is_unfinished(folder) {
            // What was read may belong to two houses; it is looked at again when that is over.
            seen.house = before.house;
            return edits;
        }
        if let Some(reads) = reads {
            seen.house = reads;
        }
        edits.push(match house {
            Ok(house) => Edit::Good(Box::new(house)),
            Err(why) => Edit::Bad(why),
        });
    }
    edits
}
