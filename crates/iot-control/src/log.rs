//! The log: structured, on stderr, by the clock that the live stream goes by. On a terminal it is the time of day in the
//! house's zone; elsewhere the date and the offset stand with it. Before a house is known the machine's zone counts.

use std::{
    fmt,
    io::IsTerminal,
    path::Path,
    sync::{PoisonError, RwLock},
};

use dispatcher::explain::TIME_OF_DAY;
use jiff::{Timestamp, tz::TimeZone};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{format::Writer, time::FormatTime},
};

use crate::printer;

/// Date and offset too: who reads it later, or on another machine, has nothing else.
const IN_FULL: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

/// The zone of the house; `None`: none is known yet.
static ZONE: RwLock<Option<TimeZone>> = RwLock::new(None);

/// Logs go to stderr and follow `RUST_LOG`; a running dispatcher starts at `info`.
pub(crate) fn start(is_running: bool) {
    let level = if is_running {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let is_terminal = std::io::stderr().is_terminal();
    go_by(machines_zone());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Clock { is_terminal })
        .with_writer(|| printer::People)
        .with_ansi(is_terminal)
        .with_target(false)
        .init();
}

/// From now on times are those of this zone.
pub(crate) fn go_by(zone: TimeZone) {
    *ZONE.write().unwrap_or_else(PoisonError::into_inner) = Some(zone);
}

struct Clock {
    is_terminal: bool,
}

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let zone = ZONE.read().unwrap_or_else(PoisonError::into_inner);
        let zone = zone.clone().unwrap_or(TimeZone::UTC);
        w.write_str(&stamp(Timestamp::now(), zone, self.is_terminal))
    }
}

fn stamp(at: Timestamp, zone: TimeZone, is_terminal: bool) -> String {
    let format = if is_terminal { TIME_OF_DAY } else { IN_FULL };
    at.to_zoned(zone).strftime(format).to_string()
}

/// What /etc/localtime leads to; UTC where it is no link into the zones' folder.
fn machines_zone() -> TimeZone {
    let link = Path::new("/etc/localtime").canonicalize().ok();
    let zone = link.as_deref().and_then(zone_at);
    zone.unwrap_or(TimeZone::UTC)
}

/// `/usr/share/zoneinfo/Europe/Berlin`.
fn zone_at(path: &Path) -> Option<TimeZone> {
    let (_, name) = path.to_str()?.split_once("/zoneinfo/")?;
    TimeZone::get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_the_time_of_its_zone_and_on_a_terminal_that_of_day_alone() {
        let zone = || zone_at(Path::new("/usr/share/zoneinfo/Asia/Kathmandu")).unwrap();
        let at: Timestamp = "2026-03-28T20:00:00.5Z".parse().unwrap();
        assert_eq!(stamp(at, zone(), true), "01:45:00.500");
        assert_eq!(stamp(at, zone(), false), "2026-03-29T01:45:00.500+05:45");
    }
}
