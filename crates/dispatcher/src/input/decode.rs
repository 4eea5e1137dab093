//! CBOR -> Input. The bytes come from our own journal, but disks rot and binaries change: nothing here
//! trusts a length, a name or a value.

use std::time::Duration;

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, Field, SlotIx},
};
use minicbor::{Decoder, data::Type as Cbor, decode::Error};
use types::{Type, Value};

use super::{DecodeError, Input, Stamp, tag, who_from};

type Read<T> = Result<T, DecodeError>;

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

pub(super) fn input(program: &Program, bytes: &[u8]) -> Read<Input> {
    let mut d = Decoder::new(bytes);
    let input = read(program, &mut d, true)?;
    if d.position() == bytes.len() {
        Ok(input)
    } else {
        Err(malformed("bytes after its end"))
    }
}

fn malformed(detail: &str) -> DecodeError {
    DecodeError::Malformed(detail.to_owned())
}

fn unknown(what: &'static str, name: &str) -> DecodeError {
    DecodeError::Unknown {
        what,
        name: name.to_owned(),
    }
}

fn read(program: &Program, d: &mut Decoder<'_>, outermost: bool) -> Read<Input> {
    let len = length(d.array()?)?;
    let tag = d.u8()?;
    Ok(match tag {
        tag::EVENT => event(program, d, len)?,
        tag::REPORT => {
            let channel = channel(program, d)?;
            let flags = d.u8()?;
            Input::Report {
                channel,
                fields: slots(program, channel, d)?,
                live: flags & 1 != 0,
                adopt: flags & 2 != 0,
            }
        }
        tag::ONLINE => Input::Online(device(program, d)?),
        tag::OFFLINE => Input::Offline(device(program, d)?),
        tag::SET => {
            let channel = channel(program, d)?;
            let fields = slots(program, channel, d)?;
            let who = who_from(d.u8()?, d.str()?).ok_or_else(|| malformed("an unknown writer"))?;
            let hold = optional_u64(d)?.map(Duration::from_millis);
            let bound = optional_u64(d)?.map(Duration::from_millis);
            Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            }
        }
        tag::COMMAND => command(program, d)?,
        tag::VAR => {
            let name = d.str()?;
            let var = program.names.vars.get(name).copied();
            let var = var.ok_or_else(|| unknown("variable", name))?;
            let to: Value = d.decode()?;
            fits(name, &program[var].ty, &to)?;
            Input::Var { var, to }
        }
        tag::BLOCK => Input::Block(d.decode()?),
        tag::UNBLOCK => Input::Unblock(d.decode()?),
        tag::CLOCK_SYNCED => Input::ClockSynced,
        tag::BEGAN => Input::Began,
        tag::RESUMED => Input::Resumed,
        tag::RELOAD => Input::Reload {
            hash: d
                .bytes()?
                .try_into()
                .map_err(|_| malformed("a hash of another length"))?,
        },
        tag::CONFIG => Input::Config(d.decode()?),
        tag::TICK => Input::Tick,
        tag::SEVERAL if outermost => {
            let mut inputs = Vec::new();
            for _ in 1..len {
                inputs.push(read(program, d, false)?);
            }
            Input::Several(inputs)
        }
        other => return Err(malformed(&format!("input of unknown kind {other}"))),
    })
}

fn event(program: &Program, d: &mut Decoder<'_>, len: u64) -> Read<Input> {
    let (device_name, channel_name, event_name) = (d.str()?, d.str()?, d.str()?);
    let device = program
        .device(device_name)
        .ok_or_else(|| unknown("device", device_name))?;
    let channel = program
        .channel(device, channel_name)
        .ok_or_else(|| unknown("channel", channel_name))?;
    let event = program
        .event(channel, event_name)
        .ok_or_else(|| unknown("event", event_name))?;
    let fields = values(&program[event].fields, event_name, d)?;
    let produced_ms = if len > 5 { optional_u64(d)? } else { None };
    let stamp = if len > 6 {
        Some(Stamp {
            boot: d.u64()?,
            seq: d.u32()?,
        })
    } else {
        None
    };
    Ok(Input::Event {
        event,
        fields,
        produced_ms,
        stamp,
    })
}

fn command(program: &Program, d: &mut Decoder<'_>) -> Read<Input> {
    let channel = channel(program, d)?;
    let name = d.str()?;
    let commands = &program[channel].commands;
    let place = commands.iter().position(|command| *command.name == *name);
    let place = place.ok_or_else(|| unknown("command", name))?;
    let args = values(&commands[place].args, name, d)?;
    let who = who_from(d.u8()?, d.str()?).ok_or_else(|| malformed("an unknown writer"))?;
    Ok(Input::Command {
        channel,
        command: u8::try_from(place).map_err(|_| malformed("too many commands"))?,
        args,
        who,
    })
}

fn device(program: &Program, d: &mut Decoder<'_>) -> Read<DeviceIx> {
    let name = d.str()?;
    program.device(name).ok_or_else(|| unknown("device", name))
}

fn channel(program: &Program, d: &mut Decoder<'_>) -> Read<ChannelIx> {
    let device = device(program, d)?;
    let name = d.str()?;
    program
        .channel(device, name)
        .ok_or_else(|| unknown("channel", name))
}

fn values(declared: &[Field], name: &str, d: &mut Decoder<'_>) -> Read<Vec<Value>> {
    if length(d.array()?)? != declared.len() as u64 {
        return Err(DecodeError::Fields {
            name: name.to_owned(),
        });
    }
    let mut values = Vec::with_capacity(declared.len());
    for field in declared {
        let value: Value = d.decode()?;
        fits(&field.name, &field.ty, &value)?;
        values.push(value);
    }
    Ok(values)
}

fn slots(program: &Program, channel: ChannelIx, d: &mut Decoder<'_>) -> Read<Vec<(SlotIx, Value)>> {
    let mut fields = Vec::new();
    for _ in 0..length(d.map()?)? {
        let name = d.str()?;
        let slot = program
            .slot(channel, name)
            .ok_or_else(|| unknown("field", name))?;
        let value: Value = d.decode()?;
        // A wish for brightness 0 is out of the field's range and means off; see the `set` payload.
        if !(name == "brightness" && value == Value::Number(0.0)) {
            fits(name, &program[slot].ty, &value)?;
        }
        fields.push((slot, value));
    }
    Ok(fields)
}

fn fits(name: &str, ty: &Type, value: &Value) -> Read<()> {
    ty.check(value).map_err(|refusal| DecodeError::Value {
        name: name.to_owned(),
        refusal,
    })
}

fn length(len: Option<u64>) -> Read<u64> {
    len.ok_or_else(|| malformed("an unbounded list"))
}

fn optional_u64(d: &mut Decoder<'_>) -> Read<Option<u64>> {
    if d.datatype()? == Cbor::Null {
        d.null()?;
        return Ok(None);
    }
    Ok(Some(d.u64()?))
}
