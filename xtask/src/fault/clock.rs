//! Clocks that are wrong: set an hour, a day, ten years ahead or back, to 1970, or stopped under a running house; not
//! synchronised at a start; another boot a day later. Timers end on time, times come once, connections stay.
//!
//! The wall clock of the real binary is libfaketime's. The kernel's clock since boot, by which timers go, is the machine's:
//! nobody can set it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value as Json;

use super::{
    Way,
    findings::{Findings, Unable, percentile},
    rig::{BELL, Bell, House, SmallDisk, Steady, Tally, mapping},
};
use crate::bench::broker::{packet::Login, server::Server};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const TEN_YEARS: i64 = 3_652 * DAY;

const PER_S: u32 = 80;

/// A light that the timer lets go off so late is still on time.
const LATE_S_MAX: f64 = 1.0;

const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
///
/// # Errors
/// There is no libfaketime, or the dispatcher can't be started or asked.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut trial = Trial::new(way)?;
    let mut findings = Findings::default();
    let (mut server, tally) = trial.set_while_it_runs(way, &mut findings)?;
    findings.none("stale targets told", tally.stale);
    server = trial.starts_unsynced(server, &mut findings)?;
    trial.boots_again(server, &mut findings)?;
    findings.none("timers that ended early", trial.early);
    let late = percentile(&mut trial.late_s, 100.0);
    findings.timed(way, "a timer's end after it was due", late, LATE_S_MAX, "s");
    findings.none("panics", trial.house.panics());
    Ok(findings)
}

struct Trial {
    house: House,
    logins: Vec<Login>,
    bell: Bell,
    /// What libfaketime reads: by how many seconds the wall clock is off.
    offset: PathBuf,
    early: u64,
    late_s: Vec<f64>,
}

impl Trial {
    fn new(way: &Way) -> Result<Self> {
        let library = library()?;
        let daily = format!(
            "{BELL}\n[home]\ntimezone = \"UTC\"\n\n[device.calendar]\nid = 122\n\
             io.days = {{ kind = \"servo\", min = 0, max = 1000 }}\nio.long = {{ kind = \"switch\" }}\n\n\
             [rule.long]\nwhen = \"bell.button.press\"\ndo = {{ start = \"long\", for = \"2h\" }}\n\n\
             [rule.long-over]\nwhen = {{ timer = \"long\" }}\ndo = \"calendar.long.on\"\n\n\
             [rule.daily]\nwhen = {{ at = \"{}\" }}\nafter_downtime = \"resume\"\n\
             do = [{{ set = \"calendar.days\", angle = \"${{var.days + 1}}\" }}, {{ var = \"days\", to = \"${{var.days + 1}}\" }}]\n",
            in_half_an_hour()?
        );
        let var = "[var]\ndays = { kind = \"number\", start = 0, keep = true }\n";
        let text = mapping(&daily).replacen("[var]\n", var, 1);
        let mut house = House::new(way, "clock", &text)?;
        let trial = |house: House| -> Result<Self> {
            Ok(Self {
                logins: Steady::logins(&house)?,
                bell: Bell::of(&house)?,
                offset: house.folder().join("offset"),
                house,
                early: 0,
                late_s: Vec::new(),
            })
        };
        // The command line too: what is now is what its clock shows.
        house.has_variables(vec![
            ("LD_PRELOAD", library.display().to_string()),
            (
                "FAKETIME_TIMESTAMP_FILE",
                house.folder().join("offset").display().to_string(),
            ),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]);
        trial(house)
    }

    /// The wall shows so many seconds more than it should.
    fn set(&self, seconds: i64) -> Result<()> {
        self.set_to(&format!("{seconds:+}"))
    }

    /// As libfaketime has it; whole at any moment.
    fn set_to(&self, text: &str) -> Result<()> {
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{text}\n")).context("can't write the offset")?;
        fs::rename(new, &self.offset).context("can't write the offset")
    }

    fn start(&self) -> Result<Server> {
        self.house.start(&self.logins[0])
    }

    /// How often the daily rule fired: as the house has it now, whatever time its records say.
    fn daily(&self) -> Result<u64> {
        let days = self.calendar("days")?["angle"].as_f64();
        Ok(days.unwrap_or_default() as u64)
    }

    /// Whether a timer of two hours ended since the house began.
    fn is_long_over(&self) -> Result<bool> {
        Ok(self.calendar("long")?["on"] == true)
    }

    /// The target of one of the calendar's channels.
    fn calendar(&self, channel: &str) -> Result<Json> {
        let words = ["device", "show", "calendar", "--json"];
        Ok(self.house.ask_json(&words)?["channels"][channel]["target"].take())
    }

    /// Waits until the daily rule fired so often; gives how often it did, where that does not come.
    fn await_daily(&self, count: u64, steady: &mut Steady) -> Result<u64> {
        let start = Instant::now();
        loop {
            let daily = self.daily()?;
            if daily >= count || start.elapsed() > PATIENCE {
                return Ok(daily);
            }
            steady.run(Duration::from_millis(100))?;
        }
    }

    /// The clock is set under a running house.
    fn set_while_it_runs(&mut self, way: &Way, findings: &mut Findings) -> Result<(Server, Tally)> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        self.set(0)?;
        let server = self.start()?;
        let mut steady = Steady::join(server.door.address, &self.logins, &Tally::default(), PER_S)?;
        // How the clock is set, and how often the daily time came by then.
        let all = [
            ("as it is", 0, 0),
            ("an hour ahead, over a daily time", HOUR, 1),
            ("back again", 0, 1),
            ("an hour ahead once more", HOUR, 1),
            ("a day ahead of that", HOUR + DAY, 2),
            ("two days back", HOUR - DAY, 2),
            ("ten years ahead", TEN_YEARS, 3),
            ("ten years back", -TEN_YEARS, 3),
            ("to 1970", 60 - now, 3),
            // Yesterday's time had not come before; of all that are passed over the last one counts.
            ("as it is again", 0, 4),
        ];
        let some = if way.quick { &all[..3] } else { &all[..] };
        for (how, seconds, count) in some {
            self.set(*seconds)?;
            self.rings(&server, &mut steady)
                .with_context(|| format!("a clock that is set {how}"))?;
            let daily = self.await_daily(*count, &mut steady)?;
            findings.holds(
                &format!("set {how}: the daily time came {daily} times so far, {count} are right"),
                daily == *count,
            );
        }
        self.set_to("2026-01-02 03:04:05")?;
        self.rings(&server, &mut steady)
            .context("a clock that stands still")?;
        steady.settle(PATIENCE)?;
        self.set(0)?;
        Ok((server, steady.tally.clone()))
    }

    /// A start that does not know the time, in the middle of a timer; then it does.
    fn starts_unsynced(&mut self, server: Server, findings: &mut Findings) -> Result<Server> {
        let before = self.daily()?;
        self.bell.press(server.door.address, PATIENCE)?;
        server.kill_9()?;
        // As systemd-timesyncd tells it.
        let machine = SmallDisk::hold(
            self.house.folder(),
            "mount -t tmpfs run /run && mkdir -p /run/systemd/timesync",
        )?;
        self.house.goes_within(machine.within());
        self.set_to("1970-01-01 00:01:00")?;
        let server = self.start()?;
        let mut steady = Steady::join(server.door.address, &self.logins, &Tally::default(), PER_S)?;
        self.dark(&server, &mut steady)
            .context("a start that does not know the time")?;
        let unsynced = self.daily()?;
        self.set(3 * DAY)?;
        machine.write(Path::new("/run/systemd/timesync/synchronized"), "")?;
        let synced = self.await_daily(before + 1, &mut steady)?;
        findings.holds(
            &format!(
                "not synchronised at a start: the daily time came {} times until it was, {} then",
                unsynced - before,
                synced - unsynced
            ),
            unsynced == before && synced == before + 1,
        );
        server.kill_9()?;
        self.house.goes_within::<String>([]);
        self.set(3 * DAY)?;
        self.start()
    }

    /// Off for a day with a timer that runs; then an hour back.
    fn boots_again(&mut self, server: Server, findings: &mut Findings) -> Result<()> {
        let mut server = server;
        let was_over = self.is_long_over()?;
        for (boot, offset, how, rest_s) in [
            ("another", 4 * DAY, "off for a day", 0.0),
            (
                "a third",
                4 * DAY - HOUR,
                "off, and an hour earlier then",
                1.5,
            ),
        ] {
            self.bell.press(server.door.address, PATIENCE)?;
            server.kill_9()?;
            let boot_id = self.house.folder().join("boot_id");
            fs::write(&boot_id, format!("{boot} boot\n")).context("can't write a boot id")?;
            let machine = SmallDisk::hold(
                self.house.folder(),
                "mount --bind \"$0/boot_id\" /proc/sys/kernel/random/boot_id",
            )?;
            self.house.goes_within(machine.within());
            self.set(offset)?;
            let start = Instant::now();
            server = self.start()?;
            let mut steady =
                Steady::join(server.door.address, &self.logins, &Tally::default(), PER_S)?;
            let mut watch = self.bell.watch(server.door.address)?;
            while self.bell.look(&mut watch)?.is_none() {
                steady.beat()?;
                ensure!(start.elapsed() < PATIENCE, "the light stays on: {how}");
            }
            let after_s = start.elapsed().as_secs_f64();
            let is_back = self.house.said().contains("shows an earlier time");
            findings.holds(
                &format!("{how}: dark {after_s:.1} s after the start, with {rest_s} s left for it"),
                is_back == (rest_s > 0.0) && after_s >= rest_s * 0.8,
            );
            if rest_s == 0.0 {
                let is_over = self.is_long_over()?;
                findings.holds("a timer of two hours is over by then", is_over && !was_over);
            }
            // The namespace goes with the machine; its dispatcher first.
            server.kill_9()?;
            server = self.start()?;
        }
        drop(server);
        Ok(())
    }

    /// Presses the bell and waits for dark.
    fn rings(&mut self, server: &Server, steady: &mut Steady) -> Result<()> {
        self.bell.press(server.door.address, PATIENCE)?;
        self.dark(server, steady)
    }

    fn dark(&mut self, server: &Server, steady: &mut Steady) -> Result<()> {
        let start = Instant::now();
        let mut watch = self.bell.watch(server.door.address)?;
        loop {
            if let Some(dark) = self.bell.look(&mut watch)? {
                self.early += u64::from(dark.is_early);
                self.late_s.push(dark.late_s);
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("the light stays on");
            }
            steady.beat()?;
        }
    }
}

/// libfaketime for programs with threads, as Debian and Fedora place it.
fn library() -> Result<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];
    let below = folders.iter().flat_map(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .chain([PathBuf::from(folder)])
    });
    let mut files = below.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let found = files.find(|file| file.is_file());
    found.ok_or_else(|| Unable("libfaketime is not installed".to_owned()).into())
}

/// The time of day in UTC that comes next at half an hour from now at the latest.
fn in_half_an_hour() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let minutes = (now / 60 + 30) % (24 * 60);
    Ok(format!("{:02}:{:02}", minutes / 60, minutes % 60))
}
