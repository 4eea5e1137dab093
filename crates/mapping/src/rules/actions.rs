//! `do = ..`: what a rule does. Groups and scenes are expanded to one action for each channel.

mod beside;
mod command;
mod conditions;
mod emit;
mod lasting;

use std::time::Duration;

use types::{Type, Value};

use super::{Compiler, timers::Use};
use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::{ACTIONS, Form, Forms, Others},
    habits,
    house::scenes,
    index::Symbol,
    names::{self, Letters},
    paths,
    program::{Action, ChannelIx, Operand, Program, Slot, SlotIx},
    read::{Key, Node, Table, Text, did_you_mean, unknown_key},
    source::Span,
    units,
};

/// Longest fade: what takes longer is a matter of rules.
const FADE_MAX: Duration = Duration::from_secs(600);

/// Reads `do`; `places` says where each action is written.
pub(super) fn read(
    compiler: &mut Compiler<'_, '_>,
    node: Node<'_>,
    actions: &mut Vec<Action>,
    places: &mut Vec<Span>,
) {
    let nodes = node.one_or_more();
    if nodes.is_empty() {
        let error = Diagnostic::error("missing-key", node.span(), "`do` names no action");
        compiler.house.report.push(error);
    }
    for node in nodes {
        if let Some(more) = one(compiler, node) {
            places.extend(std::iter::repeat_n(node.span(), more.len()));
            actions.extend(more);
        }
    }
}

fn one(compiler: &mut Compiler<'_, '_>, node: Node<'_>) -> Option<Vec<Action>> {
    if let Some(text) = node.as_text() {
        return command::by_name(compiler, &text);
    }
    let Some(table) = node.as_table() else {
        let report = &mut compiler.house.report;
        node.complain(
            report,
            "`do`",
            "a command in quotes, a table, or a list of these",
        );
        return None;
    };
    let before = compiler.house.report.len();
    let among = forms_of(&table);
    let sure = sure(&compiler.house.program, &table, &among);
    let (form, table) = form(compiler, table, sure.or(among.first().copied()))?;
    let actions = of_form(compiler, form, &table);
    if let (None, Some(why)) = (sure, taken_for(form, &among)) {
        compiler.house.report.help_first_since(before, why);
    }
    actions
}

fn of_form(
    compiler: &mut Compiler<'_, '_>,
    form: &'static str,
    table: &Table<'_>,
) -> Option<Vec<Action>> {
    match form {
        "command" => command::read(compiler, table),
        "set" => set(compiler, table),
        "emit" => emit::read(compiler, table),
        "scene" => scene(compiler, table),
        "start" => start(compiler, table).map(|action| vec![action]),
        "stop" => {
            let text = text(compiler, table, "stop")?;
            let timers = &mut compiler.all.timers;
            let timer = timers.take(&mut compiler.house.report, &text, Use::Stop);
            Some(vec![Action::Stop(timer)])
        }
        "var" => var(compiler, table).map(|action| vec![action]),
        "on" => lasting::on(compiler, table),
        "hold" => lasting::hold(compiler, table),
        "wait" => lasting::wait(compiler, table).map(|action| vec![action]),
        _ => notify(compiler, table).map(|action| vec![action]),
    }
}

/// The kinds of action whose key stands in a table.
fn forms_of(table: &Table<'_>) -> Vec<&'static Form> {
    let all = ACTIONS.all.iter().filter(|form| {
        let node = table.field(form.name);
        // `on = true` is a field whose `set` was misspelt.
        node.is_some_and(|node| form.name != "on" || node.as_text().is_some())
    });
    all.collect()
}

/// Of several kinds the one of which the keys of the others are fields or arguments.
fn sure(program: &Program, table: &Table<'_>, among: &[&'static Form]) -> Option<&'static Form> {
    let takes_others = |form: &&&'static Form| {
        let mut others = among.iter().filter(|other| other.name != form.name);
        others.all(|other| {
            let is_own = form.keys.names.contains(&other.name);
            is_own || conditions::takes(program, form, table, other.name) == Some(true)
        })
    };
    among.iter().find(takes_others).copied()
}

/// Why a table with the keys of several kinds of action is taken for one of them.
fn taken_for(form: &str, among: &[&'static Form]) -> Option<String> {
    let other = among.iter().find(|other| other.name != form)?.name;
    Some(format!(
        "this table is taken for an action with `{form}`, since it has that key; one with `{other}` is a table of its own"
    ))
}

/// Which kind of action a table is; its keys are checked, and a misspelt one is read as what was meant.
fn form<'a>(
    compiler: &mut Compiler<'_, '_>,
    table: Table<'a>,
    found: Option<&'static Form>,
) -> Option<(&'static str, Table<'a>)> {
    let report = &mut compiler.house.report;
    let (form, table) = match found {
        Some(form) => (form, table),
        None => {
            let names: Vec<&str> = ACTIONS.all.iter().map(|form| form.name).collect();
            let help = habits::action(&compiler.house.program, &table);
            let misspelt = misspelt(&table, &ACTIONS).filter(|_| help.is_none());
            let Some((key, form)) = misspelt else {
                let message = "this table is no action";
                let mut error = Diagnostic::error("unknown-action", table.span.clone(), message);
                error.help = help.unwrap_or_else(|| {
                    vec![match meant(&compiler.house.program, &table) {
                        Some(action) => format!("write {action}"),
                        None => format!("an action has one of {}", crate::read::list(&names)),
                    }]
                });
                report.push(error);
                compiler.look_at(&table, &[]);
                return None;
            };
            report.push(unknown_key(&key, "an action", &names));
            (form, table.reading(key.name, form.name))
        }
    };
    let table = conditions::without(compiler, form, table);
    let report = &mut compiler.house.report;
    if form.keys.others == Others::Nothing {
        table.reject_unknown(report, form.keys.what, form.keys.names);
    }
    Some((form.name, table))
}

/// The key of a table that was most likely meant as the one that says its form.
pub(super) fn misspelt<'a>(
    table: &Table<'a>,
    forms: &'static Forms,
) -> Option<(Key<'a>, &'static Form)> {
    let keys = table.entries().into_iter().map(|(key, _)| key);
    keys.filter_map(|key| {
        let names = forms.all.iter().map(|form| form.name);
        let near = crate::suggest::closest(key.name, names)?;
        let form = forms.all.iter().find(|form| form.name == near)?;
        Some((key, form))
    })
    .next()
}

/// The action that somebody means by `{ off = "hall.lamp" }`, `{ hall.lamp.on = true }` or `{ hall.lamp = "on" }`.
fn meant(program: &Program, table: &Table<'_>) -> Option<String> {
    let (key, node) = table.entries().into_iter().next()?;
    if let Some(target) = node.as_text() {
        let target = target.text;
        let channel = target
            .split_once('.')
            .and_then(|(device, channel)| program.channel(program.device(device)?, channel))
            .or_else(|| program.names.groups.get(target)?.first().copied())?;
        let mut commands = program[channel].commands.iter();
        let known = commands.any(|command| *command.name == *key.name);
        return known.then(|| format!("\"{target}.{}\"", key.name));
    }
    let device = program.device(key.name)?;
    let (channel, node) = node.as_table()?.entries().into_iter().next()?;
    program.channel(device, channel.name)?;
    let path = format!("{}.{}", key.name, channel.name);
    if let Some(command) = node.as_text() {
        return Some(format!("\"{path}.{}\"", command.text));
    }
    if node.as_table().is_none() {
        let ix = program.channel_by_path(&path)?;
        let mut slots = program[ix].slots.iter().map(|slot| &program[*slot]);
        let takes_truth = |slot: &Slot| matches!(slot.ty, Type::Bool) == node.as_bool().is_some();
        let field = slots.find(|slot| slot.settable && takes_truth(slot))?;
        return Some(format!(
            "{{ set = \"{path}\", {} = {} }}",
            field.name,
            node.written()
        ));
    }
    let fields = node.as_table()?.entries().into_iter();
    let fields = fields.map(|(field, node)| format!(", {} = {}", field.name, node.written()));
    let fields: String = fields.collect();
    Some(format!("{{ set = \"{path}\"{fields} }}"))
}

fn text<'a>(compiler: &mut Compiler<'_, '_>, table: &Table<'a>, key: &str) -> Option<Text<'a>> {
    let node = table.field(key)?;
    node.text(&mut compiler.house.report, &format!("`{key}`"))
}

fn fade(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Duration> {
    let node = table.field("fade")?;
    let report = &mut compiler.house.report;
    let fade = units::duration(node, report, "`fade`")?;
    if fade > FADE_MAX {
        let error = Diagnostic::error(
            "out-of-range",
            node.span(),
            "a fade lasts at most 10 minutes",
        );
        report.push(error);
    }
    Some(fade)
}

/// `{ set = TARGET, field = value, .. }`.
fn set(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let fade = fade(compiler, table);
    let bound = lasting::bound(compiler, table);
    let target = text(compiler, table, "set");
    let found = target.and_then(|target| {
        let house = &mut *compiler.house;
        let whole = 0..target.text.len();
        let channels = paths::targets(&house.program, &mut house.report, &target, whole)?;
        Some((target, channels))
    });
    let Some((target, channels)) = found else {
        compiler.look_at(table, &["set"]);
        return None;
    };
    let fields: Vec<(Key<'_>, Node<'_>)> = table
        .entries()
        .into_iter()
        .filter(|(key, _)| !matches!(key.name, "set" | "fade" | "for"))
        .collect();
    if fields.is_empty() {
        let message = format!("nothing of `{}` is set", target.text);
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        compiler.house.report.push(match channels.first() {
            Some(channel) => {
                let names = paths::field_names(&compiler.house.program, *channel, true);
                let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                error.help(crate::read::its_fields(&names))
            }
            None => error,
        });
        return None;
    }
    let channels = settable(compiler, &target, channels, &fields)?;
    let mut actions = Vec::with_capacity(channels.len());
    for channel in channels {
        let mut written = Vec::with_capacity(fields.len());
        for (key, node) in &fields {
            written.extend(set_field(compiler, channel, key, *node));
        }
        let mut is_sound = written.len() == fields.len();
        if table.field("for").is_some() {
            is_sound &= lasting::can_end(compiler, &target, channel).is_some();
            is_sound &= lasting::is_on(compiler, table, &written).is_some();
        }
        if !is_sound {
            return None;
        }
        actions.push(Action::Set {
            channel,
            fields: written.into(),
            fade,
            bound,
        });
    }
    Some(actions)
}

/// The channels of a `set` that are to be looked at: see [`paths::agreed`].
fn settable(
    compiler: &mut Compiler<'_, '_>,
    target: &Text<'_>,
    mut channels: Vec<ChannelIx>,
    fields: &[(Key<'_>, Node<'_>)],
) -> Option<Vec<ChannelIx>> {
    let house = &mut *compiler.house;
    let (program, report) = (&house.program, &mut house.report);
    if program.names.groups.contains_key(target.text) {
        for (key, _) in fields {
            let asked = paths::Asked {
                code: "unknown-field",
                what: format!("a field `{}` that can be set", key.name),
                at: &key.span,
            };
            let has = |member| {
                let slot = program.slot(member, key.name);
                slot.is_some_and(|slot| program[slot].settable)
            };
            let group = (target.text, &*channels);
            channels = paths::agreed(program, report, group, &asked, has)?.to_vec();
        }
    }
    Some(channels)
}

fn set_field(
    compiler: &mut Compiler<'_, '_>,
    channel: ChannelIx,
    key: &Key<'_>,
    node: Node<'_>,
) -> Option<(SlotIx, Operand)> {
    let house = &mut *compiler.house;
    let slot = paths::field(&house.program, &mut house.report, channel, key, true)?;
    let ty = constant::writable(&house.program, slot);
    let what = format!("`{}`", key.name);
    compiler
        .operand(node, &ty, &what)
        .map(|operand| (slot, operand))
}

/// `{ scene = S }`: one write for each of its channels, in the scene's order.
fn scene(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let fade = fade(compiler, table);
    let name = text(compiler, table, "scene")?;
    let writes = scenes::named(compiler.house, &name)?;
    compiler.all.uses.scenes.insert(name.text.to_owned());
    let actions = writes.into_iter().map(|(channel, fields)| {
        let fields = fields.into_iter();
        Action::Set {
            channel,
            fields: fields
                .map(|(slot, value)| (slot, Operand::Const(value)))
                .collect(),
            fade,
            bound: None,
        }
    });
    Some(actions.collect())
}

/// `{ start = T, for = ".." }`.
fn start(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Action> {
    let report = &mut compiler.house.report;
    let span = table
        .required(report, "starting a timer", "for", &["start", "for"])
        .and_then(|node| units::some_duration(node, report, "`for`"));
    let name = text(compiler, table, "start")?;
    let rule = compiler.all.rules.len();
    let timers = &mut compiler.all.timers;
    let timer = timers.take(&mut compiler.house.report, &name, Use::Start(rule));
    Some(Action::Start { timer, span: span? })
}

/// `{ var = V, to = value }`.
fn var(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Action> {
    let name = text(compiler, table, "var");
    let program = &compiler.house.program;
    let report = &mut compiler.house.report;
    let to = table.required(report, "setting a variable", "to", &["var", "to"]);
    let Some(name) = name else {
        compiler.look_at(table, &["var"]);
        return None;
    };
    let Some(var) = program.names.vars.get(name.text).copied() else {
        if !report.is_broken(&format!("var.{}", name.text)) {
            let message = format!("there is no variable `{}`", name.text);
            let error =
                Diagnostic::error("unknown-name", name.span(), message).label("not declared");
            let names = program.names.vars.keys().map(|name| &**name);
            report.push(did_you_mean(error, name.text, names));
        }
        compiler.look_at(table, &["var"]);
        return None;
    };
    let place = || name.place(0..name.text.len());
    report.mention(|| (place(), Symbol::Var(name.text.into())));
    let ty = program[var].ty.clone();
    let to = compiler.operand(to?, &ty, &format!("`{}`", name.text))?;
    Some(Action::Var { var, to })
}

/// `{ notify = NAME, text = ".." }`.
fn notify(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Action> {
    let to = text(compiler, table, "notify");
    let report = &mut compiler.house.report;
    if let Some(to) = to.filter(|to| !names::matches(to.text, Letters::Hyphens)) {
        let message = format!("\"{}\" can't be the name of a carrier", to.text);
        let error = Diagnostic::error("bad-name", to.span(), message);
        report.push(error.help("write \"all\", or a name of the settings' [notify.NAME]"));
    }
    let keys = ["notify", "text"];
    let node = table.required(report, "a notification", "text", &keys)?;
    let says = node.text(report, "`text`")?;
    let template = compiler.template(&says)?;
    Some(Action::Notify {
        to: to?.text.into(),
        text: template,
    })
}

/// The constant values that an action certainly writes, for lints.
pub(crate) fn constants(action: &Action) -> Vec<(SlotIx, Option<&Value>)> {
    match action {
        Action::Set { fields, .. } => fields
            .iter()
            .map(|(slot, operand)| match operand {
                Operand::Const(value) => (*slot, Some(value)),
                Operand::Expr(_) => (*slot, None),
            })
            .collect(),
        _ => Vec::new(),
    }
}
