//! How the dispatcher itself is doing: who is connected, what was refused, whether inputs are kept.

use std::{collections::BTreeMap, time::Duration};

use broker::Core;
use serde_json::{Map, Value as Json, json};
use store::{Health, HealthState};

use super::app::App;

/// All counters, the store's health, and whether the house's files are what is in force.
pub(super) fn status(
    core: &Core,
    app: &App,
    health: &Health,
    (up, files_in_force): (Duration, bool),
) -> Json {
    let counts = core.stats().each().into_iter();
    let counts: Map<String, Json> = counts
        .map(|(name, count)| (name.to_owned(), Json::from(count)))
        .collect();
    let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, code, count) in app.dispatcher.counters().iter() {
        *refusals.entry(code).or_default() += count;
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_s": up.as_secs(),
        "files_in_force": files_in_force,
        "inputs": { "last": app.last().0, "missed": app.missed() },
        "broker": counts,
        "refusals": refusals,
        "store": {
            "good": health.state == HealthState::Good,
            "state": health.state.to_string(),
            "written": health.written.0,
            "waiting_batches": health.waiting_batches,
            "waiting_bytes": health.waiting_bytes,
            "journal_bytes": health.journal_bytes,
            "segments_sacrificed": health.segments_sacrificed,
            "retention_trouble": health.retention_trouble,
        },
    })
}
