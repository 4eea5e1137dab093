//! Every bound of the broker with its default. Built by the binary from settings, read by the core.

/// What the broker accepts before it says no. The defaults fit a house on a Raspberry Pi.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Largest packet a client may send, in bytes with its header. MQTT 5 clients are told.
    pub packet_bytes_max: u32,
    /// Largest CONNECT, and most bytes kept from a client whose password is being checked.
    pub connect_bytes_max: u32,
    /// Open connections. Beyond it the oldest without a CONNECT makes room, of the peer that has
    /// most of those; where there is none, more are refused at accept.
    pub connections_max: usize,
    /// Connections of one user; more are refused with reason 0x97.
    pub connections_per_user_max: usize,
    /// New connections a second from one address (IPv6: from 64 bits of it, until somebody logs in
    /// from the address), with a burst of the same size. More are refused at accept.
    pub connections_per_second_per_peer_max: u32,
    /// New connections a second from all addresses where nobody has logged in yet, with a burst of
    /// the same size. More are refused at accept.
    pub connections_per_second_max: u32,
    /// Connections of one address that have not sent their CONNECT. Beyond it the oldest is closed.
    pub unconnected_per_peer_max: usize,
    /// The same over all addresses. Beyond it the address that has most loses its oldest.
    pub unconnected_max: usize,
    /// Addresses that are remembered without a connection, and addresses that somebody logged in
    /// from. Beyond it the ones that were away longest are forgotten.
    pub peers_max: usize,
    /// How often a minute a client may take over its own connection, with a burst of the same size.
    /// Two that share an id do so for ever; the newcomer is refused then, with reason 0x9F.
    pub takeovers_per_minute_max: u32,
    /// Sessions, connected or not. Beyond it the session that has been away longest is ended.
    pub sessions_max: usize,
    /// Sessions of one user. Beyond it the one of them that has been away longest is ended.
    pub sessions_per_user_max: usize,
    /// How long a session outlives its connection, in seconds. A longer wish is cut to it.
    pub session_expiry_s_max: u32,
    /// Longest client id, in bytes; a longer one is refused with reason 0x85.
    pub client_id_bytes_max: usize,
    /// Longest keep-alive. MQTT 5 clients that want a longer one or none are told to keep this one.
    /// From MQTT 3.1.1 clients, which can't be told, any is taken: TCP finds out who is gone.
    pub keep_alive_s_max: u16,
    /// QoS 1 and 2 messages on their way to one client without an ack. The rest waits in the queue.
    /// Their bytes are bounded by [`Limits::queue_bytes_max`], however few they are.
    pub inflight_max: u16,
    /// QoS 1 and 2 messages from one client without our ack, and QoS 2 messages without its PUBREL. MQTT 5 clients
    /// are told (and disconnected beyond it); from MQTT 3.1.1 clients no more is read until acks leave.
    pub receive_max: u16,
    /// QoS 2 messages of MQTT 3.1.1 clients without their PUBREL, of all clients of one user together: those know no
    /// receive maximum, and who is not read could not send a PUBREL either. Beyond it who has more than
    /// [`Limits::receive_max`] of them is disconnected.
    pub received_per_user_max: usize,
    /// Messages that wait for one client.
    pub queue_messages_max: usize,
    /// Payload, topic and property bytes that wait for one client.
    pub queue_bytes_max: usize,
    /// The same over all clients, with what is in flight; beyond it, of the user whose clients hold most, the
    /// session that holds most loses the older half of its queue, and its connection.
    pub queues_bytes_max: usize,
    /// Bytes ready for one socket. Beyond it messages wait in the queue, where they coalesce, and
    /// nothing more is read from the client.
    pub output_bytes_max: usize,
    /// Bytes ready for sockets that take none, over all clients. Beyond it messages wait in the
    /// queue of whoever has any.
    pub outputs_bytes_max: usize,
    /// Seconds in which a socket has to take what was ready for it. A client that reads a byte a
    /// second is as good as none, and ends as a slow reader.
    pub stall_timeout_s: u32,
    /// Bytes of packets that have begun and not ended, over all clients. Beyond it the connection
    /// that has most ends with reason 0x97.
    pub partials_bytes_max: usize,
    /// Messages and deliveries that one connection's input may cause before others have their turn. One message counts
    /// whole, however many get it.
    pub turn_work_max: u32,
    /// Messages a second from one client, with a burst of the same size. `None`: no limit.
    pub messages_per_second_max: Option<u32>,
    /// Subscriptions of one client; more are refused with reason 0x97. A packet with more filters
    /// than that ends the connection.
    pub subscriptions_max: usize,
    /// Subscriptions of all clients of one user; more are refused with reason 0x97.
    pub subscriptions_per_user_max: usize,
    /// Retained topics that one client's subscriptions may make the broker look through, a second,
    /// with a burst of the same size. Beyond it a filter with wildcards that wants retained
    /// messages is refused with reason 0x97.
    pub retained_looks_per_second_max: u32,
    /// Longest topic name or filter, in bytes.
    pub topic_bytes_max: usize,
    /// Levels of a topic name or filter.
    pub topic_levels_max: usize,
    /// Topic aliases a client may set up, and those that it is given where it takes any.
    pub topic_alias_max: u16,
    /// Retained topics. A client's message that would add one is delivered, but not kept, and MQTT 5 clients
    /// are told with reason 0x97; the application's own are always kept.
    pub retained_max: usize,
    /// Payload, topic and property bytes of retained messages; beyond it as above.
    pub retained_bytes_max: usize,
    /// The same of what one user retained last, so that none takes the room of the others.
    pub retained_per_user_max: usize,
    /// The same for their bytes.
    pub retained_bytes_per_user_max: usize,
    /// Time from accept to a CONNECT, and from CONNECT to the verdict on its password, in seconds.
    pub connect_timeout_s: u32,
    /// Passwords that wait for the argon2 worker, which takes from one address after the other. Beyond it the
    /// newest of the address that has most of them is answered "server busy", or the newcomer.
    pub verify_queue_max: usize,
    /// The same of one address.
    pub verify_per_peer_max: usize,
    /// Logins that fail a minute from one address, with a burst of the same size: an unknown user, or a wrong
    /// password. More are answered "server busy", and so is a person's right password; a generated one that is
    /// right is let in at all times.
    pub guesses_per_minute_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 256 * 1024,
            connect_bytes_max: 16 * 1024,
            connections_max: 4_096,
            connections_per_user_max: 1_024,
            connections_per_second_per_peer_max: 100,
            connections_per_second_max: 1_000,
            unconnected_per_peer_max: 128,
            unconnected_max: 1_024,
            peers_max: 4_096,
            takeovers_per_minute_max: 20,
            sessions_max: 8_192,
            sessions_per_user_max: 1_024,
            session_expiry_s_max: 7 * 24 * 3_600,
            client_id_bytes_max: 256,
            keep_alive_s_max: 3_600,
            inflight_max: 256,
            receive_max: 1_024,
            received_per_user_max: 65_535,
            queue_messages_max: 10_000,
            queue_bytes_max: 1024 * 1024,
            queues_bytes_max: 64 * 1024 * 1024,
            output_bytes_max: 256 * 1024,
            outputs_bytes_max: 64 * 1024 * 1024,
            stall_timeout_s: 30,
            partials_bytes_max: 64 * 1024 * 1024,
            turn_work_max: 1_000,
            messages_per_second_max: None,
            subscriptions_max: 1_000,
            subscriptions_per_user_max: 10_000,
            retained_looks_per_second_max: 100_000,
            topic_bytes_max: 512,
            topic_levels_max: 16,
            topic_alias_max: 16,
            retained_max: 20_000,
            retained_bytes_max: 16 * 1024 * 1024,
            retained_per_user_max: 5_000,
            retained_bytes_per_user_max: 4 * 1024 * 1024,
            connect_timeout_s: 10,
            verify_queue_max: 64,
            verify_per_peer_max: 8,
            guesses_per_minute_max: 30,
        }
    }
}

impl Limits {
    pub(crate) fn guesses(&self) -> Pace {
        Pace::per_minute(self.guesses_per_minute_max)
    }

    pub(crate) fn takeovers(&self) -> Pace {
        Pace::per_minute(self.takeovers_per_minute_max)
    }
}

/// How fast a token bucket fills, and up to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    per_minute: u64,
    burst: u64,
}

impl Pace {
    /// So many a second, with a burst of one second's worth.
    pub(crate) fn per_second(count: u32) -> Self {
        Self {
            per_minute: u64::from(count) * 60,
            burst: u64::from(count),
        }
    }

    /// So many a minute, with a burst of one minute's worth.
    pub(crate) fn per_minute(count: u32) -> Self {
        Self {
            per_minute: u64::from(count),
            burst: u64::from(count),
        }
    }
}

/// A token bucket. Its [`Pace`] comes with each call, so that a connection holds two words for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// In parts of a token, so that no time is lost between two calls: a minute of microseconds is
    /// one token at a pace of one a minute.
    parts: u64,
    at: types::Instant,
}

impl Rate {
    const ONE: u64 = 60_000_000;

    pub(crate) fn new(pace: Pace, now: types::Instant) -> Self {
        Self {
            parts: pace.burst * Self::ONE,
            at: now,
        }
    }

    fn fill(&mut self, pace: Pace, now: types::Instant) {
        let elapsed_us = now.0.saturating_sub(self.at.0);
        self.at = self.at.max(now);
        let more = elapsed_us.saturating_mul(pace.per_minute);
        self.parts = self.parts.saturating_add(more).min(pace.burst * Self::ONE);
    }

    /// Takes one token; false where none is left.
    pub(crate) fn take(&mut self, pace: Pace, now: types::Instant) -> bool {
        let is_there = self.has_any(pace, now);
        if is_there {
            self.parts -= Self::ONE;
        }
        is_there
    }

    /// Whether a token is left.
    pub(crate) fn has_any(&mut self, pace: Pace, now: types::Instant) -> bool {
        self.fill(pace, now);
        self.parts >= Self::ONE
    }

    /// Takes so many tokens, or all where there are fewer.
    pub(crate) fn spend(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.parts = self.parts.saturating_sub(count.saturating_mul(Self::ONE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Instant;

    #[test]
    fn a_rate_allows_its_burst_and_then_its_pace() {
        let two = Pace::per_second(2);
        let mut rate = Rate::new(two, Instant(0));
        assert!(rate.take(two, Instant(0)));
        assert!(rate.take(two, Instant(0)));
        assert!(!rate.take(two, Instant(0)));
        assert!(rate.take(two, Instant(500_000)));
        assert!(!rate.take(two, Instant(500_000)));
    }

    #[test]
    fn looking_often_does_not_stop_a_slow_rate_from_filling() {
        let one = Pace::per_minute(1);
        let mut rate = Rate::new(one, Instant(0));
        assert!(rate.take(one, Instant(0)));
        assert!((0..60_000).all(|ms| !rate.take(one, Instant(ms * 1_000))));
        assert!(rate.take(one, Instant(60_000_000)));
    }

    #[test]
    fn spending_more_than_there_is_leaves_nothing() {
        let ten = Pace::per_second(10);
        let mut rate = Rate::new(ten, Instant(0));
        rate.spend(100);
        assert!(!rate.has_any(ten, Instant(99_999)));
        assert!(rate.has_any(ten, Instant(100_000)));
    }
}
