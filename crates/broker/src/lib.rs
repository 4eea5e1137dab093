//! The MQTT broker: 3.1.1 and 5 on one port, as a core without sockets and a thin tokio shell.
//!
//! [`Core`] takes bytes and time and gives bytes and a deadline; [`tcp::Server`] feeds it from
//! sockets. What sits behind the broker implements [`Application`] and is called on the thread that
//! read the bytes: its messages are encoded straight into the subscribers' buffers, and every buffer
//! is written once after the input is drained. The binary wires both; tests drive the core alone.
//!
//! Must not know the mapping, devices, the store, or what topics mean.
//!
//! ```
//! use broker::{Access, Admission, Application, Client, Core, Incoming, Limits, Login, Outbox, Verdict};
//! use types::Now;
//!
//! /// Lets everybody in and relays everything.
//! struct Relay;
//!
//! impl Application for Relay {
//!     fn authenticate(&mut self, login: &Login<'_>) -> Admission {
//!         Admission::Accept(Access::superuser(login.user.unwrap_or("anyone")))
//!     }
//!     fn publish(&mut self, _: Now, _: &Client<'_>, _: &Incoming<'_>, _: &mut Outbox) -> Verdict {
//!         Verdict::RELAY
//!     }
//! }
//!
//! let (mut core, now) = (Core::new(Limits::default()), Now::default());
//! let conn = core.accept(now, ([127, 0, 0, 1], 40_000).into()).expect("room");
//! core.receive(conn, b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a", now, &mut Relay);
//! assert_eq!(core.take_output(conn, now), (b"\x20\x02\0\0".to_vec(), false));
//! ```
//!
//! # Policies, in one place
//! - A session belongs to a user *and* a client id: two users may use the same client id, and
//!   neither can take over the other's session.
//! - Packets, sessions, queues, retained messages, connections and rates are bounded by [`Limits`].
//!   A full offline queue drops its oldest message; a full queue of a connected client, or a socket
//!   that takes nothing for long, ends the connection. Retained messages that the application sends
//!   coalesce while queued: newest wins.
//! - Nobody takes what others need: what is bounded over all clients is bounded for each user or
//!   address first, and where the whole is full, whoever holds most gives way.
//! - Acks a client waits for leave in the order in which its messages came, also where the
//!   application withholds one until its input is on disk.
//! - A publish that the ACL refuses is answered with reason 0x87 at QoS 1 and 2 in MQTT 5. MQTT 3.1.1
//!   has no word for it: the message is acknowledged and dropped. [`Application::denied`] hears of both.
//! - A will is published under the rights its owner has at that moment; a CONNECT whose will its user
//!   may not publish is refused. [`Core::shutdown`] publishes no wills: it is not the clients' failure.
//! - What [`Core::report`] tells stands below `$SYS`, where nobody may publish; no filter that begins with a wildcard means it.
//! - A shared subscription (`$share/GROUP/FILTER`, in MQTT 3.1.1 too) goes around among the members that are
//!   connected and keep up. Who is away gets its messages only where nobody is there; what a session that ends
//!   leaves without an ack goes to another member. Groups are of all users: each member by its own rights.

mod access;
mod aliases;
mod application;
mod codec;
mod connection;
mod core;
mod kept;
mod limits;
mod message;
mod outbound;
pub mod password;
mod peers;
mod properties;
mod reason;
mod retained;
mod router;
mod session;
mod stats;
pub mod tcp;
mod topic;
mod turns;

pub use access::Access;
pub use application::{
    Ack, Admission, Application, Client, ClientKey, Denied, Ended, Incoming, LastWill, Login,
    Message, Outbox, Refusal, Token, Verdict,
};
pub use codec::{Qos, Version};
pub use connection::ConnKey;
pub use core::{Core, Refused, VerifyJob};
pub use kept::{BadFacts, Kept};
pub use limits::Limits;
pub use properties::Properties;
pub use reason::Reason;
pub use stats::{Stat, Stats};
pub use topic::{Filter, FilterError};
