//! `[test.NAME]`: reads the house's tests against the program.

use std::{sync::Arc, time::Duration};

use jiff::civil::DateTime;
use types::Value;

use super::{HouseTest, TestInput, TestStep, expect, given::given};
use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::{RESTART, STEP, TEST},
    house::{
        House,
        scenes::{Write, values},
    },
    index::Symbol,
    kinds::Kind,
    names::{self, Letters},
    paths::{self, Source},
    program::{ChannelIx, EventIx, RuleIx, SlotIx, VarIx},
    read::{Key, Node, Table, Text, did_you_mean},
    source::Span,
    units,
};

/// Longest test: a year, and some.
const AT_MAX: Duration = Duration::from_secs(400 * 86_400);

/// Reads all tests; what is wrong with one leaves the others.
pub(crate) fn read_all(house: &mut House<'_>, tests: &[(Key<'_>, Node<'_>)]) -> Vec<HouseTest> {
    let mut places: std::collections::BTreeMap<&str, _> = std::collections::BTreeMap::new();
    let mut all = Vec::with_capacity(tests.len());
    for (key, node) in tests {
        if house.report.is_full() {
            break;
        }
        names::check(&mut house.report, key, "test", Letters::Sentence);
        house
            .report
            .declare(|| (key.span.clone(), Symbol::Test(key.name.into())));
        if let Some(place) = places.insert(key.name, key.span.clone()) {
            let message = format!("the test `{}` stands here twice", key.name);
            house.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message)
                    .label("again")
                    .also(place, "first here"),
            );
            continue;
        }
        if let Some(table) = node.table(&mut house.report, "a test") {
            all.push(test(house, key, &table));
        }
    }
    all
}

fn test(house: &mut House<'_>, key: &Key<'_>, table: &Table<'_>) -> HouseTest {
    table.reject_unknown(&mut house.report, TEST.what, TEST.names);
    let start = table
        .field("start")
        .and_then(|node| moment(house, node, "`start`"));
    let only = table
        .field("only")
        .and_then(|node| node.list(&mut house.report, "`only`"))
        .map(|list| rules(house, &list));
    let given = table
        .field("given")
        .and_then(|node| node.table(&mut house.report, "`given`"))
        .map(|table| given(house, &table, only.as_deref()))
        .unwrap_or_default();
    let what = format!("test `{}`", key.name);
    let list = table
        .required(&mut house.report, &what, "steps", TEST.names)
        .and_then(|node| node.list(&mut house.report, "`steps`"))
        .unwrap_or_default();
    let mut steps: Vec<TestStep> = Vec::with_capacity(list.len());
    for node in list {
        let before = steps.last().map_or(Duration::ZERO, TestStep::end);
        if let Some(table) = node.table(&mut house.report, "a step") {
            steps.push(step(house, &table, before));
        }
    }
    HouseTest {
        name: key.name.into(),
        origin: house.origin(&key.span),
        start,
        only,
        given,
        steps,
    }
}

/// `"2026-03-28 21:00"`.
fn moment(house: &mut House<'_>, node: Node<'_>, what: &str) -> Option<Arc<str>> {
    let text = node.text(&mut house.report, what)?;
    let local = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| DateTime::strptime(format, text.text).ok());
    let (message, help) = match local.map(|local| (local, shown(house, local))) {
        Some((local, Some(shown))) if shown == local => return Some(text.text.into()),
        Some((_, Some(shown))) => (
            format!(
                "no clock at home shows {}: it goes forward there",
                text.text
            ),
            format!(
                "write a time that is shown, such as \"{}\"",
                shown.strftime("%Y-%m-%d %H:%M")
            ),
        ),
        _ => (
            format!("\"{}\" is no local date and time", text.text),
            "write for example \"2026-03-28 21:00\"".to_owned(),
        ),
    };
    house
        .report
        .push(Diagnostic::error("bad-time", text.span(), message).help(help));
    None
}

/// What the clock at home shows at a local time, which is another one where it is put forward; `None`: beyond what can
/// be counted.
fn shown(house: &House<'_>, local: DateTime) -> Option<DateTime> {
    let zone = house.program.home.zone();
    // The longest test must end in time as well.
    local
        .checked_add(AT_MAX)
        .ok()?
        .to_zoned(zone.clone())
        .ok()?;
    Some(zone.to_zoned(local).ok()?.datetime())
}

/// `clock = "unsynced"`.
pub(super) fn unsynced(house: &mut House<'_>, table: &Table<'_>) -> bool {
    let node = table.field("clock");
    node.and_then(|node| node.word(&mut house.report, "`clock`", &["unsynced"]))
        .is_some()
}

/// `{ night = true }`.
pub(super) fn vars(house: &mut House<'_>, node: Node<'_>) -> Vec<(VarIx, Value)> {
    let mut all = Vec::new();
    let table = node.table(&mut house.report, "`var`");
    for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
        let names = &house.program.names.vars;
        if let Some(var) = names.get(key.name).copied() {
            house
                .report
                .mention(|| (key.span.clone(), Symbol::Var(key.name.into())));
            let ty = house.program[var].ty.clone();
            let what = format!("`{}`", key.name);
            let value = constant::read(&mut house.report, node, &ty, &what);
            all.extend(value.map(|value| (var, value)));
        } else if !house.report.is_broken(&format!("var.{}", key.name)) {
            let message = format!("there is no variable `{}`", key.name);
            let error = Diagnostic::error("unknown-name", key.span, message).label("not declared");
            let near = did_you_mean(error, key.name, names.keys().map(|name| &**name));
            house.report.push(if near.help.is_empty() {
                near.help(format!(
                    "declare it under [var]: {} = {{ kind = \"bool\" }}",
                    key.name
                ))
            } else {
                near
            });
        }
    }
    all
}

/// `{ D.CH = value }` or `{ D.CH.field = value }`.
pub(super) fn states(house: &mut House<'_>, node: Node<'_>, write: Write) -> Vec<(SlotIx, Value)> {
    let mut out = Vec::new();
    for (channel, _, node) in channels(house, node, "state") {
        let (program, report) = (&house.program, &mut house.report);
        values(program, report, channel, node, write, &mut out);
    }
    out
}

/// The channels of `{ D.CH = .. }`, each with its key and what it is told to be.
pub(super) fn channels<'a>(
    house: &mut House<'_>,
    node: Node<'a>,
    what: &str,
) -> Vec<(ChannelIx, Key<'a>, Node<'a>)> {
    let mut all = Vec::new();
    let Some(table) = node.table(&mut house.report, what) else {
        return all;
    };
    for (key, node) in table.entries() {
        let (program, report) = (&house.program, &mut house.report);
        let Some(device) = program.device(key.name) else {
            if !report.is_broken(key.name) {
                report.push(paths::unknown_target(program, key.name, key.span));
            }
            continue;
        };
        report.mention(|| (key.span.clone(), Symbol::Device(key.name.into())));
        let Some(table) = node.table(report, &format!("`{}`", key.name)) else {
            continue;
        };
        for (key, node) in table.entries() {
            let found = paths::channel_of(program, report, device, key.name, key.span.clone());
            all.extend(found.map(|channel| (channel, key, node)));
        }
    }
    all
}

fn step(house: &mut House<'_>, table: &Table<'_>, before: Duration) -> TestStep {
    let table = &without_wait(house, table);
    // `set` takes fields of the channel beside it.
    if table.field("set").is_none() {
        table.reject_unknown(&mut house.report, STEP.what, STEP.names);
    }
    let at = match table.field("at") {
        Some(node) => at(house, node).unwrap_or(before),
        None => before,
    };
    if let (true, Some(node)) = (at < before, table.field("at")) {
        let message = "this step lies before the end of the one above it";
        house
            .report
            .push(Diagnostic::error("step-order", node.span(), message).help(
                "`at` counts from the start of the test; a restart takes as long as it is `down`",
            ));
    }
    TestStep {
        origin: house.origin(&table.span),
        at: at.max(before),
        input: input(house, table),
        expect: table
            .field("expect")
            .and_then(|node| expect::commands(house, node)),
        emitted: table
            .field("emitted")
            .and_then(|node| expect::emitted(house, node)),
        state: table
            .field("state")
            .map(|node| states(house, node, Write::State))
            .unwrap_or_default(),
        target: table
            .field("target")
            .map(|node| states(house, node, Write::Target))
            .unwrap_or_default(),
        vars: table
            .field("var")
            .map(|node| vars(house, node))
            .unwrap_or_default(),
        fired: table
            .field("fired")
            .map(|node| counts(house, node, "`fired`", "a number of firings"))
            .unwrap_or_default(),
        waiting: table
            .field("waiting")
            .map(|node| counts(house, node, "`waiting`", "a number of runs"))
            .unwrap_or_default(),
        by: table
            .field("by")
            .and_then(|node| named_rule(house, node, "`by`")),
        log: table.field("log").and_then(|node| {
            let text = node.text(&mut house.report, "`log`")?;
            Some(text.text.into())
        }),
    }
}

/// The step without a word for time that passes, as rules and other programs have one, which is reported.
fn without_wait<'a>(house: &mut House<'_>, table: &Table<'a>) -> Table<'a> {
    let words = ["wait", "after", "delay", "sleep", "pause"];
    let Some(word) = words.into_iter().find(|word| table.field(word).is_some()) else {
        return table.clone();
    };
    let message = format!("`{word}` is no key of a step");
    let error = Diagnostic::error("unknown-key", table.key_span(word), message);
    house.report.push(error.help(
        "`at` lets time pass: at = \"5m\" is five minutes after the start of the test, and not after the step above",
    ));
    table.clone().without(word)
}

/// When a step is.
fn at(house: &mut House<'_>, node: Node<'_>) -> Option<Duration> {
    let at = units::duration(node, &mut house.report, "`at`")?;
    if at > AT_MAX {
        let days = AT_MAX.as_secs() / 86_400;
        let message = format!("a test lasts at most {days} days");
        house.report.push(
            Diagnostic::error("out-of-range", node.span(), message)
                .help("set `start` to the day that matters"),
        );
        return None;
    }
    Some(at)
}

fn input(house: &mut House<'_>, table: &Table<'_>) -> Option<TestInput> {
    let forms = ["event", "report", "set", "restart", "clock", "sun"];
    let mut found = forms.into_iter().filter(|key| table.field(key).is_some());
    let form = found.next();
    if let (Some(first), Some(second)) = (form, found.next()) {
        let message = format!("a step has either `{first}` or `{second}`");
        house.report.push(
            Diagnostic::error("conflicting-keys", table.key_span(second), message)
                .help("write two steps; without `at` both happen at the same time"),
        );
        return None;
    }
    for key in ["hold", "for"] {
        if form != Some("set") && table.field(key).is_some() {
            let message = format!("`{key}` says how long what a person asks for counts");
            let error = Diagnostic::error("conflicting-keys", table.key_span(key), message);
            let help = "it goes with a `set`; what a rule sent for a time stands in `expect`";
            house.report.push(error.help(help));
        }
    }
    if form != Some("event") && table.field("with").is_some() {
        let message = "`with` gives the fields of an `event`";
        house.report.push(Diagnostic::error(
            "conflicting-keys",
            table.key_span("with"),
            message,
        ));
    }
    let node = table.field(form?)?;
    match form? {
        "event" => event(house, node, table.field("with")),
        "report" => report(house, node),
        "restart" => restart(house, node),
        "clock" => clock(house, node),
        "sun" => {
            let word = node.word(&mut house.report, "`sun`", &["up", "down", "real"])?;
            Some(TestInput::Sun((word != "real").then_some(word == "up")))
        }
        _ => set(house, node, table),
    }
}

/// `restart = { down = "2h" }`.
fn restart(house: &mut House<'_>, node: Node<'_>) -> Option<TestInput> {
    let table = node.table(&mut house.report, RESTART.what)?;
    table.reject_unknown(&mut house.report, RESTART.what, RESTART.names);
    let down = table.required(&mut house.report, RESTART.what, "down", RESTART.names);
    let down = down.and_then(|node| units::duration(node, &mut house.report, "`down`"));
    let unsynced = unsynced(house, &table);
    Some(TestInput::Restart {
        down: down?,
        unsynced,
    })
}

/// `clock = "synced"`, or the local time that it is set to.
fn clock(house: &mut House<'_>, node: Node<'_>) -> Option<TestInput> {
    let word = node.as_text().map(|text| text.text);
    match word {
        Some("synced") => Some(TestInput::Synced),
        // A word near to it, which is no time at all.
        Some(word) if !word.starts_with(|first: char| first.is_ascii_digit()) => {
            node.word(&mut house.report, "`clock`", &["synced"])?;
            None
        }
        _ => moment(house, node, "`clock`").map(TestInput::Clock),
    }
}

fn event(house: &mut House<'_>, node: Node<'_>, with: Option<Node<'_>>) -> Option<TestInput> {
    let text = node.text(&mut house.report, "`event`")?;
    let sources = paths::events(&house.program, &mut house.report, &text)?;
    let event = match sources[..] {
        [Source::Event(event)] => event,
        [Source::Gesture(..)] => {
            let message = "a gesture is no event of its own";
            house.report.push(
                Diagnostic::error("bad-test-event", text.span(), message)
                    .help("let the test press and release the button"),
            );
            return None;
        }
        _ => {
            let message = format!("\"{}\" is more than one event", text.text);
            house.report.push(
                Diagnostic::error("bad-test-event", text.span(), message)
                    .help("write one step for each"),
            );
            return None;
        }
    };
    let row = &house.program[event];
    if row.channel.is_none() {
        let device = row.device;
        let online = house.program[device].online == event;
        return Some(if online {
            TestInput::Online(device)
        } else {
            TestInput::Offline(device)
        });
    }
    fields(house, event, &text, with).map(|fields| TestInput::Event(event, fields))
}

/// All fields of an event, in their order: from `with`, or their defaults.
fn fields(
    house: &mut House<'_>,
    event: EventIx,
    text: &Text<'_>,
    with: Option<Node<'_>>,
) -> Option<Vec<Value>> {
    let (program, report) = (&house.program, &mut house.report);
    let declared = &program[event].fields;
    let names: Vec<&str> = declared.iter().map(|field| &*field.name).collect();
    let table = match with {
        Some(node) => Some(node.table(report, "`with`")?),
        None => None,
    };
    if let Some(table) = &table {
        table.reject_unknown(report, &format!("event `{}`", text.text), &names);
    }
    let mut fields = Vec::with_capacity(declared.len());
    for field in declared {
        let node = table.as_ref().and_then(|table| table.field(&field.name));
        match (node, &field.default) {
            (Some(node), _) => {
                fields.push(constant::read(
                    report,
                    node,
                    &field.ty,
                    &format!("`{}`", field.name),
                )?);
            }
            (None, Some(default)) => fields.push(default.clone()),
            (None, None) => {
                let misspelt = table
                    .as_ref()
                    .is_some_and(|table| table.misspells(&field.name, &names));
                if !misspelt {
                    let message = format!("the event needs the field `{}`", field.name);
                    let example = constant::example(&field.ty);
                    report.push(
                        Diagnostic::error("missing-key", text.span(), message)
                            .help(format!("add with = {{ {} = {example} }}", field.name)),
                    );
                }
                return None;
            }
        }
    }
    Some(fields)
}

/// `report = { D.CH = value }`, one channel.
fn report(house: &mut House<'_>, node: Node<'_>) -> Option<TestInput> {
    let fields = states(house, node, Write::State);
    let channel = house.program[fields.first()?.0].channel;
    let others = fields
        .iter()
        .any(|(slot, _)| house.program[*slot].channel != channel);
    if others {
        let message = "a step reports for one channel";
        house.report.push(
            Diagnostic::error("bad-test-event", node.span(), message)
                .help("write one step for each channel"),
        );
        return None;
    }
    Some(TestInput::Report(channel, fields))
}

/// `set = "D.CH", field = value`: a person asks.
fn set(house: &mut House<'_>, node: Node<'_>, table: &Table<'_>) -> Option<TestInput> {
    let (program, report) = (&house.program, &mut house.report);
    let text = node.text(report, "`set`")?;
    let channel = paths::channel(program, report, &text, 0..text.text.len())?;
    let mut fields = Vec::new();
    for (key, node) in table.entries() {
        if STEP.names.contains(&key.name) {
            continue;
        }
        if let Some(slot) = paths::field(program, report, channel, &key, true) {
            let ty = constant::writable(program, slot);
            let value = constant::read(report, node, &ty, &format!("`{}`", key.name));
            fields.extend(value.map(|value| (slot, value)));
        }
    }
    let mut span = |key: &str| {
        let node = table.field(key)?;
        units::duration(node, report, &format!("`{key}`"))
    };
    let hold = span("hold");
    let bound = span("for").filter(|span| !span.is_zero());
    if bound.is_some() && program.on(channel).is_none() {
        let path = program.channel_path(channel);
        let message = format!("`{path}` can't be on for a time");
        let error = Diagnostic::error("no-off", table.key_span("for"), message);
        let kind = Kind::with_article(&program[channel].kind);
        let error = error.label(format!("it is {kind}, which is not on or off"));
        report.push(error.help("leave `for` out"));
    }
    Some(TestInput::Set {
        channel,
        fields,
        hold,
        bound,
    })
}

/// `{ rule = n }`.
fn counts(house: &mut House<'_>, node: Node<'_>, what: &str, number: &str) -> Vec<(RuleIx, u32)> {
    let table = node.table(&mut house.report, what);
    let mut all = Vec::new();
    for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
        let count = node.whole(&mut house.report, number, 0, 1_000_000);
        let rule = rule(house, key.name, key.span.clone(), key.span);
        if let (Some(rule), Some(count)) = (rule, count) {
            all.push((rule, count as u32));
        }
    }
    all
}

/// `["hens-out", "hens-in"]`.
fn rules(house: &mut House<'_>, list: &[Node<'_>]) -> Vec<RuleIx> {
    let rules = list.iter();
    let rules = rules.filter_map(|node| named_rule(house, *node, "a rule of `only`"));
    rules.collect()
}

/// The rule that a text names.
fn named_rule(house: &mut House<'_>, node: Node<'_>, what: &str) -> Option<RuleIx> {
    let text = node.text(&mut house.report, what)?;
    let place = text.place(0..text.text.len());
    rule(house, text.text, text.span(), place)
}

/// The rule `name`; it is written at `span`, the name alone at `place`.
pub(super) fn rule(house: &mut House<'_>, name: &str, span: Span, place: Span) -> Option<RuleIx> {
    let rules = &house.program.names.rules;
    let found = rules.get(name).copied();
    if found.is_some() {
        house.report.mention(|| (place, Symbol::Rule(name.into())));
    } else {
        let message = format!("there is no rule `{name}`");
        let error = Diagnostic::error("unknown-name", span, message).label("not declared");
        let error = did_you_mean(error, name, rules.keys().map(|name| &**name));
        house.report.push(error);
    }
    found
}
