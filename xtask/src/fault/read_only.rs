//! The disk can only be read: a start on such a disk says so, and under a running house lights switch, nothing is
//! acknowledged that is not kept, and all is well once it takes writes again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{
    Way,
    findings::Findings,
    rig::{FILE_CHANGES, House, Memory, SOURCES, SmallDisk, Steady, Tally, Tracer, mapping},
};

const DISK_BYTES: u64 = 32 << 20;

const PER_S: u32 = 200;

const RECOVERS_S_MAX: f64 = 5.0;

const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or the machine gives us no disk or no strace.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let mut findings = Findings::default();
    strike(way, None, &mut findings)?;
    findings.note("records in memory:");
    strike(way, Some(&Memory::new("read-only")?), &mut findings)?;
    Ok(findings)
}

/// Takes writes from a house that works on its newest journal file on the disk, or in `memory`; while its calls fail, they
/// do in memory too.
fn strike(way: &Way, memory: Option<&Memory>, findings: &mut Findings) -> Result<()> {
    let mut house = House::new(way, "read-only", &mapping(""))?;
    let disk = SmallDisk::mount(&house.state(), DISK_BYTES)?;
    house.goes_within(disk.within());
    house.has_variables(memory.map_or_else(Vec::new, Memory::variables));
    let logins = Steady::logins(&house)?;

    let server = house.start(&logins[0])?;
    let mut steady = Steady::join(server.door.address, &logins, &Tally::default(), PER_S)?;
    steady.run(Duration::from_secs(1))?;
    for (error, how) in [("EROFS", "can only be read"), ("EIO", "errs")] {
        let span = Duration::from_secs(if way.quick { 1 } else { 20 });
        let tracer = Tracer::attach(server.id(), FILE_CHANGES, error)?;
        steady.run(span)?;
        let waiting = steady.tally.all_sent() - steady.tally.all_acked();
        drop(tracer);
        findings.holds(
            &format!("a disk that {how} for {} s: {waiting} reports wait for their acknowledgement, servos turn", span.as_secs()),
            waiting > 0 && is_at_targets(&mut steady)?,
        );
        let back = Instant::now();
        let acked = steady.tally.all_acked();
        while steady.tally.all_acked() == acked {
            steady.beat()?;
            if back.elapsed() > PATIENCE {
                bail!("nothing is acknowledged though the disk takes writes again");
            }
        }
        findings.timed(
            way,
            "from writes that succeed to acknowledgements",
            back.elapsed().as_secs_f64(),
            RECOVERS_S_MAX,
            "s",
        );
        steady.settle(PATIENCE)?;
    }
    server.kill_9()?;
    let tally = steady.last_words();

    disk.remount("ro")?;
    let said = house.start_fails()?;
    findings.holds(
        "a start on it is refused, with what to do",
        said.contains("its disk can only be read"),
    );
    disk.remount("rw")?;
    let server = house.start(&logins[0])?;
    let state = house.ask_json(&["state", "--json"])?;
    let mut lost = 0;
    for ix in 0..SOURCES {
        let counted = house.number(&state, &format!("n{ix}"))?;
        lost += tally.acked[ix].saturating_sub(counted);
    }
    findings.none("acknowledged reports lost", lost);
    findings.none("stale targets told", tally.stale);
    findings.none("panics", house.panics());
    drop(server);
    Ok(())
}

/// Whether the stage comes to the newest targets, acknowledged or not.
fn is_at_targets(steady: &mut Steady) -> Result<bool> {
    let start = Instant::now();
    while steady.behind() > 0 {
        steady.listen()?;
        if start.elapsed() > PATIENCE {
            return Ok(false);
        }
    }
    Ok(true)
}
