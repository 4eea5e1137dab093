//! Shared subscriptions: `$share/GROUP/FILTER`. MQTT 5 section 4.8.2.

use crate::harness::*;
use proptest::{collection::vec, prelude::*};

/// How many messages each of these read, by their payloads.
fn shares(house: &mut House, members: &[Peer]) -> Vec<Vec<String>> {
    members
        .iter()
        .map(|member| {
            let got = house.read(*member);
            got.iter()
                .filter_map(|got| match got {
                    Got::Publish(delivered) => Some(delivered.payload.clone()),
                    _ => None,
                })
                .collect()
        })
        .collect()
}

fn send(house: &mut House, from: Peer, payloads: std::ops::Range<u16>, qos: u8) {
    for number in payloads {
        let one = message("t", &number.to_string()).qos(qos, number + 1);
        house.publish(from, &one);
    }
}

#[test]
fn members_take_turns_and_others_get_all() {
    let mut house = House::default();
    let members = [
        house.join(&v5("a")),
        house.join(&v3("b")),
        house.join(&v5("c")),
    ];
    for member in members {
        house.subscribe(member, "$share/group/+", 0);
    }
    let plain = house.join(&v5("plain"));
    house.subscribe(plain, "t", 0);
    let writer = house.join(&v3("writer"));
    send(&mut house, writer, 0..6, 0);
    let got = shares(&mut house, &members);
    assert!(got.iter().all(|got| got.len() == 2), "{got:?}");
    let mut all = got.concat();
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(shares(&mut house, &[plain])[0].len(), 6);
    assert_eq!(house.core.stats().subscriptions, 4);
}

#[test]
fn groups_and_own_subscriptions_each_get_a_copy() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    for filter in ["t", "$share/one/t", "$share/two/t", "$share/one/+"] {
        house.subscribe(peer, filter, 1);
    }
    let writer = house.join(&v3("writer"));
    send(&mut house, writer, 0..1, 1);
    assert_eq!(shares(&mut house, &[peer])[0].len(), 4);
}

#[test]
fn each_member_has_its_own_qos_and_identifier() {
    let mut house = House::default();
    let (low, high) = (house.join(&v5("low")), house.join(&v5("high")));
    house.subscribe_with(low, "$share/g/t", 0, &[0x0B, 7]);
    house.subscribe_with(high, "$share/g/t", 1, &[0x0B, 9]);
    let writer = house.join(&v3("writer"));
    send(&mut house, writer, 0..2, 2);
    let mut qos: Vec<u8> = Vec::new();
    for member in [low, high] {
        for got in house.read(member) {
            if let Got::Publish(delivered) = got {
                qos.push(delivered.qos);
            }
        }
    }
    assert_eq!(qos, [0, 1]);
}

#[test]
fn a_group_gets_no_retained_messages() {
    let mut house = House::default();
    house
        .core
        .publish(house.now, &own("t", "1").retained(), &mut house.app);
    let peer = house.join(&v5("a"));
    assert_eq!(
        house.subscribe(peer, "$share/g/t", 0),
        [Got::Suback(9, vec![0])]
    );
}

#[test]
fn no_local_on_a_group_breaks_the_protocol() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    let got = house.subscribe_with(peer, "$share/g/t", 4, &[]);
    assert_eq!(got, [Got::Disconnect(0x82), Got::Closed]);
}

#[test]
fn groups_without_a_name_or_filter_are_refused() {
    let mut house = House::default();
    let peer = house.join(&v3("a"));
    for group in ["", "/", "/g", "/g/", "//t", "/+/t", "/g/a+"] {
        let filter = format!("$share{group}");
        let got = house.subscribe(peer, &filter, 0);
        assert_eq!(got, [Got::Suback(9, vec![0x80])], "{filter}");
    }
    // MQTT 5 calls them malformed (MQTT-4.8.2-1, -2).
    for filter in ["$share/", "$share/g", "$share//t", "$share/+/t"] {
        let peer = house.join(&v5("b"));
        let got = house.subscribe(peer, filter, 0);
        assert_eq!(got, [Got::Disconnect(0x82), Got::Closed], "{filter}");
    }
}

#[test]
fn rights_are_those_to_the_filter_in_it_and_of_each_member() {
    let mut house = House::default();
    for (user, rights) in [("all", "#"), ("some", "t/1"), ("none", "x")] {
        let rights = access(user, &[], &[rights]);
        house.app.users.insert(user.to_owned(), rights);
    }
    let all = house.join(&v5("a").user("all"));
    let some = house.join(&v5("b").user("some"));
    let none = house.join(&v5("c").user("none"));
    house.subscribe(all, "$share/g/t/#", 0);
    house.subscribe(some, "$share/g/t/#", 0);
    assert_eq!(
        house.subscribe(none, "$share/g/t/#", 0),
        [Got::Suback(9, vec![0x87])]
    );
    for topic in ["t/1", "t/2", "t/1", "t/2"] {
        house
            .core
            .publish(house.now, &own(topic, topic), &mut house.app);
    }
    let got = shares(&mut house, &[all, some]);
    assert!(got[1].iter().all(|topic| topic == "t/1"), "{got:?}");
    assert_eq!(got.concat().len(), 4);
}

#[test]
fn who_is_away_gets_messages_only_where_nobody_is_there() {
    let mut house = House::default();
    let away = house.join(&v3("away").keeps_session());
    house.subscribe(away, "$share/g/t", 1);
    house.drop_peer(away);
    let here = house.join(&v5("here"));
    house.subscribe(here, "$share/g/t", 1);
    let writer = house.join(&v3("writer"));
    send(&mut house, writer, 0..2, 1);
    assert_eq!(shares(&mut house, &[here]), [["0", "1"]]);
    // What it has not acknowledged goes to the other member, as does what comes while nobody is there.
    house.drop_peer(here);
    send(&mut house, writer, 2..4, 1);
    let (_, got) = house.hello(&v3("away").keeps_session());
    assert_eq!(brief(&got)[1..], ["t=0 q1", "t=1 q1", "t=2 q1", "t=3 q1"]);
}

#[test]
fn what_a_member_was_sent_at_qos_2_is_nobody_elses() {
    let mut house = House::default();
    let first = house.join(&v5("first"));
    house.subscribe(first, "$share/g/t", 2);
    house
        .core
        .publish(house.now, &own("t", "1").qos(qos(2)), &mut house.app);
    let other = house.join(&v5("other"));
    house.subscribe(other, "$share/g/t", 2);
    house.drop_peer(first);
    assert_eq!(house.read(other), []);
}

#[test]
fn leaving_a_group_ends_it_with_its_last_member() {
    let mut house = House::default();
    let peers = [house.join(&v5("a")), house.join(&v5("b"))];
    for peer in peers {
        house.subscribe(peer, "$share/g/t", 0);
    }
    let mut body = vec![0, 3, 0];
    body.extend(text("$share/g/t"));
    body.extend(text("t"));
    let got = house.ask(peers[0], &packet(0xA2, &body));
    assert_eq!(got, [Got::Unsuback(3, vec![0, 0x11])]);
    house
        .core
        .publish(house.now, &own("t", "1"), &mut house.app);
    assert_eq!(shares(&mut house, &peers), [vec![], vec!["1".to_owned()]]);
    house.drop_peer(peers[1]);
    assert_eq!(house.core.stats().subscriptions, 0);
    house
        .core
        .publish(house.now, &own("t", "2"), &mut house.app);
    assert_eq!(house.read(peers[0]), []);
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Drop(usize),
    Publish,
    Acknowledge(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4_usize).prop_map(Step::Join),
        1 => (0..4_usize).prop_map(Step::Drop),
        4 => Just(Step::Publish),
        4 => (0..4_usize).prop_map(Step::Acknowledge),
    ]
}

/// Four members; the first two keep their session. What is read is acknowledged only when asked.
struct Group {
    house: House,
    peers: [Option<Peer>; 4],
    to_ack: [Vec<(u16, String)>; 4],
    acked: Vec<String>,
    published: u32,
}

impl Group {
    fn join(&mut self, ix: usize) {
        let id = format!("m{ix}");
        let hello = if ix < 2 {
            v3(&id).keeps_session()
        } else {
            v5(&id)
        };
        self.drop(ix);
        let peer = self.house.open(hello.version);
        self.house.feed(peer, &hello.packet());
        self.peers[ix] = Some(peer);
        self.read();
        self.house.feed(peer, &subscription(peer));
        self.read();
    }

    fn drop(&mut self, ix: usize) {
        if let Some(peer) = self.peers[ix].take() {
            self.house.drop_peer(peer);
            self.to_ack[ix].clear();
        }
        self.read();
    }

    fn read(&mut self) {
        for ix in 0..4 {
            let Some(peer) = self.peers[ix] else { continue };
            for got in self.house.read(peer) {
                if let Got::Publish(one) = got {
                    self.to_ack[ix].push((one.packet_id, one.payload));
                }
            }
        }
    }

    fn acknowledge(&mut self, ix: usize) {
        if let Some(peer) = self.peers[ix].filter(|_| !self.to_ack[ix].is_empty()) {
            let (id, payload) = self.to_ack[ix].remove(0);
            let [high, low] = id.to_be_bytes();
            self.house.feed(peer, &[0x40, 2, high, low]);
            self.acked.push(payload);
        }
        self.read();
    }
}

fn subscription(peer: Peer) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(vec![0; usize::from(peer.version == broker::Version::V5)]);
    body.extend(text("$share/g/#"));
    body.push(1);
    packet(0x82, &body)
}

proptest! {
    #[test]
    fn each_message_is_acknowledged_by_exactly_one_member(steps in vec(step(), 1..100)) {
        let mut group = Group {
            house: House::default(),
            peers: [None; 4],
            to_ack: Default::default(),
            acked: Vec::new(),
            published: 0,
        };
        // The session of the first keeps the group alive.
        group.join(0);
        for step in steps {
            match step {
                Step::Join(ix) => group.join(ix),
                Step::Drop(ix) => group.drop(ix),
                Step::Acknowledge(ix) => group.acknowledge(ix),
                Step::Publish => {
                    group.published += 1;
                    let one = own("t", &group.published.to_string()).qos(qos(1));
                    let House { core, app, now, .. } = &mut group.house;
                    core.publish(*now, &one, app);
                    group.read();
                }
            }
        }
        group.join(0);
        group.join(1);
        while group.to_ack.iter().any(|waits| !waits.is_empty()) {
            for ix in 0..4 {
                group.acknowledge(ix);
            }
        }
        let mut acked: Vec<u32> = group.acked.iter().map(|n| n.parse().unwrap()).collect();
        acked.sort_unstable();
        prop_assert_eq!(acked, (1..=group.published).collect::<Vec<_>>());
        prop_assert_eq!(group.house.core.stats().queued_bytes, 0);
    }
}
