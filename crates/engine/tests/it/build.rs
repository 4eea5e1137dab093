//! A small house, built by hand, and rules for it in a few words. The expressions are compiled by the
//! mapping's own front end.

use std::{ops::Range, sync::Arc, time::Duration};

use mapping::{
    expr::{self, Scope},
    program::{
        Action, AfterDowntime, Carried, CarriedValue, Carrier, Channel, ChannelIx, Command,
        CommandEffect, Condition, Cron, Days, Deliver, Device, DeviceIx, Event, EventIx, Field,
        GestureKind, Home, LimitRate, Mode, Operand, Origin, Program, Rule, RuleIx, SequenceStep,
        Slot, SlotIx, StepEvent, SunEvent, Timer, TimerIx, Trigger, Var, VarIx,
    },
    source::Span,
};
use types::{DeviceId, Type, Value};

const PERCENT: Type = Type::Int {
    min: 1.0,
    max: 100.0,
};

/// The house of these tests, with `rules`.
pub(crate) fn house(rules: &[R]) -> Arc<Program> {
    let mut b = Builder::default();
    b.program.home = Home {
        timezone: Some("Europe/Berlin".into()),
        latitude: Some(52.52),
        longitude: Some(13.40),
    };
    b.device("desk");
    b.button("button");
    b.dimmer("lamp", "dimmer");
    b.device("hall");
    b.dimmer("lamp", "dimmer");
    b.switch("fan");
    b.motion("motion");
    b.sensor("lux", None);
    b.device("piano");
    b.keys("keys");
    b.device("living");
    b.dimmer("strip", "light");
    b.sensor("temp", Some(300));
    b.switch("heater");
    b.cover("blind");
    b.device("door");
    b.contact("contact");
    b.device("mode");
    b.program.devices[5].carrier = Carrier::Virtual;
    b.program.devices[5].id = DeviceId(0);
    b.button("evening");
    b.keys("keys");
    b.contact("away");
    let lamps = ["desk.lamp", "hall.lamp"].map(|path| {
        let lamp = b.program.channel_by_path(path);
        lamp.expect("a lamp")
    });
    b.program.names.groups.insert("lamps".into(), lamps.into());
    b.var("night", Type::Bool, false.into(), true);
    b.var(
        "level",
        Type::Int {
            min: 0.0,
            max: 100.0,
        },
        0.0.into(),
        true,
    );
    b.var("mood", Type::Text, "calm".into(), false);
    for name in ["t", "u", "v"] {
        let ix = TimerIx(b.program.timers.len() as u32);
        b.program.timers.push(Timer { name: name.into() });
        b.program.names.timers.insert(name.into(), ix);
    }
    for (line, rule) in (1..).zip(rules) {
        b.rule(rule, line);
    }
    Arc::new(b.program)
}

/// A rule in a few words.
#[derive(Clone, Debug)]
pub(crate) struct R {
    pub(crate) name: String,
    pub(crate) when: Vec<W>,
    pub(crate) cond: Option<String>,
    pub(crate) acts: Vec<A>,
    pub(crate) limit: Option<LimitRate>,
    pub(crate) after: AfterDowntime,
    pub(crate) mode: Mode,
    pub(crate) enabled: bool,
}

/// A trigger.
#[derive(Clone, Debug)]
pub(crate) enum W {
    Event(String),
    Gesture(GestureKind, u64, u64),
    Chord(Vec<f64>, u64),
    Holds(String, u64),
    Timer(String),
    At(u32, Days),
    /// Steps and milliseconds.
    Sequence(Vec<Step>, u64),
    Cron(String),
    Sun(SunEvent, i64),
}

/// A step of a sequence: its event, number fields that it must have, a condition.
pub(crate) type Step = (String, Vec<(String, f64)>, Option<String>);

/// An action.
#[derive(Clone, Debug)]
pub(crate) enum A {
    Cmd(String),
    Set(String, Vec<(String, String)>),
    Start(String, u64),
    Stop(String),
    Var(String, String),
    Notify(String),
    Emit(String, Vec<String>),
    Wait(u64),
    OnFor(String, u64),
    Hold(String, u64),
}

pub(crate) fn rule(name: &str) -> R {
    R {
        name: name.to_owned(),
        when: Vec::new(),
        cond: None,
        acts: Vec::new(),
        limit: None,
        after: AfterDowntime::Resume,
        mode: Mode::Restart,
        enabled: true,
    }
}

impl R {
    fn when(mut self, when: W) -> Self {
        self.when.push(when);
        self
    }
    fn act(mut self, act: A) -> Self {
        self.acts.push(act);
        self
    }
    pub(crate) fn on(self, event: &str) -> Self {
        self.when(W::Event(event.into()))
    }
    /// A gesture on `desk.button`; times in milliseconds.
    pub(crate) fn gesture(self, kind: GestureKind, hold_ms: u64, within_ms: u64) -> Self {
        self.when(W::Gesture(kind, hold_ms, within_ms))
    }
    pub(crate) fn chord(self, keys: &[f64], within_ms: u64) -> Self {
        self.when(W::Chord(keys.to_vec(), within_ms))
    }
    pub(crate) fn holds(self, text: &str, seconds: u64) -> Self {
        self.when(W::Holds(text.into(), seconds))
    }
    pub(crate) fn timer(self, name: &str) -> Self {
        self.when(W::Timer(name.into()))
    }
    pub(crate) fn at(self, hour: u32, minute: u32, days: Days) -> Self {
        self.when(W::At(hour * 3_600 + minute * 60, days))
    }
    /// Keys of the piano, one after the other.
    pub(crate) fn melody(self, keys: &[f64], within_ms: u64) -> Self {
        let step = |key: &f64| {
            let wanted = vec![("key".to_owned(), *key)];
            ("piano.keys.press".to_owned(), wanted, None)
        };
        self.when(W::Sequence(keys.iter().map(step).collect(), within_ms))
    }
    /// Events, each with a condition or an empty text.
    pub(crate) fn sequence(self, steps: &[(&str, &str)], within_ms: u64) -> Self {
        let step = |(path, condition): &(&str, &str)| {
            let condition = Some((*condition).to_owned()).filter(|text| !text.is_empty());
            ((*path).to_owned(), Vec::new(), condition)
        };
        self.when(W::Sequence(steps.iter().map(step).collect(), within_ms))
    }
    pub(crate) fn cron(self, text: &str) -> Self {
        self.when(W::Cron(text.into()))
    }
    pub(crate) fn sun(self, event: SunEvent, offset_s: i64) -> Self {
        self.when(W::Sun(event, offset_s))
    }
    pub(crate) fn cond(mut self, text: &str) -> Self {
        self.cond = Some(text.into());
        self
    }
    pub(crate) fn limit(mut self, count: u32, seconds: u64) -> Self {
        self.limit = Some(LimitRate {
            count,
            per: Duration::from_secs(seconds),
        });
        self
    }
    pub(crate) fn after(mut self, after: AfterDowntime) -> Self {
        self.after = after;
        self
    }
    pub(crate) fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
    pub(crate) fn wait(self, seconds: u64) -> Self {
        self.act(A::Wait(seconds))
    }
    pub(crate) fn on_for(self, channel: &str, seconds: u64) -> Self {
        self.act(A::OnFor(channel.into(), seconds))
    }
    pub(crate) fn hold(self, channel: &str, seconds: u64) -> Self {
        self.act(A::Hold(channel.into(), seconds))
    }
    pub(crate) fn cmd(self, text: &str) -> Self {
        self.act(A::Cmd(text.into()))
    }
    pub(crate) fn set(self, channel: &str, fields: &[(&str, &str)]) -> Self {
        let fields = fields
            .iter()
            .map(|(f, v)| ((*f).to_owned(), (*v).to_owned()));
        self.act(A::Set(channel.into(), fields.collect()))
    }
    pub(crate) fn start(self, timer: &str, seconds: u64) -> Self {
        self.act(A::Start(timer.into(), seconds))
    }
    pub(crate) fn stop(self, timer: &str) -> Self {
        self.act(A::Stop(timer.into()))
    }
    pub(crate) fn var(self, var: &str, to: &str) -> Self {
        self.act(A::Var(var.into(), to.into()))
    }
    /// An event of the virtual device `mode`, with its fields in their order.
    pub(crate) fn emit(self, event: &str, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|value| (*value).to_owned());
        self.act(A::Emit(event.into(), fields.collect()))
    }
    pub(crate) fn notify(self, text: &str) -> Self {
        self.act(A::Notify(text.into()))
    }
}

#[derive(Default)]
struct Builder {
    program: Program,
}

impl Builder {
    fn device(&mut self, name: &str) {
        let ix = DeviceIx(self.program.devices.len() as u32);
        let text = |name: &str| Field {
            name: name.into(),
            ty: Type::Text,
            default: None,
        };
        let event = |this: &mut Self, name: &str, fields: Vec<Field>| {
            this.program.events.push(Event {
                device: ix,
                channel: None,
                name: name.into(),
                fields,
                carries: Vec::new(),
            });
            EventIx(this.program.events.len() as u32 - 1)
        };
        let online = event(self, "online", vec![text("device"), text("last_seen")]);
        let offline = event(self, "offline", vec![text("device"), text("last_seen")]);
        self.program.devices.push(Device {
            name: name.into(),
            id: DeviceId(ix.0 as u16 + 1),
            board: None,
            room: None,
            carrier: Carrier::Own,
            channels: Vec::new(),
            online,
            offline,
            role: "{}".into(),
            origin: Origin::default(),
        });
        self.program.names.devices.insert(name.into(), ix);
    }

    fn channel(&mut self, name: &str, kind: &str) -> ChannelIx {
        let device = DeviceIx(self.program.devices.len() as u32 - 1);
        let ix = ChannelIx(self.program.channels.len() as u32);
        self.program.channels.push(Channel {
            name: name.into(),
            device,
            kind: kind.into(),
            consumer: false,
            slots: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            stale_after: None,
            deliver: Deliver::Latest,
            enforce: false,
            codec: None,
            derives_events: false,
        });
        self.program.devices[device.index()].channels.push(ix);
        ix
    }

    fn row(&mut self, channel: ChannelIx) -> &mut Channel {
        &mut self.program.channels[channel.index()]
    }

    fn slot(&mut self, channel: ChannelIx, name: &str, ty: Type, settable: bool) -> SlotIx {
        let ix = SlotIx(self.program.slots.len() as u32);
        self.program.slots.push(Slot {
            channel,
            name: name.into(),
            ty,
            settable,
        });
        self.row(channel).slots.push(ix);
        ix
    }

    fn event(
        &mut self,
        channel: ChannelIx,
        name: &str,
        fields: &[(&str, Type)],
        carries: Vec<(SlotIx, CarriedValue)>,
    ) -> EventIx {
        let ix = EventIx(self.program.events.len() as u32);
        let field = |(name, ty): &(&str, Type)| Field {
            name: (*name).into(),
            ty: ty.clone(),
            default: None,
        };
        let device = self.program.channels[channel.index()].device;
        self.program.events.push(Event {
            device,
            channel: Some(channel),
            name: name.into(),
            fields: fields.iter().map(field).collect(),
            carries: carries
                .into_iter()
                .map(|(slot, value)| Carried { slot, value })
                .collect(),
        });
        self.row(channel).events.push(ix);
        ix
    }

    fn command(&mut self, channel: ChannelIx, name: &str, effect: CommandEffect, step: bool) {
        let args = step.then(|| Field {
            name: "step".into(),
            ty: PERCENT,
            default: Some(10.0.into()),
        });
        self.row(channel).commands.push(Command {
            name: name.into(),
            args: args.into_iter().collect(),
            effect,
        });
    }

    fn on_off(&mut self, channel: ChannelIx) {
        self.row(channel).consumer = true;
        let on = self.slot(channel, "on", Type::Bool, true);
        let set = |value: bool| CommandEffect::Set(vec![(on, value.into())]);
        self.command(channel, "on", set(true), false);
        self.command(channel, "off", set(false), false);
        self.command(channel, "toggle", CommandEffect::Toggle(on), false);
    }

    fn switch(&mut self, name: &str) {
        let channel = self.channel(name, "switch");
        self.on_off(channel);
    }

    fn dimmer(&mut self, name: &str, kind: &str) {
        let channel = self.channel(name, kind);
        self.on_off(channel);
        let slot = self.slot(channel, "brightness", PERCENT, true);
        for (name, sign) in [("brighter", 1.0), ("dimmer", -1.0)] {
            self.command(channel, name, CommandEffect::Step { slot, sign }, true);
        }
        if kind == "light" {
            let int = |min, max| Type::Int { min, max };
            self.slot(channel, "hue", int(0.0, 359.0), true);
            self.slot(channel, "saturation", int(0.0, 100.0), true);
            self.slot(channel, "kelvin", int(1_500.0, 9_000.0), true);
        }
    }

    fn cover(&mut self, name: &str) {
        let channel = self.channel(name, "cover");
        self.row(channel).consumer = true;
        let position = Type::Int {
            min: 0.0,
            max: 100.0,
        };
        let position = self.slot(channel, "position", position, true);
        let words = ["stopped", "opening", "closing"].map(Arc::from);
        self.slot(channel, "moving", Type::Enum(words.into()), false);
        let set = |value: f64| CommandEffect::Set(vec![(position, value.into())]);
        self.command(channel, "open", set(100.0), false);
        self.command(channel, "close", set(0.0), false);
        self.command(channel, "stop", CommandEffect::Momentary, false);
    }

    fn button(&mut self, name: &str) {
        let channel = self.channel(name, "button");
        self.event(channel, "press", &[], Vec::new());
        self.event(channel, "release", &[], Vec::new());
    }

    fn keys(&mut self, name: &str) {
        let channel = self.channel(name, "midi");
        let key = || {
            (
                "key",
                Type::Int {
                    min: 0.0,
                    max: 127.0,
                },
            )
        };
        let velocity = (
            "velocity",
            Type::Int {
                min: 0.0,
                max: 127.0,
            },
        );
        self.event(channel, "press", &[key(), velocity], Vec::new());
        self.event(channel, "release", &[key()], Vec::new());
    }

    fn motion(&mut self, name: &str) {
        let channel = self.channel(name, "motion");
        let active = self.slot(channel, "active", Type::Bool, false);
        let says = |value: bool| vec![(active, CarriedValue::Const(value.into()))];
        self.event(channel, "start", &[], says(true));
        self.event(channel, "stop", &[], says(false));
    }

    fn contact(&mut self, name: &str) {
        let channel = self.channel(name, "contact");
        self.row(channel).derives_events = true;
        let words = ["open", "closed"].map(Arc::from);
        let contact = self.slot(channel, "contact", Type::Enum(words.into()), false);
        let says = |value: &str| vec![(contact, CarriedValue::Const(value.into()))];
        self.event(channel, "open", &[], says("open"));
        self.event(channel, "close", &[], says("closed"));
    }

    fn sensor(&mut self, name: &str, stale_after_s: Option<u64>) {
        let channel = self.channel(name, name);
        self.row(channel).derives_events = true;
        self.row(channel).stale_after = stale_after_s.map(Duration::from_secs);
        let any = Type::Number {
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
        };
        let slot = self.slot(channel, name, any.clone(), false);
        self.event(
            channel,
            "changed",
            &[(name, any)],
            vec![(slot, CarriedValue::Field(0))],
        );
    }

    fn var(&mut self, name: &str, ty: Type, start: Value, keep: bool) {
        let ix = VarIx(self.program.vars.len() as u32);
        self.program.vars.push(Var {
            name: name.into(),
            ty,
            start,
            keep,
        });
        self.program.names.vars.insert(name.into(), ix);
    }

    fn rule(&mut self, rule: &R, line: u32) {
        let events = rule.when.iter().filter_map(|when| match when {
            W::Event(path) => Some(event(&self.program, path)),
            _ => None,
        });
        let events: Vec<EventIx> = events.collect();
        let mut scope = Scope::new(&self.program, &events);
        let condition = rule.cond.as_deref().map(|text| check(text, &mut scope));
        let actions = rule
            .acts
            .iter()
            .map(|act| action(act, &mut scope))
            .collect();
        let used = scope.used_fields;
        let triggers = rule.when.iter().map(|when| self.trigger(when, &used));
        let row = Rule {
            name: rule.name.as_str().into(),
            origin: Origin {
                file: "rules.toml".into(),
                line,
            },
            enabled: rule.enabled,
            triggers: triggers.collect(),
            condition,
            actions,
            limit: rule.limit.map(Box::new),
            mode: rule.mode,
            after_downtime: Some(rule.after),
            fingerprint: fingerprint(rule),
        };
        let ix = RuleIx(self.program.rules.len() as u32);
        self.program.names.rules.insert(row.name.clone(), ix);
        self.program.rules.push(row);
    }

    fn trigger(&self, when: &W, used: &[Arc<str>]) -> Trigger {
        let program = &self.program;
        match when {
            W::Event(path) => {
                let event = event(program, path);
                let place = |name: &Arc<str>| {
                    let mut fields = program[event].fields.iter();
                    fields.position(|field| field.name == *name).expect("field") as u8
                };
                Trigger::Event {
                    event,
                    fields: used.iter().map(place).collect(),
                }
            }
            W::Gesture(kind, hold, within) => Trigger::Gesture {
                kind: *kind,
                channel: program.channel_by_path("desk.button").expect("the button"),
                hold: Duration::from_millis(*hold),
                within: Duration::from_millis(*within),
            },
            W::Chord(keys, within) => Trigger::Chord {
                event: event(program, "piano.keys.press"),
                field: 0,
                values: keys.iter().map(|key| Value::Number(*key)).collect(),
                within: Duration::from_millis(*within),
            },
            W::Holds(text, seconds) => Trigger::Holds {
                condition: Box::new(check(text, &mut Scope::new(program, &[]))),
                hold: Duration::from_secs(*seconds),
            },
            W::Timer(name) => Trigger::Timer(program.names.timers[name.as_str()]),
            W::At(second, days) => Trigger::At {
                second: *second,
                days: *days,
            },
            W::Sequence(steps, within) => Trigger::Sequence {
                steps: steps.iter().map(|step| self.step(step)).collect(),
                within: Duration::from_millis(*within),
            },
            W::Cron(text) => Trigger::Cron(Cron::parse(text).expect("a pattern")),
            W::Sun(event, offset_s) => Trigger::Sun {
                event: *event,
                offset_us: offset_s * 1_000_000,
            },
        }
    }
}

/// Another number for another rule.
fn fingerprint(rule: &R) -> u64 {
    let text = format!("{rule:?}");
    let mix = |number: u64, byte: u8| (number ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

impl Builder {
    fn step(&self, (path, wanted, condition): &Step) -> SequenceStep {
        let program = &self.program;
        let event = event(program, path);
        let place = |name: &str| {
            let mut fields = program[event].fields.iter();
            fields
                .position(|field| *field.name == *name)
                .expect("field") as u8
        };
        let events = [event];
        let mut scope = Scope::new(program, &events);
        let condition = condition.as_deref().map(|text| check(text, &mut scope));
        let used = scope.used_fields;
        let wanted = wanted
            .iter()
            .map(|(name, value)| (place(name), Value::Number(*value)));
        let named = StepEvent {
            event,
            wanted: wanted.collect(),
            fields: used.iter().map(|name| place(name)).collect(),
        };
        SequenceStep {
            events: [named].into(),
            condition,
        }
    }
}

fn nowhere(bytes: Range<usize>) -> Span {
    Span {
        bytes,
        ..Span::default()
    }
}

fn check(text: &str, scope: &mut Scope<'_>) -> Condition {
    Condition {
        expr: expr::condition(text, &nowhere, scope).unwrap_or_else(|e| panic!("{text}: {e:?}")),
        text: text.into(),
    }
}

fn operand(text: &str, ty: &Type, scope: &mut Scope<'_>) -> Operand {
    if let Some(hole) = expr::whole_hole(text) {
        let (expr, _) = expr::value(&text[hole], &nowhere, scope, Some(ty))
            .unwrap_or_else(|e| panic!("{text}: {e:?}"));
        return Operand::Expr(expr);
    }
    Operand::Const(value(text))
}

fn value(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse().map_or_else(|_| text.into(), Value::Number),
    }
}

fn action(act: &A, scope: &mut Scope<'_>) -> Action {
    let program = scope.program;
    match act {
        A::Cmd(text) => {
            let (path, name) = text.rsplit_once('.').expect("D.CH.command");
            let channel = program.channel_by_path(path).expect("a channel");
            let commands = &program[channel].commands;
            let command = commands.iter().position(|c| &*c.name == name);
            let command = command.unwrap_or_else(|| panic!("no {text}"));
            let args = commands[command].args.iter();
            Action::Command {
                channel,
                command: command as u8,
                args: args
                    .map(|arg| Operand::Const(arg.default.clone().expect("a default")))
                    .collect(),
            }
        }
        A::Set(path, fields) => {
            let channel = program.channel_by_path(path).expect("a channel");
            let field = |(name, text): &(String, String)| {
                let slot = program.slot(channel, name).expect("a field");
                (slot, operand(text, &program[slot].ty, scope))
            };
            Action::Set {
                channel,
                fields: fields.iter().map(field).collect(),
                fade: None,
                bound: None,
            }
        }
        A::Start(name, seconds) => Action::Start {
            timer: program.names.timers[name.as_str()],
            span: Duration::from_secs(*seconds),
        },
        A::OnFor(path, seconds) => {
            let channel = program.channel_by_path(path).expect("a channel");
            let on = program.on(channel).expect("a field `on`");
            Action::Set {
                channel,
                fields: [(on, Operand::Const(true.into()))].into(),
                fade: None,
                bound: Some(Duration::from_secs(*seconds)),
            }
        }
        A::Hold(path, seconds) => Action::Hold {
            channel: program.channel_by_path(path).expect("a channel"),
            span: Duration::from_secs(*seconds),
        },
        A::Wait(seconds) => Action::Wait(Duration::from_secs(*seconds)),
        A::Stop(name) => Action::Stop(program.names.timers[name.as_str()]),
        A::Var(name, text) => {
            let var = program.names.vars[name.as_str()];
            Action::Var {
                var,
                to: operand(text, &program[var].ty, scope),
            }
        }
        A::Emit(path, values) => {
            let event = event(program, path);
            let fields = program[event].fields.iter().zip(values);
            Action::Emit {
                event,
                fields: fields
                    .map(|(field, text)| operand(text, &field.ty, scope))
                    .collect(),
            }
        }
        A::Notify(text) => Action::Notify {
            to: "all".into(),
            text: expr::template(text, &nowhere, scope).expect("a text"),
        },
    }
}

/// The event written `D.CH.E` or `D.offline`.
pub(crate) fn event(program: &Program, path: &str) -> EventIx {
    let found = EventIx::all(program.events.len()).find(|ix| program.event_path(*ix) == path);
    found.unwrap_or_else(|| panic!("no event {path}"))
}

/// The field written `D.CH.F`, or `D.CH` where there is one.
pub(crate) fn slot(program: &Program, path: &str) -> SlotIx {
    let found = SlotIx::all(program.slots.len()).find(|ix| program.slot_path(*ix) == path);
    found.unwrap_or_else(|| panic!("no field {path}"))
}
