//! The core against a simple model: whatever clients do, no acknowledged message is lost, none
//! comes out of order per topic and QoS, none twice, none where the rights say no; nor where the process is killed in
//! between, of what was stored by then.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::*;
use broker::{Access, Filter, Version};
use proptest::{collection::vec, prelude::*};
use types::InputNo;

const TOPICS: [&str; 4] = ["a/1", "a/2", "b/1", "c"];
const FILTERS: [&str; 6] = ["#", "a/+", "+/1", "a/1", "c", "b/#"];
/// What a client may receive: index into this.
const RIGHTS: [&[&str]; 4] = [&["#"], &["a/#"], &["+/1", "c"], &[]];
const CLIENTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Drop(usize),
    Leave(usize),
    Subscribe(usize, usize, u8),
    Unsubscribe(usize, usize),
    Publish(usize, usize, u8),
    /// Acknowledge so many of what the client has not acknowledged.
    Ack(usize, usize),
    Rights(usize, usize),
    /// The store is as far as the house.
    Store,
    /// Kill -9, and another start.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        3 => client.clone().prop_map(Step::Connect),
        1 => client.clone().prop_map(Step::Drop),
        1 => client.clone().prop_map(Step::Leave),
        4 => (client.clone(), 0..FILTERS.len(), 0_u8..3).prop_map(|(c, f, q)| Step::Subscribe(c, f, q)),
        1 => (client.clone(), 0..FILTERS.len()).prop_map(|(c, f)| Step::Unsubscribe(c, f)),
        12 => (client.clone(), 0..TOPICS.len(), 0_u8..3).prop_map(|(c, t, q)| Step::Publish(c, t, q)),
        6 => (client.clone(), 1_usize..5).prop_map(|(c, n)| Step::Ack(c, n)),
        1 => (client, 0..RIGHTS.len()).prop_map(|(c, r)| Step::Rights(c, r)),
    ]
}

fn step_or_crash() -> impl Strategy<Value = Step> {
    prop_oneof![30 => step(), 4 => Just(Step::Store), 1 => Just(Step::Crash)]
}

/// What the model knows of one client. Even ones speak 3.1.1; the first two keep their session.
struct Reader {
    name: String,
    hello: Hello,
    peer: Option<Peer>,
    rights: usize,
    subscriptions: BTreeMap<usize, u8>,
    /// Messages at QoS 1 and 2 that it has to get, by number, with their topic.
    expected: BTreeMap<u32, usize>,
    /// Messages it got, with a QoS above 0, in this session.
    got: BTreeSet<u32>,
    /// The newest number by topic and QoS.
    newest: BTreeMap<(String, u8), u32>,
    /// What it has to answer: kind and id.
    to_ack: Vec<(u8, u16)>,
    /// QoS 2 messages that it has and waits for a PUBREL of, by packet id.
    unreleased: BTreeMap<u16, u32>,
    /// Acknowledgements that the broker may not have stored went before a crash: QoS 1 may come twice.
    lived_through_crash: bool,
    /// What it published in a house that may crash and has no last ack of, oldest first.
    sending: Vec<Sending>,
}

/// A message on its way to the broker, at QoS 1 or 2.
#[derive(Clone, Copy)]
struct Sending {
    id: u16,
    number: u32,
    topic: usize,
    qos: u8,
    /// PUBREC came.
    is_received: bool,
    /// PUBREL went.
    is_released: bool,
}

impl Sending {
    fn packet(self, version: Version, dup: bool) -> Vec<u8> {
        let mut send = message(TOPICS[self.topic], &self.number.to_string());
        send.retain = self.number.is_multiple_of(5);
        send.dup = dup;
        send.qos(self.qos, self.id).packet(version)
    }
}

impl Reader {
    fn new(ix: usize) -> Self {
        let name = format!("u{ix}");
        let base = if ix.is_multiple_of(2) {
            v3("id")
        } else {
            v5("id").receive_max(2)
        };
        let base = base.user(&name);
        Self {
            hello: if ix < 2 { base.keeps_session() } else { base },
            name,
            peer: None,
            rights: 0,
            subscriptions: BTreeMap::new(),
            expected: BTreeMap::new(),
            got: BTreeSet::new(),
            newest: BTreeMap::new(),
            to_ack: Vec::new(),
            unreleased: BTreeMap::new(),
            lived_through_crash: false,
            sending: Vec::new(),
        }
    }

    fn keeps_session(&self) -> bool {
        !self.hello.clean
    }

    fn access(&self) -> Access {
        access(&self.name, &["#"], RIGHTS[self.rights])
    }

    fn may_receive(&self, topic: &str) -> bool {
        RIGHTS[self.rights]
            .iter()
            .any(|allowed| filter(allowed).matches(topic))
    }

    fn gone(&mut self) {
        self.peer = None;
        self.to_ack.clear();
        if !self.keeps_session() {
            self.subscriptions.clear();
            self.expected.clear();
            self.got.clear();
            self.newest.clear();
            self.unreleased.clear();
            self.sending.clear();
        }
    }
}

struct World {
    house: House,
    readers: Vec<Reader>,
    published: u32,
    keeps: bool,
    stored: InputNo,
}

fn limits() -> broker::Limits {
    let mut limits = broker::Limits::default();
    limits.inflight_max = 3;
    limits.output_bytes_max = 100;
    limits
}

impl World {
    fn new() -> Self {
        Self {
            house: House::new(limits()),
            readers: (0..CLIENTS).map(Reader::new).collect(),
            published: 0,
            keeps: false,
            stored: InputNo(0),
        }
    }

    /// One that may crash: acks wait for a store that is behind.
    fn keeping() -> Self {
        let mut world = Self {
            house: House::keeping(limits()),
            keeps: true,
            ..Self::new()
        };
        world.house.app.journal = true;
        world
    }

    fn store(&mut self) {
        if self.keeps {
            self.house.store();
            self.stored = InputNo(self.house.app.inputs);
            self.read_all();
        }
    }

    fn crash(&mut self) {
        let sending = self.readers.iter().flat_map(|reader| &reader.sending);
        let unacked: BTreeSet<u32> = sending
            .filter(|sending| !sending.is_received)
            .map(|sending| sending.number)
            .collect();
        for reader in &mut self.readers {
            reader.gone();
            reader.lived_through_crash = true;
            // Nobody was told that the broker has them.
            reader
                .expected
                .retain(|number, _| !unacked.contains(number));
        }
        self.house.crash(limits(), self.stored);
        self.stored = InputNo(self.house.app.inputs);
        self.send_again();
    }

    /// Clients that keep their session come back and send again what the broker did not answer, as MQTT has it.
    fn send_again(&mut self) {
        let mut again: Vec<(Sending, usize)> = Vec::new();
        for c in 0..CLIENTS {
            if self.readers[c].sending.is_empty() {
                continue;
            }
            self.connect(c);
            again.extend(self.readers[c].sending.iter().map(|sending| (*sending, c)));
        }
        again.sort_by_key(|(sending, _)| sending.number);
        for (sending, c) in again {
            let Some(peer) = self.readers[c].peer else {
                continue;
            };
            if sending.is_received {
                self.release(c, sending.id);
            } else {
                self.house.feed(peer, &sending.packet(peer.version, true));
                self.expect(sending.number, sending.topic, sending.qos);
            }
        }
    }

    fn release(&mut self, c: usize, id: u16) {
        let reader = &mut self.readers[c];
        let Some(peer) = reader.peer else { return };
        let its = reader.sending.iter_mut().find(|sending| sending.id == id);
        if let Some(sending) = its {
            sending.is_released = true;
        }
        let [high, low] = id.to_be_bytes();
        self.house.feed(peer, &[0x62, 2, high, low]);
    }

    fn run(&mut self, step: &Step) {
        // Subscriptions and rights are as the model has them; messages and acks may be lost.
        let may_be_lost = matches!(step, Step::Publish(..) | Step::Ack(..) | Step::Crash);
        if !may_be_lost {
            self.store();
        }
        self.step(step);
        if !may_be_lost {
            self.store();
        }
        if self.keeps {
            self.house.check_kept();
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Store => {}
            Step::Crash => self.crash(),
            Step::Connect(c) => self.connect(c),
            Step::Drop(c) => {
                if let Some(peer) = self.readers[c].peer {
                    self.house.drop_peer(peer);
                    self.readers[c].gone();
                }
            }
            Step::Leave(c) => {
                if let Some(peer) = self.readers[c].peer {
                    self.house.feed(peer, &[0xE0, 0]);
                    assert_eq!(self.house.read(peer), [Got::Closed]);
                    self.readers[c].gone();
                }
            }
            Step::Subscribe(c, filter, qos) => self.subscribe(c, filter, qos),
            Step::Unsubscribe(c, filter) => {
                if let Some(peer) = self.readers[c].peer {
                    let mut body = vec![0, 1];
                    body.extend(vec![0; usize::from(peer.version == Version::V5)]);
                    body.extend(text(FILTERS[filter]));
                    self.house.feed(peer, &packet(0xA2, &body));
                    self.readers[c].subscriptions.remove(&filter);
                }
            }
            Step::Publish(c, topic, qos) => self.publish(c, topic, qos),
            Step::Ack(c, count) => self.ack(c, count),
            Step::Rights(c, rights) => {
                self.readers[c].rights = rights;
                let access = self.readers[c].access();
                let House { core, app, now, .. } = &mut self.house;
                // A core that begins again asks for them.
                app.users
                    .insert(self.readers[c].name.clone(), access.clone());
                core.set_access(&self.readers[c].name, Some(access), *now, app);
                let reader = &mut self.readers[c];
                let allowed = RIGHTS[rights];
                // What waits and is not allowed any more is not owed any more.
                reader.expected.retain(|_, topic| {
                    allowed
                        .iter()
                        .any(|allowed| filter(allowed).matches(TOPICS[*topic]))
                });
            }
        }
        self.read_all();
    }

    fn connect(&mut self, c: usize) {
        let reader = &mut self.readers[c];
        if reader.peer.take().is_some() {
            reader.gone();
        }
        let access = reader.access();
        self.house.app.users.insert(reader.name.clone(), access);
        let peer = self.house.open(reader.hello.version);
        let hello = reader.hello.packet();
        self.house.feed(peer, &hello);
        self.readers[c].peer = Some(peer);
    }

    fn subscribe(&mut self, c: usize, wanted: usize, qos: u8) {
        let Some(peer) = self.readers[c].peer else {
            return;
        };
        let mut body = vec![0, 1];
        body.extend(vec![0; usize::from(peer.version == Version::V5)]);
        body.extend(text(FILTERS[wanted]));
        body.push(qos);
        self.house.feed(peer, &packet(0x82, &body));
        let rights = RIGHTS[self.readers[c].rights];
        let granted = rights
            .iter()
            .any(|allowed| filter(allowed).overlaps(&filter(FILTERS[wanted])));
        if granted {
            self.readers[c].subscriptions.insert(wanted, qos);
        }
    }

    fn publish(&mut self, c: usize, topic: usize, qos: u8) {
        let Some(peer) = self.readers[c].peer else {
            return;
        };
        self.published += 1;
        let number = self.published;
        if self.keeps {
            let sending = &mut self.readers[c].sending;
            let is_free = |id: &u16| sending.iter().all(|other| other.id != *id);
            let new = Sending {
                // The lowest that is free: an id that is used again too early is found out.
                id: (1..).find(is_free).unwrap(),
                number,
                topic,
                qos,
                is_received: false,
                is_released: false,
            };
            self.house.feed(peer, &new.packet(peer.version, false));
            if qos > 0 {
                self.readers[c].sending.push(new);
            }
        } else {
            let id = (number % 60_000) as u16 + 1;
            let send = message(TOPICS[topic], &number.to_string()).qos(qos, id);
            self.house.feed(peer, &send.packet(peer.version));
            if qos == 2 {
                let [high, low] = id.to_be_bytes();
                self.house.feed(peer, &[0x62, 2, high, low]);
            }
        }
        self.expect(number, topic, qos);
    }

    /// Whoever wants a message and may have it has to get it.
    fn expect(&mut self, number: u32, topic: usize, qos: u8) {
        for reader in &mut self.readers {
            let wanted = reader
                .subscriptions
                .iter()
                .filter(|(f, _)| Filter::new(FILTERS[**f]).unwrap().matches(TOPICS[topic]));
            let Some(best) = wanted.map(|(_, qos)| *qos).max() else {
                continue;
            };
            if best.min(qos) > 0 && reader.may_receive(TOPICS[topic]) {
                reader.expected.insert(number, topic);
            }
        }
    }

    fn ack(&mut self, c: usize, count: usize) {
        let Some(peer) = self.readers[c].peer else {
            return;
        };
        let sending = self.readers[c].sending.iter();
        let received = sending.filter(|it| it.is_received && !it.is_released);
        for id in received.map(|it| it.id).take(count).collect::<Vec<_>>() {
            self.release(c, id);
        }
        for _ in 0..count {
            if self.readers[c].to_ack.is_empty() {
                return;
            }
            let (kind, id) = self.readers[c].to_ack.remove(0);
            let [high, low] = id.to_be_bytes();
            self.house.feed(peer, &[kind << 4, 2, high, low]);
            self.read_all();
        }
    }

    fn read_all(&mut self) {
        for c in 0..CLIENTS {
            let Some(peer) = self.readers[c].peer else {
                continue;
            };
            for got in self.house.read(peer) {
                let reader = &mut self.readers[c];
                match got {
                    Got::Publish(delivered) => reader.take(&delivered),
                    Got::Pubrel(id) => {
                        reader.unreleased.remove(&id);
                        reader.to_ack.push((7, id));
                    }
                    Got::Puback(id, _) | Got::Pubcomp(id) => {
                        reader.sending.retain(|sending| sending.id != id);
                    }
                    Got::Pubrec(id, _) => {
                        let its = reader.sending.iter_mut().find(|it| it.id == id);
                        its.into_iter().for_each(|it| it.is_received = true);
                    }
                    Got::Closed | Got::Disconnect(_) => panic!("{c} was thrown out: {got:?}"),
                    _ => {}
                }
            }
        }
    }

    /// Everybody comes back and acknowledges all.
    fn finish(&mut self) {
        for c in 0..CLIENTS {
            if self.readers[c].peer.is_none() {
                self.connect(c);
            }
        }
        self.store();
        self.read_all();
        let is_open = |reader: &Reader| !reader.to_ack.is_empty() || !reader.sending.is_empty();
        while self.readers.iter().any(is_open) {
            for c in 0..CLIENTS {
                self.ack(c, 1);
            }
            self.store();
        }
        for (c, reader) in self.readers.iter().enumerate() {
            let lost: Vec<_> = reader
                .expected
                .keys()
                .filter(|n| !reader.got.contains(n))
                .collect();
            assert!(lost.is_empty(), "client {c} lost {lost:?}");
        }
        assert_eq!(self.house.core.stats().queued_bytes, 0);
    }
}

impl Reader {
    fn take(&mut self, delivered: &Delivered) {
        let number: u32 = delivered.payload.parse().unwrap();
        // What is in flight is repeated whatever the rights are by now; it was allowed once.
        assert!(
            delivered.dup || self.may_receive(&delivered.topic),
            "{} got {delivered:?}",
            self.name
        );
        if delivered.qos > 0 {
            self.to_ack
                .push((if delivered.qos == 1 { 4 } else { 5 }, delivered.packet_id));
            if delivered.retain {
                // For a subscription: how often is the client's affair. It may overtake the message itself, which waits
                // for the store at QoS 2.
                self.unreleased.insert(delivered.packet_id, number);
                return;
            }
            let is_new = self.got.insert(number);
            let may_repeat = delivered.dup || (delivered.qos == 1 && self.lived_through_crash);
            assert!(is_new || may_repeat, "{} got {number} twice", self.name);
            if delivered.qos == 2 {
                let known = self.unreleased.insert(delivered.packet_id, number);
                let is_known = known == Some(number);
                assert!(is_new || is_known, "{} takes {number} twice", self.name);
            }
            if !is_new {
                return;
            }
        }
        // At QoS 0 one that was sent again after a crash may come behind newer ones.
        if delivered.retain || (delivered.qos == 0 && self.lived_through_crash) {
            return;
        }
        let key = (delivered.topic.clone(), delivered.qos);
        let newest = self.newest.entry(key).or_insert(0);
        assert!(
            number > *newest,
            "{} got {number} after {newest}",
            self.name
        );
        *newest = number;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_reordered_repeated_or_leaked(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.finish();
    }

    #[test]
    fn nothing_stored_is_lost_reordered_or_repeated_by_kills(steps in vec(step_or_crash(), 1..120)) {
        let mut world = World::keeping();
        for step in &steps {
            world.run(step);
        }
        world.finish();
    }
}
