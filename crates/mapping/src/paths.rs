//! People's words for parts of a house: `hall.lamp`, `lights`, `hall.motion.start`, `*.offline`,
//! `hall.lamp.on`. Each word that means nothing is reported with the nearest one that does.
//!
//! Used by groups, scenes, rules and house tests. Must not know where the words stand but for their place.

use std::{ops::Range, sync::Arc};

use crate::{
    diagnostic::Diagnostic,
    habits,
    index::Symbol,
    kinds::Kind,
    program::{Carrier, ChannelIx, DeviceIx, EventIx, GestureKind, Program, SlotIx},
    read::{Key, Text, did_you_mean, list},
    report::Report,
    source::Span,
    suggest,
};

/// Words for gestures on a button.
pub(crate) const GESTURES: [(&str, GestureKind); 4] = [
    ("click", GestureKind::Click),
    ("double", GestureKind::Double),
    ("triple", GestureKind::Triple),
    ("long", GestureKind::Long),
];

/// The same words alone.
pub(crate) const GESTURE_WORDS: [&str; 4] = ["click", "double", "triple", "long"];

/// What a word for an event stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An event as it arrives.
    Event(EventIx),
    /// A gesture derived from `press` and `release`.
    Gesture(GestureKind, ChannelIx),
}

/// The parts between the dots, with their ranges.
fn segments<'a>(text: &Text<'a>, range: Range<usize>) -> Vec<(&'a str, Range<usize>)> {
    let mut at = range.start;
    let whole: &'a str = text.text;
    let part = whole.get(range).unwrap_or_default();
    part.split('.')
        .map(|name| {
            let here = at..at + name.len();
            at = here.end + 1;
            (name, here)
        })
        .collect()
}

/// The channel `D.CH`.
pub(crate) fn channel(
    program: &Program,
    report: &mut Report,
    text: &Text<'_>,
    range: Range<usize>,
) -> Option<ChannelIx> {
    let whole = range.clone();
    match segments(text, range).as_slice() {
        [(device, at), (channel, channel_at)] => {
            if let Some(ix) = program.device(device) {
                report.mention(|| (text.place(at.clone()), Symbol::Device((*device).into())));
                return channel_of(program, report, ix, channel, text.place(channel_at.clone()));
            }
            if !report.is_broken(device) {
                report.push(unknown_target(program, device, text.place(at.clone())));
            }
            None
        }
        [(name, at)] => {
            if !report.is_broken(name) {
                report.push(match program.device(name) {
                    Some(device) => incomplete(program, device, name, text.place(at.clone())),
                    None => unknown_target(program, name, text.place(at.clone())),
                });
                if program.device(name).is_some() {
                    report.mention(|| (text.place(at.clone()), Symbol::Device((*name).into())));
                }
            }
            None
        }
        _ => {
            let message = format!("`{}` names no channel", &text.text[whole.clone()]);
            report.push(
                Diagnostic::error("bad-path", text.place(whole), message)
                    .help("write `DEVICE.CHANNEL`, or the name of a group"),
            );
            None
        }
    }
}

fn incomplete(program: &Program, device: DeviceIx, name: &str, span: Span) -> Diagnostic {
    let error = Diagnostic::error("bad-path", span, format!("`{name}` is a whole device"));
    let names: Vec<String> = program[device]
        .channels
        .iter()
        .map(|ix| program.channel_path(*ix))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    error.help(format!("its channels are {}", list(&names)))
}

/// The channel `name` of a device.
pub(crate) fn channel_of(
    program: &Program,
    report: &mut Report,
    device: DeviceIx,
    name: &str,
    span: Span,
) -> Option<ChannelIx> {
    let found = program.channel(device, name);
    let owner = &program[device].name;
    if let Some(channel) = found {
        report.mention(|| (span.clone(), Symbol::channel(program, channel)));
    }
    if found.is_none() && !report.is_broken(&format!("{owner}.{name}")) {
        let names: Vec<&str> = program[device]
            .channels
            .iter()
            .map(|ix| &*program[*ix].name)
            .collect();
        let message = format!("`{owner}` has no channel `{name}`");
        let error = Diagnostic::error("unknown-channel", span, message);
        report.push(or_list(error, name, &names, "its channels are"));
    }
    found
}

/// "did you mean", or else all there is.
fn or_list(error: Diagnostic, word: &str, names: &[&str], all: &str) -> Diagnostic {
    let near = did_you_mean(error.clone(), word, names.iter().copied());
    if !near.help.is_empty() {
        near
    } else if names.is_empty() {
        error.help("it has none")
    } else {
        error.help(format!("{all} {}", list(names)))
    }
}

/// Nothing is called that.
pub(crate) fn unknown_target(program: &Program, name: &str, span: Span) -> Diagnostic {
    let message = format!("there is no device or group `{name}`");
    let error = Diagnostic::error("unknown-name", span, message).label("not declared");
    if habits::has_template(name) {
        return error.help(habits::NOT_COMPUTED);
    }
    if program.names.scenes.contains_key(name) {
        return error.help(format!(
            "`{name}` is a scene: write {{ scene = \"{name}\" }}"
        ));
    }
    if program.names.vars.contains_key(name) {
        return error.help(format!(
            "`{name}` is a variable: write {{ var = \"{name}\", to = .. }}"
        ));
    }
    let written = match name {
        "var" => {
            "{ holds = \"var.NAME\" } where it is waited for, { var = \"NAME\", to = .. } where it is changed"
        }
        "timer" => {
            "{ timer = \"NAME\" } where it is waited for, { start = \"NAME\", for = .. } where it is started"
        }
        "sun" => "{ sun = \"sunset\" }, with offset = \"-30m\" where it is to come earlier",
        "now" => "{ at = \"07:00\" }, or { cron = \"..\" }",
        _ => {
            let devices = program.names.devices.keys();
            let names = devices.chain(program.names.groups.keys());
            return did_you_mean(error, name, names.map(|name| &**name));
        }
    };
    error.help(format!("write {written}"))
}

/// The channels of `D.CH`, or of a group.
pub(crate) fn targets(
    program: &Program,
    report: &mut Report,
    text: &Text<'_>,
    range: Range<usize>,
) -> Option<Vec<ChannelIx>> {
    let name = text.text.get(range.clone()).unwrap_or_default();
    if let Some(members) = program.names.groups.get(name) {
        let place = text.place(range);
        report.mention(|| (place.clone(), Symbol::Group(name.into())));
        report.expand(members.len(), &place)?;
        return Some(members.clone());
    }
    channel(program, report, text, range).map(|ix| vec![ix])
}

/// What `D.CH.event`, `G.event`, `D.offline`, `G.offline`, `*.offline` or `*.CH.event` stands for, expanded.
pub(crate) fn events(
    program: &Program,
    report: &mut Report,
    text: &Text<'_>,
) -> Option<Vec<Source>> {
    if let Some(error) = no_event(program, text) {
        report.push(error);
        return None;
    }
    let parts = segments(text, 0..text.text.len());
    match parts.as_slice() {
        [("*", _), (name @ ("online" | "offline"), _)] => {
            report.expand(program.devices.len(), &text.span())?;
            let devices = program.devices.iter();
            let event = devices.map(|device| presence(device.online, device.offline, name));
            Some(event.collect())
        }
        [("*", _), (_, at)] => {
            report.push(
                Diagnostic::error(
                    "bad-path",
                    text.place(at.clone()),
                    "`*` stands for all devices",
                )
                .help("write `*.offline`, `*.CHANNEL.EVENT`, or the name of a group"),
            );
            None
        }
        [(device, at), (name @ ("online" | "offline"), _)] if program.device(device).is_some() => {
            let row = &program[program.device(device)?];
            report.mention(|| (text.place(at.clone()), Symbol::Device(row.name.clone())));
            Some(vec![presence(row.online, row.offline, name)])
        }
        [group, event] if program.names.groups.contains_key(group.0) => {
            of_group(program, report, text, group, event)
        }
        [_, (channel_name, at)] => {
            let ix = channel(program, report, text, 0..text.text.len())?;
            let message = format!("`{}` is a channel, not an event", text.text);
            let error = Diagnostic::error("bad-path", text.place(at.clone()), message);
            report.push(or_list(
                error,
                channel_name,
                &event_names(program, ix),
                "its events are",
            ));
            None
        }
        [("*", _), (name, channel_at), (event, at)] => {
            let place = |range: &Range<usize>| text.place(range.clone());
            everywhere(
                program,
                report,
                (name, place(channel_at)),
                (event, place(at)),
            )
        }
        [_, (_, channel_at), (event, at)] => {
            let ix = channel(program, report, text, 0..channel_at.end)?;
            event_of(program, report, ix, event, text.place(at.clone())).map(|event| vec![event])
        }
        _ => {
            let message = format!("\"{}\" is no event", text.text);
            let help = match trigger_in_full(text.text) {
                Some(trigger) => format!("write {trigger}"),
                None => "write `DEVICE.CHANNEL.EVENT`, `GROUP.EVENT`, `*.CHANNEL.EVENT`, `DEVICE.offline` or `*.offline`".to_owned(),
            };
            report.push(Diagnostic::error("bad-path", text.span(), message).help(help));
            None
        }
    }
}

/// What `G.event`, `G.online` or `G.offline` stands for: the event of each member.
fn of_group(
    program: &Program,
    report: &mut Report,
    text: &Text<'_>,
    (group, group_at): &(&str, Range<usize>),
    (event, at): &(&str, Range<usize>),
) -> Option<Vec<Source>> {
    let members = program.names.groups.get(*group)?;
    let place = || text.place(group_at.clone());
    report.mention(|| (place(), Symbol::Group((*group).into())));
    report.expand(members.len(), &text.span())?;
    if matches!(*event, "online" | "offline") {
        let devices = devices_of(program, members).into_iter();
        let rows = devices.map(|device| &program[device]);
        let each = rows.map(|row| presence(row.online, row.offline, event));
        return Some(each.collect());
    }
    let place = text.place(at.clone());
    let asked = Asked {
        code: "unknown-event",
        what: format!("the event `{event}`"),
        at: &place,
    };
    let has = |member| has_event(program, member, event);
    let members = agreed(program, report, (group, members), &asked, has)?;
    let each = members
        .iter()
        .map(|member| event_of(program, report, *member, event, place.clone()));
    each.collect::<Vec<_>>().into_iter().collect()
}

/// What is said of a text that can be no event: a condition, a sentence, a template.
fn no_event(program: &Program, text: &Text<'_>) -> Option<Diagnostic> {
    let (is_condition, help) = habits::event_text(program, text.text)?;
    let what = if is_condition {
        "a condition, not an event"
    } else {
        "no event"
    };
    let message = format!("\"{}\" is {what}", text.text);
    Some(Diagnostic::error("bad-path", text.span(), message).help(help))
}

/// The table that somebody means by "07:00", "sunset" or "*/5 * * * *".
fn trigger_in_full(text: &str) -> Option<String> {
    let key = match text {
        "sunrise" | "sunset" | "dawn" | "dusk" => "sun",
        _ if crate::units::parse_time(text).is_some() => "at",
        _ if (5..=6).contains(&text.split_whitespace().count()) && looks_like_cron(text) => "cron",
        _ => return None,
    };
    Some(format!("{{ {key} = \"{text}\" }}"))
}

/// Whether a text is made of what stands in a cron, days and months by their names included.
fn looks_like_cron(text: &str) -> bool {
    let is_field = |field: &str| {
        let words = field.split(|letter: char| !letter.is_ascii_alphabetic());
        let signs = field
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "*/,-?#".contains(letter));
        signs && words.into_iter().all(|word| word.len() <= 3)
    };
    text.split_whitespace().all(is_field)
}

/// The devices that these channels belong to, each once.
pub(crate) fn devices_of(program: &Program, channels: &[ChannelIx]) -> Vec<DeviceIx> {
    let mut devices = Vec::new();
    for channel in channels {
        let device = program[*channel].device;
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    devices
}

/// `*.CH.event`: of every device that has a channel of that name.
fn everywhere(
    program: &Program,
    report: &mut Report,
    (name, name_at): (&str, Span),
    (event, event_at): (&str, Span),
) -> Option<Vec<Source>> {
    let channels: Vec<ChannelIx> = ChannelIx::all(program.channels.len())
        .filter(|channel| *program[*channel].name == *name)
        .collect();
    if channels.is_empty() && report.may_lack_channel(name) {
        return None;
    }
    if channels.is_empty() {
        let message = format!("no device has a channel `{name}`");
        let error = Diagnostic::error("unknown-channel", name_at, message);
        let mut names: Vec<&str> = program.channels.iter().map(|row| &*row.name).collect();
        names.sort_unstable();
        names.dedup();
        report.push(or_list(error, name, &names, "channels are called"));
        return None;
    }
    report.expand(channels.len(), &name_at)?;
    let each = channels
        .into_iter()
        .map(|channel| event_of(program, report, channel, event, event_at.clone()));
    each.collect::<Vec<_>>().into_iter().collect()
}

fn presence(online: EventIx, offline: EventIx, name: &str) -> Source {
    Source::Event(if name == "online" { online } else { offline })
}

fn event_names(program: &Program, channel: ChannelIx) -> Vec<&str> {
    let events = program[channel].events.iter();
    let gestures = GESTURES.iter().filter(|_| has_gestures(program, channel));
    events
        .map(|ix| &*program[*ix].name)
        .chain(gestures.map(|(name, _)| *name))
        .collect()
}

/// Whether `press` and `release` of this channel are those of one button.
pub(crate) fn has_gestures(program: &Program, channel: ChannelIx) -> bool {
    let plain = |name| {
        let event = program.event(channel, name);
        event.is_some_and(|event| program[event].fields.is_empty())
    };
    plain("press") && plain("release")
}

/// What a group is asked for.
pub(crate) struct Asked<'a> {
    /// Of the complaint where its members don't have it.
    pub(crate) code: &'static str,
    /// In words: "the command `on`".
    pub(crate) what: String,
    /// Where.
    pub(crate) at: &'a Span,
}

/// The members of a group that are to be asked: all where all of them have it; the first where none has, which says so;
/// none where some have it. Then what is wrong is the group, which is told once, however often it is used.
pub(crate) fn agreed<'m>(
    program: &Program,
    report: &mut Report,
    (group, members): (&str, &'m [ChannelIx]),
    asked: &Asked<'_>,
    has: impl Fn(ChannelIx) -> bool,
) -> Option<&'m [ChannelIx]> {
    let mut lacking = members.iter().filter(|member| !has(**member));
    let Some(first) = lacking.next() else {
        return Some(members);
    };
    let more = lacking.count();
    if more + 1 == members.len() {
        return members.get(..1);
    }
    let declared = report.group_to_blame(group)?;
    let (path, kind) = (program.channel_path(*first), &program[*first].kind);
    let kind = Kind::with_article(kind);
    let message = format!("not all of the group `{group}` have {}", asked.what);
    let label = match more {
        0 => format!("`{path}` is {kind}"),
        1 => format!("`{path}` is {kind}, and another one lacks it"),
        more => format!("`{path}` is {kind}, and {more} others lack it"),
    };
    report.push(
        Diagnostic::error(asked.code, declared, message)
            .label(label)
            .also(asked.at.clone(), "asked for here")
            .help("a group that is told or waited for holds what has the same commands and events; make one for each kind"),
    );
    None
}

fn has_event(program: &Program, channel: ChannelIx, name: &str) -> bool {
    let is_gesture = || GESTURES.iter().any(|(word, _)| *word == name);
    program.event(channel, name).is_some() || (is_gesture() && has_gestures(program, channel))
}

/// The event or gesture `name` of a channel.
fn event_of(
    program: &Program,
    report: &mut Report,
    channel: ChannelIx,
    name: &str,
    span: Span,
) -> Option<Source> {
    if let Some(event) = program.event(channel, name) {
        report.mention(|| (span, Symbol::event(program, channel, name)));
        return Some(Source::Event(event));
    }
    let gesture = GESTURES.iter().find(|(word, _)| *word == name);
    if let Some((_, kind)) = gesture
        && has_gestures(program, channel)
    {
        report.mention(|| (span, Symbol::event(program, channel, name)));
        return Some(Source::Gesture(*kind, channel));
    }
    let row = &program[channel];
    let path = program.channel_path(channel);
    let message = format!("`{path}` has no event `{name}`");
    let error = Diagnostic::error("unknown-event", span, message)
        .label(format!("it is {}", Kind::with_article(&row.kind)));
    if matches!(name, "online" | "offline") {
        let device = &program[row.device].name;
        report.push(error.help(format!(
            "devices come and go, not channels: write \"{device}.{name}\""
        )));
    } else if gesture.is_some() {
        report.push(no_gesture(error, program, channel));
    } else if row.commands.iter().any(|command| *command.name == *name) {
        report.push(error.help(format!(
            "`{name}` is a command; to wait for a state write {{ holds = \"state.{path}..\" }}"
        )));
    } else {
        let names = event_names(program, channel);
        report.push(or_list(error, name, &names, "its events are"));
    }
    None
}

/// Says why a channel has no gestures.
pub(crate) fn no_gesture(error: Diagnostic, program: &Program, channel: ChannelIx) -> Diagnostic {
    let kind = program.kinds.find(&program[channel].kind);
    if kind.is_some_and(|kind| kind.has_gestures()) {
        error.help("its device does not report both `press` and `release`")
    } else {
        error.help("gestures need a button or an encoder")
    }
}

/// The action that is meant by a text that can be no command.
fn no_command(program: &Program, text: &str) -> Option<String> {
    let begins_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
    match text.contains([' ', '(', '=', ':']) || begins_with_digit {
        true => action_in_full(text).or_else(|| habits::action_text(program, text)),
        false => habits::service_text(program, text),
    }
}

/// The table that somebody means by "wait 5s" or "start hall-off 5m".
fn action_in_full(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let first = words.next()?;
    let rest: Vec<&str> = words.collect();
    Some(match (first, &rest[..]) {
        ("wait" | "sleep" | "delay", [span]) => format!("{{ wait = \"{span}\" }}"),
        ("scene", [scene]) => format!("{{ scene = \"{scene}\" }}"),
        ("stop", [timer]) => format!("{{ stop = \"{timer}\" }}"),
        ("start", [timer]) => format!("{{ start = \"{timer}\", for = \"5m\" }}"),
        ("start", [timer, .., span]) => format!("{{ start = \"{timer}\", for = \"{span}\" }}"),
        ("notify", [_, ..]) => format!("{{ notify = \"all\", text = \"{}\" }}", rest.join(" ")),
        _ => return None,
    })
}

/// What `TARGET.command` stands for: a command's place in each channel's list.
pub(crate) fn commands(
    program: &Program,
    report: &mut Report,
    text: &Text<'_>,
) -> Option<Vec<(ChannelIx, u8)>> {
    if let Some(action) = no_command(program, text.text) {
        let message = format!("\"{}\" is no command", text.text);
        let error = Diagnostic::error("bad-path", text.span(), message);
        report.push(error.help(format!("write {action}")));
        return None;
    }
    let Some((_, (name, at))) = text.text.rsplit_once('.').map(|(target, name)| {
        let start = target.len();
        (target, (name, start + 1..text.text.len()))
    }) else {
        let error = Diagnostic::error(
            "bad-path",
            text.span(),
            format!("\"{}\" is no command", text.text),
        );
        report.push(if program.names.scenes.contains_key(text.text) {
            error.help(format!("write {{ scene = \"{}\" }}", text.text))
        } else {
            error.help("write `DEVICE.CHANNEL.COMMAND` or `GROUP.COMMAND`")
        });
        return None;
    };
    if let Some(scene) = text.text.strip_prefix("scene.")
        && (program.names.scenes.contains_key(scene) || program.device("scene").is_none())
    {
        let message = format!("\"{}\" is no command", text.text);
        let error = Diagnostic::error("bad-path", text.span(), message);
        report.push(error.help(format!("write {{ scene = \"{scene}\" }}")));
        return None;
    }
    let target = 0..at.start - 1;
    let two = text.text[target.clone()].split_once('.').is_none();
    let device = program.device(&text.text[target.clone()]);
    if let (true, Some(device)) = (two, device)
        && program.channel(device, name).is_some()
    {
        let message = format!("`{}` is a channel, not a command", text.text);
        let ix = program.channel(device, name)?;
        let names: Vec<&str> = program[ix].commands.iter().map(|c| &*c.name).collect();
        let error = Diagnostic::error("bad-path", text.span(), message);
        report.push(or_list(error, "", &names, "its commands are"));
        return None;
    }
    let group = &text.text[target.clone()];
    let mut channels = targets(program, report, text, target)?;
    let place = text.place(at);
    if program.names.groups.contains_key(group) {
        let asked = Asked {
            code: "unknown-command",
            what: format!("the command `{name}`"),
            at: &place,
        };
        let has = |member: ChannelIx| {
            let mut commands = program[member].commands.iter();
            commands.any(|command| *command.name == *name)
        };
        channels = agreed(program, report, (group, &channels), &asked, has)?.to_vec();
    }
    let each = channels
        .iter()
        .map(|channel| command_of(program, report, *channel, name, place.clone()));
    each.collect::<Vec<_>>().into_iter().collect()
}

/// "`stpe` is no argument of `hall.lamp.brighter`".
pub(crate) fn no_argument(
    program: &Program,
    key: &Key<'_>,
    channel: ChannelIx,
    command: u8,
) -> Diagnostic {
    let row = &program[channel].commands[usize::from(command)];
    let path = program.channel_path(channel);
    let message = format!("`{}` is no argument of `{path}.{}`", key.name, row.name);
    let error = Diagnostic::error("unknown-key", key.span.clone(), message);
    if key.name == "for" && *row.name == *"on" && program.on(channel).is_some() {
        return error
            .label("a command has no end")
            .help(format!("write {{ on = \"{path}\", for = .. }}"));
    }
    let field = program.slot(channel, key.name);
    if field.is_some_and(|slot| program[slot].settable) {
        return error
            .label(format!("this is a field of `{path}`"))
            .help(format!("write {{ set = \"{path}\", {} = .. }}", key.name));
    }
    let names: Vec<&str> = row.args.iter().map(|arg| &*arg.name).collect();
    match (
        suggest::closest(key.name, names.iter().copied()),
        &names[..],
    ) {
        (Some(near), _) => error.help(format!("did you mean `{near}`?")),
        (None, []) => error.help("it takes none"),
        (None, [only]) => error.help(format!("its only argument is `{only}`")),
        (None, names) => error.help(format!("its arguments are {}", list(names))),
    }
}

fn command_of(
    program: &Program,
    report: &mut Report,
    channel: ChannelIx,
    name: &str,
    span: Span,
) -> Option<(ChannelIx, u8)> {
    let row = &program[channel];
    let mut commands = row.commands.iter();
    if let Some(at) = commands.position(|command| *command.name == *name) {
        let name = &row.commands[at].name;
        report.mention(|| (span, Symbol::command(program, channel, name)));
        return Some((channel, at as u8));
    }
    let path = program.channel_path(channel);
    let message = format!("`{path}` has no command `{name}`");
    let error = Diagnostic::error("unknown-command", span, message)
        .label(format!("`{path}` is {}", Kind::with_article(&row.kind)));
    let names: Vec<&str> = row.commands.iter().map(|command| &*command.name).collect();
    let field = row
        .slots
        .iter()
        .any(|slot| *program[*slot].name == *name && program[*slot].settable);
    report.push(if field {
        error.help(format!(
            "`{name}` is a field: write {{ set = \"{path}\", {name} = .. }}"
        ))
    } else if names.is_empty() && !row.consumer {
        let only = format!(
            "{} only reports; it takes no commands",
            Kind::with_article(&row.kind)
        );
        let is_virtual = program[row.device].carrier == Carrier::Virtual;
        error.help(
            match is_virtual
                && row
                    .events
                    .iter()
                    .any(|event| *program[*event].name == *name)
            {
                true => format!("an event of its own is {{ emit = \"{path}.{name}\" }}"),
                false => only,
            },
        )
    } else {
        or_list(error, name, &names, "its commands are")
    });
    None
}

/// Names of a channel's fields.
pub(crate) fn field_names(program: &Program, channel: ChannelIx, settable: bool) -> Vec<Arc<str>> {
    let slots = program[channel].slots.iter().map(|slot| &program[*slot]);
    slots
        .filter(|slot| slot.settable || !settable)
        .map(|slot| slot.name.clone())
        .collect()
}

/// The field `key` of a channel's state; with `settable` one that takes a target.
pub(crate) fn field(
    program: &Program,
    report: &mut Report,
    channel: ChannelIx,
    key: &Key<'_>,
    settable: bool,
) -> Option<SlotIx> {
    let found = program.slot(channel, key.name);
    if let Some(slot) = found {
        let name = &program[slot].name;
        report.mention(|| (key.span.clone(), Symbol::field(program, channel, name)));
    }
    match found {
        Some(slot) if settable && !program[slot].settable => {
            report.push(not_settable(program, slot, key.span.clone()));
            None
        }
        Some(slot) => Some(slot),
        None => {
            let path = program.channel_path(channel);
            let names = field_names(program, channel, settable);
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            let kind = &program[channel].kind;
            let message = format!("`{path}` has no field `{}`", key.name);
            let error = Diagnostic::error("unknown-field", key.span.clone(), message)
                .label(format!("it is {}", Kind::with_article(kind)));
            report.push(or_list(error, key.name, &names, "its fields are"));
            None
        }
    }
}

/// A field that is only reported.
pub(crate) fn not_settable(program: &Program, slot: SlotIx, span: Span) -> Diagnostic {
    let row = &program[slot];
    let path = program.channel_path(row.channel);
    let kind = &program[row.channel].kind;
    let message = format!("`{}` of `{path}` can't be set", row.name);
    Diagnostic::error("not-settable", span, message)
        .label(format!("{} only reports it", Kind::with_article(kind)))
}
