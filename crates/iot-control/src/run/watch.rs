//! Watches what a house was read from, from a thread of its own: an edited file is read, checked and tested
//! here, and only what passed reaches the dispatcher.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mapping::{Program, Reads, disk::Stamp};
use tokio::sync::mpsc;

use super::house::{self, House, Reading};
use crate::whose;

/// How often it is looked at. Comparing the times of a few dozen files costs less than a page of output, works
/// on every file system and through every link, and needs no kernel watch that a rename would lose.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Looks after which an edit of several files that is still being written was interrupted.
const UNFINISHED_LOOKS: u32 = 12;

/// How long files must stay as they are where a rule is gone that was in force: who writes a file in place may
/// be halfway through it, and a rule takes its timers along.
const RULES_GONE_AFTER: Duration = Duration::from_millis(500);

/// The same where most rules are gone, or a file is empty that was not.
const MOST_GONE_AFTER: Duration = Duration::from_secs(3);

/// What was edited, seen at once: who renames a device that is blocked changes the mapping and blocklist.toml together.
pub(crate) struct Edit {
    /// What the files of the house led to.
    pub(crate) files: Files,
    /// Whether blocklist.toml changed.
    pub(crate) blocklist: bool,
}

/// What the files of a house led to.
pub(crate) enum Files {
    /// Nothing: they did not change.
    AsTheyWere,
    /// Nothing yet: somebody may still be writing them. They are looked at again, and blocklist.toml with them.
    Unsettled,
    /// A house that checks and whose tests pass.
    Good(Box<House>),
    /// What is wrong with it, rendered for people; the running house stays.
    Bad(String),
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

/// Starts watching the house in `folder` for changes since `seen`, when `program` came into force; the thread ends
/// when the receiver is dropped.
///
/// # Errors
/// The thread can't be started.
pub(crate) fn watch(
    folder: &Path,
    mut seen: Seen,
    mut program: Arc<Program>,
) -> std::io::Result<mpsc::Receiver<Edit>> {
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
            let edit = edit_seen(&folder, &mut seen, &mut program, settle(now), stays);
            if edit.is_some_and(|edit| sender.blocking_send(edit).is_err()) {
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
/// other files than before. What changes again while it is read and tested, or within the time that `stays` is given,
/// leads to nothing: the next look finds it.
fn edit_seen(
    folder: &Path,
    seen: &mut Seen,
    program: &mut Arc<Program>,
    now: Seen,
    stays: impl FnOnce(&Reads, Duration) -> bool,
) -> Option<Edit> {
    let blocklist = seen.blocklist != now.blocklist;
    if seen.house == now.house {
        seen.blocklist = now.blocklist;
        let files = Files::AsTheyWere;
        return blocklist.then_some(Edit { files, blocklist });
    }
    let Reading { house, reads } = house::read(folder);
    let read = reads.unwrap_or_else(|| now.house.clone());
    let wait = match &house {
        Ok(house) => patience(&seen.house, &read, program, &house.program),
        Err(_) => Duration::ZERO,
    };
    // What was read of an unfinished edit may belong to two houses.
    if edit::is_unfinished(folder) || !stays(&read, wait) {
        let files = Files::Unsettled;
        return blocklist.then_some(Edit { files, blocklist });
    }
    seen.house = read;
    seen.blocklist = now.blocklist;
    let house = house.and_then(|house| match whose::emptied(program, &house.program) {
        Some(why) => Err(why),
        None => Ok(house),
    });
    let files = match house {
        Ok(house) => {
            *program = Arc::clone(&house.program);
            Files::Good(Box::new(house))
        }
        Err(why) => Files::Bad(why),
    };
    Some(Edit { files, blocklist })
}

/// How long files are to stay as they are until they count.
fn patience(before: &Reads, read: &Reads, old: &Program, new: &Program) -> Duration {
    let here: BTreeSet<&str> = new.rules.iter().map(|rule| &*rule.name).collect();
    let names = old.rules.iter().map(|rule| &*rule.name);
    let gone = names.filter(|name| !here.contains(name)).count();
    if read.emptied_since(before) || gone * 2 > old.rules.len() {
        MOST_GONE_AFTER
    } else if gone > 0 {
        RULES_GONE_AFTER
    } else {
        Duration::ZERO
    }
}

/// Whether what was read is still so, now and for so long.
fn stays(read: &Reads, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        if read.now() != *read {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(LOOK_EVERY / 4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: &str = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";

    fn rule(name: &str) -> String {
        format!("[rule.{name}]\nwhen = \"hall.online\"\ndo = \"hall.lamp.on\"\n")
    }

    /// A house whose rules stand in a file of their own.
    struct Watched {
        folder: tempfile::TempDir,
        seen: Seen,
        program: Arc<Program>,
    }

    impl Watched {
        fn new(rules: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let mapping = format!("format = 1\ninclude = [\"rules.toml\"]\n{DEVICES}");
            std::fs::write(folder.path().join("mapping.toml"), mapping).expect("it can be written");
            std::fs::write(folder.path().join("rules.toml"), rules).expect("it can be written");
            let Reading { house, reads } = house::read(folder.path());
            let house = house.unwrap_or_else(|why| panic!("{why}"));
            Self {
                seen: Seen::new(folder.path(), reads.expect("it was read")),
                program: house.program,
                folder,
            }
        }

        fn write(&self, rules: &str) {
            let path = self.folder.path().join("rules.toml");
            std::fs::write(path, rules).expect("it can be written");
        }

        fn edit(&mut self, meanwhile: impl FnOnce(&Path)) -> Option<Edit> {
            let now = self.seen.now();
            let folder = self.folder.path();
            edit_seen(folder, &mut self.seen, &mut self.program, now, |read, _| {
                meanwhile(folder);
                stays(read, Duration::ZERO)
            })
        }

        /// How many rules an edit leaves, and whether it changed blocklist.toml; `meanwhile` happens while the files settle.
        fn looks(&mut self, meanwhile: impl FnOnce(&Path)) -> Option<(Option<usize>, bool)> {
            let edit = self.edit(meanwhile)?;
            let rules = match edit.files {
                Files::Good(house) => Some(house.program.rules.len()),
                Files::Bad(why) => panic!("{why}"),
                Files::AsTheyWere | Files::Unsettled => None,
            };
            Some((rules, edit.blocklist))
        }
    }

    fn patience_for(before: &str, after: &str) -> Duration {
        let mut house = Watched::new(before);
        house.write(after);
        let Reading { house: read, reads } = house::read(house.folder.path());
        let read = read.unwrap_or_else(|why| panic!("{why}"));
        let reads = reads.expect("it was read");
        let wait = patience(&house.seen.house, &reads, &house.program, &read.program);
        let rules = read.program.rules.len();
        assert_eq!(house.looks(|_| {}), Some((Some(rules), false)));
        wait
    }

    #[test]
    fn files_settle_for_longer_where_rules_vanish() {
        let three = ["a", "b", "c"].map(rule).concat();
        let two = ["a", "b"].map(rule).concat();
        assert_eq!(patience_for(&two, &three), Duration::ZERO);
        assert_eq!(patience_for(&three, &two), RULES_GONE_AFTER);
        assert_eq!(patience_for(&three, &rule("a")), MOST_GONE_AFTER);
        assert_eq!(patience_for(&three, ""), MOST_GONE_AFTER);
    }

    #[test]
    fn a_file_that_is_written_again_while_it_settles_does_not_count() {
        let two = ["a", "b"].map(rule).concat();
        let mut house = Watched::new(&two);
        house.write("");
        // A copy that begins by emptying the file.
        let copies = |folder: &Path| {
            std::fs::write(folder.join("rules.toml"), &two).expect("it can be written");
        };
        assert_eq!(house.looks(copies), None);
        assert_eq!(house.looks(|_| {}), Some((Some(2), false)));
    }

    #[test]
    fn a_mapping_and_a_blocklist_that_change_together_are_one_edit() {
        let mut house = Watched::new(&rule("a"));
        let blocklist = house.folder.path().join("blocklist.toml");
        let block = |device: &str| {
            let text = format!("[[block]]\ndevice = \"{device}\"\n");
            std::fs::write(&blocklist, text).expect("it can be written");
        };
        block("hall");
        assert_eq!(house.looks(|_| {}), Some((None, true)));
        house.write(&rule("b"));
        block("corridor");
        let again = |folder: &Path| {
            let rules = ["b", "c"].map(rule).concat();
            std::fs::write(folder.join("rules.toml"), rules).expect("it can be written");
        };
        assert_eq!(house.looks(again), Some((None, true)), "it is not settled");
        assert_eq!(house.looks(|_| {}), Some((Some(2), true)));
        assert_eq!(house.looks(|_| {}), None);
        block("hall");
        assert_eq!(house.looks(|_| {}), Some((None, true)));
    }
}
