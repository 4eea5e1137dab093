//! One simulated module: connects as a plain module would, plays its outputs, reports its events.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use mapping::{
    Program,
    program::{
        CarriedValue, Carrier, ChannelIx, Codec, Device, DeviceIx, EventIx, Foreign, Preset,
    },
};
use rumqttc::{
    AsyncClient, Broker, Event as Mqtt, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions,
    QoS,
};
use tokio::{sync::mpsc, time::Instant};
use types::Value;

use super::{
    Says,
    foreign::{self, States},
    payload,
    told::{Follows, Next, Told},
};
use crate::run::users;

/// Pause before a module that lost its connection tries again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Messages that may wait between a module and its own socket.
const WAITING_MESSAGES_MAX: usize = 256;

const TARGET: &str = "target";
const COMMAND: &str = "command";

/// The leaves of the topics on which a module is told something.
const TOLD: [&str; 2] = [TARGET, COMMAND];

/// How to reach the broker.
pub(super) struct Link {
    pub(super) broker: SocketAddr,
    pub(super) password: String,
}

pub(super) struct Module {
    program: Arc<Program>,
    device: DeviceIx,
    link: Link,
    inbox: mpsc::Receiver<Told>,
    state: States,
    /// What is on for a time, and until when.
    ends: BTreeMap<ChannelIx, Instant>,
    /// When each channel that promises to report is to do so.
    reports: BTreeMap<ChannelIx, Instant>,
}

impl Module {
    /// A module of `device` whose channels begin with these states.
    pub(super) fn new(
        program: Arc<Program>,
        (device, state): (DeviceIx, States),
        link: Link,
        inbox: mpsc::Receiver<Told>,
    ) -> Self {
        Self {
            program,
            device,
            link,
            inbox,
            state,
            ends: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }

    /// Runs until nobody can tell it anything any more.
    pub(super) async fn run(mut self) {
        loop {
            let (client, mut events) = self.client();
            // How it is it says when it arrives.
            let arrived = Instant::now();
            let promises = self.promises().into_iter();
            self.reports = promises
                .map(|(channel, every)| (channel, arrived + every))
                .collect();
            let mut pause = RECONNECT_PAUSE;
            loop {
                let ends = self.ends.values().min().copied();
                tokio::select! {
                    () = until(ends) => self.end(&client),
                    told = self.inbox.recv() => match told {
                        Some(Told::Says(says)) => self.say(&client, says),
                        Some(Told::Next(next)) => match next.how {
                            Follows::AsItIs => self.become_next(*next),
                            Follows::NewRole => self.take_role(&client, *next),
                            Follows::Anew(_) => {
                                self.leave(&client, &mut events).await;
                                self.become_next(*next);
                                pause = Duration::ZERO;
                                break;
                            }
                        },
                        None => {
                            self.leave(&client, &mut events).await;
                            return;
                        }
                    },
                    event = events.poll() => match event {
                        Ok(event) => self.handle(&client, event),
                        Err(_) => break,
                    },
                    () = until(self.reports.values().min().copied()) => self.keep_promises(&client),
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Goes on as what it is in another mapping: channels that it has there are as they were.
    fn become_next(&mut self, next: Next) {
        let states = std::mem::take(&mut self.state);
        self.state = next.states(&self.program, states);
        self.program = next.program;
        self.device = next.device;
        for times in [&mut self.ends, &mut self.reports] {
            let before = std::mem::take(times).into_iter();
            let moved =
                before.filter_map(|(channel, at)| Some((*next.channels.get(&channel)?, at)));
            *times = moved.collect();
        }
        if let Follows::Anew(link) = next.how {
            self.link = link;
        }
    }

    /// Goes on under another role, connected as it is.
    fn take_role(&mut self, client: &AsyncClient, next: Next) {
        let before = self.told_on();
        self.become_next(next);
        let topics = self.told_on();
        for gone in before.difference(&topics) {
            if let Err(error) = client.try_unsubscribe(gone) {
                tracing::debug!(%error, "a simulated module can't unsubscribe");
            }
        }
        subscribe(client, topics.difference(&before).cloned());
        let now = Instant::now();
        for (channel, every) in self.promises() {
            self.reports.entry(channel).or_insert(now + every);
        }
        self.publish_all(client);
    }

    /// Reports what is due.
    fn keep_promises(&mut self, client: &AsyncClient) {
        let (now, promises) = (Instant::now(), self.promises());
        let due = self.reports.iter().filter(|(_, due)| **due <= now);
        let due: Vec<ChannelIx> = due.map(|(channel, _)| *channel).collect();
        for channel in due {
            self.publish_state(client, channel);
            match promises.get(&channel) {
                Some(every) => self.reports.insert(channel, now + *every),
                None => self.reports.remove(&channel),
            };
        }
    }

    /// The channels that promise to report, and how often.
    fn promises(&self) -> BTreeMap<ChannelIx, Duration> {
        let device = &self.program[self.device];
        let mut promises = dispatcher::promises(device);
        let channels = device.channels.iter();
        channels
            .filter_map(|channel| Some((*channel, promises.remove(&*self.program[*channel].name)?)))
            .collect()
    }

    fn client(&self) -> (AsyncClient, EventLoop) {
        let name = &self.program[self.device].name;
        let broker = Broker::tcp(self.link.broker.ip().to_string(), self.link.broker.port());
        let mut options = MqttOptions::new(format!("simulated-{name}"), broker);
        options.set_keep_alive(30);
        options.set_credentials(users::name_for(name), self.link.password.clone());
        if let Some(topic) = self.availability() {
            options.set_last_will(LastWill::new(
                topic,
                self.presence().1,
                QoS::AtLeastOnce,
                true,
            ));
        }
        let builder = AsyncClient::builder(options);
        let (client, mut events) = builder.capacity(WAITING_MESSAGES_MAX).build();
        let mut network = events.network_options();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        (client, events)
    }

    fn handle(&mut self, client: &AsyncClient, event: Mqtt) {
        match event {
            Mqtt::Incoming(Incoming::ConnAck(_)) => self.arrive(client),
            Mqtt::Incoming(Incoming::Publish(message)) if !message.payload.is_empty() => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                self.obey(client, &topic, &message.payload);
            }
            _ => {}
        }
    }

    /// Does what a message says; what it says is on for a time ends without being told again.
    fn obey(&mut self, client: &AsyncClient, topic: &str, told: &[u8]) {
        if self.is_foreign() {
            foreign::take_target(&self.program, topic, told, &mut self.state);
            self.publish_all(client);
            return;
        }
        let about =
            |channel: &ChannelIx, leaf| self.topic(*channel, leaf).as_deref() == Some(topic);
        let mut channels = self.state.keys().copied();
        let found = channels.find_map(|channel| {
            let leaf = TOLD.into_iter().find(|leaf| about(&channel, leaf))?;
            Some((channel, leaf))
        });
        let Some((channel, leaf)) = found else {
            return;
        };
        let state = self.state.entry(channel).or_default();
        if leaf == COMMAND {
            payload::take_command(&self.program, channel, told, state);
        } else {
            payload::take_target(&self.program, channel, told, state);
            match payload::bound(told) {
                Some(span) => self.ends.insert(channel, Instant::now() + span),
                None => self.ends.remove(&channel),
            };
        }
        self.publish_state(client, channel);
    }

    /// Switches off what was on for its time.
    fn end(&mut self, client: &AsyncClient) {
        let now = Instant::now();
        let over: Vec<ChannelIx> = self
            .ends
            .iter()
            .filter(|(_, ends)| **ends <= now)
            .map(|(channel, _)| *channel)
            .collect();
        for channel in over {
            self.ends.remove(&channel);
            if let Some(on) = self.program.on(channel)
                && let Some(state) = self.state.get_mut(&channel)
                && let Some((_, value)) = state.iter_mut().find(|(slot, _)| *slot == on)
            {
                *value = Value::Bool(false);
                self.publish_state(client, channel);
            }
        }
    }

    /// What a module does first: says that it is there, takes its targets, reports how it is.
    fn arrive(&mut self, client: &AsyncClient) {
        if let Some(topic) = self.availability() {
            send(client, topic, self.presence().0.to_owned(), true);
        }
        subscribe(client, self.told_on());
        self.publish_all(client);
    }

    /// Topics on which it is told something.
    fn told_on(&self) -> BTreeSet<String> {
        let channels = self.state.keys().copied();
        let listens = channels.filter(|channel| {
            let row = &self.program[*channel];
            row.consumer || !row.commands.is_empty()
        });
        let mut topics = BTreeSet::new();
        for channel in listens {
            topics.extend(
                TOLD.into_iter()
                    .filter_map(|leaf| self.topic(channel, leaf)),
            );
            let codec = self.program[channel].codec.iter();
            topics.extend(
                codec
                    .flat_map(Codec::told_on)
                    .map(|topic| topic.to_string()),
            );
        }
        topics
    }

    fn say(&mut self, client: &AsyncClient, says: Says) {
        match says {
            Says::Event { event, fields } => self.report(client, event, &fields),
            Says::State { channel, fields } => {
                let state = self.state.entry(channel).or_default();
                for (slot, value) in fields {
                    payload::write(state, slot, value);
                }
                self.publish_state(client, channel);
            }
        }
    }

    fn report(&mut self, client: &AsyncClient, event: EventIx, fields: &[Value]) {
        let row = &self.program[event];
        let Some(channel) = row.channel else { return };
        let state = self.topic(channel, "state");
        // A device of another make that has one topic says once how it is, and the event follows from that.
        let is_state = self.is_foreign() && self.says_by_state(channel, event);
        let topic = self.topic(channel, "event");
        if let Some(topic) = topic.filter(|topic| !is_state || state.as_ref() != Some(topic)) {
            let text = payload::event(&self.program, event, fields);
            send(client, topic, text, false);
        }
        let mut changed = false;
        for carried in &row.carries {
            let value = match &carried.value {
                CarriedValue::Const(value) => Some(value.clone()),
                CarriedValue::Field(place) => fields.get(usize::from(*place)).cloned(),
            };
            if let Some(value) = value {
                let state = self.state.entry(channel).or_default();
                payload::write(state, carried.slot, value);
                changed = true;
            }
        }
        if changed {
            self.publish_state(client, channel);
        }
    }

    /// Whether how a channel is says all that the event does.
    fn says_by_state(&self, channel: ChannelIx, event: EventIx) -> bool {
        let (program, row) = (&self.program, &self.program[event]);
        let mut fields = row.fields.iter();
        program[channel].derives_events
            && !row.carries.is_empty()
            && fields.all(|field| program.slot(channel, &field.name).is_some())
    }

    fn publish_state(&self, client: &AsyncClient, channel: ChannelIx) {
        if let Carrier::Foreign(foreign) = &self.program[self.device].carrier {
            let own = foreign::said_on(&self.program, foreign, channel);
            let reports = foreign::reports(&self.program, foreign, &self.state);
            for (topic, text) in reports {
                if own.contains(&&*topic) {
                    send(client, topic, text, true);
                }
            }
            return;
        }
        let known = self.state.get(&channel).filter(|state| !state.is_empty());
        if let (Some(state), Some(topic)) = (known, self.topic(channel, "state")) {
            send(client, topic, payload::state(&self.program, state), true);
        }
    }

    fn publish_all(&self, client: &AsyncClient) {
        // Channels of another make may share their messages.
        if let Carrier::Foreign(foreign) = &self.program[self.device].carrier {
            for (topic, text) in foreign::reports(&self.program, foreign, &self.state) {
                send(client, topic, text, true);
            }
            return;
        }
        for channel in self.state.keys() {
            self.publish_state(client, *channel);
        }
    }

    fn is_foreign(&self) -> bool {
        matches!(self.program[self.device].carrier, Carrier::Foreign(_))
    }

    async fn leave(&self, client: &AsyncClient, events: &mut EventLoop) {
        if client.disconnect().await.is_ok() {
            while events.poll().await.is_ok() {}
        }
    }

    fn availability(&self) -> Option<String> {
        availability(&self.program[self.device])
    }

    /// How it says that it is there, and that it is gone.
    fn presence(&self) -> (&'static str, &'static str) {
        presence(&self.program[self.device].carrier)
    }

    fn topic(&self, channel: ChannelIx, what: &str) -> Option<String> {
        let device = &self.program[self.device];
        match &device.carrier {
            Carrier::Foreign(foreign) => match what {
                TARGET | COMMAND => {
                    let codec = self.program[channel].codec.as_ref();
                    let own = codec.and_then(|codec| codec.told_on().next());
                    own.or(foreign.target.as_ref())
                        .map(|topic| topic.to_string())
                }
                "state" => {
                    let topics = foreign::said_on(&self.program, foreign, channel);
                    topics.first().map(|topic| (*topic).to_owned())
                }
                _ => {
                    let codec = self.program[channel].codec.as_ref();
                    let own = codec.and_then(|codec| codec.event.as_ref());
                    own.or(foreign.event.as_ref())
                        .map(|topic| topic.to_string())
                }
            },
            Carrier::Own | Carrier::Virtual => Some(format!(
                "iot/{}/{}/{what}",
                device.name, self.program[channel].name
            )),
        }
    }
}

/// Waits until then; without a time for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Whether a module of the one device can be that of the other without connecting anew: its login and its last will are the same.
pub(super) fn is_reached_alike(was: (&Program, DeviceIx), is: (&Program, DeviceIx)) -> bool {
    let (was, is) = (&was.0[was.1], &is.0[is.1]);
    was.name == is.name
        && availability(was) == availability(is)
        && presence(&was.carrier) == presence(&is.carrier)
}

/// Where a device says whether it is there; a virtual one always is.
fn availability(device: &Device) -> Option<String> {
    match &device.carrier {
        Carrier::Foreign(foreign) => foreign.availability.as_deref().map(str::to_owned),
        Carrier::Own => Some(format!("iot/{}/availability", device.name)),
        Carrier::Virtual => None,
    }
}

/// How such a device says that it is there, and that it is gone.
fn presence(carrier: &Carrier) -> (&'static str, &'static str) {
    match carrier {
        Carrier::Foreign(Foreign {
            preset: Some((preset, _)),
            ..
        }) => match preset {
            Preset::Homie => ("ready", "lost"),
            Preset::Shelly | Preset::ShellyGen1 => ("true", "false"),
            Preset::Tasmota => ("Online", "Offline"),
            Preset::Zigbee2Mqtt | Preset::EspHome => ("online", "offline"),
        },
        _ => ("online", "offline"),
    }
}

fn subscribe(client: &AsyncClient, topics: impl IntoIterator<Item = String>) {
    for topic in topics {
        if let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce) {
            tracing::debug!(%error, "a simulated module can't subscribe");
        }
    }
}

/// Never waits: the task that would empty the queue is the one that fills it.
fn send(client: &AsyncClient, topic: String, payload: String, retain: bool) {
    let mut options = PublishOptions::new(QoS::AtLeastOnce);
    if retain {
        options = options.retain(true);
    }
    if let Err(error) = client.try_publish(topic, payload, options) {
        tracing::debug!(%error, "a simulated module can't publish");
    }
}
