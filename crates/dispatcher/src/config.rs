//! Limits and patience of the dispatcher. The binary fills them from its settings; the defaults fit a house.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::Disposition;

/// Stands for every carrier.
pub const ALL: &str = "all";

/// What can be tuned.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// For so long after a send, or after a consumer came, a differing report means "not done yet"
    /// and the target is sent again; later it means that somebody used the switch on the wall.
    pub confirm_within: Duration,
    /// First pause before a target is sent again; doubled with each try.
    pub resend_first: Duration,
    /// Longest pause between two tries.
    pub resend_max: Duration,
    /// After so many tries people are told, once.
    pub alert_after_tries: u32,
    /// Seconds after which a momentary command that was not delivered is worth nothing.
    pub momentary_expiry_s: u32,
    /// Devices that count as gone when they say nothing for so long, by name: those that sleep, and whose
    /// sessions say nothing. The others are watched by their session's keep-alive.
    pub silence: BTreeMap<Arc<str>, Duration>,
    /// A device with a channel that promises a report every so often (`report_every`) and leaves out so many
    /// of them counts as gone; `None`: its session says whether it is there.
    pub reports_missed_max: Option<u32>,
    /// Who carries texts to people, by name; `None`: that is not known here, as in the past and in house tests.
    pub carriers: Option<BTreeSet<Arc<str>>>,
    /// Firings of one rule within a second before it is cut.
    pub firings_per_s_max: u32,
    /// How long a device that was there before a restart of the dispatcher may take to come back.
    pub reconnect_within: Duration,
    /// Longest payload that is looked at, in bytes.
    pub payload_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            confirm_within: Duration::from_secs(5),
            resend_first: Duration::from_secs(1),
            resend_max: Duration::from_secs(60),
            alert_after_tries: 5,
            momentary_expiry_s: 10,
            silence: BTreeMap::new(),
            reports_missed_max: None,
            carriers: None,
            firings_per_s_max: 100,
            reconnect_within: Duration::from_secs(90),
            payload_bytes_max: 64 * 1_024,
        }
    }
}

impl Config {
    /// What becomes of a text for people that is to go by `to`.
    pub(crate) fn carried(&self, to: &str) -> Disposition {
        let Some(carriers) = &self.carriers else {
            return Disposition::Sent;
        };
        match to {
            ALL if carriers.is_empty() => Disposition::Shown,
            ALL => Disposition::Queued,
            name if carriers.contains(name) => Disposition::Queued,
            _ => Disposition::NoCarrier,
        }
    }

    /// The pause before try number `tries` (from 0): doubled each time, bounded.
    pub(crate) fn resend_pause(&self, tries: u32) -> Duration {
        let factor = 1_u32.checked_shl(tries.min(16)).unwrap_or(u32::MAX);
        self.resend_first
            .saturating_mul(factor)
            .min(self.resend_max)
    }
}
