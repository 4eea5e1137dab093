//! A device's role as the sealed link carries it: its own `io` tables and buses in the bytes of [`wire::Role`].
//! Called by whoever speaks the link with a device of ours. Nothing else of the house is in them, not even a name:
//! channels are known by their places.
//!
//! What of a channel's table is for people or for the dispatcher alone (`unit`, `note`, `deliver`) stays here.

use std::{fmt, sync::Arc};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};
use serde_json::{Map, Value as Json};
use wire::{Buses, Channel, ChannelKind, Fallback, Options, Pin, Pins, Pull, Role};

/// Why a device has no role that firmware of ours could play.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RoleError {
    /// A channel is of a kind of the house's own (`[kind.K]`), for which firmware has no driver.
    Kind {
        /// The channel's name.
        channel: Arc<str>,
        /// The kind's.
        kind: Arc<str>,
    },
    /// A pin of a board that we don't know has a name that is neither a number nor a port's.
    Pin {
        /// The name of the channel or bus.
        of: Arc<str>,
        /// The pin as it is written.
        pin: String,
    },
    /// An option has no place in a role. The mapping checked it: this is a mistake of ours.
    Option {
        /// The channel's name.
        channel: Arc<str>,
        /// The option's.
        option: String,
    },
    /// It is beyond a limit of the link.
    Limit(wire::RoleError),
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { channel, kind } => write!(
                f,
                "firmware has no driver for `{kind}`, the kind of `{channel}`"
            ),
            Self::Pin { of, pin } => write!(
                f,
                "`{pin}` of `{of}` is no pin that firmware knows: write 4, or \"PC13\""
            ),
            Self::Option { channel, option } => {
                write!(f, "`{option}` of `{channel}` does not fit into a role")
            }
            Self::Limit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RoleError {}

/// The channels of a device by their places on the link: in the order of their names, so that a file whose lines
/// only moved is the same role.
#[must_use]
pub fn places(program: &Program, device: DeviceIx) -> Vec<ChannelIx> {
    let mut channels = program[device].channels.clone();
    channels.sort_by(|a, b| program[*a].name.cmp(&program[*b].name));
    channels
}

/// The bytes of a device's role, for the parts of CONFIG; the same mapping gives the same bytes.
///
/// # Errors
/// [`RoleError`] says what firmware can't do of it.
pub fn encode(program: &Program, device: DeviceIx) -> Result<Vec<u8>, RoleError> {
    let role: Json = serde_json::from_str(&program[device].role).unwrap_or_default();
    let io = role.get("io").and_then(Json::as_object);
    let mut channels = Vec::new();
    for ix in places(program, device) {
        let row = &program[ix];
        let kind = ChannelKind::find(&row.kind).ok_or_else(|| RoleError::Kind {
            channel: row.name.clone(),
            kind: row.kind.clone(),
        })?;
        let mut options = Options::default();
        let table = io.and_then(|io| io.get(&*row.name)?.as_object());
        for (option, value) in table.into_iter().flatten() {
            set(&mut options, &row.name, option, value)?;
        }
        channels.push(Channel { kind, options });
    }
    let mut out = vec![0; wire::ROLE_LEN_MAX];
    let buses = buses(&role)?;
    let len = Role::encode(&buses, &channels, &mut out).map_err(RoleError::Limit)?;
    out.truncate(len);
    Ok(out)
}

fn buses(role: &Json) -> Result<Buses, RoleError> {
    let lines = |bus: &str, names: [&str; 2]| {
        let table: Option<&Map<String, Json>> = role.get(bus).and_then(Json::as_object);
        let line = |name| table.and_then(|table| table.get(name));
        let pins = names.map(|name| line(name).map(|json| pin(bus, json)).transpose());
        let [first, second] = pins;
        Ok::<_, RoleError>((first?, second?))
    };
    Ok(Buses {
        i2c: match lines("i2c", ["sda", "scl"])? {
            (Some(sda), Some(scl)) => Some((sda, scl)),
            _ => None,
        },
        uart: match lines("uart", ["rx", "tx"])? {
            (Some(rx), tx) => Some((rx, tx)),
            (None, _) => None,
        },
    })
}

/// Writes one option as it stands in the role's text.
fn set(
    options: &mut Options,
    channel: &Arc<str>,
    option: &str,
    json: &Json,
) -> Result<(), RoleError> {
    let a_pin = || pin(channel, json).map(Some);
    match option {
        // Of these the first is known, the second is for people.
        "kind" | "unit" => return Ok(()),
        "pin" => options.pin = a_pin()?,
        "red" => options.red = a_pin()?,
        "green" => options.green = a_pin()?,
        "blue" => options.blue = a_pin()?,
        "white" => options.white = a_pin()?,
        "up" => options.up = a_pin()?,
        "down" => options.down = a_pin()?,
        "a" => options.a = a_pin()?,
        "b" => options.b = a_pin()?,
        "one_wire" => options.one_wire = a_pin()?,
        "rows" => options.rows = pins(channel, option, json)?,
        "columns" => options.columns = pins(channel, option, json)?,
        _ => scalar(options, option, json).ok_or_else(|| unfit(channel, option))?,
    }
    Ok(())
}

/// Options that are no pins; `None`: not known, or not what it takes.
fn scalar(options: &mut Options, option: &str, json: &Json) -> Option<()> {
    match option {
        "at_boot" => options.at_boot = fallback(json)?,
        "when_lost" => options.when_lost = fallback(json)?,
        "report_every_ms" => options.report_every_ms = Some(span(json)?),
        "report_change" => options.report_change = Some(json.as_f64()?),
        "invert" => options.invert = json.as_bool()?,
        "pull" => options.pull = Some(pull(json)?),
        "debounce_ms" => options.debounce_ms = Some(whole(json)?),
        "pwm_hz" => options.pwm_hz = Some(whole(json)?),
        "gamma" => options.gamma = Some(json.as_f64()?),
        "min" => options.min = Some(json.as_f64()?),
        "max" => options.max = Some(json.as_f64()?),
        "pixels" => options.pixels = Some(whole(json)?),
        "travel_ms" => options.travel_ms = Some(span(json)?),
        "first_key" => options.first_key = Some(whole(json)?),
        "keys" => options.keys = Some(whole(json)?),
        "i2c" => options.i2c = Some(whole(json)?),
        _ => return None,
    }
    Some(())
}

fn unfit(channel: &Arc<str>, option: &str) -> RoleError {
    let (channel, option) = (channel.clone(), option.to_owned());
    RoleError::Option { channel, option }
}

fn pin(of: &str, json: &Json) -> Result<Pin, RoleError> {
    let text = json
        .as_str()
        .map_or_else(|| json.to_string(), str::to_owned);
    Pin::parse(&text).ok_or_else(|| RoleError::Pin {
        of: of.into(),
        pin: text,
    })
}

fn pins(channel: &Arc<str>, option: &str, json: &Json) -> Result<Pins, RoleError> {
    let list = json.as_array().map(Vec::as_slice).unwrap_or_default();
    let pins: Vec<Pin> = list
        .iter()
        .map(|json| pin(channel, json))
        .collect::<Result<_, _>>()?;
    Pins::new(pins).ok_or_else(|| unfit(channel, option))
}

fn whole<N: TryFrom<u64>>(json: &Json) -> Option<N> {
    json.as_u64()?.try_into().ok()
}

/// Milliseconds; more than the 49 days that travel are as many as that.
fn span(json: &Json) -> Option<u32> {
    Some(json.as_u64()?.try_into().unwrap_or(u32::MAX))
}

fn fallback(json: &Json) -> Option<Fallback> {
    match json.as_str()? {
        "restore" | "keep" => Some(Fallback::Keep),
        "off" => Some(Fallback::Off),
        "on" => Some(Fallback::On),
        _ => None,
    }
}

fn pull(json: &Json) -> Option<Pull> {
    match json.as_str()? {
        "up" => Some(Pull::Up),
        "down" => Some(Pull::Down),
        "none" => Some(Pull::None),
        _ => None,
    }
}
