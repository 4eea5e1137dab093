//! What people and tools ask for on `.../set`: fields, a command by name, or a bare value.
//!
//! ```text
//! {"on":true,"brightness":40}   {"brightness":40,"hold":"10m"}   {"on":true,"for":"2h"}   {"command":"toggle"}
//! {"command":"brighter","step":20}   ON   toggle   21.5
//! ```

use std::{borrow::Cow, sync::Arc, time::Duration};

use mapping::{
    Program,
    program::{ChannelIx, Command, SlotIx},
};
use types::Value;

use super::{
    event::default_of,
    flat::{Body, Scalar, checked, no_doubles},
    state::{finish, names},
};
use crate::refusal::Reason;

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Fields {
        fields: Vec<(SlotIx, Value)>,
        hold: Option<Duration>,
        bound: Option<Duration>,
    },
    Command {
        command: u8,
        args: Vec<Value>,
    },
}

type Pairs<'a> = [(Cow<'a, str>, Scalar<'a>)];

/// Reads a request for `channel`.
pub(crate) fn set(program: &Program, channel: ChannelIx, payload: &[u8]) -> Result<Asked, Reason> {
    let pairs = match Body::read(payload)? {
        Body::Pairs(pairs) => pairs,
        Body::Bare(scalar) => return bare(program, channel, &scalar),
    };
    no_doubles(&pairs)?;
    match pairs.iter().find(|(key, _)| key == "command") {
        Some((_, Scalar::Text(name))) => command(program, channel, name, &pairs),
        Some(_) => Err(unknown_command(program, channel, "")),
        None => fields(program, channel, &pairs),
    }
}

fn bare(program: &Program, channel: ChannelIx, scalar: &Scalar<'_>) -> Result<Asked, Reason> {
    if let Scalar::Text(word) = scalar {
        let known = program[channel].commands.iter();
        if let Some(known) = known
            .into_iter()
            .find(|c| word.eq_ignore_ascii_case(&c.name))
        {
            return command(program, channel, &known.name, &[]);
        }
    }
    let settable = settable(program, channel);
    let slot = match (program.slot(channel, "on"), &settable[..]) {
        (Some(on), _) if scalar.to_bool().is_some() => on,
        (_, [only]) => *only,
        _ => {
            return Err(Reason::Bare {
                fields: names(program, &settable),
            });
        }
    };
    let value = checked(&program[slot].name, &program[slot].ty, scalar)?;
    Ok(Asked::Fields {
        fields: vec![(slot, value)],
        hold: None,
        bound: None,
    })
}

fn command(
    program: &Program,
    channel: ChannelIx,
    name: &str,
    pairs: &Pairs<'_>,
) -> Result<Asked, Reason> {
    let commands = &program[channel].commands;
    let place = commands.iter().position(|command| *command.name == *name);
    let Some(place) = place else {
        return Err(unknown_command(program, channel, name));
    };
    let Command { args: declared, .. } = &commands[place];
    let strange = pairs
        .iter()
        .find(|(key, _)| key != "command" && !declared.iter().any(|f| *f.name == **key));
    if let Some((key, _)) = strange {
        return Err(Reason::UnknownField {
            name: key.to_string(),
            known: declared.iter().map(|f| Arc::clone(&f.name)).collect(),
        });
    }
    let mut args = Vec::with_capacity(declared.len());
    for field in declared {
        let given = pairs.iter().find(|(key, _)| **key == *field.name);
        args.push(match given {
            Some((_, scalar)) => checked(&field.name, &field.ty, scalar)?,
            None => default_of(field)?,
        });
    }
    Ok(Asked::Command {
        // A kind has a handful of commands; the mapping numbers them with a u8.
        command: u8::try_from(place).unwrap_or(u8::MAX),
        args,
    })
}

fn fields(program: &Program, channel: ChannelIx, pairs: &Pairs<'_>) -> Result<Asked, Reason> {
    let mut fields = Vec::with_capacity(pairs.len());
    let (mut hold, mut bound) = (None, None);
    for (name, scalar) in pairs {
        let Some(slot) = program.slot(channel, name) else {
            if name == "hold" {
                hold = Some(span("hold", scalar)?);
                continue;
            }
            if name == "for" && program.on(channel).is_some() {
                bound = Some(span("for", scalar)?).filter(|span| !span.is_zero());
                continue;
            }
            return Err(Reason::UnknownField {
                name: name.to_string(),
                known: names(program, &settable(program, channel)),
            });
        };
        let row = &program[slot];
        if !row.settable {
            return Err(Reason::NotSettable {
                name: Arc::clone(&row.name),
            });
        }
        // Brightness 0 is a wish too: off, and remember the last brightness. The engine knows how.
        let value = if program.is_brightness(slot) && scalar.is_zero() {
            Value::Number(0.0)
        } else {
            checked(&row.name, &row.ty, scalar)?
        };
        fields.push((slot, value));
    }
    // `{"hold":0}` lets rules write again, and asks for nothing else.
    let fields = match hold {
        Some(_) if fields.is_empty() => fields,
        _ => finish(fields)?,
    };
    Ok(Asked::Fields {
        fields,
        hold,
        bound,
    })
}

/// `"10m"`, or seconds as a number; at most a year.
fn span(field: &'static str, scalar: &Scalar<'_>) -> Result<Duration, Reason> {
    const YEAR_S: f64 = 31_536_000.0;
    let refused = Reason::Stamp {
        field,
        takes: "a time such as \"10m\" or \"1h30m\", or seconds, at most a year",
    };
    let seconds = match scalar {
        Scalar::Whole(seconds) => Some(*seconds as f64),
        Scalar::Number(seconds) => Some(*seconds),
        Scalar::Text(text) => mapping::duration(text).map(|span| span.as_secs_f64()),
        Scalar::Bool(_) | Scalar::NotPlain => None,
    };
    match seconds {
        Some(seconds) if (0.0..=YEAR_S).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(refused),
    }
}

fn settable(program: &Program, channel: ChannelIx) -> Vec<SlotIx> {
    let slots = program[channel].slots.iter().copied();
    slots.filter(|ix| program[*ix].settable).collect()
}

fn unknown_command(program: &Program, channel: ChannelIx, name: &str) -> Reason {
    let commands = program[channel].commands.iter();
    Reason::UnknownCommand {
        name: name.to_owned(),
        known: commands.map(|c| Arc::clone(&c.name)).collect(),
    }
}
