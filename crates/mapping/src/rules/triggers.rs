//! `when = ..`: what makes a rule look.

use std::time::Duration;

use types::Value;

use super::{
    Meta, Rules,
    actions::misspelt,
    sequence::{self, StepIf},
    timers::Use,
    times,
};
use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::{Form, Others, TRIGGERS},
    habits,
    house::House,
    kinds::Kind,
    paths::{self, GESTURES, Source},
    program::{Condition, EventIx, Expr, GestureKind, Trigger},
    read::{Node, Table, Text, unknown_key},
    report::Report,
    units,
};

/// How long a `long` press is held, where the rule doesn't say.
const HOLD: Duration = Duration::from_millis(500);
/// Largest pause between the presses of a double or triple, where the rule doesn't say.
const WITHIN: Duration = Duration::from_millis(400);
/// From a chord's first key to its last, where the rule doesn't say.
const CHORD_WITHIN: Duration = Duration::from_millis(300);

/// Triggers as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Drafts<'a> {
    pub(super) triggers: Vec<Trigger>,
    /// The events that every `event.*` must exist in; none where another trigger has no event.
    pub(super) events: Vec<EventIx>,
    /// Conditions to compile, by the place of their trigger.
    pub(super) holds: Vec<(usize, Text<'a>)>,
    /// Conditions of steps of sequences to compile.
    pub(super) steps: Vec<StepIf<'a>>,
    /// Whether all could be read.
    pub(super) complete: bool,
}

/// Reads `when`.
pub(super) fn read<'a>(
    house: &mut House<'_>,
    all: &mut Rules,
    when: Option<Node<'a>>,
    meta: &mut Meta,
) -> Drafts<'a> {
    let mut drafts = Drafts {
        complete: when.is_some(),
        ..Drafts::default()
    };
    let Some(when) = when else {
        return drafts;
    };
    let nodes = when.one_or_more();
    if nodes.is_empty() {
        let error = Diagnostic::error("missing-key", when.span(), "`when` names no trigger");
        house.report.push(error);
    }
    for node in nodes {
        let before = drafts.triggers.len();
        if one(house, all, node, &mut drafts).is_none() {
            drafts.complete = false;
        }
        let added = drafts.triggers.len() - before;
        meta.triggers
            .extend(std::iter::repeat_n(node.span(), added));
    }
    let mut known = std::collections::BTreeSet::new();
    for trigger in &drafts.triggers {
        if let Trigger::Event { event, .. } = trigger
            && known.insert(*event)
        {
            drafts.events.push(*event);
        }
    }
    let all_events = drafts
        .triggers
        .iter()
        .all(|trigger| matches!(trigger, Trigger::Event { .. }));
    if !all_events {
        drafts.events.clear();
    }
    drafts
}

/// One trigger; `None`: it could not be read.
fn one<'a>(
    house: &mut House<'_>,
    all: &mut Rules,
    node: Node<'a>,
    drafts: &mut Drafts<'a>,
) -> Option<()> {
    if let Some(text) = node.as_text() {
        let sources = paths::events(&house.program, &mut house.report, &text)?;
        drafts.triggers.extend(sources.into_iter().map(plain));
        return Some(());
    }
    let Some(table) = node.as_table() else {
        node.complain(
            &mut house.report,
            "`when`",
            "an event in quotes, a table, or a list of these",
        );
        return None;
    };
    let (form, table) = form(house, table)?;
    match form {
        "gesture" => gesture(house, &table, drafts),
        "chord" => chord(house, &table, drafts),
        "sequence" => sequence::read(house, &table, drafts),
        "holds" => holds(house, &table, drafts),
        "timer" => {
            let text = table.field("timer")?.text(&mut house.report, "`timer`")?;
            let timer = all.timers.take(&mut house.report, &text, Use::Wait);
            drafts.triggers.push(Trigger::Timer(timer));
            Some(())
        }
        "cron" => times::cron(house, all, &table, drafts),
        "sun" => times::sun(house, all, &table, drafts),
        _ => times::at(house, all, &table, drafts),
    }
}

fn plain(source: Source) -> Trigger {
    match source {
        Source::Event(event) => Trigger::Event {
            event,
            fields: Default::default(),
        },
        Source::Gesture(kind, channel) => Trigger::Gesture {
            kind,
            channel,
            hold: HOLD,
            within: WITHIN,
        },
    }
}

/// Which kind of trigger a table is; its keys are checked, and a misspelt one is read as what was meant.
fn form<'a>(house: &mut House<'_>, table: Table<'a>) -> Option<(&'static str, Table<'a>)> {
    let report = &mut house.report;
    let all = TRIGGERS.all.iter();
    let mut found = all.clone().filter(|form| table.field(form.name).is_some());
    let (first, second) = (found.next(), found.next());
    let (form, table) = match first {
        Some(form) => (form, table),
        None => {
            let names: Vec<&str> = all.map(|form| form.name).collect();
            let meant = habits::trigger(&house.program, &table);
            let misspelt = misspelt(&table, &TRIGGERS).filter(|_| meant.is_none());
            let Some((key, form)) = misspelt else {
                let message = "this table is no trigger";
                let error = Diagnostic::error("unknown-trigger", table.span.clone(), message);
                report.push(error.help(match meant {
                    Some(meant) => meant,
                    None => format!("a trigger has one of {}", crate::read::list(&names)),
                }));
                return None;
            };
            report.push(unknown_key(&key, "a trigger", &names));
            (form, table.reading(key.name, form.name))
        }
    };
    let name = form.name;
    if let Some(second) = second.map(|form| form.name) {
        let message = format!("a trigger has either `{name}` or `{second}`");
        report.push(
            Diagnostic::error("conflicting-keys", table.key_span(second), message)
                .also(table.key_span(name), "and this")
                .help("write a list of two triggers"),
        );
        return None;
    }
    // The field of a chord or a sequence is named by a key of its own, e.g. `key = [..]`.
    if form.keys.others == Others::Nothing {
        reject_unknown(report, &table, form);
    }
    Some((name, table))
}

/// Reports keys that this form of a trigger does not have; which days are meant of the sun is said in a condition.
fn reject_unknown(report: &mut Report, table: &Table<'_>, form: &Form) {
    let keys = &form.keys;
    let days = table.field("days").filter(|_| form.name == "sun");
    let Some(help) = days.and_then(habits::days_of_sun) else {
        return table.reject_unknown(report, keys.what, keys.names);
    };
    table.reject_unknown(report, keys.what, &[keys.names, &["days"]].concat());
    let message = format!("`days` is no key of {}", keys.what);
    let error = Diagnostic::error("unknown-key", table.key_span("days"), message);
    report.push(error.help(help));
}

fn gesture<'a>(house: &mut House<'_>, table: &Table<'a>, drafts: &mut Drafts<'a>) -> Option<()> {
    let (program, report) = (&house.program, &mut house.report);
    let words = GESTURES.map(|(word, _)| word);
    let word = table.field("gesture")?.word(report, "`gesture`", &words);
    let kind = GESTURES.iter().find(|(name, _)| Some(*name) == word);
    let on = table.required(
        report,
        "a gesture",
        "on",
        &["gesture", "on", "hold", "within"],
    );
    let text = on.and_then(|on| on.text(report, "`on`"));
    let mut time = |key: &str, default| match table.field(key) {
        Some(node) => units::some_duration(node, report, &format!("`{key}`")),
        None => Some(default),
    };
    let (hold, within) = (time("hold", HOLD), time("within", WITHIN));
    let channels = text.and_then(|text| {
        let channels = paths::targets(program, report, &text, 0..text.text.len())?;
        Some((text, channels))
    });
    let (_, kind) = *kind?;
    for (key, fits) in [
        ("hold", kind == GestureKind::Long),
        (
            "within",
            matches!(kind, GestureKind::Double | GestureKind::Triple),
        ),
    ] {
        if !fits && table.field(key).is_some() {
            let message = format!("`{key}` does not go with a `{}`", word.unwrap_or_default());
            let error = Diagnostic::error("conflicting-keys", table.key_span(key), message);
            report.push(error.help("`hold` is for long, `within` for double and triple"));
        }
    }
    let ((text, channels), hold, within) = (channels?, hold?, within?);
    for channel in channels {
        if !paths::has_gestures(program, channel) {
            let path = program.channel_path(channel);
            let message = format!("`{path}` has no gestures");
            let error = Diagnostic::error("no-gesture", text.span(), message).label(format!(
                "it is {}",
                Kind::with_article(&program[channel].kind)
            ));
            report.push(paths::no_gesture(error, program, channel));
            return None;
        }
        drafts.triggers.push(Trigger::Gesture {
            kind,
            channel,
            hold,
            within,
        });
    }
    Some(())
}

fn chord<'a>(house: &mut House<'_>, table: &Table<'a>, drafts: &mut Drafts<'a>) -> Option<()> {
    let (program, report) = (&house.program, &mut house.report);
    let text = table.field("chord")?.text(report, "`chord`")?;
    let within = match table.field("within") {
        Some(node) => units::some_duration(node, report, "`within`"),
        None => Some(CHORD_WITHIN),
    };
    let sources = paths::events(program, report, &text)?;
    let [Source::Event(event)] = sources[..] else {
        let error = Diagnostic::error("bad-chord", text.span(), "a chord is played on one channel");
        report.push(error.help("name one event, e.g. `piano.keys.press`"));
        return None;
    };
    let fields = &program[event].fields;
    let known: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
    let mut chosen = None;
    for (key, node) in table.entries() {
        if matches!(key.name, "chord" | "within") {
            continue;
        }
        match known.iter().position(|name| *name == key.name) {
            Some(at) if chosen.is_none() => chosen = Some((at, node)),
            Some(_) => {
                let message = "a chord has the values of one field";
                report.push(Diagnostic::error("bad-chord", key.span, message));
            }
            None => {
                let keys: Vec<&str> = known.iter().copied().chain(["within"]).collect();
                report.push(unknown_key(&key, "this chord", &keys));
            }
        }
    }
    let Some((at, node)) = chosen else {
        let message = "a chord needs the values of a field of its event";
        let error = Diagnostic::error("bad-chord", table.span.clone(), message);
        report.push(match known.first() {
            Some(first) => error.help(format!("add for example {first} = [60, 64, 67]")),
            None => error.help(format!("`{}` has no fields", program.event_path(event))),
        });
        return None;
    };
    let values = chord_values(house, node, &house.program[event].fields[at].ty.clone())?;
    drafts.triggers.push(Trigger::Chord {
        event,
        field: at as u8,
        values: values.into(),
        within: within?,
    });
    Some(())
}

fn chord_values(house: &mut House<'_>, node: Node<'_>, ty: &types::Type) -> Option<Vec<Value>> {
    let report = &mut house.report;
    let list = node.list(report, "a chord's values")?;
    let mut values: Vec<Value> = Vec::new();
    let before = report.len();
    for node in &list {
        let Some(value) = constant::read(report, *node, ty, "a chord's value") else {
            continue;
        };
        if values.contains(&value) {
            let message = format!("{value} stands in the chord twice");
            report.push(Diagnostic::error("bad-chord", node.span(), message));
        }
        values.push(value);
    }
    if report.has_errors_since(before) {
        return None;
    }
    if !(2..=16).contains(&values.len()) {
        let error = Diagnostic::error("bad-chord", node.span(), "a chord has 2 to 16 values");
        report.push(error);
        return None;
    }
    Some(values)
}

fn holds<'a>(house: &mut House<'_>, table: &Table<'a>, drafts: &mut Drafts<'a>) -> Option<()> {
    let report = &mut house.report;
    let text = table.field("holds")?.text(report, "`holds`");
    let hold = match table.field("for") {
        Some(node) => units::duration(node, report, "`for`"),
        None => Some(Duration::ZERO),
    };
    let text = text?;
    drafts.holds.push((drafts.triggers.len(), text));
    // The condition is compiled with the rule's other expressions; until then it never holds.
    drafts.triggers.push(Trigger::Holds {
        condition: Box::new(Condition {
            expr: Expr::Const(Value::Bool(false)),
            text: text.text.into(),
        }),
        hold: hold.unwrap_or_default(),
    });
    hold.map(|_| ())
}
