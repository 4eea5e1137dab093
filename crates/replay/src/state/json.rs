//! A state for machines. Keys are stable; new ones may come.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::{ChannelState, DeviceState, FieldState, State};
use crate::{why::json_value as of, words::iso_of};

impl State {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> Json {
        let devices = self.devices.iter();
        let devices: Map<String, Json> = devices
            .map(|row| (row.name.clone(), device(row, zone)))
            .collect();
        let vars = self.vars.iter();
        let vars: Map<String, Json> = vars
            .map(|(name, value)| (name.clone(), of(value)))
            .collect();
        let timers = self.timers.iter().map(|timer| {
            json!({
                "timer": timer.name,
                "started": iso_of(zone, timer.started),
                "due": iso_of(zone, timer.due),
                "by": timer.by,
            })
        });
        let waits = self.waits.iter().map(|wait| {
            json!({
                "rule": wait.rule,
                "waits_for": wait.what,
                "due": wait.due.map(|due| iso_of(zone, due)),
            })
        });
        json!({
            "time": iso_of(zone, self.at),
            "wall_us": self.at.0,
            "no": self.no.0,
            "mapping": self.mapping,
            "then": self.then.as_ref().map(|(_, then)| then),
            "devices": devices,
            "vars": vars,
            "timers": timers.collect::<Vec<_>>(),
            "waits": waits.collect::<Vec<_>>(),
        })
    }
}

fn device(device: &DeviceState, zone: &TimeZone) -> Json {
    let channels = device.channels.iter();
    let channels: Map<String, Json> = channels
        .map(|row| (row.name.clone(), channel(row, zone)))
        .collect();
    json!({
        "online": device.online,
        "blocked_as_producer": device.blocked.producer,
        "blocked_as_consumer": device.blocked.consumer,
        "last_heard": device.heard.map(|heard| iso_of(zone, heard)),
        "channels": channels,
    })
}

fn channel(channel: &ChannelState, zone: &TimeZone) -> Json {
    let fields = channel.fields.iter();
    let fields: Map<String, Json> = fields
        .map(|row| (row.name.clone(), field(row, zone)))
        .collect();
    json!({
        "kind": channel.kind,
        "fields": fields,
        "held_until": channel.held_until.map(|until| iso_of(zone, until)),
        "bounded_until": channel.bounded_until.map(|until| iso_of(zone, until)),
    })
}

fn field(field: &FieldState, zone: &TimeZone) -> Json {
    let reported = field.reported.as_ref();
    let wanted = field.wanted.as_ref();
    json!({
        "reported": reported.map(|(value, _)| of(value)),
        "reported_at": reported.map(|(_, at)| iso_of(zone, *at)),
        "stale": field.is_stale,
        "wanted": wanted.map(|(value, _)| of(value)),
        "wanted_by": wanted.map(|(_, who)| who),
    })
}
