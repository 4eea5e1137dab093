//! Counters of the broker: what it did since it started and what it holds. Shown by the application.

/// Totals since the start, and gauges where the name says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Gauge: open connections.
    pub connections: usize,
    /// Gauge: sessions, connected or not.
    pub sessions: usize,
    /// Gauge: subscriptions of all sessions.
    pub subscriptions: usize,
    /// Gauge: retained messages.
    pub retained: usize,
    /// Gauge: bytes that wait in clients' queues.
    pub queued_bytes: usize,
    /// Gauge: bytes of packets that have begun and not ended.
    pub partial_bytes: usize,
    /// Gauge: bytes that sockets did not take yet.
    pub stuck_bytes: usize,
    /// Gauge: addresses that connections are counted for.
    pub peers: usize,
    /// Gauge: connections without a CONNECT.
    pub unconnected: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused at accept: too many, or too fast.
    pub refused_at_accept: u64,
    /// Connections without a CONNECT that were closed to make room.
    pub evicted_unconnected: u64,
    /// Connections without a CONNECT that were closed when their time was over.
    pub connect_timeouts: u64,
    /// TLS connections that client and broker agreed on.
    pub tls_handshakes: u64,
    /// TLS connections that they did not, or not in time.
    pub tls_failures: u64,
    /// WebSockets opened.
    pub websockets: u64,
    /// Connections ended because what they sent was no TLS or no WebSocket frames of MQTT.
    pub broken_wraps: u64,
    /// Sessions that were ended to make room.
    pub evicted_sessions: u64,
    /// Logins whose password was not looked at: too many wait, or too many failed.
    pub refused_verifies: u64,
    /// Connections that a client took over from itself.
    pub takeovers: u64,
    /// CONNECTs refused because their client takes over too often.
    pub refused_takeovers: u64,
    /// CONNECTs refused: password, rights, version, identifier.
    pub refused_connects: u64,
    /// Connections ended because of what the client sent.
    pub protocol_errors: u64,
    /// Connections ended by keep-alive.
    pub keep_alive_timeouts: u64,
    /// Connections ended because the client read too slowly.
    pub slow_readers: u64,
    /// Those of them whose socket took too little for too long.
    pub stalls: u64,
    /// Times that a client was not read for a while because it sent more than there is room for.
    pub holds: u64,
    /// Connections ended because the start of their packet took memory that others needed.
    pub partials_refused: u64,
    /// Wills published.
    pub wills: u64,
    /// PUBLISH packets taken, wills included.
    pub messages_in: u64,
    /// PUBLISH packets sent, repetitions included.
    pub messages_out: u64,
    /// Bytes taken from sockets.
    pub bytes_in: u64,
    /// Bytes handed to sockets.
    pub bytes_out: u64,
    /// Publishes that the ACL refused.
    pub denied_publishes: u64,
    /// Subscriptions refused: by the ACL, a limit, or because they are none.
    pub denied_subscriptions: u64,
    /// Those of them that a limit refused.
    pub limited_subscriptions: u64,
    /// Deliveries that the ACL held back.
    pub denied_deliveries: u64,
    /// Messages dropped because a queue was full or a client takes only smaller packets.
    pub dropped: u64,
    /// Times that all queues together were full and whoever held most gave way.
    pub queues_relieved: u64,
    /// Messages dropped because they expired before they could be delivered.
    pub expired: u64,
    /// Messages replaced by newer ones of the same topic while they were queued.
    pub coalesced: u64,
    /// Messages that weren't retained because the limit is reached.
    pub retained_refused: u64,
}

impl Stats {
    /// All of them with their names.
    #[must_use]
    pub fn each(&self) -> Vec<(&'static str, u64)> {
        macro_rules! named {
            ($($name:ident)*) => {{
                let Self { $($name),* } = *self;
                // None is forgotten: the pattern above takes them all.
                vec![$((stringify!($name), u64::try_from($name).unwrap_or(u64::MAX))),*]
            }};
        }
        named! {
            connections
            sessions
            subscriptions
            retained
            queued_bytes
            partial_bytes
            stuck_bytes
            peers
            unconnected
            accepted
            refused_at_accept
            evicted_unconnected
            connect_timeouts
            tls_handshakes
            tls_failures
            websockets
            broken_wraps
            evicted_sessions
            refused_verifies
            takeovers
            refused_takeovers
            refused_connects
            protocol_errors
            keep_alive_timeouts
            slow_readers
            stalls
            holds
            partials_refused
            wills
            messages_in
            messages_out
            bytes_in
            bytes_out
            denied_publishes
            denied_subscriptions
            limited_subscriptions
            denied_deliveries
            dropped
            queues_relieved
            expired
            coalesced
            retained_refused
        }
    }
}
