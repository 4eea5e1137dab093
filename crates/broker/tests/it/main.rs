//! Tests of the broker at its two boundaries: the core on virtual time, and real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]
#![allow(unreachable_pub, reason = "the modules share a harness")]

mod access;
mod alias;
mod bytes;
mod closes;
mod connect;
mod harness;
mod hostile;
mod kept;
mod limits;
mod malformed;
mod model;
mod peers;
mod publish;
mod report;
mod session;
mod shared;
mod subscribe;
mod will;
mod wire;
