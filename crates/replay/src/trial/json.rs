//! Differences for machines: one object each, and one for the whole. Keys are stable; new ones may come.

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{Difference, Line, Summary};
use crate::words::iso_of;

impl Difference {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> Json {
        json!({
            "time": iso_of(zone, self.now.wall),
            "wall_us": self.now.wall.0,
            "cause": self.cause,
            "gone": lines(&self.gone),
            "new": lines(&self.new),
        })
    }
}

impl Summary {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> Json {
        json!({
            "differs": self.differs(),
            "since": iso_of(zone, self.since),
            "until": iso_of(zone, self.until),
            "inputs": self.inputs,
            "same": self.same,
            "gone": self.gone,
            "new": self.new,
            "untaken": self.untaken,
            "cut": self.cut,
        })
    }
}

fn lines(lines: &[Line]) -> Json {
    let line = |line: &Line| json!({ "text": line.text, "by": line.by });
    lines.iter().map(line).collect()
}
