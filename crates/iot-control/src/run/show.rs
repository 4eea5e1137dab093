//! The house for people and machines: devices with what they report, should do, and were refused.

use std::{path::Path, rc::Rc};

use broker::{Core, Filter};
use dispatcher::Sides;
use jiff::tz::TimeZone;
use mapping::{
    Program,
    program::{Carrier, ChannelIx, DeviceIx, SlotIx, VarIx},
};
use serde_json::{Map, Value as Json, json};
use types::{Instant, Now, UnixTime, Value};

use super::{app::App, uplink::Uplink};
use crate::{simulate::Says, some_of::instead};

/// More retained messages than this are not told at once, in bytes.
const RETAINED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The house: its folder, and its variables.
pub(super) fn house(app: &App, folder: &Path) -> Json {
    let program = app.dispatcher.program();
    let engine = app.dispatcher.engine();
    let vars = program.vars.iter().enumerate();
    let vars: Map<String, Json> = vars
        .map(|(ix, var)| {
            let value = engine.var(VarIx(ix as u32));
            (var.name.to_string(), json_of(value))
        })
        .collect();
    json!({ "folder": folder.display().to_string(), "vars": vars })
}

/// The retained messages below some filters, in the order of their topics; what is no text is told as far as it is one.
///
/// # Errors
/// A filter is none, or they are more than anybody reads.
pub(super) fn retained(core: &Core, now: Now, filters: &[String]) -> Result<Json, String> {
    let mut bytes = 0;
    let mut rows = Vec::new();
    for filter in filters {
        let filter = Filter::new(filter).map_err(|error| error.to_string())?;
        for (topic, payload) in core.retained(&filter, now) {
            bytes += topic.len() + payload.len();
            if bytes > RETAINED_BYTES_MAX {
                return Err(format!(
                    "more than {} MB lie retained there",
                    RETAINED_BYTES_MAX >> 20
                ));
            }
            rows.push(json!({ "topic": &*topic, "payload": String::from_utf8_lossy(&payload) }));
        }
    }
    Ok(Json::Array(rows))
}

/// All devices, in file order.
pub(super) fn devices(app: &App, now: Now) -> Json {
    let all = DeviceIx::all(app.dispatcher.program().devices.len());
    Json::Array(all.map(|device| summary(app, now, device)).collect())
}

/// One device with its channels and counters.
///
/// # Errors
/// The house has no such device; with a suggestion.
pub(super) fn device(app: &App, now: Now, name: &str) -> Result<Json, String> {
    known(app, name)?;
    let program = app.dispatcher.program();
    let Some(device) = program.device(name) else {
        return Err(format!("{name} is gone"));
    };
    let mut shown = summary(app, now, device);
    let channels = program[device].channels.iter();
    let channels: Map<String, Json> = channels
        .map(|ix| (program[*ix].name.to_string(), channel(app, now, *ix)))
        .collect();
    let counters = app.dispatcher.counters().iter();
    let counters: Map<String, Json> = counters
        .filter(|(of, _, _)| *of == Some(device))
        .map(|(_, code, count)| (code.to_owned(), Json::from(count)))
        .collect();
    if shown["sealed"].is_string() {
        shown["way"] = Json::from(app.sealed.way_of(device));
    }
    shown["channels"] = Json::Object(channels);
    shown["counters"] = Json::Object(counters);
    shown["last_refusal"] = Json::from(app.newest_refusal(name));
    Ok(shown)
}

/// Whether the house has this device.
///
/// # Errors
/// It does not; with a suggestion.
pub(super) fn known(app: &App, name: &str) -> Result<(), String> {
    let program = app.dispatcher.program();
    if program.device(name).is_some() {
        return Ok(());
    }
    let names = program.devices.iter().map(|device| &device.name);
    let hint = instead(name, names).unwrap_or_default();
    Err(format!("the house has no device {name}{hint}"))
}

/// What a module is asked to report, as people read it: `piano.keys.press key=60 velocity=64`.
pub(super) fn said(program: &Program, says: &Says) -> String {
    match says {
        Says::Event { event, fields } => {
            let names = program[*event].fields.iter().map(|field| &field.name);
            let fields: String = names
                .zip(fields)
                .map(|(name, value)| format!(" {name}={value}"))
                .collect();
            format!("{}{fields}", program.event_path(*event))
        }
        Says::State { channel, fields } => {
            let fields: String = fields
                .iter()
                .map(|(slot, value)| format!(" {}={value}", program[*slot].name))
                .collect();
            format!("{} reports{fields}", program.channel_path(*channel))
        }
    }
}

/// Today's date, UTC, as TOML writes it.
pub(super) fn date(now: Now) -> String {
    timestamp(now.wall).map_or_else(String::new, |at| {
        at.to_zoned(TimeZone::UTC).date().to_string()
    })
}

fn summary(app: &App, now: Now, device: DeviceIx) -> Json {
    let row = &app.dispatcher.program()[device];
    let heard = app.dispatcher.last_heard(device);
    let blocked = match app.dispatcher.blocked(device) {
        Sides::BOTH => "both",
        Sides::PRODUCER => "producer",
        Sides::CONSUMER => "consumer",
        _ => "",
    };
    let sealed = app.sealed.handle_of(device);
    // Who has a key, and what nobody else speaks for, is known from itself.
    let is_plain = sealed.is_none() && row.carrier != Carrier::Virtual;
    let confines = |uplink: &Rc<Uplink>| uplink.confines();
    json!({
        "name": &*row.name,
        "id": row.id.0,
        "online": app.dispatcher.online(device),
        "sealed": sealed.map(|handle| handle.to_string()),
        "verified": !is_plain || app.uplink.as_ref().is_none_or(confines),
        "blocked": blocked,
        "last_heard": heard.and_then(timestamp).map(|at| at.to_string()),
        "silent_s": heard.map(|heard| now.wall.since(heard).as_secs()),
    })
}

fn channel(app: &App, now: Now, channel: ChannelIx) -> Json {
    let program = app.dispatcher.program();
    let row = &program[channel];
    let engine = app.dispatcher.engine();
    let fields = |value_of: &dyn Fn(SlotIx) -> Option<Value>| -> Map<String, Json> {
        let known = row
            .slots
            .iter()
            .filter_map(|slot| Some((*slot, value_of(*slot)?)));
        known
            .map(|(slot, value)| (program[slot].name.to_string(), json_of(&value)))
            .collect()
    };
    let mut shown = json!({
        "kind": &*row.kind,
        "reported": fields(&|slot| engine.reported(slot).cloned()),
    });
    if row.consumer {
        shown["target"] = Json::Object(fields(&|slot| engine.target(slot).cloned()));
        shown["acknowledged"] = Json::from(app.dispatcher.acknowledged(channel));
        shown["assumed"] = Json::from(program.is_assumed(channel));
        let left_s = |until: Instant| until.since(now.at).as_secs_f64().ceil();
        if let Some(until) = engine.kept_until(channel).filter(|until| *until > now.at) {
            shown["held_s"] = Json::from(left_s(until));
        }
        if let Some(until) = engine.bounded_until(channel) {
            shown["ends_s"] = Json::from(left_s(until));
        }
    }
    shown
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::from(*value),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Json::from(*value as i64)
        }
        Value::Number(value) => Json::from(*value),
        Value::Text(value) => Json::from(&**value),
    }
}

fn timestamp(wall: UnixTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(wall.0).ok()
}
