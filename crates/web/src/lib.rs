//! HTTP for machines: `/metrics` as Prometheus reads it, `/health/live` and `/health/ready`.
//!
//! Started by the binary, on a thread of its own. What is told comes from whoever takes the [`Question`]s, one at a
//! time and [five a second](FRESH) at most, so that neither a flood of requests nor a slow reader costs the house
//! anything. Must not know the house, the broker or the journal, and must change nothing: no request has an effect.
//!
//! A page that somebody opens in a browser on this machine can send requests here. It can't read answers (there is no
//! CORS), and a name of its own that leads here (DNS rebinding) is refused by [`Names`].

mod answer;
mod metrics;
mod names;
mod server;

pub use metrics::{Family, Kind, Sample};
pub use names::Names;
pub use server::{FRESH, Web, start};

use tokio::sync::oneshot;

/// Asks how the house is doing; answered with a [`Report`], or dropped where it ends.
pub type Question = oneshot::Sender<Report>;

/// How the house is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What `/metrics` shows, in this order.
    pub families: Vec<Family>,
    /// Why it is not ready, for people; empty: it is.
    pub unready: Vec<String>,
}
