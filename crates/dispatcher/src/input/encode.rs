//! Input -> CBOR.

use std::convert::Infallible;

use mapping::{
    Program,
    program::{ChannelIx, SlotIx},
};
use minicbor::{Encoder, encode::Error};
use types::Value;

use super::{Input, tag, who_parts};

type Out<'o> = Encoder<&'o mut Vec<u8>>;
type Done = Result<(), Error<Infallible>>;

pub(super) fn input(input: &Input, program: &Program, out: &mut Vec<u8>) {
    let before = out.len();
    if write(input, program, &mut Encoder::new(&mut *out)).is_err() {
        // A Vec takes every byte; only a defect in here could bring us to this line. A record without
        // content is read as damaged, which is loud.
        out.truncate(before);
    }
}

fn write(input: &Input, program: &Program, e: &mut Out<'_>) -> Done {
    match input {
        Input::Event {
            event,
            fields,
            produced_ms,
            stamp,
        } => {
            let row = &program[*event];
            let channel = row.channel.map_or("", |ix| &*program[ix].name);
            let extra = match (produced_ms, stamp) {
                (_, Some(_)) => 3,
                (Some(_), None) => 1,
                (None, None) => 0,
            };
            e.array(5 + extra)?.u8(tag::EVENT)?;
            e.str(&program[row.device].name)?
                .str(channel)?
                .str(&row.name)?;
            values(fields, e)?;
            if extra > 0 {
                match produced_ms {
                    Some(ms) => e.u64(*ms)?,
                    None => e.null()?,
                };
            }
            if let Some(stamp) = stamp {
                e.u64(stamp.boot)?.u32(stamp.seq)?;
            }
        }
        Input::Report {
            channel,
            fields,
            live,
            adopt,
        } => {
            e.array(5)?.u8(tag::REPORT)?;
            path(program, *channel, e)?;
            e.u8(u8::from(*live) | u8::from(*adopt) << 1)?;
            slots(program, fields, e)?;
        }
        Input::Online(device) => {
            e.array(2)?.u8(tag::ONLINE)?.str(&program[*device].name)?;
        }
        Input::Offline(device) => {
            e.array(2)?.u8(tag::OFFLINE)?.str(&program[*device].name)?;
        }
        Input::Set {
            channel,
            fields,
            who,
            hold,
            bound,
        } => {
            e.array(8)?.u8(tag::SET)?;
            path(program, *channel, e)?;
            slots(program, fields, e)?;
            let (kind, name) = who_parts(who);
            e.u8(kind)?.str(name)?;
            for span in [hold, bound] {
                match span {
                    Some(span) => e.u64(span.as_millis() as u64)?,
                    None => e.null()?,
                };
            }
        }
        Input::Command {
            channel,
            command,
            args,
            who,
        } => {
            let known = program[*channel].commands.get(usize::from(*command));
            e.array(7)?.u8(tag::COMMAND)?;
            path(program, *channel, e)?;
            e.str(known.map_or("", |command| &*command.name))?;
            values(args, e)?;
            let (kind, name) = who_parts(who);
            e.u8(kind)?.str(name)?;
        }
        Input::Var { var, to } => {
            e.array(3)?
                .u8(tag::VAR)?
                .str(&program[*var].name)?
                .encode(to)?;
        }
        Input::Block(block) => {
            e.array(2)?.u8(tag::BLOCK)?.encode(block)?;
        }
        Input::Unblock(subject) => {
            e.array(2)?.u8(tag::UNBLOCK)?.encode(subject)?;
        }
        Input::Began => {
            e.array(1)?.u8(tag::BEGAN)?;
        }
        Input::Resumed => {
            e.array(1)?.u8(tag::RESUMED)?;
        }
        Input::ClockSynced => {
            e.array(1)?.u8(tag::CLOCK_SYNCED)?;
        }
        Input::Reload { hash } => {
            e.array(2)?.u8(tag::RELOAD)?.bytes(hash)?;
        }
        Input::Config(conduct) => {
            e.array(2)?.u8(tag::CONFIG)?.encode(conduct)?;
        }
        Input::Tick => {
            e.array(1)?.u8(tag::TICK)?;
        }
        Input::Several(inputs) => {
            e.array(1 + inputs.len() as u64)?.u8(tag::SEVERAL)?;
            for input in inputs {
                write(input, program, e)?;
            }
        }
    }
    Ok(())
}

fn path(program: &Program, channel: ChannelIx, e: &mut Out<'_>) -> Done {
    let row = &program[channel];
    e.str(&program[row.device].name)?.str(&row.name)?;
    Ok(())
}

fn values(values: &[Value], e: &mut Out<'_>) -> Done {
    e.array(values.len() as u64)?;
    for value in values {
        e.encode(value)?;
    }
    Ok(())
}

fn slots(program: &Program, fields: &[(SlotIx, Value)], e: &mut Out<'_>) -> Done {
    e.map(fields.len() as u64)?;
    for (slot, value) in fields {
        e.str(&program[*slot].name)?.encode(value)?;
    }
    Ok(())
}
