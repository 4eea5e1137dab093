//! Counters of the broker: what it did since it started and what it holds. Shown by the application.

/// One of [`Stats`] for whoever shows them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The field's name.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Whether it goes down as well; else it counts since the start.
    pub is_gauge: bool,
    /// What it is now.
    pub value: u64,
}

/// The struct, its documentation and [`Stats::each`] from one table, so that none is shown without its meaning.
macro_rules! stats {
    (gauges { $($gauge:ident: $about_gauge:literal)* } counters { $($counter:ident: $about_counter:literal)* }) => {
        /// Totals since the start, and gauges where the name says so.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $(#[doc = concat!("Gauge: ", $about_gauge)] pub $gauge: usize,)*
            $(#[doc = $about_counter] pub $counter: u64,)*
        }

        impl Stats {
            /// All of them.
            #[must_use]
            pub fn each(&self) -> Vec<Stat> {
                vec![
                    $(Stat {
                        name: stringify!($gauge),
                        help: $about_gauge,
                        is_gauge: true,
                        value: u64::try_from(self.$gauge).unwrap_or(u64::MAX),
                    },)*
                    $(Stat {
                        name: stringify!($counter),
                        help: $about_counter,
                        is_gauge: false,
                        value: self.$counter,
                    },)*
                ]
            }
        }
    };
}

stats! {
    gauges {
        connections: "Open connections."
        sessions: "Sessions, connected or not."
        subscriptions: "Subscriptions of all sessions."
        retained: "Retained messages."
        queued_bytes: "Bytes that wait in clients' queues."
        partial_bytes: "Bytes of packets that have begun and not ended."
        stuck_bytes: "Bytes that sockets did not take yet."
        peers: "Addresses that connections are counted for."
        unconnected: "Connections without a CONNECT."
    }
    counters {
        accepted: "Connections accepted."
        refused_at_accept: "Connections refused at accept: too many, or too fast."
        evicted_unconnected: "Connections without a CONNECT that were closed to make room."
        connect_timeouts: "Connections without a CONNECT that were closed when their time was over."
        tls_handshakes: "TLS connections that client and broker agreed on."
        tls_failures: "TLS connections that they did not agree on, or not in time."
        websockets: "WebSockets opened."
        broken_wraps: "Connections ended because what they sent was no TLS or no WebSocket frames of MQTT."
        evicted_sessions: "Sessions that were ended to make room."
        refused_verifies: "Logins whose password was not looked at: too many wait, or too many failed."
        takeovers: "Connections that a client took over from itself."
        refused_takeovers: "CONNECTs refused because their client takes over too often."
        refused_connects: "CONNECTs refused: password, rights, version, identifier."
        protocol_errors: "Connections ended because of what the client sent."
        keep_alive_timeouts: "Connections ended by keep-alive."
        slow_readers: "Connections ended because the client read too slowly."
        stalls: "Slow readers whose socket took too little for too long."
        holds: "Times that a client was not read for a while because it sent more than there is room for."
        split_turns: "Times that what a connection sent was too much work to be done before others had their turn."
        partials_refused: "Connections ended because the start of their packet took memory that others needed."
        wills: "Wills published."
        messages_in: "PUBLISH packets taken, wills included."
        messages_out: "PUBLISH packets sent, repetitions included."
        bytes_in: "Bytes taken from sockets."
        bytes_out: "Bytes handed to sockets."
        denied_publishes: "Publishes that the ACL refused."
        denied_subscriptions: "Subscriptions refused: by the ACL, a limit, or because they are none."
        limited_subscriptions: "Refused subscriptions that a limit refused."
        denied_deliveries: "Deliveries that the ACL held back."
        dropped: "Messages dropped because a queue was full or a client takes only smaller packets."
        queues_relieved: "Times that all queues together were full and whoever held most gave way."
        expired: "Messages dropped because they expired before they could be delivered."
        coalesced: "Messages replaced by newer ones of the same topic while they were queued."
        retained_refused: "Messages that weren't retained because the limit is reached."
    }
}
