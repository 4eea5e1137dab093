//! A broker on virtual time with clients that are plain packets: what they send is written by hand,
//! what they get is read by the codec crate, so that our encoder has an independent reader.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use broker::{
    Access, Ack, Admission, Application, Client, ConnKey, Core, Denied, Ended, Filter, Incoming,
    Kept, LastWill, Limits, Login, Message, Outbox, Qos, Refusal, Refused, Token, Verdict, Version,
};
use mqtt_protocol_core::mqtt::packet::{Property, v3_1_1, v5_0};
use types::{InputNo, Instant, Now, UnixTime};

/// What the application was told, in words.
pub type Log = Vec<String>;

/// A plain relay that writes down what it hears and can be told what to answer.
#[derive(Default)]
pub struct Relay {
    pub log: Log,
    /// What became of the will of each client that left.
    pub wills: Vec<LastWill>,
    /// Users with rights of their own; everybody else is a superuser named like the login.
    pub users: BTreeMap<String, Access>,
    /// Users with a password hash.
    pub hashes: BTreeMap<String, String>,
    pub refuse: Option<Refusal>,
    /// Users who stay out although their password fits.
    pub banned: Vec<String>,
    /// Acks wait for inputs, which are counted from 1.
    pub journal: bool,
    pub inputs: u64,
    /// No client's message is retained.
    pub keeps_nothing: bool,
    /// What is retained on these topics does not survive the process: it is said again by who knows it.
    pub passing: Vec<String>,
    /// Messages on these topics are refused.
    pub rejects: Vec<(String, broker::Reason)>,
    /// Sent on every message.
    pub answer: Option<Message>,
    /// Users to kick on every message.
    pub kick: Option<String>,
    /// Until when a client is held on every message.
    pub hold: Option<Instant>,
    pub deadline: Option<Instant>,
    pub drained: u64,
    /// What is to survive, by the facts of all steps so far.
    pub kept: Kept,
    /// The facts of each step, under the number they were given.
    pub records: Vec<(InputNo, Vec<u8>)>,
}

impl Application for Relay {
    fn authenticate(&mut self, login: &Login<'_>) -> Admission {
        if let Some(refusal) = self.refuse {
            return Admission::Refuse(refusal);
        }
        let user = login.user.unwrap_or("anyone");
        let access = self.users.get(user).cloned();
        let access = access.unwrap_or_else(|| Access::superuser(user));
        match self.hashes.get(user) {
            Some(hash) => Admission::Verify {
                hash: hash.as_str().into(),
                access: if self.banned.iter().any(|banned| banned == user) {
                    Err(Refusal::Banned)
                } else {
                    Ok(access)
                },
            },
            None => Admission::Accept(access),
        }
    }

    fn connected(&mut self, _: Now, client: &Client<'_>, _: &mut Outbox) {
        let Client {
            id, user, siblings, ..
        } = client;
        self.log
            .push(format!("connected {user}/{id} siblings {siblings}"));
    }

    fn disconnected(
        &mut self,
        _: Now,
        client: &Client<'_>,
        how: Ended,
        will: LastWill,
        _: &mut Outbox,
    ) {
        let Client {
            id, user, siblings, ..
        } = client;
        self.wills.push(will);
        self.log.push(format!(
            "disconnected {user}/{id} {how:?} siblings {siblings}"
        ));
    }

    fn stayed_away(&mut self, _: Now, client: &Client<'_>, _: &mut Outbox) {
        self.log.push(format!("{} stayed away", client.id));
    }

    fn publish(
        &mut self,
        _: Now,
        from: &Client<'_>,
        message: &Incoming<'_>,
        out: &mut Outbox,
    ) -> Verdict {
        let will = match message.will {
            Some(how) => format!(" will of {how:?}"),
            None => String::new(),
        };
        let payload = String::from_utf8_lossy(message.payload);
        self.log.push(format!(
            "publish {} {}={payload}{will}",
            from.id, message.topic
        ));
        if let Some(answer) = &self.answer {
            out.send(answer.clone());
        }
        if let Some(user) = &self.kick {
            out.kick(user.as_str());
        }
        if let Some(until) = self.hold {
            out.hold(from.key, until);
        }
        let refused = self
            .rejects
            .iter()
            .find(|(topic, _)| topic == message.topic);
        let mut ack = Ack::Now;
        if self.journal {
            self.inputs += 1;
            ack = Ack::After(InputNo(self.inputs));
        }
        Verdict {
            route: true,
            retain: !self.keeps_nothing,
            survives: !self.passing.iter().any(|topic| topic == message.topic),
            ack,
            refused: refused.map(|(_, reason)| *reason),
        }
    }

    fn acknowledged(&mut self, _: Now, client: &Client<'_>, token: Token, _: &mut Outbox) {
        self.log
            .push(format!("acknowledged {} {}", client.id, token.0));
    }

    fn keep(&mut self, _: Now, facts: &[u8], _: bool) -> Ack {
        self.kept.apply(facts).expect("the core writes facts");
        self.inputs += 1;
        let no = InputNo(self.inputs);
        self.records.push((no, facts.to_vec()));
        if self.journal {
            Ack::After(no)
        } else {
            Ack::Now
        }
    }

    fn rights(&self, user: &str) -> Option<Access> {
        let is_banned = self.banned.iter().any(|banned| banned == user);
        let access = self.users.get(user).cloned();
        (!is_banned).then(|| access.unwrap_or_else(|| Access::superuser(user)))
    }

    fn denied(&mut self, _: Now, what: &Denied<'_>) {
        self.log.push(match what {
            Denied::Connect {
                client_id, reason, ..
            } => format!("denied connect {client_id} {reason}"),
            Denied::Publish {
                client,
                topic,
                reason,
            } => format!("denied publish {} {topic} {reason}", client.id),
            Denied::Retain { client, topic } => format!("denied retain {} {topic}", client.id),
            Denied::Subscribe {
                client,
                filter,
                reason,
            } => format!("denied subscribe {} {filter} {reason}", client.id),
            Denied::Protocol { reason, .. } => format!("denied bytes {reason}"),
            Denied::Accept { reason, .. } => format!("denied accept {reason}"),
            Denied::Wrap { reason, .. } => format!("denied wrap {reason}"),
            other => format!("{other:?}"),
        });
    }

    fn tick(&mut self, _: Now, _: &mut Outbox) {
        self.deadline = None;
        self.log.push("tick".into());
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn drained(&mut self, _: &Core) {
        self.drained += 1;
    }
}

/// A packet from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Connack { present: bool, code: u8 },
    Publish(Delivered),
    Puback(u16, u8),
    Pubrec(u16, u8),
    Pubrel(u16),
    Pubcomp(u16),
    Suback(u16, Vec<u8>),
    Unsuback(u16, Vec<u8>),
    Pong,
    Disconnect(u8),
    Closed,
}

/// A PUBLISH from the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub packet_id: u16,
    pub expiry_s: Option<u32>,
    pub ids: Vec<u32>,
    pub alias: Option<u16>,
    pub others: Vec<String>,
}

/// `topic=payload` at a QoS, with marks for retain and dup: what most tests compare.
pub fn brief(got: &[Got]) -> Vec<String> {
    let short = |got: &Got| match got {
        Got::Publish(d) => {
            let retain = if d.retain { " retained" } else { "" };
            let dup = if d.dup { " dup" } else { "" };
            format!("{}={} q{}{retain}{dup}", d.topic, d.payload, d.qos)
        }
        other => format!("{other:?}"),
    };
    got.iter().map(short).collect()
}

/// A broker, its application and a clock.
pub struct House {
    pub core: Core,
    pub app: Relay,
    pub now: Now,
    peers: u16,
}

/// One client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub key: ConnKey,
    pub version: Version,
}

/// A CONNECT to be.
#[derive(Clone, Debug)]
pub struct Hello {
    pub version: Version,
    pub id: String,
    pub clean: bool,
    pub keep_alive_s: u16,
    pub user: Option<String>,
    pub password: Option<String>,
    /// Topic, payload, QoS, retain, delay.
    pub will: Option<(String, String, u8, bool, u32)>,
    /// Raw properties of MQTT 5.
    pub properties: Vec<u8>,
}

pub fn v3(id: &str) -> Hello {
    Hello {
        version: Version::V3,
        id: id.into(),
        clean: true,
        keep_alive_s: 0,
        user: None,
        password: None,
        will: None,
        properties: Vec::new(),
    }
}

pub fn v5(id: &str) -> Hello {
    Hello {
        version: Version::V5,
        ..v3(id)
    }
}

impl Hello {
    pub fn keeps_session(mut self) -> Self {
        self.clean = false;
        self.expires_after_s(3_600)
    }

    pub fn expires_after_s(mut self, seconds: u32) -> Self {
        if self.version == Version::V5 {
            self.properties.push(17);
            self.properties.extend_from_slice(&seconds.to_be_bytes());
        }
        self
    }

    pub fn packet_bytes_max(mut self, max: u32) -> Self {
        self.properties.push(39);
        self.properties.extend_from_slice(&max.to_be_bytes());
        self
    }

    pub fn topic_alias_max(mut self, max: u16) -> Self {
        self.properties.push(34);
        self.properties.extend_from_slice(&max.to_be_bytes());
        self
    }

    pub fn receive_max(mut self, max: u16) -> Self {
        self.properties.push(33);
        self.properties.extend_from_slice(&max.to_be_bytes());
        self
    }

    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.into());
        self
    }

    pub fn keep_alive_s(mut self, seconds: u16) -> Self {
        self.keep_alive_s = seconds;
        self
    }

    pub fn will(mut self, topic: &str, payload: &str, qos: u8, retain: bool) -> Self {
        self.will = Some((topic.into(), payload.into(), qos, retain, 0));
        self
    }

    pub fn will_delay_s(mut self, seconds: u32) -> Self {
        if let Some(will) = &mut self.will {
            will.4 = seconds;
        }
        self
    }

    pub fn packet(&self) -> Vec<u8> {
        let level = if self.version == Version::V5 { 5 } else { 4 };
        let mut flags = u8::from(self.clean) << 1;
        if let Some((_, _, qos, retain, _)) = &self.will {
            flags |= 4 | qos << 3 | u8::from(*retain) << 5;
        }
        flags |= u8::from(self.password.is_some()) << 6 | u8::from(self.user.is_some()) << 7;
        let mut body = text("MQTT");
        body.extend_from_slice(&[level, flags]);
        body.extend_from_slice(&self.keep_alive_s.to_be_bytes());
        if self.version == Version::V5 {
            body.push(self.properties.len() as u8);
            body.extend_from_slice(&self.properties);
        }
        body.extend(text(&self.id));
        if let Some((topic, payload, _, _, delay_s)) = &self.will {
            if self.version == Version::V5 {
                body.extend_from_slice(&[5, 24]);
                body.extend_from_slice(&delay_s.to_be_bytes());
            }
            body.extend(text(topic));
            body.extend(text(payload));
        }
        for field in [&self.user, &self.password].into_iter().flatten() {
            body.extend(text(field));
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH to be.
#[derive(Clone, Debug)]
pub struct Send {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub packet_id: u16,
    pub properties: Vec<u8>,
}

pub fn message(topic: &str, payload: &str) -> Send {
    Send {
        topic: topic.into(),
        payload: payload.into(),
        qos: 0,
        retain: false,
        dup: false,
        packet_id: 0,
        properties: Vec::new(),
    }
}

impl Send {
    pub fn qos(mut self, qos: u8, packet_id: u16) -> Self {
        self.qos = qos;
        self.packet_id = packet_id;
        self
    }

    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    pub fn properties(mut self, properties: &[u8]) -> Self {
        self.properties = properties.to_vec();
        self
    }

    pub fn packet(&self, version: Version) -> Vec<u8> {
        let first = 0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain);
        let mut body = text(&self.topic);
        if self.qos > 0 {
            body.extend_from_slice(&self.packet_id.to_be_bytes());
        }
        if version == Version::V5 {
            body.push(self.properties.len() as u8);
            body.extend_from_slice(&self.properties);
        }
        body.extend_from_slice(self.payload.as_bytes());
        packet(first, &body)
    }
}

pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = body.len();
    while len > 0x7F {
        bytes.push((len & 0x7F) as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

pub fn filter(text: &str) -> Filter {
    Filter::new(text).unwrap()
}

/// Rights to publish and to receive.
pub fn access(user: &str, publish: &[&str], subscribe: &[&str]) -> Access {
    let mut access = Access::none(user);
    access.publish = publish.iter().map(|text| filter(text)).collect();
    access.subscribe = subscribe.iter().map(|text| filter(text)).collect();
    access
}

pub fn own(topic: &str, payload: &str) -> Message {
    Message::new(Arc::from(topic), payload.to_owned()).unwrap()
}

impl Default for House {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl House {
    pub fn new(limits: Limits) -> Self {
        Self {
            core: Core::new(limits),
            app: Relay::default(),
            now: Now {
                at: Instant(1_000_000),
                wall: UnixTime(0),
                synced: false,
            },
            peers: 0,
        }
    }

    /// One whose core says what is to survive.
    pub fn keeping(limits: Limits) -> Self {
        Self {
            core: Core::new(limits).keeping(),
            ..Self::default()
        }
    }

    /// All that was said by now is stored.
    pub fn store(&mut self) {
        self.core.commit(self.now, &mut self.app);
        self.core.durable(InputNo(self.app.inputs), self.now);
    }

    /// What is to survive by the facts is what the core holds.
    pub fn check_kept(&mut self) {
        self.core.commit(self.now, &mut self.app);
        assert_eq!(self.app.kept, self.core.kept());
    }

    /// The process ends without a word, and another one begins with the facts up to this number.
    pub fn crash(&mut self, limits: Limits, stored: InputNo) {
        let mut kept = Kept::default();
        for (no, facts) in &self.app.records {
            if *no <= stored {
                kept.apply(facts).expect("they were applied once");
            }
        }
        let mut again = Kept::default();
        again.apply(&kept.facts()).expect("a snapshot is facts");
        assert_eq!(again, kept);
        self.core = Core::new(limits).keeping();
        self.core.restore(kept, self.now, &self.app);
        self.app.kept = self.core.kept();
        self.app.inputs += 1;
        let snapshot = self.app.kept.facts();
        self.app.records = vec![(InputNo(self.app.inputs), snapshot)];
        self.core.durable(InputNo(self.app.inputs), self.now);
    }

    /// Lets time pass, one deadline after the other.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now.after(span);
        loop {
            let next = self
                .core
                .next_deadline()
                .into_iter()
                .chain(self.app.deadline)
                .min();
            let Some(at) = next.filter(|at| *at <= end.at) else {
                break;
            };
            self.now = self.now.after(at.since(self.now.at));
            self.core.tick(self.now, &mut self.app);
        }
        self.now = end;
    }

    pub fn wait_s(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    pub fn open(&mut self, version: Version) -> Peer {
        // A home of many machines: a test of one that connects too often says so.
        self.peers += 1;
        let [high, low] = self.peers.to_be_bytes();
        self.open_from(version, [10, 0, high, low].into()).unwrap()
    }

    pub fn open_from(&mut self, version: Version, address: IpAddr) -> Result<Peer, Refused> {
        let accepted = self.core.accept(self.now, (address, 40_000).into());
        self.close_evicted();
        accepted.map(|key| Peer { key, version })
    }

    /// Closes sockets that the broker gave up on and had nothing to say to, as the shell does.
    fn close_evicted(&mut self) {
        while let Some(key) = self.core.pop_dirty() {
            if self.core.output(key) == (&[], true) {
                self.core.closed(key, self.now, &mut self.app);
            }
        }
    }

    pub fn is_open(&self, peer: Peer) -> bool {
        !self.core.output(peer.key).1
    }

    pub fn feed(&mut self, peer: Peer, bytes: &[u8]) {
        self.core.receive(peer.key, bytes, self.now, &mut self.app);
    }

    /// Feeds and reads the answer.
    pub fn ask(&mut self, peer: Peer, bytes: &[u8]) -> Vec<Got> {
        self.feed(peer, bytes);
        self.read(peer)
    }

    /// Connects; the rest of the answer is read by the next `read`.
    pub fn hello(&mut self, hello: &Hello) -> (Peer, Vec<Got>) {
        let peer = self.open(hello.version);
        let got = self.ask(peer, &hello.packet());
        (peer, got)
    }

    /// Connects and expects to be let in.
    pub fn join(&mut self, hello: &Hello) -> Peer {
        let (peer, got) = self.hello(hello);
        assert!(
            matches!(got.first(), Some(Got::Connack { code: 0, .. })),
            "{got:?}"
        );
        peer
    }

    /// All packets that wait for the client. Closes what is to be closed.
    pub fn read(&mut self, peer: Peer) -> Vec<Got> {
        let (bytes, close) = self.core.take_output(peer.key, self.now);
        let mut got = decode(&bytes, peer.version);
        if close {
            got.push(Got::Closed);
            self.core.closed(peer.key, self.now, &mut self.app);
        }
        got
    }

    /// The socket breaks.
    pub fn drop_peer(&mut self, peer: Peer) {
        self.core.closed(peer.key, self.now, &mut self.app);
    }

    pub fn leave(&mut self, peer: Peer) {
        assert_eq!(self.ask(peer, &[0xE0, 0]), [Got::Closed]);
    }

    pub fn subscribe(&mut self, peer: Peer, filter: &str, qos: u8) -> Vec<Got> {
        self.subscribe_with(peer, filter, qos, &[])
    }

    /// With the raw options byte and raw properties.
    pub fn subscribe_with(
        &mut self,
        peer: Peer,
        filter: &str,
        options: u8,
        properties: &[u8],
    ) -> Vec<Got> {
        let mut body = vec![0, 9];
        if peer.version == Version::V5 {
            body.push(properties.len() as u8);
            body.extend_from_slice(properties);
        }
        body.extend(text(filter));
        body.push(options);
        self.ask(peer, &packet(0x82, &body))
    }

    pub fn publish(&mut self, peer: Peer, send: &Send) -> Vec<Got> {
        self.ask(peer, &send.packet(peer.version))
    }

    pub fn ack(&mut self, peer: Peer, kind: u8, packet_id: u16) -> Vec<Got> {
        let [high, low] = packet_id.to_be_bytes();
        let flags = if kind == 6 { 2 } else { 0 };
        self.ask(peer, &[kind << 4 | flags, 2, high, low])
    }

    /// The log since the last call.
    pub fn log(&mut self) -> Log {
        std::mem::take(&mut self.app.log)
    }
}

/// Reads packets of a server with the codec crate.
pub fn decode(mut bytes: &[u8], version: Version) -> Vec<Got> {
    let mut got = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let mut len = 0;
        let mut used = 0;
        loop {
            len |= usize::from(rest[used] & 0x7F) << (7 * used);
            used += 1;
            if rest[used - 1] & 0x80 == 0 {
                break;
            }
        }
        let body = &rest[used..used + len];
        bytes = &rest[used + len..];
        got.push(decode_one(first, body, version));
    }
    got
}

fn decode_one(first: u8, body: &[u8], version: Version) -> Got {
    let v5 = version == Version::V5;
    let id = || u16::from_be_bytes([body[0], body[1]]);
    let code = || body.get(2).copied().unwrap_or(0);
    match first >> 4 {
        2 if v5 => {
            let (packet, _) = v5_0::Connack::parse(body).unwrap();
            Got::Connack {
                present: packet.session_present(),
                code: packet.reason_code() as u8,
            }
        }
        2 => {
            let (packet, _) = v3_1_1::Connack::parse(body).unwrap();
            Got::Connack {
                present: packet.session_present(),
                code: packet.return_code() as u8,
            }
        }
        3 => Got::Publish(decode_publish(first & 15, body, v5)),
        4 => Got::Puback(id(), code()),
        5 => Got::Pubrec(id(), code()),
        6 => Got::Pubrel(id()),
        7 => Got::Pubcomp(id()),
        9 if v5 => {
            let (packet, _) = v5_0::Suback::parse(body).unwrap();
            Got::Suback(
                packet.packet_id(),
                packet.reason_codes().iter().map(|c| *c as u8).collect(),
            )
        }
        9 => {
            let (packet, _) = v3_1_1::Suback::parse(body).unwrap();
            Got::Suback(
                packet.packet_id(),
                packet.return_codes().iter().map(|c| *c as u8).collect(),
            )
        }
        11 if v5 => {
            let (packet, _) = v5_0::Unsuback::parse(body).unwrap();
            Got::Unsuback(
                packet.packet_id(),
                packet.reason_codes().iter().map(|c| *c as u8).collect(),
            )
        }
        11 => Got::Unsuback(id(), Vec::new()),
        13 => Got::Pong,
        14 => Got::Disconnect(body[0]),
        other => panic!("a server never sends packet type {other}"),
    }
}

fn decode_publish(flags: u8, body: &[u8], v5: bool) -> Delivered {
    if !v5 {
        let (packet, _) = v3_1_1::Publish::parse(flags, body.into()).unwrap();
        return Delivered {
            topic: packet.topic_name().to_owned(),
            payload: String::from_utf8_lossy(packet.payload().as_slice()).into_owned(),
            qos: packet.qos() as u8,
            retain: packet.retain(),
            dup: packet.dup(),
            packet_id: packet.packet_id().unwrap_or(0),
            ..Delivered::default()
        };
    }
    let (packet, _) = v5_0::Publish::parse(flags, body.into()).unwrap();
    let mut delivered = Delivered {
        topic: packet.topic_name().to_owned(),
        payload: String::from_utf8_lossy(packet.payload().as_slice()).into_owned(),
        qos: packet.qos() as u8,
        retain: packet.retain(),
        dup: packet.dup(),
        packet_id: packet.packet_id().unwrap_or(0),
        ..Delivered::default()
    };
    for property in packet.props() {
        match property {
            Property::MessageExpiryInterval(value) => delivered.expiry_s = Some(value.val()),
            Property::TopicAlias(value) => delivered.alias = Some(value.val()),
            Property::SubscriptionIdentifier(value) => delivered.ids.push(value.val()),
            Property::UserProperty(pair) => {
                delivered
                    .others
                    .push(format!("{}={}", pair.key(), pair.val()));
            }
            Property::ResponseTopic(value) => {
                delivered.others.push(format!("response {}", value.val()));
            }
            Property::CorrelationData(value) => delivered
                .others
                .push(format!("correlation {:?}", value.val())),
            other => delivered.others.push(format!("{other:?}")),
        }
    }
    delivered
}

/// The QoS of a number.
pub fn qos(number: u8) -> Qos {
    match number {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}
