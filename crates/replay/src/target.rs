//! What somebody asks about, by the name it has in the mapping.

use std::sync::Arc;

use dispatcher::{
    Dispatcher,
    explain::{self, Filter},
};
use engine::Cause;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, GestureKind, RuleIx, SlotIx, TimerIx, VarIx},
    suggest,
};
use types::{Instant, Value};

use crate::{trouble::HistoryError, words};

/// A thing of the house, as one program names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `hall`.
    Device(DeviceIx),
    /// `hall.lamp`.
    Channel(ChannelIx),
    /// `hall.lamp.brightness`.
    Slot(SlotIx),
    /// `hall.motion.start`.
    Event(EventIx),
    /// `desk.button.double`.
    Gesture(ChannelIx, GestureKind),
    /// `rule.hall-motion`, or its bare name.
    Rule(RuleIx),
    /// `var.night`, or its bare name.
    Var(VarIx),
    /// `timer.hall-off`, or its bare name.
    Timer(TimerIx),
    /// `notify`, `notify.phone`.
    Notify(Option<Arc<str>>),
    /// `group.lights`, or its bare name: each of its channels.
    Group(Arc<str>),
}

impl Target {
    /// What `text` means under `program`.
    #[must_use]
    pub fn find(program: &Program, text: &str) -> Option<Self> {
        let text = text.trim();
        let names = &program.names;
        match text.split_once('.') {
            Some(("rule", name)) => names.rules.get(name).copied().map(Self::Rule),
            Some(("var", name)) => names.vars.get(name).copied().map(Self::Var),
            Some(("timer", name)) => names.timers.get(name).copied().map(Self::Timer),
            Some(("notify", to)) => Some(Self::Notify(Some(to.into()))),
            Some(("group", name)) => group(program, name),
            Some((device, rest)) => {
                let device = program.device(device)?;
                if let Some(event) = presence_event(program, device, rest) {
                    return Some(Self::Event(event));
                }
                let (channel, field) = match rest.split_once('.') {
                    Some((channel, field)) => (program.channel(device, channel)?, Some(field)),
                    None => (program.channel(device, rest)?, None),
                };
                match field {
                    None => Some(Self::Channel(channel)),
                    Some(field) => {
                        let slot = program.slot(channel, field).map(Self::Slot);
                        slot.or_else(|| program.event(channel, field).map(Self::Event))
                            .or_else(|| gesture(program, channel, field))
                    }
                }
            }
            None if text == "notify" => Some(Self::Notify(None)),
            None => {
                let device = program.device(text).map(Self::Device);
                device
                    .or_else(|| names.rules.get(text).copied().map(Self::Rule))
                    .or_else(|| names.vars.get(text).copied().map(Self::Var))
                    .or_else(|| names.timers.get(text).copied().map(Self::Timer))
                    .or_else(|| group(program, text))
            }
        }
    }

    /// As [`Self::find`].
    ///
    /// # Errors
    /// There is no such thing; with the nearest name.
    pub fn expect(program: &Program, text: &str) -> Result<Self, HistoryError> {
        Self::find(program, text).ok_or_else(|| {
            let names = all_names(program);
            let near = suggest::closest(text.trim(), names.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            HistoryError::Unknown(format!(
                "the house has no device, channel, group, rule, variable or timer \"{}\"{near}",
                text.escape_debug()
            ))
        })
    }

    /// What an answer about it is about: of a device, what it is told and whether it is there, or what it says
    /// where it is told nothing; of a group, its channels.
    #[must_use]
    pub fn parts(&self, program: &Program) -> Vec<String> {
        let device = match self {
            Self::Device(device) => device,
            Self::Group(_) => {
                let channels = self.members(program).iter();
                return channels.map(|ix| program.channel_path(*ix)).collect();
            }
            _ => return Vec::new(),
        };
        let row = &program[*device];
        let consumers = row.channels.iter().filter(|ix| program[**ix].consumer);
        let mut told: Vec<String> = consumers.map(|ix| program.channel_path(*ix)).collect();
        if told.is_empty() {
            told.extend(row.channels.iter().map(|ix| program.channel_path(*ix)));
        }
        told.push(format!("{}.online", row.name));
        told.push(format!("{}.offline", row.name));
        told
    }

    /// The channels of a group.
    pub(crate) fn members<'p>(&self, program: &'p Program) -> &'p [ChannelIx] {
        let members = match self {
            Self::Group(name) => program.names.groups.get(name),
            _ => None,
        };
        members.map(Vec::as_slice).unwrap_or_default()
    }

    /// What the live stream and the past are filtered by to see what is about `text`: each channel of a group, the channel of
    /// a field.
    #[must_use]
    pub fn filters(program: &Program, text: &str) -> Vec<Filter> {
        match Self::find(program, text) {
            Some(group @ Self::Group(_)) => {
                let parts = group.parts(program).into_iter();
                parts.map(|path| Filter::new(&path)).collect()
            }
            Some(Self::Slot(slot)) => {
                vec![Filter::new(&program.channel_path(program[slot].channel))]
            }
            Some(target) => vec![Filter::new(&target.words(program))],
            None => vec![Filter::new(text)],
        }
    }

    /// What the house knows of it that can change: desired values of consumers, reported ones of others, a
    /// variable, whether a timer runs, who is there.
    #[must_use]
    pub fn values(&self, house: &Dispatcher) -> Vec<Option<Value>> {
        let (program, engine) = (house.program(), house.engine());
        match self {
            Self::Device(device) => vec![Some(Value::Bool(house.online(*device)))],
            Self::Channel(channel) => {
                let row = &program[*channel];
                let slots = row.slots.iter();
                slots
                    .filter(|slot| !row.consumer || program[**slot].settable)
                    .map(|slot| match row.consumer {
                        true => engine.target(*slot).cloned(),
                        false => engine.reported(*slot).cloned(),
                    })
                    .collect()
            }
            Self::Slot(slot) => {
                let desired = program[program[*slot].channel].consumer && program[*slot].settable;
                vec![match desired {
                    true => engine.target(*slot).cloned(),
                    false => engine.reported(*slot).cloned(),
                }]
            }
            Self::Var(var) => vec![Some(engine.var(*var).clone())],
            Self::Timer(timer) => {
                let running = engine.timer(*timer);
                let moments = running.map(|running| [running.started, running.due]);
                let moment = |at: Instant| Value::Number(at.0 as f64);
                [0, 1]
                    .map(|place| moments.map(|all| moment(all[place])))
                    .into()
            }
            Self::Event(_)
            | Self::Gesture(..)
            | Self::Rule(_)
            | Self::Notify(_)
            | Self::Group(_) => Vec::new(),
        }
    }

    /// What it is, for people: `on=true brightness=40`, `true`, `home`.
    #[must_use]
    pub fn text(&self, house: &Dispatcher) -> String {
        let program = house.program();
        let values = self.values(house);
        match self {
            Self::Channel(channel) => {
                let row = &program[*channel];
                let slots = row.slots.iter();
                let shown = slots.filter(|slot| !row.consumer || program[**slot].settable);
                let fields: Vec<String> = shown
                    .zip(&values)
                    .filter_map(|(slot, value)| {
                        let value = value.as_ref()?;
                        Some(match row.slots.len() {
                            1 if !row.consumer => value.to_string(),
                            _ => format!("{}={value}", program[*slot].name),
                        })
                    })
                    .collect();
                if fields.is_empty() {
                    nothing(row.consumer).to_owned()
                } else {
                    fields.join(" ")
                }
            }
            Self::Device(device) => match house.online(*device) {
                true => "online".to_owned(),
                false => "offline".to_owned(),
            },
            Self::Timer(timer) => match house.engine().timer(*timer) {
                Some(running) => {
                    let now = house.engine().now();
                    let due = now.after(running.due.since(now.at)).wall;
                    format!(
                        "running until {}",
                        words::from_here(&program.home.zone(), now.wall, due)
                    )
                }
                None => "not running".to_owned(),
            },
            Self::Slot(slot) => match values.first() {
                Some(Some(value)) => value.to_string(),
                _ => {
                    let told = program[program[*slot].channel].consumer && program[*slot].settable;
                    nothing(told).to_owned()
                }
            },
            Self::Var(_) => match values.first() {
                Some(Some(value)) => value.to_string(),
                _ => "unknown".to_owned(),
            },
            Self::Event(_)
            | Self::Gesture(..)
            | Self::Rule(_)
            | Self::Notify(_)
            | Self::Group(_) => String::new(),
        }
    }

    /// Its full name.
    #[must_use]
    pub fn path(&self, program: &Program) -> String {
        match self {
            Self::Device(device) => program[*device].name.to_string(),
            Self::Channel(channel) => program.channel_path(*channel),
            Self::Slot(slot) => {
                let row = &program[*slot];
                format!("{}.{}", program.channel_path(row.channel), row.name)
            }
            Self::Event(event) => program.event_path(*event),
            Self::Gesture(channel, kind) => {
                let path = program.channel_path(*channel);
                format!("{path}.{}", explain::gesture(*kind))
            }
            Self::Rule(rule) => format!("rule {}", program[*rule].name),
            Self::Var(var) => format!("var.{}", program[*var].name),
            Self::Timer(timer) => format!("timer {}", program[*timer].name),
            Self::Notify(None) => "notify".to_owned(),
            Self::Notify(Some(to)) => format!("notify {to}"),
            Self::Group(name) => format!("group {name}"),
        }
    }

    /// As somebody would ask for it, so that nothing else can be meant: `rule.hall-motion`, `timer.hall-off`.
    #[must_use]
    pub fn words(&self, program: &Program) -> String {
        match self {
            Self::Rule(_) | Self::Timer(_) | Self::Notify(_) | Self::Group(_) => {
                self.path(program).replacen(' ', ".", 1)
            }
            _ => self.path(program),
        }
    }

    /// The channels whose commands change it.
    pub(crate) fn is_told_through(&self, program: &Program, channel: ChannelIx) -> bool {
        match self {
            Self::Channel(own) => *own == channel,
            Self::Slot(slot) => program[*slot].channel == channel,
            _ => false,
        }
    }

    /// Whether `cause` is this event, or an event or report of this producer.
    pub(crate) fn is_caused(&self, program: &Program, cause: &Cause) -> bool {
        match (self, cause) {
            (Self::Event(own), Cause::Event(event, _)) => own == event,
            (Self::Gesture(button, own), Cause::Gesture(kind, channel)) => {
                button == channel && own == kind
            }
            (Self::Event(own), Cause::Online(device)) => program[*device].online == *own,
            (Self::Event(own), Cause::Offline(device)) => program[*device].offline == *own,
            (Self::Channel(own), Cause::Event(event, _)) => {
                !program[*own].consumer && program[*event].channel == Some(*own)
            }
            _ => false,
        }
    }
}

fn group(program: &Program, name: &str) -> Option<Target> {
    let (name, _) = program.names.groups.get_key_value(name)?;
    Some(Target::Group(Arc::clone(name)))
}

/// A gesture of a button.
fn gesture(program: &Program, channel: ChannelIx, name: &str) -> Option<Target> {
    let all = [
        GestureKind::Click,
        GestureKind::Double,
        GestureKind::Triple,
        GestureKind::Long,
    ];
    let is_button = |event| program.event(channel, event).is_some();
    let kind = all
        .into_iter()
        .find(|kind| explain::gesture(*kind) == name)?;
    (is_button("press") && is_button("release")).then_some(Target::Gesture(channel, kind))
}

/// What stands where there is no value.
fn nothing(is_desired: bool) -> &'static str {
    if is_desired { "never set" } else { "unknown" }
}

fn presence_event(program: &Program, device: DeviceIx, name: &str) -> Option<EventIx> {
    match name {
        "online" => Some(program[device].online),
        "offline" => Some(program[device].offline),
        _ => None,
    }
}

fn all_names(program: &Program) -> Vec<String> {
    let devices = program.devices.iter().map(|device| device.name.to_string());
    let channels = ChannelIx::all(program.channels.len()).map(|ix| program.channel_path(ix));
    let events = EventIx::all(program.events.len()).map(|ix| program.event_path(ix));
    let names = &program.names;
    let rules = names.rules.keys().map(ToString::to_string);
    let vars = names.vars.keys().map(|name| format!("var.{name}"));
    let timers = names.timers.keys().map(|name| format!("timer.{name}"));
    let bare = names.vars.keys().chain(names.timers.keys());
    let bare = bare.map(ToString::to_string);
    let groups = names.groups.keys().map(ToString::to_string);
    let named = devices
        .chain(rules)
        .chain(groups)
        .chain(channels)
        .chain(bare);
    named.chain(vars).chain(timers).chain(events).collect()
}
