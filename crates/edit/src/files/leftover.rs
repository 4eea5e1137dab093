//! New texts that lie beside their files because the process that wrote them was killed before it noted its edit:
//! `.rules.toml.4711-0.new`. Nobody will ever put them in place.

use std::{
    fs::{self, DirEntry},
    path::Path,
    time::Duration,
};

use super::unfinished::NOTE;

/// A text that is being written lies there for moments. Who writes it may be out of sight: in another container.
const AGE_MIN: Duration = Duration::from_secs(60);

/// Folders in folders in which a house's files are looked for.
const DEPTH_MAX: u8 = 4;

/// Entries that are looked at: a house has some dozens, and the folder that somebody names by mistake may be `/`.
const ENTRIES_MAX: usize = 4_096;

/// Whether a file of this name belongs to an edit that is under way or was interrupted, and is no part of the house: its note, or a
/// text that waits beside its file.
#[must_use]
pub fn is_leftover(name: &str) -> bool {
    name == NOTE || writer_of(name).is_some()
}

/// Removes what killed processes left in a house's folder. What can't be removed stays: it does no harm.
pub(super) fn remove(folder: &Path) {
    remove_in(folder, DEPTH_MAX, &mut { ENTRIES_MAX });
}

fn remove_in(folder: &Path, depth: u8, entries: &mut usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(left) = entries.checked_sub(1) else {
            return;
        };
        *entries = left;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Of the entry itself: links are not followed.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth > 0 && !name.starts_with('.') {
            remove_in(&entry.path(), depth - 1, entries);
        } else if kind.is_file() && writer_of(name).is_some_and(is_gone) && is_old(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process that wrote a text beside its file; `None`: it is no such text.
pub(super) fn writer_of(name: &str) -> Option<u32> {
    let (file, numbers) = name
        .strip_prefix('.')?
        .strip_suffix(".new")?
        .rsplit_once('.')?;
    let is_ours = file.ends_with(".toml") || file.ends_with(".json") || file == NOTE;
    let (process, serial) = numbers.split_once('-')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_ours || !is_number(process) || !is_number(serial) {
        return None;
    }
    serial.parse::<u32>().ok()?;
    process.parse().ok()
}

/// Whether no process has this number. Where that can't be seen, all may be there.
fn is_gone(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

/// A clock that was set back makes nothing old.
fn is_old(entry: &DirEntry) -> bool {
    let changed = entry.metadata().and_then(|file| file.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age >= AGE_MIN)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, process, time::SystemTime};

    use super::*;

    /// No process has it: Linux counts to 2^22 at most.
    const GONE: u32 = 999_999_999;

    #[test]
    fn only_what_we_left_has_a_writer() {
        for (name, writer) in [
            (".rules.toml.4711-0.new", Some(4_711)),
            (".mapping.schema.json.1-23.new", Some(1)),
            ("..iot-control-edit.4711-0.new", Some(4_711)),
            ("rules.toml.4711-0.new", None),
            (".rules.toml.4711-0", None),
            (".rules.toml.4711.new", None),
            (".rules.toml.4711-.new", None),
            (".rules.toml.+1-0.new", None),
            (".rules.toml.4711-0-1.new", None),
            (".notes.txt.4711-0.new", None),
            (".4711-0.new", None),
            (".rules.toml.99999999999-0.new", None),
        ] {
            assert_eq!(writer_of(name), writer, "{name}");
            assert_eq!(is_leftover(name), writer.is_some(), "{name}");
        }
        assert!(is_leftover(NOTE) && !is_leftover("rules.toml"));
    }

    #[test]
    fn what_a_killed_process_left_goes_and_all_else_stays() {
        let house = tempfile::tempdir().unwrap();
        let put = |name: &str, seconds_old: u64| {
            let path = house.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = File::create(&path).unwrap();
            let then = SystemTime::now() - Duration::from_secs(seconds_old);
            file.set_modified(then).unwrap();
            path
        };
        let left = [
            put(&format!(".rules.toml.{GONE}-0.new"), 3_600),
            put(&format!("rooms/up/.hall.toml.{GONE}-1.new"), 3_600),
        ];
        let kept = [
            put(&format!(".rules.toml.{}-0.new", process::id()), 3_600),
            put(&format!(".rules.toml.{GONE}-1.new"), 0),
            put("rules.toml", 3_600),
            put(".rules.toml.new", 3_600),
            put(&format!(".git/.rules.toml.{GONE}-0.new"), 3_600),
        ];
        let elsewhere = tempfile::tempdir().unwrap();
        let away = elsewhere.path().join(format!(".rules.toml.{GONE}-0.new"));
        fs::rename(put(&format!("x/.rules.toml.{GONE}-0.new"), 3_600), &away).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), house.path().join("linked")).unwrap();
        super::super::finish(house.path()).unwrap();
        assert!(left.iter().all(|path| !path.exists()));
        assert!(kept.iter().all(|path| path.exists()));
        assert!(away.exists(), "links are not followed");
    }
}
