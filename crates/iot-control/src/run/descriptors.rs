//! File descriptors: each connection is one, and what a process may have of them by default is less
//! than the connections a broker takes. Called once at the start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors besides those of connections: files, listeners, the control socket and its clients,
/// and sockets that are closed and still take in what their peer sends.
const OTHERS: u64 = 1_280;

/// How many descriptors so many connections need.
pub(crate) fn wanted(connections: usize) -> u64 {
    connections as u64 + OTHERS
}

/// Raises the soft limit to what `connections` need, and warns where the hard limit is lower.
pub(super) fn make_room_for(connections: usize) {
    let wanted = wanted(connections);
    let limit = getrlimit(Resource::Nofile);
    let missing = |have: Option<u64>| have.is_some_and(|have| have < wanted);
    if !missing(limit.current) {
        return;
    }
    let raised = Rlimit {
        current: limit
            .maximum
            .map_or(Some(wanted), |hard| Some(hard.min(wanted))),
        maximum: limit.maximum,
    };
    let done = setrlimit(Resource::Nofile, raised);
    if let Err(error) = done {
        tracing::warn!(%error, wanted, "can't raise the limit on open files");
    } else if missing(limit.maximum) {
        tracing::warn!(
            allowed = limit.maximum,
            wanted,
            "the limit on open files is lower than mqtt.connections_max needs: raise LimitNOFILE of the service, or \
             lower mqtt.connections_max"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be_and_never_lowered() {
        let before = getrlimit(Resource::Nofile);
        make_room_for(1);
        make_room_for(2_000);
        let after = getrlimit(Resource::Nofile);
        let wanted = after.maximum.map_or(3_280, |hard| hard.min(3_280));
        assert!(after.current.is_none_or(|now| now >= wanted));
        assert!(after.current.is_none() || after.current >= before.current);
        assert_eq!(after.maximum, before.maximum);
    }
}
