//! How long an event takes through the core in memory: bytes of a PUBLISH in, the application
//! answers with one command, bytes of its PUBLISH to the consumer out. Nothing else runs.
//!
//!     cargo run --release -p broker --example throughput

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::{hint::black_box, net::SocketAddr, sync::Arc, time::Instant as Clock};

use broker::{
    Access, Admission, Application, Client, ConnKey, Core, Filter, Incoming, Limits, Login,
    Message, Outbox, Qos, Token, Verdict,
};
use bytes::Bytes;
use types::{Instant, Now};

const EVENTS: u64 = 2_000_000;
const CONSUMERS: usize = 4;

/// Answers each event with the command of its consumer.
struct OneRule {
    commands: Vec<Message>,
    next: usize,
    route: bool,
    acknowledged: u64,
}

impl Application for OneRule {
    fn authenticate(&mut self, login: &Login<'_>) -> Admission {
        let mut access = Access::none(login.client_id);
        access.publish = Arc::new([filter(&format!("iot/{}/+/event", login.client_id))]);
        access.subscribe = Arc::new([filter(&format!("iot/{}/+/target", login.client_id))]);
        Admission::Accept(access)
    }

    fn publish(
        &mut self,
        _: Now,
        _: &Client<'_>,
        message: &Incoming<'_>,
        out: &mut Outbox,
    ) -> Verdict {
        black_box(message.payload);
        out.send(self.commands[self.next % CONSUMERS].clone());
        self.next += 1;
        Verdict {
            route: self.route,
            ..Verdict::RELAY
        }
    }

    fn acknowledged(&mut self, _: Now, _: &Client<'_>, token: Token, _: &mut Outbox) {
        black_box(token);
        self.acknowledged += 1;
    }
}

fn filter(text: &str) -> Filter {
    Filter::new(text).expect("a filter")
}

fn connect(core: &mut Core, app: &mut OneRule, id: &str) -> ConnKey {
    let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
    let key = core.accept(Now::default(), peer).expect("room");
    let mut packet = vec![0x10, 12 + id.len() as u8, 0, 4];
    packet.extend_from_slice(b"MQTT\x04\x02\0\0\0");
    packet.push(id.len() as u8);
    packet.extend_from_slice(id.as_bytes());
    core.receive(key, &packet, Now::default(), app);
    core.take_output(key, Now::default());
    key
}

fn publish(topic: &str, payload: &[u8], qos: Qos) -> Vec<u8> {
    let with_id = 2 * usize::from(qos != Qos::AtMostOnce);
    let len = 2 + topic.len() + with_id + payload.len();
    let mut packet = vec![0x30 | (qos as u8) << 1, len as u8, 0, topic.len() as u8];
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(&[0, 1][..with_id]);
    packet.extend_from_slice(payload);
    packet
}

fn run(name: &str, qos: Qos, retain: bool, route: bool, batch: usize) {
    let commands = (0..CONSUMERS).map(|ix| {
        let topic: Arc<str> = format!("iot/lamp{ix}/light/target").into();
        let payload = Bytes::from_static(b"{\"on\":true,\"brightness\":40}");
        let message = Message::new(topic, payload).expect("a topic").qos(qos);
        if retain { message.retained() } else { message }
    });
    let mut app = OneRule {
        commands: commands.map(|message| message.token(Token(1))).collect(),
        next: 0,
        route,
        acknowledged: 0,
    };
    let mut core = Core::new(Limits::default());
    let producer = connect(&mut core, &mut app, "piano");
    let mut consumers = Vec::new();
    for ix in 0..CONSUMERS {
        let key = connect(&mut core, &mut app, &format!("lamp{ix}"));
        let topic = format!("iot/lamp{ix}/+/target");
        let mut packet = vec![0x82, 5 + topic.len() as u8, 0, 1, 0, topic.len() as u8];
        packet.extend_from_slice(topic.as_bytes());
        packet.push(qos as u8);
        core.receive(key, &packet, Now::default(), &mut app);
        core.take_output(key, Now::default());
        consumers.push(key);
    }
    let event = publish(
        "iot/piano/keys/event",
        b"{\"event\":\"press\",\"key\":60}",
        qos,
    );
    let input = event.repeat(batch);
    let mut sent_bytes = 0;
    let start = Clock::now();
    for round in 0..EVENTS / batch as u64 {
        let now = Now {
            at: Instant(round),
            ..Now::default()
        };
        core.receive(producer, &input, now, &mut app);
        app.drained(&core);
        while let Some(key) = core.pop_dirty() {
            let (bytes, _) = core.output(key);
            let len = bytes.len();
            sent_bytes += len;
            let acks = if key == producer {
                Vec::new()
            } else {
                acks_of(bytes, qos)
            };
            core.wrote(key, len, now);
            if !acks.is_empty() {
                core.receive(key, &acks, now, &mut app);
            }
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / EVENTS as f64;
    println!("{name:<44} {ns:>7.0} ns/event   {:>5.2} M/s", 1e3 / ns);
    assert!(sent_bytes as u64 >= EVENTS * 40, "commands went out");
    assert!(qos == Qos::AtMostOnce || app.acknowledged == EVENTS);
}

/// What a consumer answers to the PUBLISH packets in `bytes`.
fn acks_of(bytes: &[u8], qos: Qos) -> Vec<u8> {
    let mut acks = Vec::new();
    let mut rest = bytes;
    while qos == Qos::AtLeastOnce && rest.len() > 4 {
        let topic = usize::from(rest[3]);
        acks.extend_from_slice(&[0x40, 2, rest[4 + topic], rest[5 + topic]]);
        rest = &rest[2 + usize::from(rest[1])..];
    }
    acks
}

fn main() {
    for _ in 0..2 {
        run("QoS 0, one by one", Qos::AtMostOnce, false, false, 1);
        run("QoS 0, 20 in a read", Qos::AtMostOnce, false, false, 20);
        run(
            "QoS 0, 20 in a read, event routed too",
            Qos::AtMostOnce,
            false,
            true,
            20,
        );
        run(
            "QoS 0, 20 in a read, retained command",
            Qos::AtMostOnce,
            true,
            false,
            20,
        );
        run(
            "QoS 1 with both acks, one by one",
            Qos::AtLeastOnce,
            false,
            false,
            1,
        );
        run(
            "QoS 1 with both acks, 20 in a read",
            Qos::AtLeastOnce,
            false,
            false,
            20,
        );
        run(
            "QoS 1, 20 in a read, retained command",
            Qos::AtLeastOnce,
            true,
            false,
            20,
        );
    }
}
