//! An answer for machines. Keys are stable; new ones may come.

use dispatcher::explain::{self, Part};
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};
use types::{Now, Value};

use super::{Hop, What, Why, down};
use crate::words::iso_of;

impl Why {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> Json {
        json!({
            "target": self.target,
            "then": self.then,
            "is": self.is,
            "was": self.was,
            "no": self.no.0,
            "time": iso_of(zone, self.now.wall),
            "wall_us": self.now.wall.0,
            "hops": hops(&self.hops, zone),
            "remarks": self.remarks,
        })
    }
}

/// Each with the milliseconds since the hop before.
pub(crate) fn hops(hops: &[Hop], zone: &TimeZone) -> Json {
    let mut before: Option<Now> = None;
    let hop = |hop: &Hop| {
        let passed = before.map(|before| hop.now.at.since(before.at));
        before = Some(hop.now);
        let mut json = what(&hop.what);
        json["time"] = Json::from(iso_of(zone, hop.now.wall));
        json["wall_us"] = Json::from(hop.now.wall.0);
        json["passed_ms"] = Json::from(passed.map_or(0.0, |passed| passed.as_secs_f64() * 1e3));
        json
    };
    hops.iter().map(hop).collect()
}

fn what(what: &What) -> Json {
    match what {
        What::Cause(text) => json!({ "hop": "cause", "text": text }),
        What::Rule {
            name,
            file,
            line,
            parts: all,
            did,
        } => json!({
            "hop": "rule", "rule": name, "file": file, "line": line, "conditions": parts(all), "did": did,
        }),
        What::Sent { text, disposition } => json!({
            "hop": "sent", "text": text, "disposition": explain::disposition(*disposition),
        }),
        What::Unblocked(device) => json!({ "hop": "unblocked", "device": device }),
        What::Acknowledged(device) => json!({ "hop": "acknowledged", "by": device }),
        What::Reported { text, as_told } => {
            json!({ "hop": "reported", "text": text, "as_told": as_told })
        }
        What::Down(off) => json!({
            "hop": "down", "text": down::text(*off), "off_s_max": off.as_secs_f64(),
        }),
        What::Missing(text) => json!({ "hop": "missing", "text": text }),
    }
}

pub(crate) fn parts(parts: &[Part]) -> Json {
    let part = |part: &Part| {
        let seen = part.seen.iter();
        let seen: Map<String, Json> = seen
            .map(|(term, value)| (term.clone(), value.as_ref().map_or(Json::Null, of)))
            .collect();
        json!({ "text": part.text, "truth": part.truth.word(), "seen": seen })
    };
    parts.iter().map(part).collect()
}

/// A value; whole numbers without a fraction.
pub(crate) fn of(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::from(*value),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Json::from(*value as i64)
        }
        Value::Number(value) => Json::from(*value),
        Value::Text(value) => Json::from(&**value),
    }
}
