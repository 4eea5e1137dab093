//! How the dispatcher itself is doing: who is connected, what was refused, whether inputs are kept.

use std::{collections::BTreeMap, time::Duration};

use broker::Core;
use serde_json::{Map, Value as Json, json};
use store::{Health, HealthState};

use super::app::App;

/// What was refused, and what was taken with a note, by code and over all devices.
pub(super) fn refusals(app: &App) -> BTreeMap<&'static str, u64> {
    let mut refusals = BTreeMap::new();
    for (_, code, count) in app.dispatcher.counters().iter() {
        *refusals.entry(code).or_default() += count;
    }
    refusals
}

/// What is known beside the counters.
pub(super) struct Beside {
    /// Since the start.
    pub(super) up: Duration,
    /// Whether the house's files are what is in force.
    pub(super) files_in_force: bool,
    /// Why they are not, where they are right and wait for the disk to take their mapping.
    pub(super) files_wait: Option<String>,
    /// Whether they are taken up without a restart.
    pub(super) files_watched: bool,
    /// Until when the certificate is valid; null without one.
    pub(super) certificate: Json,
}

/// Why not all that happens can be told after a restart; `None`: it can.
pub(super) fn unkept(app: &App, health: &Health) -> Option<String> {
    match &health.state {
        HealthState::Good => app.unarchived(),
        failing => Some(failing.to_string()),
    }
}

/// All counters, the store's health and what is known beside them.
pub(super) fn status(core: &Core, app: &App, health: &Health, beside: &Beside) -> Json {
    let counts = core.stats().each().into_iter();
    let counts: Map<String, Json> = counts
        .map(|stat| (stat.name.to_owned(), Json::from(stat.value)))
        .collect();
    let unkept = unkept(app, health);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "up_s": beside.up.as_secs(),
        "files_in_force": beside.files_in_force,
        "files_wait": beside.files_wait,
        "files_watched": beside.files_watched,
        "inputs": { "last": app.last().0, "missed": app.missed() },
        "broker": counts,
        "sealed": app.sealed_counters(),
        "external_broker": app.uplink.as_ref().map(|uplink| json!({
            "address": uplink.address(),
            "version": uplink.version(),
            "reached": uplink.trouble().is_none(),
            "trouble": uplink.trouble(),
            "lost": uplink.lost(),
            "rival": uplink.rival(),
            "confines_devices": uplink.confines(),
        })),
        "certificate": beside.certificate,
        "refusals": refusals(app),
        "store": {
            "good": unkept.is_none(),
            "state": unkept.unwrap_or_else(|| health.state.to_string()),
            "written": health.written.0,
            "waiting_batches": health.waiting_batches,
            "waiting_bytes": health.waiting_bytes,
            "journal_bytes": health.journal_bytes,
            "segments_sacrificed": health.segments_sacrificed,
            "retention_trouble": health.retention_trouble,
        },
    })
}
