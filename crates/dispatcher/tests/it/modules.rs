//! What firmware of ours says and takes, held against the table of kinds: neither knows the other, and a house would
//! refuse what is not in both.

use std::collections::BTreeSet;

use device::{Happened, Input, Output, Sample};
use link::Millis;
use mapping::kinds::{self, EffectSpec, Kind, Shape};
use types::{Type, Value};
use wire::{Channel, ChannelKind, Fields, Options, Pin, Pins, RoleId, Set};

/// A matrix of two keys, where it is one; else nothing is said.
fn channel(kind: &Kind) -> Channel {
    let pins = |pins: &[u8]| Pins::new(pins.iter().copied().map(Pin::number)).unwrap();
    let (rows, columns) = (pins(&[1]), pins(&[2, 3]));
    let options = Options {
        rows,
        columns,
        ..Options::default()
    };
    Channel {
        kind: ChannelKind::find(&kind.name).unwrap(),
        options,
    }
}

fn value(value: wire::Value<'_>) -> Value {
    match value {
        wire::Value::Bool(is) => Value::Bool(is),
        wire::Value::Number(number) => Value::Number(number),
        wire::Value::Text(text) => Value::Text(text.into()),
    }
}

/// Samples in which everything happens that can happen at a channel.
fn samples(kind: ChannelKind) -> Vec<Sample<'static>> {
    let level = [false, true, false].map(Sample::Level);
    match kind {
        ChannelKind::Encoder => {
            let quarters = [
                (false, false),
                (true, false),
                (true, true),
                (false, true),
                (false, false),
            ];
            let turn = quarters.map(|(a, b)| Sample::Quadrature(a, b));
            level.into_iter().chain(turn).collect()
        }
        ChannelKind::Keyboard => [&[0_u16], &[1], &[0]]
            .map(|rows| Sample::Keys(rows))
            .to_vec(),
        ChannelKind::Midi => [0x90, 60, 80, 60, 0, 0xB0, 1, 2, 64, 127]
            .map(Sample::Byte)
            .to_vec(),
        ChannelKind::Button
        | ChannelKind::Motion
        | ChannelKind::Contact
        | ChannelKind::Presence
        | ChannelKind::Counter => level.to_vec(),
        _ => vec![Sample::Measured(21.5)],
    }
}

/// Each field is one of the kind's, with a value that it takes.
fn check_state(kind: &Kind, fields: &Fields<'_>) {
    for (name, found) in fields.iter() {
        let spec = kind.fields.iter().find(|field| *field.name == *name);
        let spec = spec.unwrap_or_else(|| panic!("{} has no {name}", kind.name));
        let ty = spec.shape.to_type((None, None));
        assert_eq!(ty.check(&value(found)), Ok(()), "{}.{name}", kind.name);
    }
}

fn check_event(kind: &Kind, happened: Happened) {
    let spec = kind
        .events
        .iter()
        .find(|event| *event.name == *happened.name());
    let spec = spec.unwrap_or_else(|| panic!("{} has no {happened:?}", kind.name));
    let fields = happened.fields();
    for (name, found) in fields.iter() {
        let arg = spec.fields.iter().find(|arg| *arg.name == *name);
        let arg = arg.unwrap_or_else(|| panic!("{happened:?} has no {name}"));
        assert_eq!(
            arg.shape.to_type((None, None)).check(&value(found)),
            Ok(()),
            "{happened:?}"
        );
    }
    for arg in spec.fields.iter().filter(|arg| arg.default.is_none()) {
        assert!(
            fields.iter().any(|(name, _)| *arg.name == *name),
            "{happened:?} lacks {}",
            arg.name
        );
    }
}

#[test]
fn all_events_of_every_kind_come_from_modules_and_no_others() {
    for kind in kinds::ALL.iter().filter(|kind| !kind.consumer) {
        let channel = channel(kind);
        let mut input = Input::new(&channel, Millis(0)).unwrap();
        let mut said = BTreeSet::new();
        let mut now = Millis(0);
        for sample in samples(channel.kind) {
            let mut sink = |happened: Happened| {
                check_event(kind, happened);
                said.insert(happened.name());
            };
            input.sample(sample, now, &mut sink).unwrap();
            now = now.after(100);
            input.handle_timeout(now, &mut sink);
            check_state(kind, &input.state(now));
        }
        // The dispatcher makes a sensor's `changed` of its report.
        let of_table = kind
            .events
            .iter()
            .map(|event| &*event.name)
            .filter(|name| *name != "changed");
        assert_eq!(said, of_table.collect(), "{}", kind.name);
        let fields: Vec<&str> = kind.fields.iter().map(|field| &*field.name).collect();
        let state = input.state(now);
        let reported: Vec<&str> = state.iter().map(|(name, _)| name).collect();
        assert_eq!(reported, fields, "{}", kind.name);
    }
}

/// The ends of what a field takes.
fn ends(shape: &Shape) -> Vec<wire::Value<'static>> {
    match shape.to_type((None, None)) {
        Type::Bool => [true, false].map(wire::Value::Bool).to_vec(),
        Type::Int { min, max } | Type::Number { min, max } => {
            [min, max].map(wire::Value::Number).to_vec()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_target_and_command_of_the_table_is_taken_and_comes_back_as_its_state() {
    for kind in kinds::ALL.iter().filter(|kind| kind.consumer) {
        let mut output = Output::new(&channel(kind), None, Millis(0)).unwrap();
        let mut now = Millis(0);
        let mut set = Set {
            rev: 0,
            role: RoleId::default(),
            channel: 0,
            command: None,
            fields: Fields::default(),
            fade_ms: None,
            for_ms: None,
        };
        for field in kind.fields.iter().filter(|field| field.settable) {
            for end in ends(&field.shape) {
                let name: &'static str = String::from(&*field.name).leak();
                set.rev += 1;
                set.fields = Fields::new(&[(name, end)]).unwrap();
                output.set(&set, now).unwrap();
                // Covers take their time.
                for _ in 0..200 {
                    now = now.after(1_000);
                    output.handle_timeout(now);
                }
                let state = output.state();
                check_state(kind, &state);
                let reported = state.iter().find(|(known, _)| *known == name);
                assert_eq!(reported, Some((name, end)), "{}", kind.name);
            }
        }
        let momentary = kind.commands.iter();
        for command in momentary.filter(|command| matches!(command.effect, EffectSpec::Momentary)) {
            let named = Set {
                rev: set.rev + 1,
                command: Some(&command.name),
                fields: Fields::default(),
                ..set
            };
            assert_eq!(output.set(&named, now), Ok(()), "{}", command.name);
        }
    }
}
