//! A small house for the tests of expressions.

use std::sync::Arc;

use types::{DeviceId, Type, Value};

use crate::program::{
    Carrier, Channel, ChannelIx, Deliver, Device, DeviceIx, Event, EventIx, Field, Home, Origin,
    Program, Slot, SlotIx, Var, VarIx,
};

/// A piano, a hall, a door, a desk, stairs and two phones; groups `lights`, `people` and `nothing`.
pub(super) fn house() -> Program {
    let mut program = Program {
        home: Home {
            timezone: Some("Europe/Berlin".into()),
            latitude: Some(52.5),
            longitude: Some(13.4),
        },
        ..Program::default()
    };
    let level = int(0.0, 127.0);
    let on = ("on", Type::Bool);
    let brightness = ("brightness", int(1.0, 100.0));
    let key = ("key", level.clone());
    device(&mut program, "piano");
    let keys = channel(&mut program, "keys", false, &[]);
    event(
        &mut program,
        keys,
        "press",
        &[key.clone(), ("velocity", level)],
    );
    event(&mut program, keys, "release", &[key]);
    event(&mut program, keys, "odd", &[("key", Type::Text)]);
    device(&mut program, "hall");
    channel(&mut program, "lamp", true, &[on.clone(), brightness]);
    channel(&mut program, "lux", false, &[("lux", number())]);
    device(&mut program, "door");
    channel(
        &mut program,
        "contact",
        false,
        &[("contact", names(&["open", "closed"]))],
    );
    device(&mut program, "desk");
    channel(&mut program, "button", false, &[]);
    device(&mut program, "stairs");
    channel(&mut program, "lamp", true, &[on]);
    device(&mut program, "phones");
    let presence = [("presence", names(&["home", "away"]))];
    channel(&mut program, "anna", false, &presence);
    channel(&mut program, "ben", false, &presence);
    var(&mut program, "night", Type::Bool, Value::Bool(false));
    var(&mut program, "comfort", number(), Value::Number(21.0));
    var(&mut program, "guest", Type::Text, Value::from(""));
    for (group, members) in [
        ("lights", &["hall.lamp", "stairs.lamp"][..]),
        ("people", &["phones.anna", "phones.ben"]),
        ("nothing", &[]),
    ] {
        let members = members
            .iter()
            .map(|path| program.channel_by_path(path).unwrap());
        let members = members.collect();
        program.names.groups.insert(group.into(), members);
    }
    program
}

/// The events that a rule of the tests waits for.
pub(super) fn events(program: &Program, names: &[&str]) -> Vec<EventIx> {
    let all = || EventIx::all(program.events.len());
    let find = |name: &&str| all().find(|event| program.event_path(*event) == **name);
    names.iter().map(|name| find(name).unwrap()).collect()
}

fn int(min: f64, max: f64) -> Type {
    Type::Int { min, max }
}

fn number() -> Type {
    Type::Number {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    }
}

fn names(names: &[&str]) -> Type {
    Type::Enum(names.iter().map(|name| Arc::from(*name)).collect())
}

fn device(program: &mut Program, name: &str) {
    let ix = DeviceIx(program.devices.len() as u32);
    let mut own = |name: &str, fields: &[&str]| {
        let event = EventIx(program.events.len() as u32);
        program.events.push(Event {
            device: ix,
            channel: None,
            name: name.into(),
            fields: fields.iter().map(|name| field(name, Type::Text)).collect(),
            carries: Vec::new(),
        });
        event
    };
    let (online, offline) = (own("online", &[]), own("offline", &["device", "last_seen"]));
    program.devices.push(Device {
        name: name.into(),
        id: DeviceId(ix.0 as u16),
        board: None,
        room: None,
        carrier: Carrier::Own,
        channels: Vec::new(),
        online,
        offline,
        role: "".into(),
        origin: Origin::default(),
    });
    program.names.devices.insert(name.into(), ix);
}

fn channel(
    program: &mut Program,
    name: &str,
    consumer: bool,
    fields: &[(&str, Type)],
) -> ChannelIx {
    let channel = ChannelIx(program.channels.len() as u32);
    let device = DeviceIx(program.devices.len() as u32 - 1);
    let first = program.slots.len() as u32;
    program.slots.extend(fields.iter().map(|(name, ty)| Slot {
        channel,
        name: (*name).into(),
        ty: ty.clone(),
        settable: true,
    }));
    program.channels.push(Channel {
        name: name.into(),
        device,
        kind: "test".into(),
        consumer,
        slots: (first..program.slots.len() as u32).map(SlotIx).collect(),
        events: Vec::new(),
        commands: Vec::new(),
        stale_after: None,
        deliver: Deliver::Latest,
        enforce: false,
        codec: None,
        derives_events: false,
    });
    program.devices[device.index()].channels.push(channel);
    channel
}

fn event(program: &mut Program, channel: ChannelIx, name: &str, fields: &[(&str, Type)]) {
    let event = EventIx(program.events.len() as u32);
    program.events.push(Event {
        device: program[channel].device,
        channel: Some(channel),
        name: name.into(),
        fields: fields
            .iter()
            .map(|(name, ty)| field(name, ty.clone()))
            .collect(),
        carries: Vec::new(),
    });
    program.channels[channel.index()].events.push(event);
}

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
        default: None,
    }
}

fn var(program: &mut Program, name: &str, ty: Type, start: Value) {
    let ix = VarIx(program.vars.len() as u32);
    program.vars.push(Var {
        name: name.into(),
        ty,
        start,
        keep: false,
    });
    program.names.vars.insert(name.into(), ix);
}
