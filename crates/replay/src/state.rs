//! The house as it was at a moment: what was reported and wished, who was there, what ran and waited.

use std::sync::Arc;

use dispatcher::Sides;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, RuleIx, TimerIx, VarIx},
};
use types::{InputNo, Now, UnixTime, Value};

use crate::{
    fate,
    history::{History, Until},
    lineage::Lineage,
    target::Target,
    trouble::HistoryError,
    when::When,
};

mod json;
mod look;
mod text;

use look::Looker;

/// The house, or a part of it, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The moment.
    pub at: UnixTime,
    /// The last input before it.
    pub no: InputNo,
    /// The first digits of the hash of the mapping in force.
    pub mapping: String,
    /// What was asked about, and what it was called then, where that is another name.
    pub then: Option<(String, String)>,
    /// Devices in file order.
    pub devices: Vec<DeviceState>,
    /// Variables in file order.
    pub vars: Vec<(String, Value)>,
    /// Timers that run.
    pub timers: Vec<TimerState>,
    /// What rules wait for: a `for` that runs, an action behind a `wait`.
    pub waits: Vec<WaitState>,
}

/// One device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceState {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub online: bool,
    /// What it lost to a block.
    pub blocked: Sides,
    /// When it last said anything.
    pub heard: Option<UnixTime>,
    /// Its channels.
    pub channels: Vec<ChannelState>,
}

/// One channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelState {
    /// Its name within the device.
    pub name: String,
    /// Name of its kind.
    pub kind: String,
    /// Its fields; those of which nothing is known are left out.
    pub fields: Vec<FieldState>,
    /// Until when rules must not write it.
    pub held_until: Option<UnixTime>,
    /// When the consumer itself ends what it was told.
    pub bounded_until: Option<UnixTime>,
}

/// One field of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldState {
    /// Its name.
    pub name: String,
    /// What was reported last, and when.
    pub reported: Option<(Value, UnixTime)>,
    /// That is too old to count.
    pub is_stale: bool,
    /// What is wished, and who wished it.
    pub wanted: Option<(Value, String)>,
}

/// A timer that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerState {
    /// Its name.
    pub name: String,
    /// When it was started.
    pub started: UnixTime,
    /// When it runs out.
    pub due: UnixTime,
    /// The rule that started it.
    pub by: String,
}

/// A rule that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitState {
    /// Its name.
    pub rule: String,
    /// What for.
    pub what: String,
    /// When it goes on; `None`: once something unknown is known.
    pub due: Option<UnixTime>,
}

/// Answers `state [PATH] --at when`; without a moment it is that of the newest input, which is so still at `now`, where it is
/// known that nothing came since.
///
/// # Errors
/// There is no such thing, the moment lies before everything that is kept, or the past can't be read.
pub fn state(
    history: &History,
    path: Option<&str>,
    when: Option<When>,
    now: Option<UnixTime>,
) -> Result<State, HistoryError> {
    let until = when.map_or(Until::End, |when| Until::Wall(when.from));
    let travel = history.travel_to(until)?;
    let house = travel.house();
    let program = house.program();
    let target = match path {
        Some(path) => Some(named(history, path, travel.last(), program)?),
        None => None,
    };
    let then = path.zip(target.as_ref());
    let then = then.map(|(path, target)| (path.trim().to_owned(), target.words(program)));
    let then =
        then.filter(|(path, then)| Target::find(program, path) != Target::find(program, then));
    let last = travel.now();
    let at = when.map(|when| when.from).or(now).unwrap_or(last.wall);
    let looker = Looker {
        house,
        program,
        now: Now {
            at: last.at.after(at.since(last.wall)),
            wall: at,
            ..last
        },
    };
    let wanted = |part: &Part| {
        target
            .as_ref()
            .is_none_or(|target| part.is_of(target, program))
    };
    let devices = DeviceIx::all(program.devices.len());
    let devices = devices.filter(|ix| wanted(&Part::Device(*ix)));
    let vars = VarIx::all(program.vars.len()).filter(|ix| wanted(&Part::Var(*ix)));
    let timers = TimerIx::all(program.timers.len()).filter(|ix| wanted(&Part::Timer(*ix)));
    let rules = RuleIx::all(program.rules.len()).filter(|ix| wanted(&Part::Rule(*ix)));
    let hash = store::MappingHash(program.hash).to_string();
    Ok(State {
        at,
        no: travel.last(),
        mapping: hash.get(..8).unwrap_or_default().to_owned(),
        then,
        devices: devices
            .map(|ix| looker.device(ix, target.as_ref()))
            .collect(),
        vars: vars
            .map(|ix| (program[ix].name.to_string(), house.engine().var(ix).clone()))
            .collect(),
        timers: timers.filter_map(|ix| looker.timer(ix)).collect(),
        waits: rules.flat_map(|ix| looker.waits(ix)).collect(),
    })
}

/// What `path` names today, as it was in `program` after input `no`; else what had that name then.
fn named(
    history: &History,
    path: &str,
    no: InputNo,
    program: &Arc<Program>,
) -> Result<Target, HistoryError> {
    let today = Target::find(history.program(), path);
    let then = today.and_then(|target| Lineage::of_today(history, target).then(no, program));
    then.or_else(|| Target::find(program, path))
        .ok_or_else(|| fate::unknown(history, program, path))
}

/// A part of the answer.
enum Part {
    Device(DeviceIx),
    Var(VarIx),
    Timer(TimerIx),
    Rule(RuleIx),
}

impl Part {
    fn is_of(&self, target: &Target, program: &Program) -> bool {
        let device_of = |channel: ChannelIx| program[channel].device;
        match (self, target) {
            (Self::Device(own), Target::Device(device)) => own == device,
            (Self::Device(own), Target::Channel(channel)) => *own == device_of(*channel),
            (Self::Device(own), Target::Group(_)) => {
                let mut members = target.members(program).iter();
                members.any(|channel| *own == device_of(*channel))
            }
            (Self::Device(own), Target::Gesture(channel, _)) => *own == device_of(*channel),
            (Self::Device(own), Target::Slot(slot)) => *own == device_of(program[*slot].channel),
            (Self::Device(own), Target::Event(event)) => *own == program[*event].device,
            (Self::Var(own), Target::Var(var)) => own == var,
            (Self::Timer(own), Target::Timer(timer)) => own == timer,
            (Self::Rule(own), Target::Rule(rule)) => own == rule,
            _ => false,
        }
    }
}
