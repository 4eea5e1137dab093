//! What the broker tells of itself below `$SYS`, under the names that mosquitto has for the same: programs that show
//! them know those. Retained, at QoS 0; nothing of it is kept beyond the end of the process.

use std::{sync::Arc, time::Duration};

use types::{Instant, Now};

use super::Core;
use crate::{Message, message::Publication, session::Timer};

/// That it is told, and how often.
#[derive(Debug)]
pub(super) struct Report {
    every: Duration,
    since: Instant,
}

impl Core {
    /// From now on it tells of itself: at once, and each time `every` has passed what has changed. `version` stands
    /// on `$SYS/broker/version`.
    ///
    /// No application hears of these messages, and [`Access`](crate::Access) says who may read them.
    pub fn report(&mut self, version: &str, every: Duration, now: Now) {
        self.report = Some(Report {
            every,
            since: now.at,
        });
        self.tell_of_itself("version", version.to_owned(), now);
        self.tell_counters(now);
    }

    /// Its time has come.
    pub(super) fn tell_counters(&mut self, now: Now) {
        let Some(Report { every, since }) = self.report else {
            return;
        };
        self.timers.set(now.at.after(every), Timer::Report);
        let uptime_s = now.at.since(since).as_secs();
        self.tell_of_itself("uptime", format!("{uptime_s} seconds"), now);
        for (name, value) in self.counters() {
            self.tell_of_itself(name, value.to_string(), now);
        }
    }

    /// The numbers, by what follows `$SYS/broker/`. What mosquitto counts and we don't, such as loads, has no topic.
    fn counters(&self) -> [(&'static str, u64); 12] {
        let stats = self.stats();
        let (mut connected, mut waiting) = (0, 0);
        for (_, session) in &self.sessions {
            connected += usize::from(session.connection.is_some());
            waiting += session.queue.len() + session.queue.replays() + session.window.len();
        }
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        [
            ("bytes/received", stats.bytes_in),
            ("bytes/sent", stats.bytes_out),
            ("clients/connected", number(connected)),
            ("clients/disconnected", number(stats.sessions - connected)),
            ("clients/total", number(stats.sessions)),
            ("publish/messages/dropped", stats.dropped),
            ("publish/messages/received", stats.messages_in),
            ("publish/messages/sent", stats.messages_out),
            ("retained messages/count", number(stats.retained)),
            (
                "store/messages/bytes",
                number(stats.queued_bytes + self.retained.bytes()),
            ),
            ("store/messages/count", number(waiting + stats.retained)),
            ("subscriptions/count", number(stats.subscriptions)),
        ]
    }

    fn tell_of_itself(&mut self, name: &str, value: String, now: Now) {
        let topic: Arc<str> = format!("$SYS/broker/{name}").into();
        if self.retained.payload(&topic) == Some(value.as_bytes()) {
            return;
        }
        let message = Message::trusted(topic, value).retained();
        let mut publication = Publication::from_application(&message, now.at);
        self.route(&mut publication, None, now);
    }
}
