//! One simulated module: connects as a plain module would, plays its outputs, reports its events.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use mapping::{
    Program,
    program::{CarriedValue, Carrier, ChannelIx, DeviceIx, SlotIx},
};
use rumqttc::{
    AsyncClient, Broker, Event as Mqtt, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions,
    QoS,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval},
};
use types::Value;

use super::{Event, payload};

/// Pause before a module that lost its connection tries again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Messages that may wait between a module and its own socket.
const WAITING_MESSAGES_MAX: usize = 256;

/// How to reach the broker.
pub(super) struct Link {
    pub(super) broker: SocketAddr,
    pub(super) password: String,
}

pub(super) struct Module {
    program: Arc<Program>,
    device: DeviceIx,
    link: Link,
    presses: mpsc::Receiver<Event>,
    state: BTreeMap<ChannelIx, Vec<(SlotIx, Value)>>,
    /// What is on for a time, and until when.
    ends: BTreeMap<ChannelIx, Instant>,
}

impl Module {
    pub(super) fn new(
        program: Arc<Program>,
        device: DeviceIx,
        link: Link,
        presses: mpsc::Receiver<Event>,
    ) -> Self {
        let mut state = BTreeMap::new();
        for channel in &program[device].channels {
            let row = &program[*channel];
            let first = row.slots.iter().filter_map(|slot| {
                let field = &program[*slot];
                Some((
                    *slot,
                    payload::first_state(&row.kind, &field.name, &field.ty)?,
                ))
            });
            state.insert(*channel, first.collect::<Vec<_>>());
        }
        Self {
            program,
            device,
            link,
            presses,
            state,
            ends: BTreeMap::new(),
        }
    }

    /// Runs until nobody can ask it for events any more.
    pub(super) async fn run(mut self) {
        let promised = dispatcher::report_every(&self.program[self.device]);
        loop {
            let (client, mut events) = self.client();
            let mut report = promised.map(tokio::time::interval);
            loop {
                let ends = self.ends.values().min().copied();
                tokio::select! {
                    () = until(ends) => self.end(&client),
                    press = self.presses.recv() => match press {
                        Some(press) => self.report(&client, &press),
                        None => {
                            self.leave(&client, &mut events).await;
                            return;
                        }
                    },
                    event = events.poll() => match event {
                        Ok(event) => self.handle(&client, event),
                        Err(_) => break,
                    },
                    () = due(report.as_mut()) => self.report_all(&client),
                }
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    fn client(&self) -> (AsyncClient, EventLoop) {
        let name = &self.program[self.device].name;
        let broker = Broker::tcp(self.link.broker.ip().to_string(), self.link.broker.port());
        let mut options = MqttOptions::new(format!("simulated-{name}"), broker);
        options.set_keep_alive(30);
        options.set_credentials(name.to_string(), self.link.password.clone());
        if let Some(topic) = self.availability() {
            options.set_last_will(LastWill::new(topic, "offline", QoS::AtLeastOnce, true));
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
            Mqtt::Incoming(Incoming::Publish(message)) => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                let consumer = self
                    .state
                    .keys()
                    .copied()
                    .find(|channel| self.topic(*channel, "target").as_deref() == Some(&*topic));
                if let (Some(channel), false) = (consumer, message.payload.is_empty()) {
                    self.obey(channel, &message.payload);
                    self.publish_state(client, channel);
                }
            }
            _ => {}
        }
    }

    /// Does what a target says; what it says is on for a time ends without being told again.
    fn obey(&mut self, channel: ChannelIx, target: &[u8]) {
        let state = self.state.entry(channel).or_default();
        payload::take_target(&self.program, &self.program[channel], target, state);
        match payload::bound(target) {
            Some(span) => self.ends.insert(channel, Instant::now() + span),
            None => self.ends.remove(&channel),
        };
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
            send(client, topic, "online".to_owned(), true);
        }
        let channels: Vec<ChannelIx> = self.state.keys().copied().collect();
        for channel in channels {
            if self.program[channel].consumer
                && let Some(topic) = self.topic(channel, "target")
                && let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce)
            {
                tracing::debug!(%error, "a simulated module can't subscribe");
            }
            self.publish_state(client, channel);
        }
    }

    fn report(&mut self, client: &AsyncClient, press: &Event) {
        let row = &self.program[press.event];
        let Some(channel) = row.channel else { return };
        if let Some(topic) = self.topic(channel, "event") {
            send(client, topic, payload::event(&self.program, press), false);
        }
        let mut changed = false;
        for carried in &row.carries {
            let value = match &carried.value {
                CarriedValue::Const(value) => Some(value.clone()),
                CarriedValue::Field(place) => press.fields.get(usize::from(*place)).cloned(),
            };
            if let Some(value) = value {
                let state = self.state.entry(channel).or_default();
                state.retain(|(slot, _)| *slot != carried.slot);
                state.push((carried.slot, value));
                state.sort_by_key(|(slot, _)| *slot);
                changed = true;
            }
        }
        if changed {
            self.publish_state(client, channel);
        }
    }

    fn publish_state(&self, client: &AsyncClient, channel: ChannelIx) {
        let state = self
            .state
            .get(&channel)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if state.is_empty() {
            return;
        }
        if let Some(topic) = self.topic(channel, "state") {
            let text = payload::state(&self.program, &self.program[channel], state);
            send(client, topic, text, true);
        }
    }

    fn report_all(&self, client: &AsyncClient) {
        for channel in self.state.keys() {
            self.publish_state(client, *channel);
        }
    }

    async fn leave(&self, client: &AsyncClient, events: &mut EventLoop) {
        if client.disconnect().await.is_ok() {
            while events.poll().await.is_ok() {}
        }
    }

    fn availability(&self) -> Option<String> {
        let device = &self.program[self.device];
        match &device.carrier {
            Carrier::Foreign(foreign) => foreign.availability.as_deref().map(str::to_owned),
            Carrier::Own | Carrier::Virtual => Some(format!("iot/{}/availability", device.name)),
        }
    }

    fn topic(&self, channel: ChannelIx, what: &str) -> Option<String> {
        let device = &self.program[self.device];
        match &device.carrier {
            Carrier::Foreign(foreign) => match what {
                "target" => foreign.target.as_deref().map(str::to_owned),
                "state" => foreign.state.as_deref().map(str::to_owned),
                _ => foreign.event.as_deref().map(str::to_owned),
            },
            Carrier::Own | Carrier::Virtual => Some(format!(
                "iot/{}/{}/{what}",
                device.name, self.program[channel].name
            )),
        }
    }
}

/// The next time something was promised; never where nothing was.
async fn due(promised: Option<&mut Interval>) {
    match promised {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Waits until then; without a time for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
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
