//! The only clock of the dispatcher: elapsed time that counts through suspend and restarts, wall
//! time, and whether the wall can be trusted.

use std::{
    cell::Cell,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};
use types::{Instant, Now, UnixTime};

/// No clock that was ever set shows an earlier time than the first release: 2026-01-01T00:00:00Z.
const WALL_FLOOR: UnixTime = UnixTime(1_767_225_600_000_000);

/// How often a clock that is not synchronised is looked at again.
const SYNC_CHECK_EVERY: Duration = Duration::from_secs(1);

/// How the house's elapsed time follows from the kernel's clock, as written at start. While the
/// kernel runs, the next dispatcher goes on with the very same line, however this one ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeLine {
    /// The kernel's name for its boot.
    boot_id: String,
    /// The house's elapsed time when the kernel booted.
    offset: Duration,
}

/// Reads the machine's clocks as a house's time line.
pub(crate) struct Clock {
    line: TimeLine,
    synced: Cell<bool>,
    checked: Cell<Duration>,
}

impl Clock {
    /// A clock that goes on with `line`, where the kernel is still the same; else from `last`, the moment
    /// of the newest input. Across boots, downtime is the wall's difference where both ends were
    /// synchronised, else it is taken as nothing and the caller should say so.
    pub(crate) fn go_on(line: Option<TimeLine>, last: Option<Now>) -> (Self, Downtime) {
        let since_boot = since_boot();
        let wall = wall();
        let synced = is_synced(wall);
        let boot_id = boot_id();
        let (at, downtime) = match (line, last) {
            (Some(line), Some(last)) if line.boot_id == boot_id && !boot_id.is_empty() => {
                let at = Instant::default().after(line.offset + since_boot);
                (at, Downtime::Known(at.since(last.at)))
            }
            (_, Some(last)) if last.synced && synced => {
                let away = wall.since(last.wall);
                (last.at.after(away), Downtime::Known(away))
            }
            (_, Some(last)) => (last.at, Downtime::Unknown),
            (_, None) => (Instant::default(), Downtime::First),
        };
        let offset = at.since(Instant::default()).saturating_sub(since_boot);
        let line = TimeLine { boot_id, offset };
        (
            Self {
                line,
                synced: Cell::new(synced),
                checked: Cell::new(since_boot),
            },
            downtime,
        )
    }

    /// The kernel's name for its boot.
    pub(crate) fn boot_id(&self) -> &str {
        &self.line.boot_id
    }

    /// The line, for the next start.
    pub(crate) fn line(&self) -> &TimeLine {
        &self.line
    }

    /// This moment.
    pub(crate) fn now(&self) -> Now {
        let since_boot = since_boot();
        let wall = wall();
        if !self.synced.get() && since_boot.saturating_sub(self.checked.get()) >= SYNC_CHECK_EVERY {
            self.checked.set(since_boot);
            self.synced.set(is_synced(wall));
        }
        let at = Instant::default().after(self.line.offset + since_boot);
        Now {
            at,
            wall,
            synced: self.synced.get(),
        }
    }
}

/// How long nobody was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Downtime {
    /// The house starts for the first time.
    First,
    /// So long.
    Known(Duration),
    /// The machine was off and its clock is not synchronised: counted as nothing.
    Unknown,
}

impl TimeLine {
    /// What [`TimeLine::write`] wrote; `None` where there is none or it can't be read, which costs no
    /// more than the exact length of the downtime.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let (boot_id, offset_us) = text.trim().split_once(' ')?;
        let offset = Duration::from_micros(offset_us.parse().ok()?);
        Some(Self {
            boot_id: boot_id.to_owned(),
            offset,
        })
    }

    /// Leaves the line to the next start.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(
            path,
            format!("{} {}\n", self.boot_id, self.offset.as_micros()),
        )
    }
}

/// Time since the kernel booted, suspend included.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The kernel's name for this boot; empty where it has none, which equals no other.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn wall() -> UnixTime {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    UnixTime(micros)
}

/// systemd-timesyncd, where it runs, says whether it has reached a time server. Elsewhere a clock
/// that shows a plausible year is believed.
fn is_synced(wall: UnixTime) -> bool {
    let timesync = Path::new("/run/systemd/timesync");
    if timesync.is_dir() {
        return timesync.join("synchronized").exists();
    }
    wall >= WALL_FLOOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_where_it_stopped_within_one_boot() {
        let (first, downtime) = Clock::go_on(None, None);
        assert_eq!(downtime, Downtime::First);
        let now = first.now();
        let (second, downtime) = Clock::go_on(Some(first.line().clone()), Some(now));
        assert_eq!(second.line(), first.line());
        assert!(second.now().at >= now.at, "time never goes back");
        assert!(matches!(downtime, Downtime::Known(_)));
    }

    #[test]
    fn after_a_reboot_without_a_trusted_clock_no_time_has_passed() {
        let at = Instant(since_boot().as_micros() as u64 + 5_000_000);
        let last = Now {
            at,
            wall: UnixTime(0),
            synced: false,
        };
        let line = TimeLine {
            boot_id: "another".into(),
            offset: Duration::ZERO,
        };
        let (clock, downtime) = Clock::go_on(Some(line), Some(last));
        assert_eq!(downtime, Downtime::Unknown);
        assert!(clock.now().at >= at && clock.now().at.since(at) < Duration::from_secs(60));
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("time-line");
        assert_eq!(TimeLine::read(&path), None);
        let (clock, _) = Clock::go_on(None, None);
        clock.line().write(&path).expect("it can be written");
        assert_eq!(TimeLine::read(&path).as_ref(), Some(clock.line()));
    }
}
