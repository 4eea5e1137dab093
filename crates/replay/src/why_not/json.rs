//! An answer for machines. Keys are stable; new ones may come.

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::WhyNot;
use crate::{why, words::iso_of};

impl WhyNot {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> Json {
        let attempt = self.attempt.as_ref().map(|attempt| {
            let since = attempt.since.iter().map(|(term, value, since)| {
                json!({ "term": term, "value": value, "since": iso_of(zone, *since) })
            });
            json!({
                "time": iso_of(zone, attempt.now.wall),
                "outcome": attempt.outcome,
                "hops": why::json_hops(&attempt.hops, zone),
                "since": since.collect::<Vec<_>>(),
            })
        });
        let triggers = self.triggers.iter();
        let triggers: Vec<Json> = triggers
            .map(|wait| json!({ "trigger": wait.what, "said": wait.said }))
            .collect();
        json!({
            "rule": self.rule,
            "file": self.file,
            "line": self.line,
            "time": iso_of(zone, self.at),
            "sentences": self.sentences,
            "attempt": attempt,
            "triggers": triggers,
            "condition": why::json_parts(&self.condition),
            "fired": self.fired.map(|fired| iso_of(zone, fired.wall)),
        })
    }
}
