//! A long load: no memory that grows, no file that stays open, no report that is lost.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    Way,
    findings::{Findings, percentile},
    rig::{House, SOURCES, Steady, Tally, mapping},
};

const PER_S: u32 = 500;

/// Without another word.
const SPAN: Duration = Duration::from_secs(20 * 60);

const QUICK_SPAN: Duration = Duration::from_secs(12);

/// Memory and open files are compared after so much of the time; until then what a house needs at all is still being touched,
/// and long-term history and the first snapshot have not opened what they keep.
const WARM_SHARE: f64 = 0.5;

/// From the first minute behind that to the last one.
const GROWTH_MIB_MAX: f64 = 1.0;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks whose median is compared.
const LOOKS: usize = 60;

const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or it ends.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let span = match way.span {
        Some(span) => span,
        None if way.quick => QUICK_SPAN,
        None => SPAN,
    };
    let house = House::new(way, "soak", &mapping(""))?;
    let logins = Steady::logins(&house)?;
    let server = house.start(&logins[0])?;
    let mut steady = Steady::join(server.door.address, &logins, &Tally::default(), PER_S)?;
    let start = Instant::now();
    let (mut rss_mib, mut files): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut files_max: f64 = 0.0;
    while start.elapsed() < span {
        steady.run(LOOK_EVERY)?;
        let open = server.open_files()? as f64;
        files_max = files_max.max(open);
        if start.elapsed().as_secs_f64() >= span.as_secs_f64() * WARM_SHARE {
            rss_mib.push(server.rss_mib()?);
            files.push(open);
        }
    }
    steady.settle(PATIENCE)?;
    let tally = steady.tally.clone();

    let mut findings = Findings::default();
    findings.note(format!(
        "{:.0} s at {PER_S} reports a second: {} reported, {} acknowledged, {} targets",
        span.as_secs_f64(),
        tally.all_sent(),
        tally.all_acked(),
        tally.targets
    ));
    let state = house.ask_json(&["state", "--json"])?;
    let mut off = 0;
    for ix in 0..SOURCES {
        off += house
            .number(&state, &format!("n{ix}"))?
            .abs_diff(tally.sent[ix]);
    }
    findings.none("reports that were not counted exactly once", off);
    findings.none(
        "reports that are not acknowledged",
        tally.all_sent() - tally.all_acked(),
    );
    findings.none("stale targets told", tally.stale);
    findings.none("panics", house.panics());
    let (before, after) = first_and_last(&files);
    findings.at_most(
        &format!("open files, {before:.0} after half of the time: growth since"),
        after - before,
        0.0,
        "files",
    );
    findings.at_most(
        "open files, the most at once beyond that",
        files_max - before,
        OPEN_FILES_AT_ONCE_MAX,
        "files",
    );
    let (before, after) = first_and_last(&rss_mib);
    findings.timed(
        way,
        &format!("memory, {before:.1} MiB after half of the time: growth since"),
        after - before,
        GROWTH_MIB_MAX,
        "MiB",
    );
    Ok(findings)
}

/// Medians of the first looks and of the last ones.
fn first_and_last(looked: &[f64]) -> (f64, f64) {
    let looks = LOOKS.min(looked.len() / 2).max(1).min(looked.len());
    let median = |looks: &[f64]| percentile(&mut looks.to_vec(), 50.0);
    (
        median(&looked[..looks]),
        median(&looked[looked.len() - looks..]),
    )
}

/// Long-term history reads the database and the journal by handles of its own, now and then; so do a segment that begins and
/// SQLite at a snapshot.
const OPEN_FILES_AT_ONCE_MAX: f64 = 8.0;
