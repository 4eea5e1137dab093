//! Messages that a rule could have heard and that were not taken, as long as nothing newer came from there.

use dispatcher::{Input, Observed};
use engine::depend::Dependencies;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, RuleIx, Succession},
};
use types::Now;

use super::{facts, pulls::Pull};
use crate::{player::Fed, travel::Step};

/// The newest one of each place.
#[derive(Default)]
pub(super) struct Refusals(Vec<Refused>);

/// A message that was not taken.
pub(super) struct Refused {
    pub(super) now: Now,
    /// Who sent what, and why it was not taken.
    pub(super) text: String,
    /// The channels that are heard there; all of a device that spoke where nothing is heard.
    channels: Vec<ChannelIx>,
    /// The rule waits for one of them.
    pub(super) is_waited_for: bool,
}

impl Refusals {
    /// Notes what was not taken, and forgets what was heard since.
    pub(super) fn look(&mut self, step: &Step<'_>, rule: RuleIx) {
        let program = step.house.program();
        if let Fed::Observed(Observed::Refused {
            device,
            topic,
            text,
        }) = &step.fed
        {
            let channels = topic.as_ref().and_then(|topic| step.house.heard_on(topic));
            let device = device.as_ref().and_then(|name| program.device(name));
            let channels = channels.or_else(|| Some(program[device?].channels.clone()));
            self.note(step, rule, channels.unwrap_or_default(), text);
        }
        if !self.0.is_empty()
            && let (Some(input), Fed::Applied) = (step.input(), &step.fed)
        {
            let heard = heard(program, &input);
            self.0
                .retain(|refused| !refused.channels.iter().any(|it| heard.contains(it)));
        }
    }

    fn note(&mut self, step: &Step<'_>, rule: RuleIx, channels: Vec<ChannelIx>, text: &str) {
        let program = step.house.program();
        let has = |all: &[ChannelIx]| channels.iter().any(|channel| all.contains(channel));
        let is_waited_for = has(&waited_for(program, rule));
        if !is_waited_for && !has(&read(program, rule)) {
            return;
        }
        self.0.retain(|refused| refused.channels != channels);
        self.0.push(Refused {
            now: step.record.now,
            text: text.to_owned(),
            channels,
            is_waited_for,
        });
    }

    pub(super) fn rename(&mut self, succession: &Succession<'_>) {
        for refused in &mut self.0 {
            let channels = refused.channels.iter();
            let channels = channels.filter_map(|channel| succession.channel(*channel));
            refused.channels = channels.collect();
        }
        self.0.retain(|refused| !refused.channels.is_empty());
    }

    pub(super) fn newest(&self) -> Option<&Refused> {
        self.0.last()
    }
}

/// The channels from which an input came.
fn heard(program: &Program, input: &Input) -> Vec<ChannelIx> {
    let of_device = |device: DeviceIx| program[device].channels.clone();
    match input {
        Input::Event { event, .. } => program[*event].channel.into_iter().collect(),
        Input::Report { channel, .. } => vec![*channel],
        Input::Online(device) | Input::Offline(device) => of_device(*device),
        Input::Several(inputs) => inputs.iter().flat_map(|it| heard(program, it)).collect(),
        _ => Vec::new(),
    }
}

/// The channels that a rule waits for.
fn waited_for(program: &Program, rule: RuleIx) -> Vec<ChannelIx> {
    let pulls = Pull::all(program, rule);
    pulls.flat_map(|pull| pull.channels(program)).collect()
}

/// The channels that its conditions read.
fn read(program: &Program, rule: RuleIx) -> Vec<ChannelIx> {
    let of_condition = |condition: &mapping::program::Condition| {
        let reads = Dependencies::of(&condition.expr);
        let ages = reads.ages.iter().map(|age| age.slot);
        let slots = reads.states.iter().copied().chain(ages);
        let devices = reads.devices.iter();
        let of_devices = devices.flat_map(|device| program[*device].channels.iter().copied());
        let channels = slots.map(|slot| program[slot].channel).chain(of_devices);
        channels.collect::<Vec<_>>()
    };
    let conditions = facts::conditions(program, rule).into_iter();
    conditions.flat_map(of_condition).collect()
}
