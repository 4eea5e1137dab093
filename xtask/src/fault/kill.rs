//! kill -9, again and again, in the middle of a load: what was acknowledged is there after the start, no target is older than
//! what was acknowledged, a timer that ran ends on time, and what somebody changed and heard done is done.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    Way,
    findings::{Findings, percentile},
    rig::{BELL, Bell, Dice, House, Memory, SOURCES, Steady, Tally, mapping},
};
use crate::bench::broker::{packet::Login, server::Server};

/// Reports a second.
const PER_S: u32 = 1_000;

/// A light that the timer lets go off so late is still on time: a blink of an eye and what a busy machine needs.
const LATE_S_MAX: f64 = 1.0;

/// From the start of the process to the first client that is let in.
const READY_MS_MAX: f64 = 1_000.0;

/// Nothing here takes longer in a dispatcher that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who is blocked and let in again.
const GUEST: &str = "\n[device.guest]\nid = 122\nio.button = { kind = \"button\" }\n";

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let kills = if way.quick { 3 } else { 100 };
    let mut findings = Findings::default();
    let mut trial = Trial::new(way)?;
    for kill in 1..=kills {
        trial
            .round(kill)
            .with_context(|| format!("kill {kill} (seed {})", way.seed))?;
    }
    trial.goes_on()?;
    let Trial {
        tally, mut found, ..
    } = trial;
    findings.note(format!(
        "{kills} kills under {PER_S} reports a second: {} reported, {} acknowledged, {} targets",
        tally.all_sent(),
        tally.all_acked(),
        tally.targets
    ));
    findings.none("acknowledged reports lost", found.lost);
    findings.none("reports counted that nobody made", found.invented);
    findings.none("stale targets told", tally.stale);
    findings.none("changes lost that people heard were done", found.undone);
    findings.none("timers that ended early", found.early);
    findings.none("panics", trial.house.panics());
    let late = percentile(&mut found.late_s, 100.0);
    let ready = percentile(&mut found.ready_ms, 99.0);
    findings.timed(
        way,
        "a timer's end after it was due, and somebody there to see it",
        late,
        LATE_S_MAX,
        "s",
    );
    findings.timed(way, "restart to serving, p99", ready, READY_MS_MAX, "ms");
    Ok(findings)
}

/// What was seen.
#[derive(Default)]
struct Found {
    lost: u64,
    invented: u64,
    undone: u64,
    early: u64,
    late_s: Vec<f64>,
    ready_ms: Vec<f64>,
}

struct Trial {
    house: House,
    /// What the journal has not synced yet is there, or on the disk; from one start to the next that may change.
    memory: Memory,
    dice: Dice,
    logins: Vec<Login>,
    bell: Bell,
    tally: Tally,
    found: Found,
    /// What the house had counted at the last look, and what had been reported and acknowledged by then.
    counted: [u64; SOURCES],
    before: Tally,
    /// Whether somebody heard that the guest is blocked.
    is_blocked: bool,
    /// Users who somebody heard are there.
    users: BTreeSet<String>,
}

impl Trial {
    fn new(way: &Way) -> Result<Self> {
        let house = House::new(way, "kill", &mapping(&format!("{BELL}{GUEST}")))?;
        Ok(Self {
            logins: Steady::logins(&house)?,
            bell: Bell::of(&house)?,
            house,
            memory: Memory::new("kill")?,
            dice: Dice::new(way.seed),
            tally: Tally::default(),
            found: Found::default(),
            counted: [0; SOURCES],
            before: Tally::default(),
            is_blocked: false,
            users: BTreeSet::new(),
        })
    }

    /// Starts it, looks what it remembers, makes it work, lets somebody change something, kills it.
    fn round(&mut self, kill: u64) -> Result<()> {
        let server = self.start()?;
        let mut watch = self.bell.watch(server.door.address)?;
        let here = Instant::now();
        self.remembers()?;
        let mut steady = Steady::join(server.door.address, &self.logins, &self.tally, PER_S)?;
        // The light that was switched on before the kill goes off when it is due, under the load.
        while self.bell.rings() {
            steady.beat()?;
            if let Some(dark) = self.bell.look(&mut watch)? {
                self.found.early += u64::from(dark.is_early);
                self.found.late_s.push(dark.late_s);
            }
            ensure!(here.elapsed() < PATIENCE, "the light stays on");
        }
        self.bell.press(server.door.address, PATIENCE)?;
        let mut change = Change::begin(&self.house, kill)?;
        steady.run(Duration::from_millis(self.dice.within(200..1_000)))?;
        let start = Instant::now();
        while !change.is_done()? {
            steady.beat()?;
            ensure!(start.elapsed() < PATIENCE, "a change gets no answer");
        }
        // At once: nobody has time to write anything down behind the answer.
        server.kill_9()?;
        self.tally = steady.last_words();
        match change {
            Change::Block { blocks, .. } => self.is_blocked = blocks,
            Change::User { name, .. } => {
                self.users.insert(name);
            }
        }
        Ok(())
    }

    /// After the last kill: all is there, and goes on.
    fn goes_on(&mut self) -> Result<()> {
        let server = self.start()?;
        self.remembers()?;
        let mut steady = Steady::join(server.door.address, &self.logins, &self.tally, PER_S)?;
        steady.run(Duration::from_millis(500))?;
        steady.settle(PATIENCE)?;
        self.tally = steady.tally.clone();
        server.kill_9()?;
        self.tally = steady.last_words();
        Ok(())
    }

    fn start(&mut self) -> Result<Server> {
        // Twice as the service, then as without a service manager, which takes up what is in memory.
        let variables = match self.found.ready_ms.len() % 3 {
            2 => Vec::new(),
            _ => vec![self.memory.variable()],
        };
        self.house.has_variables(variables);
        let server = self.house.start(&self.logins[0])?;
        self.found.ready_ms.push(server.ready.as_secs_f64() * 1e3);
        Ok(server)
    }

    /// What was acknowledged before the last kill is there.
    fn remembers(&mut self) -> Result<()> {
        let state = self.house.ask_json(&["state", "--json"])?;
        for ix in 0..SOURCES {
            let counted = self.house.number(&state, &format!("n{ix}"))?;
            let since = counted.saturating_sub(self.counted[ix]);
            // Between two looks, so that reports which were counted without an answer make up for none that is lost.
            let acked = self.tally.acked[ix] - self.before.acked[ix];
            let sent = self.tally.sent[ix] - self.before.sent[ix];
            self.found.lost += acked.saturating_sub(since);
            self.found.invented += since.saturating_sub(sent);
            self.counted[ix] = counted;
        }
        self.before = self.tally.clone();
        let guest = self
            .house
            .ask_json(&["device", "show", "guest", "--json"])?;
        let blocked = guest["blocked"] == "both";
        self.found.undone += u64::from(blocked != self.is_blocked);
        let listed = self.house.ask(&["user", "list", "--json"])?;
        let gone = self
            .users
            .iter()
            .filter(|name| !listed.contains(&format!("\"{name}\"")));
        self.found.undone += gone.count() as u64;
        Ok(())
    }
}

/// Somebody changes something, on the command line.
enum Change {
    Block { blocks: bool, command: Child },
    User { name: String, command: Child },
}

impl Change {
    /// By turns: a block, its end, a new user.
    fn begin(house: &House, kill: u64) -> Result<Self> {
        let start = |words: &[&str]| {
            let mut command = house.command();
            command
                .args(words)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().context("can't run the command line")
        };
        Ok(match kill % 3 {
            0 => {
                let name = format!("user{kill}");
                let command = start(&["user", "add", &name, "--tool"])?;
                Self::User { name, command }
            }
            turn => {
                let blocks = turn == 1;
                let word = if blocks { "block" } else { "unblock" };
                let command = start(&["device", word, "guest"])?;
                Self::Block { blocks, command }
            }
        })
    }

    /// Whether they heard that it is done.
    fn is_done(&mut self) -> Result<bool> {
        let (Self::Block { command, .. } | Self::User { command, .. }) = self;
        match command.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("a change is refused: {status}"),
        }
    }
}
