//! MQTT: any bytes of a client; what the broker answers doesn't depend on how they were cut on their way.

#![no_main]

use std::net::SocketAddr;

use broker::{
    Access, Ack, Admission, Application, Client, Core, Incoming, Limits, Login, Outbox, Verdict,
};
use libfuzzer_sys::fuzz_target;
use types::Now;

/// Lets everybody in, and everything through.
struct Relay;

impl Application for Relay {
    fn authenticate(&mut self, login: &Login<'_>) -> Admission {
        Admission::Accept(Access::superuser(login.user.unwrap_or("anyone")))
    }

    fn publish(&mut self, _: Now, _: &Client<'_>, _: &Incoming<'_>, _: &mut Outbox) -> Verdict {
        Verdict {
            route: true,
            retain: true,
            survives: true,
            ack: Ack::Now,
            refused: None,
        }
    }
}

fn session(bytes: &[u8], step: usize) -> Vec<u8> {
    let mut core = Core::new(Limits::default());
    let mut app = Relay;
    let now = fuzz::now(0);
    let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
    let Ok(key) = core.accept(now, peer) else {
        return Vec::new();
    };
    for part in bytes.chunks(step.max(1)) {
        core.receive(key, part, now, &mut app);
    }
    while core.pop_dirty().is_some() {}
    core.take_output(key, now).0
}

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(session(bytes, bytes.len()), session(bytes, 1));
});
