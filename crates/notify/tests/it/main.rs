//! Carriers against servers on real sockets: ours, which say what a test wants, and Python's where it is
//! installed.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]
#![allow(
    clippy::print_stdout,
    reason = "who reads the test's output is to know"
)]
#![allow(unreachable_pub, reason = "the modules share a harness")]

mod hooks;
mod mails;
mod server;
mod tls;
