//! Every bound of the broker with its default. Built by the binary from settings, read by the core.

/// What the broker accepts before it says no. The defaults fit a house on a Raspberry Pi.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Largest packet a client may send, in bytes with its header. MQTT 5 clients are told.
    pub packet_bytes_max: u32,
    /// Largest CONNECT, and most bytes kept from a client whose password is being checked.
    pub connect_bytes_max: u32,
    /// Open connections. More are refused at accept.
    pub connections_max: usize,
    /// New connections a second, with a burst of the same size. More are refused at accept.
    pub connections_per_second_max: u32,
    /// Sessions, connected or not. Beyond it the session that has been away longest is ended.
    pub sessions_max: usize,
    /// How long a session outlives its connection, in seconds. A longer wish is cut to it.
    pub session_expiry_s_max: u32,
    /// QoS 1 and 2 messages on their way to one client without an ack. The rest waits in the queue.
    pub inflight_max: u16,
    /// QoS 1 and 2 messages from one client without our ack. MQTT 5 clients are told (and
    /// disconnected beyond it); from MQTT 3.1.1 clients no more is read until acks leave.
    pub receive_max: u16,
    /// Messages that wait for one client.
    pub queue_messages_max: usize,
    /// Payload, topic and property bytes that wait for one client.
    pub queue_bytes_max: usize,
    /// The same over all clients; beyond it each queue counts as full.
    pub queues_bytes_max: usize,
    /// Bytes ready for one socket. Beyond it messages wait in the queue, where they coalesce.
    pub output_bytes_max: usize,
    /// Messages a second from one client, with a burst of the same size. `None`: no limit.
    pub messages_per_second_max: Option<u32>,
    /// Subscriptions of one client; more are refused with reason 0x97.
    pub subscriptions_max: usize,
    /// Longest topic name or filter, in bytes.
    pub topic_bytes_max: usize,
    /// Levels of a topic name or filter.
    pub topic_levels_max: usize,
    /// Topic aliases a client may set up.
    pub topic_alias_max: u16,
    /// Retained topics. A client's message that would add one is delivered, but not kept; the
    /// application's own are always kept.
    pub retained_max: usize,
    /// Payload, topic and property bytes of retained messages; beyond it as above.
    pub retained_bytes_max: usize,
    /// Time from accept to a CONNECT, and from CONNECT to the verdict on its password, in seconds.
    pub connect_timeout_s: u32,
    /// Passwords that wait for the argon2 worker. More logins are answered "server busy".
    pub verify_queue_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 256 * 1024,
            connect_bytes_max: 16 * 1024,
            connections_max: 4_096,
            connections_per_second_max: 500,
            sessions_max: 8_192,
            session_expiry_s_max: 7 * 24 * 3_600,
            inflight_max: 256,
            receive_max: 1_024,
            queue_messages_max: 10_000,
            queue_bytes_max: 1024 * 1024,
            queues_bytes_max: 64 * 1024 * 1024,
            output_bytes_max: 256 * 1024,
            messages_per_second_max: None,
            subscriptions_max: 1_000,
            topic_bytes_max: 512,
            topic_levels_max: 16,
            topic_alias_max: 16,
            retained_max: 10_000,
            retained_bytes_max: 16 * 1024 * 1024,
            connect_timeout_s: 10,
            verify_queue_max: 64,
        }
    }
}

/// A token bucket: so many a second, with a burst of one second's worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    micro_tokens: u64,
    at: types::Instant,
}

impl Rate {
    const ONE: u64 = 1_000_000;

    pub(crate) fn new(per_second: u32, now: types::Instant) -> Self {
        Self {
            micro_tokens: u64::from(per_second) * Self::ONE,
            at: now,
        }
    }

    /// Takes one token; false where none is left.
    pub(crate) fn take(&mut self, per_second: u32, now: types::Instant) -> bool {
        let per_second = u64::from(per_second);
        let elapsed_us = now.0.saturating_sub(self.at.0).min(Self::ONE);
        self.at = self.at.max(now);
        self.micro_tokens =
            (self.micro_tokens + elapsed_us * per_second).min(per_second * Self::ONE);
        if self.micro_tokens < Self::ONE {
            return false;
        }
        self.micro_tokens -= Self::ONE;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Instant;

    #[test]
    fn a_rate_allows_its_burst_and_then_its_pace() {
        let mut rate = Rate::new(2, Instant(0));
        assert!(rate.take(2, Instant(0)));
        assert!(rate.take(2, Instant(0)));
        assert!(!rate.take(2, Instant(0)));
        assert!(rate.take(2, Instant(500_000)));
        assert!(!rate.take(2, Instant(500_000)));
    }
}
