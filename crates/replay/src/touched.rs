//! Which channels an input may have changed anything about, and which devices it heard: only those have to be looked at behind it.

use dispatcher::{Effects, Input};
use engine::{Cause, Decision};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};

/// The channels that are named in what came of an input.
pub(crate) fn touched(program: &Program, effects: &Effects) -> Vec<ChannelIx> {
    let decisions = effects.engine.decisions.iter();
    decisions
        .flat_map(|decision| of_decision(program, decision))
        .collect()
}

fn of_decision(program: &Program, decision: &Decision) -> Vec<ChannelIx> {
    let of_device = |device: DeviceIx| program[device].channels.clone();
    let causes = decision.steps.iter().map(|step| match &step.cause {
        Cause::Report(channel, _) | Cause::Set(channel, _) | Cause::Bound(channel) => {
            vec![*channel]
        }
        Cause::Event(event, _) => match program[*event].channel {
            Some(channel) => vec![channel],
            None => of_device(program[*event].device),
        },
        Cause::Online(device) | Cause::Offline(device) => of_device(*device),
        _ => Vec::new(),
    });
    let sent = decision.sent.iter().filter_map(|sent| sent.channel);
    causes.flatten().chain(sent).collect()
}

/// Whether what an input changes stands in its decisions; after a block or a reload anything may be otherwise.
pub(crate) fn is_told(input: &Input) -> bool {
    match input {
        Input::Event { .. }
        | Input::Report { .. }
        | Input::Set { .. }
        | Input::Command { .. }
        | Input::Var { .. }
        | Input::Online(_)
        | Input::Offline(_)
        | Input::Tick => true,
        Input::Several(inputs) => inputs.iter().all(is_told),
        _ => false,
    }
}

/// The devices that say something with an input whose changes stand in its decisions.
pub(crate) fn speakers(program: &Program, input: &Input) -> Vec<DeviceIx> {
    match input {
        Input::Event { event, .. } => vec![program[*event].device],
        Input::Report { channel, .. } => vec![program[*channel].device],
        Input::Online(device) => vec![*device],
        Input::Several(inputs) => {
            let all = inputs.iter();
            all.flat_map(|input| speakers(program, input)).collect()
        }
        _ => Vec::new(),
    }
}
