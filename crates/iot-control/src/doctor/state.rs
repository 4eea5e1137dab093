//! The state folder: whether it can be used, whether what is in it is whole, and how long its disk will do.

use std::{os::unix::fs::MetadataExt, path::Path};

use mapping::Program;
use rustix::{
    fs::{StatVfsMountFlags, statfs, statvfs},
    process::geteuid,
};
use store::{Past, PastError, StateFolder};

use super::{Finding, Level, bytes};
use crate::{
    control::{Request, client},
    run::users::Users,
    settings::{Anonymous, Settings},
};

/// Below this the oldest history goes, and soon nothing can be kept.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// What the database and a copy of it take beside the journal.
const BESIDE_JOURNAL_BYTES: u64 = 128 << 20;

/// The number of tmpfs in Linux' `statfs(2)`.
const TMPFS: i64 = 0x0102_1994;

/// Looks at the state in `folder`, and who of those who have a login is in the house of `program`.
pub(super) fn examine(
    folder: &Path,
    settings: &Settings,
    program: Option<&Program>,
    findings: &mut Vec<Finding>,
) {
    dispatcher(folder, findings);
    disk(folder, settings, findings);
    if !folder.exists() {
        let what = format!("{} is made at the first start", folder.display());
        findings.push(Finding::fine("state", what));
        return;
    }
    let me = geteuid();
    let owner = folder.metadata().map(|metadata| metadata.uid());
    if let Ok(owner) = owner
        && !me.is_root()
        && owner != me.as_raw()
    {
        findings.push(Finding::bad(
            Level::Note,
            "state",
            format!(
                "{} belongs to the user {owner}: what is in it can't be looked at",
                folder.display()
            ),
            "run this as root",
        ));
        return;
    }
    if let Err(why) = StateFolder::new(folder).examine() {
        findings.push(Finding {
            level: Level::Trouble,
            about: "state",
            what: why.to_string(),
            mend: None,
        });
    }
    whole(folder, settings, program, findings);
}

/// Whether a dispatcher runs on it, and how it is doing.
fn dispatcher(folder: &Path, findings: &mut Vec<Finding>) {
    let answer = client::connect(Some(folder)).and_then(|mut it| it.ask(&Request::Status));
    let status = match answer {
        Ok(status) => status,
        Err(client::Unanswered::NotRunning(_)) => {
            let what = "none runs on this state";
            let mend = "systemctl start iot-control, or `iot-control run HOUSE`";
            findings.push(Finding::bad(Level::Note, "dispatcher", what, mend));
            return;
        }
        Err(why @ client::Unanswered::Hidden(_)) => {
            let what = why.to_string();
            let finding = Finding::bad(Level::Note, "dispatcher", what, "run this as root");
            findings.push(finding);
            return;
        }
        Err(why) => {
            let mend = "look into its log: journalctl -u iot-control";
            findings.push(Finding::bad(
                Level::Trouble,
                "dispatcher",
                why.to_string(),
                mend,
            ));
            return;
        }
    };
    let version = status["version"].as_str().unwrap_or_default();
    let mine = env!("CARGO_PKG_VERSION");
    if version != mine {
        findings.push(Finding::bad(
            Level::Warning,
            "dispatcher",
            format!("version {version} runs, {mine} is installed"),
            "systemctl restart iot-control",
        ));
    }
    let store = &status["store"];
    let state = store["state"].as_str().unwrap_or_default();
    if store["good"] == true {
        findings.push(Finding::fine("dispatcher", format!("runs; {state}")));
    } else {
        let mend = "until then what happens is lost at a restart; lights switch";
        findings.push(Finding::bad(Level::Trouble, "dispatcher", state, mend));
    }
    if status["files_in_force"] == false {
        let what = "the house's files are not in force, an earlier mapping goes on";
        findings.push(match status["files_wait"].as_str() {
            Some(why) => Finding::bad(
                Level::Warning,
                "dispatcher",
                format!("{what}: {why}"),
                match status["files_watched"] == false {
                    true => "make room or mend the disk, and start again: `reload.watch` is false",
                    false => "make room or mend the disk, and they are taken up by themselves",
                },
            ),
            None => Finding::bad(
                Level::Warning,
                "dispatcher",
                what,
                "`iot-control check` and `iot-control test` say what to mend",
            ),
        });
    }
}

/// Room, and whether it lasts.
fn disk(folder: &Path, settings: &Settings, findings: &mut Vec<Finding>) {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(there) = whole.ancestors().find(|folder| folder.exists()) else {
        return;
    };
    let shown = whole.display();
    let volume = match statvfs(there) {
        Ok(volume) => volume,
        Err(error) => {
            let mend = "is the disk in order? `dmesg` may tell";
            let what = format!("{shown}: {error}");
            findings.push(Finding::bad(Level::Trouble, "disk", what, mend));
            return;
        }
    };
    if volume.f_flag.contains(StatVfsMountFlags::RDONLY) {
        findings.push(Finding::bad(
            Level::Trouble,
            "disk",
            format!("{shown} lies on a disk that can't be written to"),
            "a worn card turns read-only: replace it, or mount it writable",
        ));
    }
    #[allow(
        clippy::useless_conversion,
        reason = "the field has another type on 32 bits"
    )]
    let kind = statfs(there).map(|it| i64::from(it.f_type));
    if kind == Ok(TMPFS) {
        findings.push(Finding::bad(
            Level::Warning,
            "disk",
            format!("{shown} lies in memory: the house forgets everything when the machine is off"),
            "set `state` to a folder on a disk",
        ));
    }
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    findings.push(room(
        &shown.to_string(),
        free,
        held(folder),
        settings.journal.size_mib_max << 20,
    ));
}

/// What of the journal is there already.
fn held(folder: &Path) -> u64 {
    let segments = StateFolder::new(folder).journal().read_dir();
    let segments = segments.into_iter().flatten().flatten();
    segments
        .filter_map(|segment| Some(segment.metadata().ok()?.len()))
        .sum()
}

fn room(folder: &str, free: u64, held: u64, journal_max: u64) -> Finding {
    let what = format!("{} are free for {folder}", bytes(free));
    let wanted = journal_max.saturating_sub(held) + BESIDE_JOURNAL_BYTES;
    if free < FREE_BYTES_MIN {
        let mend = "make room: soon the oldest history goes, then nothing is kept any more";
        Finding::bad(Level::Trouble, "disk", what, mend)
    } else if free < wanted {
        let mend = format!(
            "the journal may still grow by {}: make room, or lower journal.size_mib_max",
            bytes(wanted - BESIDE_JOURNAL_BYTES)
        );
        Finding::bad(Level::Warning, "disk", what, mend)
    } else {
        Finding::fine("disk", what)
    }
}

/// Whether the database and the journal can be read to their end, and who has a login.
fn whole(
    folder: &Path,
    settings: &Settings,
    program: Option<&Program>,
    findings: &mut Vec<Finding>,
) {
    let past = match Past::open_untouched(folder) {
        Ok(past) => past,
        Err(PastError::NoHouse { .. }) => {
            findings.push(Finding::fine(
                "state",
                format!("{}: no house ran on it", folder.display()),
            ));
            return;
        }
        Err(why) => {
            let mend = "a backup can be put in its place";
            findings.push(Finding::bad(Level::Trouble, "state", why.to_string(), mend));
            return;
        }
    };
    if past.damaged().is_empty() {
        findings.push(Finding::fine(
            "state",
            format!(
                "{}: {} inputs, whole to the last one",
                folder.display(),
                past.last().0
            ),
        ));
    }
    findings.extend(past.damaged().iter().map(|damage| {
        let mend = "what is gone is gone; a disk that does this again is worn";
        Finding::bad(Level::Warning, "state", damage.to_string(), mend)
    }));
    let Ok((users, _)) = past.database().users() else {
        return;
    };
    if let Some(program) = program {
        let users = Users::new(&users);
        findings.extend(users.of_no_device(program).map(|login| {
            let mend = format!("`{}`", login.mend());
            Finding::bad(Level::Warning, "users", login.to_string(), mend)
        }));
    }
    if users.is_empty() && settings.mqtt.anonymous == Anonymous::Never {
        findings.push(Finding::bad(
            Level::Note,
            "users",
            "nobody has a login: no module can connect",
            "`iot-control user add NAME --device DEVICE`",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_what_the_journal_may_still_take() {
        let level = |free, held| room("/state", free, held, 512 << 20).level;
        assert_eq!(level(10 << 30, 0), Level::Fine);
        assert_eq!(level(300 << 20, 0), Level::Warning);
        assert_eq!(level(300 << 20, 400 << 20), Level::Fine);
        assert_eq!(level(63 << 20, 512 << 20), Level::Trouble);
    }
}
