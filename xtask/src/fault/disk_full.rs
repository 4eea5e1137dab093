//! The disk is full in the middle of a load: lights switch, what is not kept is not acknowledged, what people change is
//! refused; and all is well soon after there is room again.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    Way,
    findings::Findings,
    rig::{House, Memory, Module, SOURCES, SmallDisk, Steady, Tally, mapping},
};

/// Room on the whole disk.
const DISK_BYTES: u64 = 4 << 20;

const PER_S: u32 = 400;

/// After there is room again.
const RECOVERS_S_MAX: f64 = 5.0;

const PATIENCE: Duration = Duration::from_secs(60);

/// A lamp that a button switches.
const MORE: &str = r#"
[device.desk]
id = 120
io.button = { kind = "button" }
io.lamp = { kind = "switch" }

[device.guest]
id = 121
io.button = { kind = "button" }

[rule.desk]
when = "desk.button.press"
do = "desk.lamp.toggle"
"#;

const LAMP: &str = "iot/desk/lamp/target";

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or the machine gives us no disk.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut findings = Findings::default();
    fill(way, None, &mut findings)?;
    findings.note("records in memory:");
    fill(way, Some(&Memory::new("disk-full")?), &mut findings)?;
    Ok(findings)
}

/// Fills the disk under a house that works on its newest journal file there, or in `memory`.
fn fill(way: &Way, memory: Option<&Memory>, findings: &mut Findings) -> Result<()> {
    let mut house = House::new(way, "disk-full", &mapping(MORE))?;
    let disk = SmallDisk::mount(&house.state(), DISK_BYTES)?;
    house.goes_within(disk.within());
    house.has_variables(memory.map_or_else(Vec::new, Memory::variables));
    let logins = Steady::logins(&house)?;
    let desk = house.device_login("desk")?;
    // Long enough that the pauses between two tries have grown.
    let spans: &[u64] = if way.quick { &[1] } else { &[2, 30] };
    let mut tally = Tally::default();
    let mut slowest: f64 = 0.0;
    let mut server = house.start(&logins[0])?;
    for (round, span) in spans.iter().enumerate() {
        let mut steady = Steady::join(server.door.address, &logins, &tally, PER_S)?;
        let mut desk = Module::join(server.door.address, &desk, &[LAMP])?;
        steady.run(Duration::from_secs(1))?;
        steady.settle(PATIENCE)?;

        disk.fill()?;
        until_acks_end(&mut steady)?;
        let (start, mut switched) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(*span) {
            steady.run(Duration::from_millis(200))?;
            desk.report("iot/desk/button/event", r#"{"event":"press"}"#)?;
            let lamp = desk.await_told("the lamp's target", PATIENCE, |told| {
                told.payload["on"].as_bool()
            });
            lamp.context("with a full disk")?;
            switched += 1;
        }
        steady.listen()?;
        let waiting = steady.tally.all_sent() - steady.tally.all_acked();
        findings.holds(
            &format!("full for {span} s: the lamp switched {switched} times, and {waiting} reports wait for their acknowledgement"),
            waiting > 0 && switched > 0,
        );
        let user = format!("user{round}");
        for words in [
            ["user", "add", &user, "--tool"].as_slice(),
            &["device", "block", "guest"],
        ] {
            let refused = house.tries(words)?;
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            findings.holds(
                &format!("`{}` is no success, and says why", words.join(" ")),
                refused.status.code() == Some(1) && !said.trim().is_empty(),
            );
        }

        disk.make_room()?;
        let room = Instant::now();
        let acked = steady.tally.all_acked();
        while steady.tally.all_acked() == acked {
            steady.beat()?;
            if room.elapsed() > PATIENCE {
                bail!("nothing is acknowledged though there is room again");
            }
        }
        slowest = slowest.max(room.elapsed().as_secs_f64());
        house.ask(&["device", "unblock", "guest"])?;
        steady.settle(PATIENCE)?;
        server.kill_9()?;
        tally = steady.last_words();
        server = house.start(&logins[0])?;
        let state = house.ask_json(&["state", "--json"])?;
        let mut lost = 0;
        for ix in 0..SOURCES {
            let counted = house.number(&state, &format!("n{ix}"))?;
            lost += tally.acked[ix].saturating_sub(counted);
        }
        findings.none("acknowledged reports lost after kill -9", lost);
    }
    findings.none("stale targets told", tally.stale);
    findings.none("panics", house.panics());
    findings.timed(
        way,
        "from room to acknowledgements",
        slowest,
        RECOVERS_S_MAX,
        "s",
    );
    drop(server);
    Ok(())
}

/// Reports until what fits in the pages that are there is used up.
fn until_acks_end(steady: &mut Steady) -> Result<()> {
    let (start, mut quiet) = (Instant::now(), Instant::now());
    let mut acked = steady.tally.all_acked();
    while quiet.elapsed() < Duration::from_millis(500) {
        steady.beat()?;
        if steady.tally.all_acked() > acked {
            (acked, quiet) = (steady.tally.all_acked(), Instant::now());
        }
        if start.elapsed() > PATIENCE {
            bail!("the disk is full, and reports are still acknowledged");
        }
        thread::yield_now();
    }
    Ok(())
}
