//! A block in the middle of what it is about: once its command has said so nothing of the device counts and nothing comes to
//! it, also where the dispatcher is killed at that very moment.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{
    Way,
    findings::Findings,
    rig::{House, Module, Steady, Tally, mapping},
};

const PER_S: u32 = 400;

const KILLS: usize = 20;

const PATIENCE: Duration = Duration::from_secs(20);

/// A producer that is blocked while it reports, beside the others, which are not.
const MORE: &str = r#"
[var]
guest = { kind = "number", start = 0, keep = true }

[device.guest]
id = 120
io.keys = { kind = "midi" }

[rule.guest]
when = "guest.keys.control"
do = { var = "guest", to = "${var.guest + 1}" }
"#;

const REPORT: &str = r#"{"event":"control","number":1,"value":2}"#;

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    // The variables stand in one table.
    let (var, rest) = MORE.split_at(MORE.find("\n[device").unwrap_or(0));
    let guest = var.trim_start().trim_start_matches("[var]\n");
    let text = mapping(rest).replacen("[var]\n", &format!("[var]\n{guest}"), 1);
    let house = House::new(way, "block", &text)?;
    let logins = Steady::logins(&house)?;
    let guest_login = house.device_login("guest")?;
    let mut findings = Findings::default();
    let counted = || house.number(&house.ask_json(&["state", "--json"])?, "guest");

    // As a producer.
    let server = house.start(&logins[0])?;
    let mut steady = Steady::join(server.door.address, &logins, &Tally::default(), PER_S)?;
    let mut guest = Module::join(server.door.address, &guest_login, &[])?;
    reports(&mut steady, &mut guest, Duration::from_millis(500))?;
    house.ask(&["device", "block", "guest", "--as", "producer"])?;
    let before = counted()?;
    reports(&mut steady, &mut guest, Duration::from_secs(1))?;
    findings.holds("reports count before the block", before > 0);
    findings.none(
        "reports of a blocked producer that counted",
        counted()? - before,
    );

    // As a consumer: the stage, while all sources report.
    house.ask(&["device", "block", "stage", "--as", "consumer"])?;
    let start = Instant::now();
    // What was on its way when it was said.
    while start.elapsed() < Duration::from_millis(200) {
        steady.listen()?;
    }
    let before = steady.tally.targets;
    steady.run(Duration::from_secs(1))?;
    steady.listen()?;
    findings.none(
        "targets told to a blocked consumer",
        steady.tally.targets - before,
    );
    house.ask(&["device", "unblock", "stage"])?;
    steady.settle(PATIENCE)?;
    findings.none("stale targets told after the block", steady.tally.stale);
    house.ask(&["device", "unblock", "guest"])?;
    drop((guest, server, steady));

    // Killed as soon as it is said.
    let kills = if way.quick { 2 } else { KILLS };
    let (mut lost, mut through) = (0, 0);
    for _ in 0..kills {
        let server = house.start(&logins[0])?;
        let mut guest = Module::join(server.door.address, &guest_login, &[])?;
        guest.report("iot/guest/keys/event", REPORT)?;
        guest.await_acks(PATIENCE)?;
        house.ask(&["device", "block", "guest"])?;
        server.kill_9()?;
        let server = house.start(&logins[0])?;
        let shown = house.ask_json(&["device", "show", "guest", "--json"])?;
        lost += u64::from(shown["blocked"] != "both");
        let before = counted()?;
        if let Ok(mut guest) = Module::join(server.door.address, &guest_login, &[]) {
            // It may be cut off at any point.
            let _ = guest.report("iot/guest/keys/event", REPORT);
            let _ = guest.await_acks(Duration::from_millis(200));
        }
        through += counted()? - before;
        house.ask(&["device", "unblock", "guest"])?;
        server.kill_9()?;
    }
    findings.none(
        &format!("blocks lost of {kills} behind which it was killed"),
        lost,
    );
    findings.none("reports that counted all the same", through);
    findings.none("panics", house.panics());
    Ok(findings)
}

/// All report for so long.
fn reports(steady: &mut Steady, guest: &mut Module, span: Duration) -> Result<()> {
    let end = Instant::now() + span;
    while Instant::now() < end {
        steady.beat()?;
        guest.report("iot/guest/keys/event", REPORT)?;
        guest.take()?;
        if guest.unacked() > 10_000 {
            bail!("the guest is not answered");
        }
        thread::yield_now();
    }
    Ok(())
}
