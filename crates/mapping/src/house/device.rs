//! `[device.D]`: what is installed, and how it is reached.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value as Json};
use types::{DeviceId, Type};

use super::{House, channel, foreign, wiring::Wiring};
use crate::{
    diagnostic::Diagnostic,
    grammar::DEVICE,
    index::Symbol,
    lint,
    names::{self, Letters},
    program::{Carrier, ChannelIx, Device, DeviceIx, Event, EventIx, Field},
    read::{Key, Node, Table, unknown_key},
    source::Span,
};

/// Reads all devices.
pub(super) fn read_all(house: &mut House<'_>, devices: &[(Key<'_>, Node<'_>)]) {
    let mut ids = BTreeMap::new();
    for (key, node) in devices {
        if house.report.is_full() {
            break;
        }
        let fresh = house.declare(key, "device");
        let Some(table) = node.table(&mut house.report, "a device") else {
            house.report.declare_broken(key.name);
            continue;
        };
        if fresh {
            read(house, key, &table, &mut ids);
        }
    }
}

fn read(
    house: &mut House<'_>,
    key: &Key<'_>,
    table: &Table<'_>,
    ids: &mut BTreeMap<u16, (Arc<str>, Span)>,
) {
    unknown_keys(house, key, table);
    let what = format!("device `{}`", key.name);
    let name: Arc<str> = key.name.into();
    house.device_places.insert(name.clone(), key.span.clone());
    let allowed = lint::allowed(&mut house.report, table);
    if !allowed.is_empty() {
        house.device_allows.insert(name.clone(), allowed.clone());
    }
    let id = id(house, table, &what, &name, ids);
    let text = |house: &mut House<'_>, key: &str| {
        let node = table.field(key)?;
        node.text(&mut house.report, &format!("`{key}`"))
            .map(|text| Arc::from(text.text))
    };
    let board = text(house, "board");
    let room = text(house, "room");
    let carrier = carrier(house, table, &name);
    let mut wiring = Wiring::read(&mut house.report, table, board.as_deref(), &allowed);
    let ix = DeviceIx(house.program.devices.len() as u32);
    house.program.names.devices.insert(name.clone(), ix);
    house.program.devices.push(Device {
        name: name.clone(),
        id,
        board,
        room,
        carrier,
        channels: Vec::new(),
        online: EventIx(0),
        offline: EventIx(0),
        role: "{}".into(),
        origin: house.origin(&key.span),
    });
    let mut io = Map::new();
    for (channel, node) in channels(house, table, &name) {
        names::check(&mut house.report, &channel, "channel", Letters::Expression);
        house.report.declare(|| {
            let symbol = Symbol::Channel(name.clone(), channel.name.into());
            (channel.span.clone(), symbol)
        });
        if let Some(part) = channel::read(house, ix, &channel, node, &mut wiring) {
            io.insert(channel.name.to_owned(), Json::Object(part));
            let last = ChannelIx(house.program.channels.len() as u32 - 1);
            house.channel_places.insert(last, channel.span.clone());
        } else {
            let path = format!("{name}.{}", channel.name);
            house.report.declare_broken(path);
        }
    }
    let online = presence_event(house, ix, "online");
    let offline = presence_event(house, ix, "offline");
    let mut role = wiring.role();
    role.insert("io".to_owned(), Json::Object(io));
    let row = &mut house.program.devices[ix.index()];
    (row.online, row.offline) = (online, offline);
    row.role = Json::Object(role).to_string().into();
}

fn id(
    house: &mut House<'_>,
    table: &Table<'_>,
    what: &str,
    name: &Arc<str>,
    ids: &mut BTreeMap<u16, (Arc<str>, Span)>,
) -> DeviceId {
    // The house's own virtual devices have none: nothing outside must find them again after a rename.
    let is_virtual = table
        .field("virtual")
        .is_some_and(|node| node.as_bool() == Some(true));
    let node = if is_virtual {
        table.field("id")
    } else {
        let help = format!(
            "add `id = 7`, or any number up to {} that no other device has",
            u16::MAX
        );
        table.required_or(&mut house.report, what, "id", DEVICE.names, &help)
    };
    let Some(node) = node else {
        return DeviceId(0);
    };
    let Some(id) = node.whole(&mut house.report, "`id`", 1, i64::from(u16::MAX)) else {
        return DeviceId(0);
    };
    let id = id as u16;
    if let Some((other, place)) = ids.get(&id) {
        let message = format!("two devices have the id {id}");
        house.report.push(
            Diagnostic::error("duplicate-id", node.span(), message)
                .label(format!("`{name}`"))
                .also(place.clone(), format!("`{other}`"))
                .help("an id belongs to one device for ever; take one that is free"),
        );
    } else {
        ids.insert(id, (name.clone(), node.span()));
    }
    DeviceId(id)
}

fn carrier(house: &mut House<'_>, table: &Table<'_>, name: &str) -> Carrier {
    let is_virtual = table
        .field("virtual")
        .and_then(|node| node.boolean(&mut house.report, "`virtual`"))
        .unwrap_or(false);
    let mqtt = table.field("mqtt");
    let conflict = match (is_virtual, &mqtt) {
        (true, Some(_)) => Some("mqtt"),
        (true, None) | (false, Some(_)) if table.field("board").is_some() => Some("board"),
        _ => None,
    };
    if let Some(second) = conflict {
        let first = if is_virtual { "virtual" } else { "mqtt" };
        let message = format!("a device has either `{first}` or `{second}`");
        house.report.push(
            Diagnostic::error("conflicting-keys", table.key_span(second), message)
                .also(table.key_span(first), "and this"),
        );
    }
    match mqtt {
        Some(node) => Carrier::Foreign(foreign::read(&mut house.report, node, name)),
        None if is_virtual => Carrier::Virtual,
        None => Carrier::Own,
    }
}

/// Reports keys that a device doesn't have. `lamp = { kind = "dimmer" }` is a channel without its `io.`.
fn unknown_keys(house: &mut House<'_>, device: &Key<'_>, table: &Table<'_>) {
    if table.has_only(DEVICE.names) {
        return;
    }
    for (key, node) in table.entries() {
        if DEVICE.names.contains(&key.name) {
            continue;
        }
        let mut error = unknown_key(&key, DEVICE.what, DEVICE.names);
        let table = node.as_table();
        if table.is_some_and(|table| table.field("kind").is_some()) {
            let channel = format!("{}.{}", device.name, key.name);
            house.report.declare_broken(channel);
            let help = format!("its channels stand below `io`: write io.{}", key.name);
            error.help = vec![help];
        }
        house.report.push(error);
    }
}

fn channels<'a>(
    house: &mut House<'_>,
    table: &Table<'a>,
    device: &str,
) -> Vec<(Key<'a>, Node<'a>)> {
    let Some(io) = table.field_or_misspelt("io", DEVICE.names) else {
        return Vec::new();
    };
    let Some(io) = io.table(&mut house.report, "`io`") else {
        house.report.declare_broken(device);
        return Vec::new();
    };
    let entries = io.entries();
    // `io = { kind = .. }`: the channel's name was forgotten.
    if let Some((key, _)) = entries
        .iter()
        .find(|(key, node)| key.name == "kind" && node.as_text().is_some())
    {
        let message = "a channel needs a name";
        house.report.push(
            Diagnostic::error("missing-channel-name", key.span.clone(), message)
                .help("write io.lamp = { kind = .. }"),
        );
        house.report.declare_broken(device);
        return Vec::new();
    }
    entries
}

fn presence_event(house: &mut House<'_>, device: DeviceIx, name: &str) -> EventIx {
    let ix = EventIx(house.program.events.len() as u32);
    let field = |name: &str| Field {
        name: name.into(),
        ty: Type::Text,
        default: None,
    };
    house.program.events.push(Event {
        device,
        channel: None,
        name: name.into(),
        fields: vec![field("device"), field("last_seen")],
        carries: Vec::new(),
    });
    ix
}
