//! Watches the house folder from a thread of its own: an edited file is read, checked and tested
//! here, and only what passed reaches the dispatcher.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use super::house::{self, House};

/// How often the folder is looked at. Comparing a few dozen file times costs less than a page of
/// output, works on every file system, and needs no kernel watch that a rename would lose.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Folders below the house folder that are looked into.
const DEPTH_MAX: u8 = 4;

/// Files that are looked at; a folder with more is no house.
const FILES_MAX: usize = 10_000;

/// What an edit led to.
pub(crate) enum Edit {
    /// A house that checks and whose tests pass.
    Good(Box<House>),
    /// What is wrong with it, rendered for people; the running house stays.
    Bad(String),
    /// blocklist.toml changed.
    Blocklist,
}

/// The files of a folder as they were at some time.
pub(crate) type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Starts watching `folder` for changes since `seen`; the thread ends when the receiver is dropped.
///
/// # Errors
/// The thread can't be started.
pub(crate) fn watch(folder: &Path, mut seen: Seen) -> std::io::Result<mpsc::Receiver<Edit>> {
    let (sender, receiver) = mpsc::channel(1);
    let folder = folder.to_owned();
    thread::Builder::new().name("watch".into()).spawn(move || {
        loop {
            thread::sleep(LOOK_EVERY);
            if sender.is_closed() {
                return;
            }
            let now = look(&folder);
            if now == seen {
                continue;
            }
            // An editor may still be writing: wait until two looks in a row are the same.
            let settled = settle(&folder, now);
            let edits = edits(&folder, &seen, &settled);
            seen = settled;
            if edits
                .into_iter()
                .any(|edit| sender.blocking_send(edit).is_err())
            {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn settle(folder: &Path, mut last: Seen) -> Seen {
    const LOOKS_MAX: u8 = 10;
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_EVERY / 4);
        let now = look(folder);
        if now == last {
            break;
        }
        last = now;
    }
    last
}

fn edits(folder: &Path, before: &Seen, after: &Seen) -> Vec<Edit> {
    let blocklist = house::blocklist_path(folder);
    let changed = |path: &PathBuf| before.get(path) != after.get(path);
    let mut edits = Vec::new();
    if changed(&blocklist) {
        edits.push(Edit::Blocklist);
    }
    if before
        .keys()
        .chain(after.keys())
        .any(|path| *path != blocklist && changed(path))
    {
        edits.push(match house::read(folder) {
            Ok(house) => Edit::Good(Box::new(house)),
            Err(why) => Edit::Bad(why),
        });
    }
    edits
}

/// The files of `folder` as they are now.
pub(crate) fn look(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    look_into(folder, DEPTH_MAX, &mut seen);
    seen
}

fn look_into(folder: &Path, depth: u8, seen: &mut Seen) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() && depth > 0 {
            look_into(&path, depth - 1, seen);
        } else if path.extension().is_some_and(|end| end == "toml")
            && path.file_name().is_some_and(|name| name != "settings.toml")
            && seen.len() < FILES_MAX
        {
            seen.insert(path, (meta.modified().ok(), meta.len()));
        }
    }
}
