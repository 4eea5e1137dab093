//! What a client that says nothing takes of memory. Called by the bench.

use std::{thread, time::Duration};

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{client::Client, route::Route, server::Server};

/// Memory is read once all is quiet.
const SETTLE: Duration = Duration::from_millis(700);

/// Descriptors of this process besides those of the clients.
const DESCRIPTORS: u64 = 500;

/// By how much memory grows for one client, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Growth {
    /// For its connection.
    pub(crate) connected: f64,
    /// And for a subscription of its own.
    pub(crate) subscribed: f64,
}

/// Connects so many clients, which say nothing; then each subscribes.
///
/// # Errors
/// Somebody isn't let in.
pub(crate) fn growth(server: &Server, route: &Route, clients: usize) -> Result<Growth> {
    let logins: Vec<_> = (route.producer_logins.iter())
        .chain(&route.consumer_logins)
        .collect();
    let bytes = || -> Result<f64> {
        thread::sleep(SETTLE);
        Ok(server.rss_mib()? * 1024.0 * 1024.0 / clients as f64)
    };
    let login = |ix: usize| logins.get(ix % logins.len().max(1)).copied();
    let before = bytes()?;
    let connect = |ix| Client::connect(&server.door, &format!("idle-{ix}"), login(ix));
    let mut all: Vec<Client> = (0..clients).map(connect).collect::<Result<_>>()?;
    let connected = bytes()?;
    for (ix, client) in all.iter_mut().enumerate() {
        let device = login(ix).map_or("guest", |login| &login.user);
        client.subscribe(&format!("iot/{device}/idle{ix}/target"), 1)?;
    }
    Ok(Growth {
        connected: connected - before,
        subscribed: bytes()? - connected,
    })
}

/// Has this process, and those it starts from now on, open so many sockets, as far as the system lets it.
pub(crate) fn make_room_for(clients: usize) {
    let wanted = clients as u64 + DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|have| have < wanted) {
        let raised = Rlimit {
            current: Some(limit.maximum.map_or(wanted, |hard| hard.min(wanted))),
            maximum: limit.maximum,
        };
        // Where it is refused the connection that is too much says so.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::broker::mosquitto, shell};

    #[test]
    fn clients_that_say_nothing_take_memory() {
        if shell::installed("mosquitto").is_none() {
            println!("skipped: not installed (mosquitto)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let server = mosquitto::start(folder.path(), None).expect("mosquitto starts");
        make_room_for(400);
        let growth = growth(&server, &Route::relay(10), 400).expect("it lets us in");
        assert!(growth.connected + growth.subscribed > 0.0, "{growth:?}");
    }
}
