//! What a house writes to its card in a day: cards die of it.
//!
//! Two figures. The dispatcher's own pages are what the kernel books for its process: each page that it made dirty and that
//! has to be written. What comes to the disk is counted by the block device under an ext4 of its own, with the file system's
//! journal and all; only root can make one. Both are taken over a span of real time, because who writes when is the point:
//! the dispatcher syncs every `journal.sync_s`, the kernel by itself what is dirty for 30 s. The span's figures are
//! multiplied to a day, and what comes once a day, a snapshot, is measured and added once. History is among it: its first
//! part is written ten minutes after a start, and so is half of such a span. In the short form events and
//! syncs come twenty times as fast, which leaves the kernel's own share out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Way,
    findings::{Findings, Unable},
    rig::{House, Memory, Module, SmallDisk},
};
use crate::{
    bench::broker::{packet::Login, server::Server},
    shell,
};

/// Events of a house in a day.
const EVENTS_PER_DAY: f64 = 20_000.0;

const DAY_S: f64 = 86_400.0;

/// What is measured without another word, of real time.
const SPAN: Duration = Duration::from_secs(20 * 60);

/// How much faster all goes in the short form, and for how long.
const QUICK_FASTER: f64 = 20.0;
const QUICK_SPAN: Duration = Duration::from_secs(12);

/// Modules of the house: sensors of climate and motion, and lamps.
const SENSORS: usize = 12;
const MOTIONS: usize = 4;
const LAMPS: usize = 4;

/// Seconds between two syncs, and the megabytes that a day may come to: the default, which writes a page each time, and a
/// relaxed setting, at which a house of this size fills a page between two syncs and so writes none twice.
const SYNC_S: [(u32, f64); 2] = [(30, 15.0), (300, 4.0)];

/// In the short form, where the kernel has no time to write anything by itself: a sync more for each event, or a file more,
/// shows.
const QUICK_MB_MAX: f64 = 15.0;

/// From an edit until its snapshot is kept.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(3);

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or this machine does not count.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut findings = Findings::default();
    let settings = if way.quick { &SYNC_S[..1] } else { &SYNC_S[..] };
    // Side by side: each waits most of the time.
    let measured: Vec<Result<Written>> = thread::scope(|scope| {
        let start = |sync_s: u32| scope.spawn(move || Card::new(way, sync_s)?.measure(way));
        let threads: Vec<_> = settings.iter().map(|(sync_s, _)| start(*sync_s)).collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results
            .map(|result| result.unwrap_or_else(|_| anyhow::bail!("a measurement panicked")))
            .collect()
    });
    for ((sync_s, most_mb), written) in settings.iter().zip(measured) {
        let written = written?;
        findings.note(format!(
            "{} events at a sync every {sync_s} s; a snapshot writes {:.2} MB",
            written.events, written.snapshot_mb
        ));
        let what = format!("own pages a day, synced every {sync_s} s");
        let most_mb = match way.quick {
            true => QUICK_MB_MAX,
            false => *most_mb,
        };
        findings.at_most(&what, written.own_mb_per_day, most_mb, "MB");
        if let Some(device_mb) = written.device_mb_per_day {
            findings.note(format!(
                "{device_mb:.1} MB a day come to the disk, with ext4's own journal"
            ));
        }
    }
    Ok(findings)
}

/// What was measured, multiplied to a day.
struct Written {
    events: u64,
    own_mb_per_day: f64,
    device_mb_per_day: Option<f64>,
    snapshot_mb: f64,
}

/// A house on a card of its own, as the service: with a folder in memory.
struct Card {
    house: House,
    _memory: Memory,
    /// The card, where we may make one, and the file of its device's counters.
    disk: Option<(SmallDisk, PathBuf)>,
    sync_s: u32,
    logins: Vec<Login>,
}

impl Card {
    fn new(way: &Way, sync_s: u32) -> Result<Self> {
        let mut house = House::new(way, &format!("card-{sync_s}"), &mapping())?;
        let memory = Memory::new(&format!("card-{sync_s}"))?;
        house.has_variables(vec![memory.variable()]);
        let disk = match way.quick {
            true => None,
            false => card(&house.folder().join("image"), &house.state())?,
        };
        if let Some((disk, _)) = &disk {
            house.goes_within(disk.within());
        }
        let logins = names().map(|name| house.device_login(&name));
        Ok(Self {
            logins: logins.collect::<Result<_>>()?,
            house,
            _memory: memory,
            disk,
            sync_s,
        })
    }

    fn measure(&self, way: &Way) -> Result<Written> {
        let (faster, span) = match way.quick {
            true => (QUICK_FASTER, QUICK_SPAN),
            false => (1.0, way.span.unwrap_or(SPAN)),
        };
        let sync_s = (f64::from(self.sync_s) / faster).ceil() as u32;
        let setting = ("IOT_CONTROL__JOURNAL__SYNC_S", sync_s.to_string());
        let server = self
            .house
            .start_with(&self.logins[0], &[(setting.0, &setting.1)])?;
        let mut modules = Vec::new();
        for login in &self.logins {
            let targets = format!("iot/{}/+/target", login.user);
            modules.push(Module::join(server.door.address, login, &[&targets])?);
        }
        // What a start writes is no part of a day.
        thread::sleep(Duration::from_secs_f64(f64::from(sync_s).min(40.0) + 2.0));
        let before = self.counts(&server)?;
        let start = Instant::now();
        let pause = Duration::from_secs_f64(DAY_S / EVENTS_PER_DAY / faster);
        let mut events = 0;
        while start.elapsed() < span {
            event(&mut modules, events)?;
            events += 1;
            thread::sleep(
                (start + pause * u32::try_from(events)?).saturating_duration_since(Instant::now()),
            );
        }
        let days = start.elapsed().as_secs_f64() * faster / DAY_S;
        let after = self.counts(&server)?;
        // An edit is followed by a snapshot.
        self.house
            .write("mapping.toml", &format!("{}\n# edited\n", mapping()))?;
        thread::sleep(SNAPSHOT_WAIT);
        let snapshot = self.counts(&server)?;
        let per_day = |before: u64, after: u64, snapshot: u64| {
            ((after - before) as f64 / days + (snapshot - after) as f64) / 1e6
        };
        if after.0 == before.0 {
            return Err(Unable("this disk does not count what is written to it".to_owned()).into());
        }
        Ok(Written {
            events,
            own_mb_per_day: per_day(before.0, after.0, snapshot.0),
            device_mb_per_day: self
                .disk
                .is_some()
                .then(|| per_day(before.1, after.1, snapshot.1)),
            snapshot_mb: (snapshot.0 - after.0) as f64 / 1e6,
        })
    }

    /// Bytes so far: the process's own, the device's.
    fn counts(&self, server: &Server) -> Result<(u64, u64)> {
        let device = match &self.disk {
            Some((_, stat)) => {
                let text = fs::read_to_string(stat).context("the device has no counters")?;
                // Field 7: sectors of 512 bytes written (Documentation/block/stat.rst).
                let sectors = text
                    .split_whitespace()
                    .nth(6)
                    .and_then(|n| n.parse::<u64>().ok());
                sectors.context("the device's counters can't be read")? * 512
            }
            None => 0,
        };
        Ok((server.written_bytes()?, device))
    }
}

/// An ext4 as on a Raspberry Pi, mounted on `folder`; `None` where we are not root.
fn card(image: &Path, folder: &Path) -> Result<Option<(SmallDisk, PathBuf)>> {
    let file = fs::File::create(image).context("can't make a card")?;
    file.set_len(256 << 20).context("can't make a card")?;
    let mut mkfs = Command::new("mkfs.ext4");
    // All of its tables now, none later by itself.
    mkfs.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]);
    if shell::output(mkfs.arg(image)).is_err() {
        return Ok(None);
    }
    let mount = format!(
        "mount -o loop,noatime '{}' \"$0\" && chmod 700 \"$0\"",
        image.display()
    );
    let Ok(disk) = SmallDisk::hold_as_root(folder, &mount) else {
        return Ok(None);
    };
    let mut devices = Command::new("losetup");
    let devices = shell::output(devices.args(["-n", "-O", "NAME", "-j"]).arg(image))?;
    let name = devices
        .trim()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    Ok(Some((
        disk,
        PathBuf::from(format!("/sys/block/{name}/stat")),
    )))
}

/// The modules' names: sensors, motions, lamps.
fn names() -> impl Iterator<Item = String> {
    let of = |kind: &'static str, count| (0..count).map(move |ix| format!("{kind}{ix}"));
    of("sensor", SENSORS)
        .chain(of("motion", MOTIONS))
        .chain(of("lamp", LAMPS))
}

/// Sensors report, motion lights a lamp for a while.
fn mapping() -> String {
    let mut text = "format = 1\n".to_owned();
    for (ix, name) in names().enumerate() {
        let io = match &name[..4] {
            "sens" => "io.temp = { kind = \"temperature\" }",
            "moti" => "io.motion = { kind = \"motion\" }",
            _ => "io.light = { kind = \"dimmer\" }",
        };
        text += &format!("\n[device.{name}]\nid = {}\n{io}\n", ix + 1);
    }
    for ix in 0..LAMPS {
        text += &format!(
            "\n[rule.on{ix}]\nwhen = \"motion{ix}.motion.start\"\ndo = [\"lamp{ix}.light.on\", {{ start = \"off{ix}\", for = \"1m\" }}]\n\
             \n[rule.off{ix}]\nwhen = {{ timer = \"off{ix}\" }}\ndo = \"lamp{ix}.light.off\"\n"
        );
    }
    text
}

/// The next event of a house: mostly of sensors, now and then motion, and what lamps say to their targets.
fn event(modules: &mut [Module], number: u64) -> Result<()> {
    for (ix, lamp) in modules[SENSORS + MOTIONS..].iter_mut().enumerate() {
        let told = lamp.take()?;
        if let Some(target) = told.last() {
            let on = target.payload["on"] == true;
            lamp.report(
                &format!("iot/lamp{ix}/light/state"),
                &format!("{{\"on\":{on}}}"),
            )?;
        }
    }
    let of_all = number as usize;
    if of_all.is_multiple_of(10) {
        let ix = of_all / 10 % MOTIONS;
        let module = &mut modules[SENSORS + ix];
        module.report(
            &format!("iot/motion{ix}/motion/event"),
            r#"{"event":"start"}"#,
        )?;
        module.take()?;
    } else {
        let ix = of_all % SENSORS;
        let degrees = 18.0 + (of_all % 57) as f64 / 10.0;
        modules[ix].report(&format!("iot/sensor{ix}/temp/state"), &degrees.to_string())?;
        modules[ix].take()?;
    }
    Ok(())
}
