//! Which names of a house fit where: all that can be written there, for the schema and for completion in
//! editors. Must not know what is written already.

use crate::{
    grammar::{Names, Values},
    paths::{self, GESTURE_WORDS},
    program::{Action, ChannelIx, EventIx, Program},
};

/// All names of the house that fit.
#[must_use]
pub fn all(program: &Program, names: Names) -> Vec<String> {
    let known = &program.names;
    let channels = || ChannelIx::all(program.channels.len());
    let groups = || known.groups.iter();
    let strings = |names: &mut dyn Iterator<Item = &std::sync::Arc<str>>| -> Vec<String> {
        names.map(|name| name.to_string()).collect()
    };
    match names {
        Names::Device => strings(&mut known.devices.keys()),
        Names::Group => strings(&mut known.groups.keys()),
        Names::Var => strings(&mut known.vars.keys()),
        Names::Scene => strings(&mut known.scenes.keys()),
        Names::Timer => started(program),
        Names::Rule => strings(&mut known.rules.keys()),
        Names::Member => {
            let paths = channels().map(|channel| program.channel_path(channel));
            let devices = strings(&mut known.devices.keys().chain(known.groups.keys()));
            devices.into_iter().chain(paths).collect()
        }
        Names::Target => which(program, &|channel| program[channel].consumer),
        Names::Switched => which(program, &|channel| program.on(channel).is_some()),
        Names::Button => which(program, &|channel| paths::has_gestures(program, channel)),
        Names::Event => {
            let mut all = one_event(program);
            if program.devices.len() > 1 {
                all.extend(of_all_devices());
            }
            all.extend(groups().flat_map(|(group, _)| {
                ["online", "offline"].map(|event| format!("{group}.{event}"))
            }));
            let mut everywhere: Vec<String> = Vec::new();
            for (name, members) in by_channel_name(program) {
                everywhere.extend(shared(
                    &members,
                    &|channel| event_names(program, channel),
                    &format!("*.{name}"),
                ));
            }
            all.append(&mut everywhere);
            for (group, members) in groups().filter(|(_, members)| members.len() > 1) {
                all.extend(shared(
                    members,
                    &|channel| event_names(program, channel),
                    group,
                ));
            }
            for channel in channels().filter(|channel| paths::has_gestures(program, *channel)) {
                let path = program.channel_path(channel);
                let missing = GESTURE_WORDS
                    .into_iter()
                    .filter(|word| program.event(channel, word).is_none());
                all.extend(missing.map(|word| format!("{path}.{word}")));
            }
            all
        }
        Names::OneEvent => one_event(program),
        Names::Command => {
            let mut all = Vec::new();
            for channel in channels() {
                let path = program.channel_path(channel);
                let commands = command_names(program, channel);
                all.extend(commands.iter().map(|command| format!("{path}.{command}")));
            }
            for (group, members) in groups() {
                all.extend(shared(
                    members,
                    &|channel| command_names(program, channel),
                    group,
                ));
            }
            all
        }
        Names::Kind => program.kinds.names().map(str::to_owned).collect(),
        Names::Renamed => crate::house::renamed::names(program),
        Names::Lint => crate::lint::NAMES.iter().map(ToString::to_string).collect(),
        Names::Channel
        | Names::KindField
        | Names::KindEvent
        | Names::KindCommand
        | Names::Test
        | Names::NewTimer => Vec::new(),
    }
}

/// Channels by their own name, of whatever device.
pub(super) fn by_channel_name(
    program: &Program,
) -> std::collections::BTreeMap<&str, Vec<ChannelIx>> {
    let mut all: std::collections::BTreeMap<&str, Vec<ChannelIx>> = Default::default();
    for channel in ChannelIx::all(program.channels.len()) {
        all.entry(&program[channel].name).or_default().push(channel);
    }
    all
}

/// Whether such values can be given of a channel.
#[must_use]
pub fn has_values(program: &Program, channel: ChannelIx, values: Values) -> bool {
    let row = &program[channel];
    match values {
        Values::State | Values::Age => true,
        Values::Scene | Values::Target => row.slots.iter().any(|slot| program[*slot].settable),
        Values::OnFor => row.consumer && program.on(channel).is_some(),
        Values::Kept => row.consumer,
    }
}

/// Timers that some rule starts.
fn started(program: &Program) -> Vec<String> {
    let actions = program.rules.iter().flat_map(|rule| &rule.actions);
    let timers = actions.filter_map(|action| match action {
        Action::Start { timer, .. } => Some(program[*timer].name.to_string()),
        _ => None,
    });
    let timers: std::collections::BTreeSet<String> = timers.collect();
    timers.into_iter().collect()
}

/// Channels and groups that are or hold nothing but such channels.
fn which(program: &Program, fits: &dyn Fn(ChannelIx) -> bool) -> Vec<String> {
    let channels = ChannelIx::all(program.channels.len()).filter(|channel| fits(*channel));
    let channels = channels.map(|channel| program.channel_path(channel));
    let groups = program.names.groups.iter();
    let groups = groups.filter(|(_, members)| members.iter().all(|channel| fits(*channel)));
    channels
        .chain(groups.map(|(name, _)| name.to_string()))
        .collect()
}

fn of_all_devices() -> [String; 2] {
    ["*.online", "*.offline"].map(str::to_owned)
}

/// Events of one channel or device; where there is one only, also by the name of a group or of all.
fn one_event(program: &Program) -> Vec<String> {
    let events = EventIx::all(program.events.len());
    let mut all: Vec<String> = events.map(|event| program.event_path(event)).collect();
    for (group, members) in &program.names.groups {
        if members.len() == 1 {
            all.extend(shared(
                members,
                &|channel| event_names(program, channel),
                group,
            ));
        }
    }
    if program.devices.len() == 1 {
        all.extend(of_all_devices());
    }
    all
}

/// Events and gestures of a channel.
#[must_use]
pub fn event_names(program: &Program, channel: ChannelIx) -> Vec<String> {
    let own = program[channel].events.iter();
    let mut all: Vec<String> = own.map(|event| program[*event].name.to_string()).collect();
    if paths::has_gestures(program, channel) {
        for word in GESTURE_WORDS {
            if !all.iter().any(|name| name == word) {
                all.push(word.to_owned());
            }
        }
    }
    all
}

/// Commands of a channel.
#[must_use]
pub fn command_names(program: &Program, channel: ChannelIx) -> Vec<String> {
    let commands = program[channel].commands.iter();
    commands.map(|command| command.name.to_string()).collect()
}

/// The channels that `D.CH.command` or `G.command` tells something, each with the place of the command among its own.
#[must_use]
pub fn commands(program: &Program, name: &str) -> Vec<(ChannelIx, usize)> {
    let Some((target, name)) = name.rsplit_once('.') else {
        return Vec::new();
    };
    let channels = match program.names.groups.get(target) {
        Some(members) => members.clone(),
        None => program.channel_by_path(target).into_iter().collect(),
    };
    let command = |channel: ChannelIx| {
        let mut commands = program[channel].commands.iter();
        let place = commands.position(|command| *command.name == *name)?;
        Some((channel, place))
    };
    channels.into_iter().filter_map(command).collect()
}

/// `GROUP.name` for each name that all members have.
fn shared(
    members: &[ChannelIx],
    names: &dyn Fn(ChannelIx) -> Vec<String>,
    group: &str,
) -> Vec<String> {
    let Some((first, rest)) = members.split_first() else {
        return Vec::new();
    };
    let mut common = names(*first);
    for member in rest {
        let other = names(*member);
        common.retain(|name| other.contains(name));
    }
    common
        .into_iter()
        .map(|name| format!("{group}.{name}"))
        .collect()
}
