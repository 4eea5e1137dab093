//! The house of these tests, and a rig around its dispatcher that does what the binary does.

use std::{sync::Arc, time::Duration};

use dispatcher::{
    Admitted, Blocklist, Conduct, Config, Dispatcher, Effects, Input, LastWill, Mark, Message,
    Outputs, Publisher, Refusal, Send, Token,
};
use engine::Disposition;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, SlotIx},
};
use types::{Instant, Now, UnixTime, Value};

pub(crate) const HOUSE: &str = r#"
format = 1

[home]
timezone = "Europe/Berlin"
latitude = 52.52
longitude = 13.40

[device.piano]
id = 17
io.keys = { kind = "keyboard" }

[device.hall]
id = 21
io.lamp   = { kind = "dimmer" }
io.motion = { kind = "motion" }
io.lux    = { kind = "lux", report_every = "10s" }

[device.living]
id = 24
io.blind  = { kind = "cover" }
io.heater = { kind = "switch", enforce = true }
io.bell   = { kind = "buzzer" }
io.radio  = { kind = "switch", deliver = "now" }

[device.phones]
id = 30
virtual = true
io.anna = { kind = "presence" }

[device.sensor]
id = 31
mqtt = { state = "z2m/sensor", event = "z2m/sensor", availability = "z2m/sensor/availability" }
io.motion = { kind = "motion", from = "occupancy" }
io.temp   = { kind = "temperature", from = "/climate/temperature" }
io.button = { kind = "button", event_from = "action", events = { single = "press" } }

[device.old_lamp]
id = 32
mqtt = { state = "old/lamp/state", target = "old/lamp/set", availability = "old/lamp/lwt" }
io.lamp = { kind = "switch", on = "ON", off = "OFF" }

[device.deaf_lamp]
id = 33
mqtt = { target = "deaf/lamp/set" }
io.lamp = { kind = "switch", from = "power", on = "ON", off = "OFF" }
"#;

pub(crate) const RULES: &str = r#"
[rule.middle-c]
when = "piano.keys.press"
if   = "event.key == 60"
do   = "hall.lamp.on"

[rule.low]
when = "piano.keys.press"
if   = "event.key < 40"
do   = "hall.lamp.off"

[rule.bright]
when = "piano.keys.press"
if   = "event.key >= 72"
do   = { set = "hall.lamp", brightness = "${event.velocity * 100 / 127}" }

[rule.ring]
when = "piano.keys.press"
if   = "event.key == 61"
do   = "living.bell.beep"

[rule.radio]
when = "piano.keys.press"
if   = "event.key == 62"
do   = "living.radio.on"

[rule.old]
when = ["sensor.motion.start", "sensor.button.press"]
do   = ["old_lamp.lamp.on", "deaf_lamp.lamp.on", { start = "old-off", for = "5m" }]

[rule.old-off]
when = { timer = "old-off" }
do   = "old_lamp.lamp.off"

[rule.deaf-follows]
when = { holds = "state.deaf_lamp.lamp" }
do   = { notify = "all", text = "the deaf lamp is on" }

[rule.warm]
when = { holds = "state.sensor.temp < 19", for = "1m" }
do   = "living.heater.on"

[rule.lost]
when = "*.offline"
do   = { notify = "all", text = "${event.device} went offline." }
"#;

/// A program from one text; panics with the complaints where it does not check.
pub(crate) fn program(text: &str) -> Arc<Program> {
    let loaded = mapping::load_texts(vec![("mapping.toml".to_owned(), text.to_owned())]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    loaded.program.unwrap_or_else(|| panic!("{complaints}"))
}

/// The usual house.
pub(crate) fn usual() -> Arc<Program> {
    program(&format!("{HOUSE}{RULES}"))
}

pub(crate) fn start() -> Now {
    Now {
        at: Instant(1_000_000),
        // 2026-03-02 12:00 in Berlin, a Monday.
        wall: UnixTime(1_772_449_200_000_000),
        synced: true,
    }
}

/// A dispatcher that goes by this.
pub(crate) fn going_by(conduct: Conduct) -> Config {
    Config {
        conduct,
        ..Config::default()
    }
}

/// A dispatcher and what the binary does with it.
pub(crate) struct Rig {
    pub(crate) program: Arc<Program>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) now: Now,
    /// What was journalled, as bytes.
    pub(crate) journal: Vec<(Now, Vec<u8>)>,
    /// The hash of what each of these put out.
    pub(crate) hashes: Vec<u64>,
    /// What consumers can acknowledge.
    pub(crate) tokens: Vec<Token>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::of(usual(), Config::default())
    }

    pub(crate) fn of(program: Arc<Program>, config: Config) -> Self {
        let now = start();
        let dispatcher = Dispatcher::new(Arc::clone(&program), config, Blocklist::default(), now);
        Self {
            program,
            dispatcher,
            now,
            journal: Vec::new(),
            hashes: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Every own and foreign device has a session, and what that leads to is over.
    pub(crate) fn awake() -> Self {
        let mut rig = Self::new();
        for device in ["piano", "hall", "living", "sensor", "old_lamp", "deaf_lamp"] {
            rig.connect(device);
        }
        rig.pass(Duration::from_secs(10));
        rig
    }

    pub(crate) fn device(&self, name: &str) -> DeviceIx {
        self.program.device(name).unwrap()
    }

    pub(crate) fn channel(&self, path: &str) -> ChannelIx {
        self.program.channel_by_path(path).unwrap()
    }

    pub(crate) fn slot(&self, path: &str, field: &str) -> SlotIx {
        self.program.slot(self.channel(path), field).unwrap()
    }

    pub(crate) fn target(&self, path: &str, field: &str) -> Option<Value> {
        let slot = self.slot(path, field);
        self.dispatcher.engine().target(slot).cloned()
    }

    pub(crate) fn reported(&self, path: &str, field: &str) -> Option<Value> {
        let slot = self.slot(path, field);
        self.dispatcher.engine().reported(slot).cloned()
    }

    pub(crate) fn admit(
        &mut self,
        from: &Publisher,
        topic: &str,
        payload: &str,
    ) -> Result<Admitted, Refusal> {
        let message = Message {
            topic,
            payload: payload.as_bytes(),
            retain: false,
            will: None,
        };
        self.dispatcher.admit(self.now, from, &message)
    }

    /// A device says something that is taken.
    pub(crate) fn says(&mut self, device: &str, topic: &str, payload: &str) -> Effects {
        let from = Publisher::Device(self.device(device));
        self.publish(&from, topic, payload)
    }

    pub(crate) fn publish(&mut self, from: &Publisher, topic: &str, payload: &str) -> Effects {
        let admitted = self.admit(from, topic, payload);
        let admitted = admitted.unwrap_or_else(|refusal| panic!("{refusal}"));
        let mut effects = Effects::default();
        if let Some(input) = admitted.input {
            self.take(input, &mut effects);
        }
        effects
    }

    /// A person asks for something.
    pub(crate) fn asks(&mut self, topic: &str, payload: &str) -> Effects {
        self.publish(&Publisher::Person("anna".into()), topic, payload)
    }

    pub(crate) fn press(&mut self, key: u32) -> Effects {
        let payload = format!(r#"{{"event":"press","key":{key},"velocity":64}}"#);
        self.says("piano", "iot/piano/keys/event", &payload)
    }

    /// Journals and applies: the record must say the same as the input.
    pub(crate) fn take(&mut self, input: Input, effects: &mut Effects) {
        let mut bytes = Vec::new();
        input.encode(&self.program, &mut bytes);
        assert_eq!(
            Input::decode(&self.program, &bytes).as_ref(),
            Ok(&input),
            "a record reads as it was written"
        );
        self.journal.push((self.now, bytes));
        let before = Mark::of(effects);
        self.dispatcher.apply(self.now, input, effects);
        self.note_hash(effects, before);
    }

    /// What the input that was journalled last put out.
    pub(crate) fn note_hash(&mut self, effects: &Effects, before: Mark) {
        let mut outputs = Outputs::default();
        outputs.take(effects, before);
        self.hashes.push(outputs.finish());
        let new = effects.sends.iter().filter_map(|send| send.token);
        self.tokens.extend(new);
    }

    pub(crate) fn connect(&mut self, device: &str) -> Effects {
        let mut effects = Effects::default();
        let ix = self.device(device);
        if let Some(input) = self.dispatcher.connected(self.now, ix, &mut effects) {
            self.take(input, &mut effects);
        }
        effects
    }

    pub(crate) fn disconnect(&mut self, device: &str) -> Effects {
        let mut effects = Effects::default();
        let ix = self.device(device);
        if let Some(input) = self.dispatcher.disconnected(ix, LastWill::None) {
            self.take(input, &mut effects);
        }
        effects
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, span: Duration) -> Effects {
        let until = self.now.after(span);
        let mut effects = Effects::default();
        while let Some(at) = self.dispatcher.next_deadline(self.now) {
            if at > until.at {
                break;
            }
            self.now = self.now.after(at.since(self.now.at));
            while let Some(input) = self.dispatcher.due(self.now) {
                self.take(input, &mut effects);
            }
            self.dispatcher.tick(self.now, &mut effects);
        }
        self.now = until;
        effects
    }

    /// The consumer acknowledges everything that was sent to it.
    pub(crate) fn acknowledge(&mut self, device: &str, effects: &Effects) {
        let device = self.device(device);
        for token in effects.sends.iter().filter_map(|send| send.token) {
            let _ = self.dispatcher.delivered(device, token);
        }
    }
}

/// What became of each wish, in order.
pub(crate) fn dispositions(effects: &Effects) -> Vec<Disposition> {
    let decisions = effects.engine.decisions.iter();
    decisions
        .flat_map(|d| d.sent.iter().map(|sent| sent.disposition))
        .collect()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `topic payload` of each message, in order.
pub(crate) fn sent(effects: &Effects) -> Vec<String> {
    effects.sends.iter().map(line).collect()
}

/// As [`sent`], of what consumers were told and nothing else.
pub(crate) fn orders(effects: &Effects) -> Vec<String> {
    let sends = effects.sends.iter();
    sends
        .filter(|send| send.token.is_some())
        .map(line)
        .collect()
}

fn line(send: &Send) -> String {
    let payload = String::from_utf8_lossy(&send.payload);
    format!("{} {payload}", send.topic)
}
