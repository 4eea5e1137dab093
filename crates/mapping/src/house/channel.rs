//! `io.CH = { kind = .. }`: one channel with its state, events and commands.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use types::{Type, Value};

use super::{House, codec, options, wiring::Wiring};
use crate::{
    diagnostic::Diagnostic,
    index::Symbol,
    kinds::{ArgSpec, EffectSpec, EventSpec, Kind},
    program::{
        Carried, CarriedValue, Carrier, Channel, ChannelIx, Codec, Command, CommandEffect, Deliver,
        DeviceIx, Event, EventIx, Field, Program, Slot, SlotIx,
    },
    read::{Key, Node, Table, list},
    report::Report,
    suggest::closest,
    units,
};

/// Reads a channel into the program; `None`: it can't be used. Out comes its part of the role.
pub(super) fn read(
    house: &mut House<'_>,
    device: DeviceIx,
    key: &Key<'_>,
    node: Node<'_>,
    wiring: &mut Wiring,
) -> Option<Map<String, Json>> {
    let path = format!("{}.{}", house.program[device].name, key.name);
    let table = node.table_or(&mut house.report, &format!("channel `{path}`"), |node| {
        let kind = node.as_text()?.text;
        Some(format!("{{ kind = \"{kind}\" }}"))
    })?;
    let table = table.forgiving(&mut house.report, "a channel", "kind", &["kind"]);
    let (kind, is_guess) = kind(house, &table, &path)?;
    let kind = &*kind;
    let program = &mut house.program;
    let report = &mut house.report;
    let carrier = program[device].carrier.clone();
    let others = &program.kinds;
    let role = options::read(report, &table, (kind, others), &carrier, wiring, &path);
    if is_guess {
        // Its options are told with the kind; who refers to the channel is not judged by a guess.
        return None;
    }
    let codec = match &carrier {
        Carrier::Foreign(foreign) => Some(codec::read(report, &table, key, kind, foreign)),
        Carrier::Own | Carrier::Virtual => None,
    };
    let range = range(report, &table);
    let ix = ChannelIx(program.channels.len() as u32);
    let slots = slots(program, ix, kind, range);
    let events = events(program, device, ix, kind, range, &slots, codec.as_ref());
    let commands = commands(program, kind, &slots);
    let word = |report: &mut Report, key: &str, words| {
        let node = table.field(key).filter(|_| kind.consumer)?;
        node.word(report, &format!("`{key}`"), words)
    };
    // These were checked with the other options; here they are only read again.
    let mut quiet = Report::default();
    let deliver = word(&mut quiet, "deliver", &["latest", "now"]);
    let enforce = table.field("enforce").and_then(|node| node.as_bool());
    let stale_after = table
        .field("stale_after")
        .and_then(|node| units::some_duration(node, &mut quiet, "`stale_after`"));
    let carries_state = events
        .iter()
        .any(|event| !program[*event].carries.is_empty());
    program.channels.push(Channel {
        name: key.name.into(),
        device,
        kind: kind.name.clone(),
        consumer: kind.consumer,
        slots,
        events,
        commands,
        stale_after,
        deliver: if deliver == Some("now") {
            Deliver::Now
        } else {
            Deliver::Latest
        },
        enforce: enforce.unwrap_or(false),
        codec,
        derives_events: carries_state && (kind.is_sensor() || carrier != Carrier::Own),
    });
    program.devices[device.index()].channels.push(ix);
    Some(role)
}

/// The kind of a channel, and whether it is only the one that was most likely meant: then that is reported.
fn kind(house: &mut House<'_>, table: &Table<'_>, path: &str) -> Option<(Arc<Kind>, bool)> {
    let report = &mut house.report;
    let node = table.required(report, &format!("channel `{path}`"), "kind", &["kind"])?;
    let text = node.text(report, "`kind`")?;
    report.mention(|| {
        (
            text.place(0..text.text.len()),
            Symbol::Kind(text.text.into()),
        )
    });
    if report.is_broken(&format!("kind.{}", text.text)) {
        return None;
    }
    if let Some(kind) = house.program.kinds.find(text.text) {
        return Some((kind.clone(), false));
    }
    let names: Vec<&str> = house.program.kinds.names().collect();
    let message = format!("there is no kind `{}`", text.text);
    let error = Diagnostic::error("unknown-kind", text.span(), message);
    let near = closest(text.text, names.iter().copied());
    report.push(match &near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("the kinds are {}", list(&names))),
    });
    let meant = house.program.kinds.find(&near?)?;
    Some((meant.clone(), true))
}

/// `min` and `max` of the channel's own table.
fn range(report: &mut Report, table: &Table<'_>) -> (Option<f64>, Option<f64>) {
    let number = |key| table.field(key).and_then(|node| node.as_number());
    let (min, max) = (number("min"), number("max"));
    if let (Some(low), Some(high)) = (min, max)
        && low >= high
    {
        let message = format!("`min` must be smaller than `max`, {low} is not smaller than {high}");
        report.push(Diagnostic::error(
            "out-of-range",
            table.key_span("min"),
            message,
        ));
        return (None, None);
    }
    (
        min.filter(|min| min.is_finite()),
        max.filter(|max| max.is_finite()),
    )
}

fn slots(
    program: &mut Program,
    channel: ChannelIx,
    kind: &Kind,
    range: (Option<f64>, Option<f64>),
) -> Vec<SlotIx> {
    kind.fields
        .iter()
        .map(|field| {
            let ix = SlotIx(program.slots.len() as u32);
            program.slots.push(Slot {
                channel,
                name: field.name.clone(),
                ty: field.shape.to_type(range),
                settable: kind.consumer && field.settable,
            });
            ix
        })
        .collect()
}

fn field(spec: &ArgSpec, range: (Option<f64>, Option<f64>)) -> Field {
    Field {
        name: spec.name.clone(),
        ty: spec.shape.to_type(range),
        default: spec.default.clone(),
    }
}

/// The slot of `kind`'s field `name`; the table of kinds is tested to refer only to its own fields.
fn slot(kind: &Kind, slots: &[SlotIx], name: &str) -> Option<SlotIx> {
    let at = kind.fields.iter().position(|field| *field.name == *name)?;
    slots.get(at).copied()
}

/// A foreign device that maps its words has the events that it maps, gestures included; every other
/// channel has the events of its kind.
fn events(
    program: &mut Program,
    device: DeviceIx,
    channel: ChannelIx,
    kind: &Kind,
    range: (Option<f64>, Option<f64>),
    slots: &[SlotIx],
    codec: Option<&Codec>,
) -> Vec<EventIx> {
    let words = codec
        .map(|codec| &codec.events)
        .filter(|words| !words.is_empty());
    let of_kind = kind
        .events
        .iter()
        .filter(|event| words.is_none_or(|words| words.contains_key(&event.name)))
        .map(|spec| (spec.name.clone(), Some(spec)));
    let ready_made = words
        .into_iter()
        .flat_map(|words| words.keys().cloned())
        .filter(|name| kind.events.iter().all(|event| event.name != *name))
        .map(|name| (name, None));
    let all: Vec<(Arc<str>, Option<&EventSpec>)> = of_kind.chain(ready_made).collect();
    all.into_iter()
        .map(|(name, spec)| {
            let ix = EventIx(program.events.len() as u32);
            let fields = spec.map(|spec| &*spec.fields).unwrap_or_default();
            program.events.push(Event {
                device,
                channel: Some(channel),
                name,
                fields: fields.iter().map(|spec| field(spec, range)).collect(),
                carries: spec
                    .map(|spec| carries(spec, kind, slots))
                    .unwrap_or_default(),
            });
            ix
        })
        .collect()
}

fn carries(event: &EventSpec, kind: &Kind, slots: &[SlotIx]) -> Vec<Carried> {
    let carried = event.carries.iter().filter_map(|carried| {
        let value = match &carried.value {
            Some(constant) => CarriedValue::Const(constant.clone()),
            None => {
                let mut fields = event.fields.iter();
                CarriedValue::Field(fields.position(|field| field.name == carried.field)? as u8)
            }
        };
        let slot = slot(kind, slots, &carried.field)?;
        Some(Carried { slot, value })
    });
    carried.collect()
}

fn commands(program: &Program, kind: &Kind, slots: &[SlotIx]) -> Vec<Command> {
    let commands = kind.commands.iter().filter_map(|command| {
        let effect = match &command.effect {
            EffectSpec::Set(fields) => {
                let fields = fields.iter().map(|(name, constant)| {
                    let slot = slot(kind, slots, name)?;
                    Some((slot, text_of_enum(&program[slot].ty, constant.clone())))
                });
                CommandEffect::Set(fields.collect::<Option<_>>()?)
            }
            EffectSpec::Toggle(name) => CommandEffect::Toggle(slot(kind, slots, name)?),
            EffectSpec::Step(name, sign) => CommandEffect::Step {
                slot: slot(kind, slots, name)?,
                sign: *sign,
            },
            EffectSpec::Momentary => CommandEffect::Momentary,
        };
        Some(Command {
            name: command.name.clone(),
            args: command
                .args
                .iter()
                .map(|arg| field(arg, (None, None)))
                .collect(),
            effect,
        })
    });
    commands.collect()
}

/// Shares the enum's own name where the value is one of them.
fn text_of_enum(ty: &Type, value: Value) -> Value {
    match (ty, &value) {
        (Type::Enum(names), Value::Text(text)) => names
            .iter()
            .find(|name| *name == text)
            .map_or(value.clone(), |name| Value::Text(name.clone())),
        _ => value,
    }
}
