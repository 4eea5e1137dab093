//! The only clock of the dispatcher: elapsed time that counts through suspend and restarts, wall
//! time, and whether the wall can be trusted.

use std::{
    cell::Cell,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mapping::disk::{self, Unreadable};
use rustix::time::{ClockId, clock_gettime};
use types::{Instant, Now, UnixTime};

/// No clock that was ever set shows an earlier time than the first release: 2026-01-01T00:00:00Z.
const WALL_FLOOR: UnixTime = UnixTime(1_767_225_600_000_000);

/// How often a clock that is not synchronised is looked at again.
const SYNC_CHECK_EVERY: Duration = Duration::from_secs(1);

/// A written line is shorter.
const LINE_BYTES_MAX: u64 = 256;

/// How the house's elapsed time follows from the kernel's clock, as written at start. While the
/// kernel runs, the next dispatcher goes on with the very same line, however this one ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeLine {
    /// The kernel's name for its boot.
    boot_id: String,
    /// The house's elapsed time when the kernel booted, in microseconds; negative where the kernel runs for
    /// longer than the house.
    offset_us: i64,
}

/// What the machine's clocks show at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The kernel's name for this boot; empty where it has none, which equals no other.
    pub(crate) boot_id: String,
    /// Time since the kernel booted, suspend included.
    pub(crate) since_boot: Duration,
    /// What the clock on the wall shows.
    pub(crate) wall: UnixTime,
    /// Whether that can be trusted.
    pub(crate) synced: bool,
}

impl Machine {
    /// The clocks of this machine, now.
    pub(crate) fn read() -> Self {
        let wall = wall();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            boot_id: boot_id.unwrap_or_default().trim().to_owned(),
            since_boot: since_boot(),
            wall,
            synced: is_synced(wall),
        }
    }
}

/// Reads the machine's clocks as a house's time line.
pub(crate) struct Clock {
    line: TimeLine,
    synced: Cell<bool>,
    checked: Cell<Duration>,
}

impl Clock {
    /// A clock of this line, on this machine.
    pub(crate) fn new(line: TimeLine, machine: &Machine) -> Self {
        Self {
            line,
            synced: Cell::new(machine.synced),
            checked: Cell::new(machine.since_boot),
        }
    }

    /// The moment at which the machine showed this.
    pub(crate) fn at(&self, machine: &Machine) -> Now {
        Now {
            at: self.line.at(machine.since_boot),
            wall: machine.wall,
            synced: machine.synced,
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Now {
        let since_boot = since_boot();
        let wall = wall();
        if !self.synced.get() && since_boot.saturating_sub(self.checked.get()) >= SYNC_CHECK_EVERY {
            self.checked.set(since_boot);
            self.synced.set(is_synced(wall));
        }
        Now {
            at: self.line.at(since_boot),
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
    /// The machine was off, and its clock was or is not synchronised: counted as nothing.
    NotSynced,
    /// The machine was off, and its clock shows an earlier time than before: counted as nothing.
    SetBack,
}

impl Downtime {
    /// What people are to know about it.
    pub(crate) fn warning(self) -> Option<&'static str> {
        match self {
            Self::First | Self::Known(_) => None,
            Self::NotSynced => Some(
                "the clock is not synchronised: timers go on as if no time had passed while the machine was off",
            ),
            Self::SetBack => Some(
                "the clock shows an earlier time than when the machine was last on: timers go on as if no time had passed while it was off; is the clock right?",
            ),
        }
    }
}

impl TimeLine {
    /// Goes on with the line `before`, where the kernel is still the same; else from `last`, the moment of the
    /// newest input. Across boots, downtime is the wall's difference where both ends were synchronised, else it
    /// is taken as nothing. Time never goes back.
    pub(crate) fn go_on(
        before: Option<Self>,
        last: Option<Now>,
        machine: &Machine,
    ) -> (Self, Downtime) {
        let Some(last) = last else {
            return (
                Self::at_moment(Instant::default(), machine),
                Downtime::First,
            );
        };
        let is_same_boot =
            |line: &Self| line.boot_id == machine.boot_id && !line.boot_id.is_empty();
        // A line that leads into the past is none of this house's, and so is one on which the newest input came
        // before this boot.
        let is_possible = |line: &Self| {
            let now = line.at(machine.since_boot);
            now >= last.at && now.since(last.at) <= machine.since_boot
        };
        let known = before.filter(is_same_boot).filter(is_possible);
        if let Some(line) = known {
            let away = line.at(machine.since_boot).since(last.at);
            return (line, Downtime::Known(away));
        }
        let downtime = match (last.synced && machine.synced, machine.wall >= last.wall) {
            (true, true) => Downtime::Known(machine.wall.since(last.wall)),
            (true, false) => Downtime::SetBack,
            (false, _) => Downtime::NotSynced,
        };
        let at = match downtime {
            Downtime::Known(away) => last.at.after(away),
            _ => last.at,
        };
        (Self::at_moment(at, machine), downtime)
    }

    /// The line on which it is `at` now.
    fn at_moment(at: Instant, machine: &Machine) -> Self {
        let at = i64::try_from(at.0).unwrap_or(i64::MAX);
        Self {
            boot_id: machine.boot_id.clone(),
            offset_us: at.saturating_sub(micros(machine.since_boot)),
        }
    }

    /// The house's elapsed time so long after the kernel's boot.
    pub(crate) fn at(&self, since_boot: Duration) -> Instant {
        let at = self.offset_us.saturating_add(micros(since_boot));
        Instant(u64::try_from(at).unwrap_or(0))
    }

    /// What [`TimeLine::write`] wrote; `None` where there is none.
    ///
    /// # Errors
    /// What is wrong with it, to go on after its name. It costs no more than the exact length of the downtime.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        let text = match disk::text(path, LINE_BYTES_MAX) {
            Ok(text) => text,
            Err(Unreadable::Missing) => return Ok(None),
            Err(why) => return Err(why.to_string()),
        };
        let line = Self::parse(text.trim_end()).filter(|line| line.text() == text);
        line.map(Some).ok_or_else(|| "is damaged".to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let (said, _) = text.rsplit_once(' ')?;
        let (boot_id, offset_us) = said.split_once(' ')?;
        Some(Self {
            boot_id: boot_id.to_owned(),
            offset_us: offset_us.parse().ok()?,
        })
    }

    /// The line and its CRC-32.
    fn text(&self) -> String {
        let said = format!("{} {}", self.boot_id, self.offset_us);
        format!("{said} {:08x}\n", crc32fast::hash(said.as_bytes()))
    }

    /// Leaves the line to the next start: the whole of it or the one before.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        crate::whole::write(path, &self.text())
    }
}

/// Time since the kernel booted, suspend included.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn wall() -> UnixTime {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    UnixTime(micros)
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
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

    const SECOND: u64 = 1_000_000;
    const WALL: i64 = 1_790_000_000_000_000;

    /// A machine that runs for so long, when the wall shows so many seconds.
    fn machine(boot_id: &str, since_boot: u64, wall: i64) -> Machine {
        Machine {
            boot_id: boot_id.into(),
            since_boot: Duration::from_secs(since_boot),
            wall: UnixTime(WALL + wall * SECOND as i64),
            synced: true,
        }
    }

    /// The newest input, so many seconds into the house's life, when the wall showed so many.
    fn last(at: u64, wall: i64) -> Now {
        Now {
            at: Instant(at * SECOND),
            wall: UnixTime(WALL + wall * SECOND as i64),
            synced: true,
        }
    }

    /// A line on which a house was so many seconds old when the machine ran for so long.
    fn line(boot_id: &str, since_boot: u64, at: u64) -> TimeLine {
        TimeLine::at_moment(Instant(at * SECOND), &machine(boot_id, since_boot, 0))
    }

    fn secs(seconds: u64) -> Downtime {
        Downtime::Known(Duration::from_secs(seconds))
    }

    /// Checks the house's age after a start, and a minute later.
    fn check(
        before: Option<TimeLine>,
        last: Option<Now>,
        machine: &Machine,
        (at, downtime): (u64, Downtime),
    ) {
        let (line, found) = TimeLine::go_on(before, last, machine);
        assert_eq!(found, downtime);
        assert_eq!(line.at(machine.since_boot), Instant(at * SECOND));
        let later = machine.since_boot + Duration::from_secs(60);
        assert_eq!(line.at(later), Instant((at + 60) * SECOND));
        // However this run ends: the next one finds the same line.
        let again = Machine {
            since_boot: later,
            wall: machine.wall.after(Duration::from_secs(60)),
            ..machine.clone()
        };
        let (next, _) = TimeLine::go_on(Some(line.clone()), last, &again);
        if last.is_some() && !machine.boot_id.is_empty() {
            assert_eq!(next, line);
        }
    }

    #[test]
    fn a_house_starts_at_zero_however_long_the_machine_runs() {
        for since_boot in [0, 5, 1_000_000] {
            check(
                None,
                None,
                &machine("a", since_boot, 0),
                (0, Downtime::First),
            );
        }
        // A first start that was killed before its first input left its line.
        let line = Some(line("a", 5, 0));
        check(line, None, &machine("a", 9, 0), (0, Downtime::First));
    }

    #[test]
    fn within_one_boot_the_kernels_clock_counts_whatever_the_wall_shows() {
        // Younger than the machine's run, as old, and older.
        for age in [3, 500, 1_000_000] {
            for wall in [30, 0, -100_000, 100_000] {
                for synced in [true, false] {
                    let then = Some(line("a", 500, age));
                    let mut now = machine("a", 530, wall);
                    now.synced = synced;
                    check(then, Some(last(age, 0)), &now, (age + 30, secs(30)));
                }
            }
        }
    }

    #[test]
    fn across_a_reboot_the_walls_difference_counts() {
        // The machine runs for longer than the house is old, or for less long.
        for (age, since_boot) in [(3, 10), (10, 10), (1_000_000, 10), (3, 900)] {
            let now = machine("b", since_boot, 1_000);
            let then = Some(line("a", 500, age));
            check(then, Some(last(age, 0)), &now, (age + 1_000, secs(1_000)));
        }
    }

    #[test]
    fn across_a_reboot_without_a_trusted_clock_no_time_has_passed() {
        for (was, is) in [(true, false), (false, true), (false, false)] {
            for (age, since_boot) in [(3, 900), (5_000, 900)] {
                let then = Now {
                    synced: was,
                    ..last(age, 0)
                };
                let mut now = machine("b", since_boot, 1_000);
                now.synced = is;
                let line = Some(line("a", 500, age));
                check(line, Some(then), &now, (age, Downtime::NotSynced));
            }
        }
        assert!(Downtime::NotSynced.warning().is_some());
    }

    #[test]
    fn across_a_reboot_a_clock_that_was_set_back_counts_nothing_and_is_told() {
        for wall in [-1, -100_000_000] {
            let now = machine("b", 900, wall);
            let then = Some(line("a", 500, 77));
            check(then, Some(last(77, 0)), &now, (77, Downtime::SetBack));
        }
        assert!(Downtime::SetBack.warning().is_some());
        assert!(secs(1).warning().is_none() && Downtime::First.warning().is_none());
    }

    #[test]
    fn a_line_that_is_lost_or_leads_into_the_past_leaves_the_wall() {
        let now = machine("a", 530, 30);
        check(None, Some(last(70, 0)), &now, (100, secs(30)));
        let stale = Some(line("a", 500, 3));
        check(stale, Some(last(70, 0)), &now, (100, secs(30)));
        let absurd = Some(TimeLine {
            boot_id: "a".into(),
            offset_us: i64::MIN,
        });
        check(absurd, Some(last(70, 0)), &now, (100, secs(30)));
    }

    #[test]
    fn nobody_was_away_for_longer_than_the_machine_runs() {
        let now = machine("a", 530, 30);
        for offset_us in [i64::MAX, 1_000_000 * SECOND as i64] {
            let far = Some(TimeLine {
                boot_id: "a".into(),
                offset_us,
            });
            check(far, Some(last(70, 0)), &now, (100, secs(30)));
        }
    }

    #[test]
    fn kernels_without_a_name_are_not_taken_for_the_same() {
        let now = machine("", 530, 45);
        check(
            Some(line("", 500, 70)),
            Some(last(70, 0)),
            &now,
            (115, secs(45)),
        );
    }

    #[test]
    fn time_goes_on_over_many_restarts_and_reboots() {
        let (mut age, mut wall, mut since_boot, mut boot) = (0_u64, 0_i64, 5_000_u64, 0);
        let (mut line, mut newest) = (None, None);
        for round in 0..200_u64 {
            let boot_id = format!("boot {boot}");
            let now = machine(&boot_id, since_boot, wall);
            let (next, _) = TimeLine::go_on(line, newest, &now);
            assert_eq!(next.at(now.since_boot), Instant(age * SECOND), "{round}");
            // It runs for a while, and takes an input some time before it is killed.
            let (ran, idle, away) = (round * 7 % 90, round * 11 % 50, round * 13 % 400);
            newest = Some(last(age + ran, wall + ran as i64));
            let passed = ran + idle + away;
            (age, wall, since_boot) = (age + passed, wall + passed as i64, since_boot + passed);
            line = Some(next);
            if round % 3 == 0 {
                (boot, since_boot) = (boot + 1, round % 17);
            }
        }
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("time-line");
        assert_eq!(TimeLine::read(&path), Ok(None));
        for at in [3, 1_000_000] {
            let line = line("a-b-c", 500, at);
            line.write(&path).expect("it can be written");
            assert_eq!(TimeLine::read(&path), Ok(Some(line)));
        }
        for rubbish in ["", "a", "a b", "a 5", "a 99999999999999999999 0", "\0\0\0"] {
            std::fs::write(&path, rubbish).expect("it can be written");
            assert!(TimeLine::read(&path).is_err(), "{rubbish:?}");
        }
    }

    #[test]
    fn whatever_happens_to_a_line_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("time-line");
        line("a-b-c", 500, 1_000_000)
            .write(&path)
            .expect("it can be written");
        let good = std::fs::read(&path).expect("it is there");
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                std::fs::write(&path, &bad).expect("it can be written");
                assert!(TimeLine::read(&path).is_err(), "bit {bit} of byte {at}");
            }
            std::fs::write(&path, &good[..at]).expect("it can be written");
            assert!(TimeLine::read(&path).is_err(), "cut at byte {at}");
        }
    }

    #[test]
    fn a_link_beside_a_line_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, others) = (
            folder.path().join("time-line"),
            folder.path().join("others"),
        );
        std::fs::write(&others, "theirs").expect("it can be written");
        for link in [&path, &path.with_extension("new")] {
            std::os::unix::fs::symlink(&others, link).expect("a link");
        }
        line("a", 500, 3).write(&path).expect("it can be written");
        assert_eq!(std::fs::read(&others).expect("it is there"), b"theirs");
        assert_eq!(TimeLine::read(&path), Ok(Some(line("a", 500, 3))));
    }

    #[test]
    fn this_machines_clock_goes_on_where_it_stopped() {
        let machine = Machine::read();
        let (line, downtime) = TimeLine::go_on(None, None, &machine);
        assert_eq!(downtime, Downtime::First);
        let now = Clock::new(line.clone(), &machine).now();
        assert!(now.at < Instant(60 * SECOND), "it starts at zero");
        let machine = Machine::read();
        let (again, downtime) = TimeLine::go_on(Some(line.clone()), Some(now), &machine);
        assert_eq!(again, line);
        assert!(matches!(downtime, Downtime::Known(_)));
        assert!(Clock::new(again, &machine).now().at >= now.at);
    }
}
