//! The null peer: relays every event, knows nothing, keeps nothing. What the load measures against it is what the
//! load itself can do on this machine. A process of its own in a bench, a thread in tests.
//!
//! It speaks as much MQTT as the load does, trusts all it reads, and must not be used as a broker.

use std::{io, net::TcpListener};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, poll};

use super::{
    client::Client,
    packet::{self, Answer, Packet},
    route::PRODUCERS,
};

/// The process of its own: serves at this address.
///
/// # Errors
/// The address is none, or taken.
pub(crate) fn run(address: &str) -> Result<()> {
    serve(&TcpListener::bind(address)?, |_| 1)
}

/// Serves until the process ends. `copies` says how often the nth event is relayed: once, unless a test wants to see
/// that the load finds out.
///
/// # Errors
/// The listener fails.
pub(crate) fn serve(listener: &TcpListener, copies: impl Fn(u64) -> u64) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut peer = Null {
        clients: Vec::new(),
        ears: [None; PRODUCERS],
        events: 0,
        packet_id: 0,
        copies,
    };
    loop {
        peer.turn(listener)?;
    }
}

struct Null<F> {
    clients: Vec<Option<Client>>,
    /// Who hears each producer, as a place in `clients`.
    ears: [Option<usize>; PRODUCERS],
    events: u64,
    packet_id: u16,
    copies: F,
}

impl<F: Fn(u64) -> u64> Null<F> {
    /// Waits for sockets, then reads and writes.
    fn turn(&mut self, listener: &TcpListener) -> Result<()> {
        let places: Vec<usize> = (0..self.clients.len())
            .filter(|ix| self.clients[*ix].is_some())
            .collect();
        let sockets = places.iter().filter_map(|ix| self.clients[*ix].as_ref());
        let mut ready: Vec<PollFd<'_>> = sockets.map(Client::interest).collect();
        ready.push(PollFd::new(listener, PollFlags::IN));
        poll(&mut ready, None)?;
        let flags: Vec<PollFlags> = ready.iter().map(PollFd::revents).collect();
        for (ix, flags) in places.iter().zip(&flags) {
            if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.read(*ix);
            }
        }
        for client in self.clients.iter_mut().flatten() {
            // One that is gone is found by its next read.
            let _ = client.flush();
        }
        match listener.accept() {
            Ok((stream, _)) => self.clients.push(Some(Client::accepted(stream)?)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Takes what a client says; one that hung up is gone.
    fn read(&mut self, ix: usize) {
        let Some(mut client) = self.clients[ix].take() else {
            return;
        };
        if client
            .fill()
            .and_then(|()| self.take(ix, &mut client))
            .is_ok()
        {
            self.clients[ix] = Some(client);
        }
    }

    fn take(&mut self, ix: usize, client: &mut Client) -> Result<()> {
        let Client { inbox, out, .. } = client;
        while let Some(packet) = inbox.take()? {
            match packet {
                Packet::Connect => out.extend(packet::CONNACK),
                Packet::Subscribe { filter, qos } => {
                    if let Some(producer) = producer(filter) {
                        self.ears[producer] = Some(ix);
                    }
                    out.extend(packet::suback(qos));
                }
                Packet::Publish {
                    qos,
                    packet_id,
                    topic,
                    payload,
                    ..
                } => {
                    match qos {
                        0 => {}
                        1 => packet::answer(out, Answer::Acknowledged, packet_id),
                        _ => packet::answer(out, Answer::Received, packet_id),
                    }
                    self.relay(topic, payload, qos);
                }
                Packet::PubRec { packet_id } => packet::answer(out, Answer::Released, packet_id),
                Packet::PubRel { packet_id } => packet::answer(out, Answer::Completed, packet_id),
                _ => {}
            }
        }
        Ok(())
    }

    fn relay(&mut self, topic: &[u8], payload: &[u8], qos: u8) {
        let ear = producer(topic).and_then(|producer| self.ears[producer]);
        let Some(client) = ear.and_then(|ix| self.clients.get_mut(ix)?.as_mut()) else {
            return;
        };
        self.events += 1;
        for _ in 0..(self.copies)(self.events) {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            packet::publish(&mut client.out, topic, &[payload], qos, self.packet_id);
        }
    }
}

/// The producer of a topic such as `iot/player3/keys0/event`.
fn producer(topic: &[u8]) -> Option<usize> {
    let digit = topic.strip_prefix(b"iot/player")?.first()?;
    let producer = usize::from(digit.checked_sub(b'0')?);
    (producer < PRODUCERS).then_some(producer)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, thread, time::Duration};

    use super::*;
    use crate::bench::broker::{
        generator::Load,
        ledger::{Faults, Ledger},
        route::Route,
        server::Door,
    };

    /// A null peer that relays the nth event so often.
    fn peer(copies: fn(u64) -> u64) -> Door {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        thread::spawn(move || serve(&listener, copies));
        Door { address, tls: None }
    }

    #[test]
    fn every_event_comes_once_at_each_qos_and_pace() {
        let door = peer(|_| 1);
        let route = Route::relay(1_000);
        let mut ledger = Ledger::new(&route);
        for qos in [0, 1, 2] {
            let mut load = Load::connect(&door, &mut ledger, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(50, Duration::ZERO).expect("it relays");
            assert_eq!((latencies_us.len(), faults), (50, Faults::default()));
            let open = load
                .open_loop(10_000.0, Duration::from_millis(50))
                .expect("it relays");
            assert_eq!(
                (open.latencies_us.len(), open.faults),
                (500, Faults::default())
            );
            assert!(open.late_us.len() <= 500);
            let run = load
                .saturated(Duration::from_millis(50))
                .expect("it relays");
            assert!(run.commands > 0 && run.load_share > 0.0);
            assert_eq!(run.faults, Faults::default());
        }
    }

    #[test]
    fn events_that_are_lost_or_come_twice_are_counted_at_each_pace() {
        let door = peer(|nth| match nth {
            10 => 0,
            20 => 2,
            _ => 1,
        });
        let route = Route::relay(10);
        let expected = Faults {
            lost: 1,
            duplicates: 1,
            ..Faults::default()
        };
        let mut ledger = Ledger::new(&route);
        let mut load = Load::connect(&door, &mut ledger, 0).expect("it lets us in");
        let open = load
            .open_loop(10_000.0, Duration::from_millis(20))
            .expect("it relays");
        assert_eq!(open.faults, expected);
        assert_eq!(open.latencies_us.len(), 199, "what was lost has no latency");
    }
}
