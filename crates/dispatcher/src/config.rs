//! Limits and patience of the dispatcher; the defaults fit a house.

use std::time::Duration;

use crate::conduct::Conduct;

/// What can be tuned.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// For this long after a send, or after a consumer came, a differing report means "not done yet"
    /// and the target is sent again; later it means that somebody used the switch on the wall.
    pub confirm_within: Duration,
    /// First pause before a target is sent again; doubled with each try.
    pub resend_first: Duration,
    /// Longest pause between two tries.
    pub resend_max: Duration,
    /// After this many tries people are told, once.
    pub alert_after_tries: u32,
    /// Seconds after which a momentary command that was not delivered is worth nothing.
    pub momentary_expiry_s: u32,
    /// What changes what becomes of the house. A snapshot's own is in force after [`crate::Dispatcher::restore`].
    pub conduct: Conduct,
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
            conduct: Conduct::default(),
            reconnect_within: Duration::from_secs(90),
            payload_bytes_max: 64 * 1_024,
        }
    }
}

impl Config {
    /// The pause before try number `tries` (from 0): doubled each time, bounded.
    pub(crate) fn resend_pause(&self, tries: u32) -> Duration {
        let factor = 1_u32.checked_shl(tries.min(16)).unwrap_or(u32::MAX);
        self.resend_first
            .saturating_mul(factor)
            .min(self.resend_max)
    }
}
