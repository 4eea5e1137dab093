//! Clients that the application holds back: nothing is read from them for a while, so that what they send waits in
//! their own sockets.

use types::Instant;

use super::Core;
use crate::{application::ClientKey, connection::ConnKey, session::Timer};

impl Core {
    /// Reads nothing from a client until then, or later where it is held for longer already.
    pub(super) fn hold(&mut self, client: ClientKey, until: Instant) {
        let session = self.sessions.get(client.0 as usize);
        let Some(key) = session.and_then(|session| session.connection) else {
            return;
        };
        let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) else {
            return;
        };
        if live.held_until.is_some_and(|held| held >= until) {
            return;
        }
        match live.held_until.replace(until) {
            Some(before) => self.timers.cancel(before, Timer::Hold(key)),
            None => self.stats.holds += 1,
        }
        self.timers.set(until, Timer::Hold(key));
    }

    pub(super) fn hold_is_over(&mut self, key: ConnKey) {
        // Its silence was ours.
        self.note_pause(key);
        if let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) {
            live.held_until = None;
        }
        // The shell looks at it again.
        let _ = self.conns.output(key);
    }
}
