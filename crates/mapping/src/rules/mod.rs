//! `[rule.R]`: reads and compiles rules: triggers, one condition, actions.
//!
//! Called by [`crate::load()`] once everything that rules refer to is in the program. Must not know how
//! a rule is run.

pub(crate) mod actions;
mod fingerprint;
mod operand;
mod sequence;
mod timers;
mod times;
mod triggers;
mod uses;

use std::sync::Arc;

use crate::{
    cycles,
    diagnostic::{Diagnostic, Severity},
    expr::{self, Scope},
    grammar::{LATE, RULE},
    habits,
    house::House,
    index::Symbol,
    lint,
    names::{self, Letters},
    program::{
        Action, AfterDowntime, Condition, EventIx, Few, FieldMap, Mode, Program, Rule, RuleIx,
        Trigger,
    },
    read::{Key, Node, Table, Text, unknown_key},
    source::Span,
    units,
};

pub(crate) use timers::Timers;
pub(crate) use uses::Uses;

/// Lints that look at what several rules do: one with a mistake does not do what is meant.
const BESIDE_OTHERS: [&str; 3] = ["chord-repeats-press", cycles::LINT, "two-writers"];

/// What lints need to know of a rule besides its compiled form.
#[derive(Debug)]
pub(crate) struct Meta {
    /// Lints that the rule silences.
    pub(crate) allow: Vec<&'static str>,
    /// Where its name stands.
    pub(crate) name: Span,
    /// Where each of [`Rule::triggers`] is written.
    pub(crate) triggers: Vec<Span>,
    /// Where each of [`Rule::actions`] is written.
    pub(crate) actions: Vec<Span>,
}

/// All rules while they are being read.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    metas: Vec<Meta>,
    timers: Timers,
    uses: Uses,
}

/// What [`check_all`] needs of rules that were read.
#[derive(Debug)]
pub(crate) struct Unchecked {
    metas: Vec<Meta>,
    timers: Timers,
    uses: Uses,
}

/// Reads all rules into the program, each by itself.
pub(crate) fn read_all(house: &mut House<'_>, rules: &[(Key<'_>, Node<'_>)]) -> Unchecked {
    let mut all = Rules {
        rules: Vec::with_capacity(rules.len()),
        metas: Vec::with_capacity(rules.len()),
        uses: Uses::new(&house.program),
        timers: Timers::default(),
    };
    for (key, node) in rules {
        if house.report.is_full() {
            break;
        }
        names::check(&mut house.report, key, "rule", Letters::Hyphens);
        let name: Arc<str> = key.name.into();
        house
            .report
            .declare(|| (key.span.clone(), Symbol::Rule(name.clone())));
        if let Some(first) = house.program.names.rules.get(&name) {
            let message = format!("the rule `{name}` is declared twice");
            let place = all.metas[first.index()].name.clone();
            house.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message)
                    .label("again")
                    .also(place, "first here")
                    .help("give one of them another name"),
            );
            continue;
        }
        let ix = RuleIx(all.rules.len() as u32);
        house.program.names.rules.insert(name.clone(), ix);
        let (rule, meta) = read(house, &mut all, key, *node, name);
        all.rules.push(rule);
        all.metas.push(meta);
    }
    let Rules {
        rules,
        metas,
        timers,
        uses,
    } = all;
    house.program.rules = rules;
    Unchecked {
        metas,
        timers,
        uses,
    }
}

/// Says what is strange about the rules together.
pub(crate) fn check_all(house: &mut House<'_>, read: Unchecked, whole: bool) {
    let Unchecked {
        metas,
        timers,
        uses,
    } = read;
    timers.finish(house, &metas, whole);
    cycles::find(house, &metas, whole);
    if whole && !house.report.is_full() {
        lint::all(house, &metas, &uses);
    }
    uses.require_home(house);
}

fn read(
    house: &mut House<'_>,
    all: &mut Rules,
    key: &Key<'_>,
    node: Node<'_>,
    name: Arc<str>,
) -> (Rule, Meta) {
    let mut rule = Rule {
        origin: house.origin(&key.span),
        name,
        enabled: true,
        triggers: Few::default(),
        condition: None,
        actions: Few::default(),
        limit: None,
        mode: Mode::default(),
        after_downtime: None,
        fingerprint: 0,
    };
    let mut meta = Meta {
        allow: Vec::new(),
        name: key.span.clone(),
        triggers: Vec::new(),
        actions: Vec::new(),
    };
    let before = house.report.len();
    let Some(table) = node.table(&mut house.report, "a rule") else {
        return (rule, meta);
    };
    unknown_keys(house, &table);
    meta.allow = lint::allowed(&mut house.report, &table);
    let what = format!("rule `{}`", key.name);
    let when = table.required(&mut house.report, &what, "when", RULE.names);
    let drafts = triggers::read(house, all, when, &mut meta);
    let (mut triggers, mut actions) = (drafts.triggers, Vec::new());
    for step in &drafts.steps {
        step_condition(house, all, &meta, step, &mut triggers);
    }
    let mut compiler = Compiler::new(house, all, &drafts.events, drafts.complete, &meta);
    for (condition, text) in drafts.holds {
        if let Some(compiled) = compiler.condition(&text, true)
            && let Some(Trigger::Holds { condition, .. }) = triggers.get_mut(condition)
        {
            **condition = compiled;
        }
    }
    if let Some(node) = condition_of(&table) {
        match node.as_text() {
            Some(text) => rule.condition = compiler.condition(&text, false),
            None => {
                let instead = joined(&compiler.house.program, node);
                node.complain_or(&mut compiler.house.report, "`if`", "a text", instead);
            }
        }
    }
    let doing = table.required(&mut compiler.house.report, &what, "do", RULE.names);
    let mut places = Vec::new();
    if let Some(node) = doing {
        actions::read(&mut compiler, node, &mut actions, &mut places);
    }
    let fields = compiler.finish();
    meta.actions = places;
    fill_field_maps(&house.program, &mut triggers, &fields);
    rule.triggers = triggers.into();
    rule.actions = actions.into();
    settings(house, &table, &mut rule);
    mode_without_wait(house, &table, &rule, &meta);
    if house.report.has_errors_since(before) {
        meta.allow.extend(BESIDE_OTHERS);
    }
    rule.fingerprint = fingerprint::of(&house.program, &table, &rule.actions);
    (rule, meta)
}

/// Reports keys that a rule doesn't have; of those that other systems have in their place, where that stands here.
fn unknown_keys(house: &mut House<'_>, table: &Table<'_>) {
    if table.has_only(RULE.names) {
        return;
    }
    for (key, _) in table.entries() {
        if RULE.names.contains(&key.name) {
            continue;
        }
        let mut error = unknown_key(&key, RULE.what, RULE.names);
        if let Some(help) = habits::rule_key(key.name) {
            error.help = vec![help.to_owned()];
        }
        house.report.push(error);
    }
}

/// The `if` of a rule, also where it is misspelt; `id` is none.
fn condition_of<'a>(table: &Table<'a>) -> Option<Node<'a>> {
    let misspelt = || table.misspelt("if", RULE.names);
    let is_slip = |(key, _): &(Key<'a>, Node<'a>)| habits::rule_key(key.name).is_none();
    let misspelt = || Some(misspelt().filter(is_slip)?.1);
    table.field("if").or_else(misspelt)
}

/// The condition that somebody means by a list of them, by a truth value or by a table of another system.
fn joined(program: &Program, node: Node<'_>) -> Option<String> {
    if let Some(truth) = node.as_bool() {
        return Some(format!("\"{truth}\""));
    }
    let condition = habits::condition(program, node)?;
    Some(format!("one text: \"{condition}\""))
}

/// Compiles the condition of one step of a sequence, which reads the step's own event; of a step that could not be read
/// what is wrong with the condition itself is told.
fn step_condition(
    house: &mut House<'_>,
    all: &mut Rules,
    meta: &Meta,
    step: &sequence::StepIf<'_>,
    triggers: &mut [Trigger],
) {
    let complete = !step.events.is_empty();
    let mut compiler = Compiler::new(house, all, &step.events, complete, meta);
    let condition = compiler.condition(&step.text, false);
    let names = compiler.finish();
    if let Some(Trigger::Sequence { steps, .. }) = triggers.get_mut(step.trigger)
        && let Some(found) = steps.get_mut(step.step)
    {
        found.condition = condition;
        for event in &mut found.events {
            event.fields = field_map(&house.program, event.event, &names);
        }
    }
}

/// The keys that say how a rule runs.
fn settings(house: &mut House<'_>, table: &Table<'_>, rule: &mut Rule) {
    let report = &mut house.report;
    if let Some(node) = table.field("limit") {
        rule.limit = units::limit(node, report).map(Box::new);
    }
    if let Some(node) = table.field("enabled") {
        rule.enabled = node.boolean(report, "`enabled`").unwrap_or(true);
    }
    if let Some(node) = table.field("note") {
        node.text(report, "`note`");
    }
    if let Some(node) = table.field("mode") {
        let words = ["restart", "single", "queue", "parallel"];
        rule.mode = match node.word(report, "`mode`", &words) {
            Some("single") => Mode::Single,
            Some("queue") => Mode::Queue,
            Some("parallel") => Mode::Parallel,
            _ => Mode::Restart,
        };
    }
    // A time that was missed stays missed; anything else that fell due happens late.
    if let Some(node) = table.field("after_downtime") {
        rule.after_downtime = Some(after_downtime(house, node));
    }
}

/// A rule that never waits is over at once: nothing is left for a second firing to meet.
fn mode_without_wait(house: &mut House<'_>, table: &Table<'_>, rule: &Rule, meta: &Meta) {
    let mut actions = rule.actions.iter();
    let waits = actions.any(|action| matches!(action, Action::Wait(_)));
    let unread = rule.actions.is_empty();
    if waits || unread || table.field("mode").is_none() || meta.allow.contains(&"mode-unused") {
        return;
    }
    let message = "`mode` says nothing here: the rule never waits";
    house.report.push(
        Diagnostic::warning("mode-unused", table.key_span("mode"), message)
            .help("it is for rules with { wait = \"..\" } among their actions"),
    );
}

/// `"resume"`, `"drop"` or `{ run_late = "10m" }`.
fn after_downtime(house: &mut House<'_>, node: Node<'_>) -> AfterDowntime {
    let report = &mut house.report;
    if let Some(table) = node.as_table() {
        table.reject_unknown(report, LATE.what, LATE.names);
        let late = table
            .required(report, LATE.what, "run_late", LATE.names)
            .and_then(|node| units::some_duration(node, report, "`run_late`"));
        return late.map_or(AfterDowntime::Resume, AfterDowntime::RunLate);
    }
    if let Some(text) = node.as_text()
        && !matches!(text.text, "resume" | "drop")
    {
        let message = format!("`after_downtime` can't be `{}`", text.text);
        let error = Diagnostic::error("unknown-word", text.span(), message);
        let is_span = text.text.starts_with(|first: char| first.is_ascii_digit());
        let late = if is_span { text.text } else { "10m" };
        report.push(
            error
                .label("expected `resume`, `drop` or a table")
                .help(format!(
                    "what may run so late, and not later: {{ run_late = \"{late}\" }}"
                )),
        );
        return AfterDowntime::Resume;
    }
    match node.word(report, "`after_downtime`", &["resume", "drop"]) {
        Some("drop") => AfterDowntime::Drop,
        _ => AfterDowntime::Resume,
    }
}

/// For each event trigger: where the fields that the rule reads stand in that event.
fn fill_field_maps(program: &Program, triggers: &mut [Trigger], names: &[Arc<str>]) {
    if names.is_empty() {
        return;
    }
    for trigger in triggers {
        if let Trigger::Event { event, fields } = trigger {
            *fields = field_map(program, *event, names);
        }
    }
}

fn field_map(program: &Program, event: EventIx, names: &[Arc<str>]) -> FieldMap {
    let declared = &program[event].fields;
    let place = |name: &Arc<str>| declared.iter().position(|field| field.name == *name);
    names.iter().filter_map(place).map(|at| at as u8).collect()
}

/// Compiles the expressions of one rule, which share the list of event fields.
pub(super) struct Compiler<'c, 's> {
    pub(super) house: &'c mut House<'s>,
    pub(super) all: &'c mut Rules,
    pub(super) meta: &'c Meta,
    events: &'c [EventIx],
    /// Whether all triggers could be read; else what the event has is not known.
    complete: bool,
    fields: Vec<Arc<str>>,
}

impl<'c, 's> Compiler<'c, 's> {
    fn new(
        house: &'c mut House<'s>,
        all: &'c mut Rules,
        events: &'c [EventIx],
        complete: bool,
        meta: &'c Meta,
    ) -> Self {
        Self {
            house,
            all,
            meta,
            events,
            complete,
            fields: Vec::new(),
        }
    }

    /// The event fields that the rule's expressions read.
    fn finish(self) -> Vec<Arc<str>> {
        self.fields
    }

    /// Compiles `if`, or with `edge` the condition of `holds`, which has no event.
    fn condition(&mut self, text: &Text<'_>, edge: bool) -> Option<Condition> {
        let expr = self.with_scope(text, edge, |place, scope| {
            expr::condition(text.text, place, scope)
        })?;
        self.all.uses.expr(&expr);
        Some(Condition {
            expr,
            text: text.text.into(),
        })
    }

    /// Runs the expressions' front end and reports what it has to say.
    pub(super) fn with_scope<T>(
        &mut self,
        text: &Text<'_>,
        edge: bool,
        compile: impl FnOnce(
            &dyn Fn(std::ops::Range<usize>) -> Span,
            &mut Scope<'_>,
        ) -> Result<T, Vec<Diagnostic>>,
    ) -> Option<T> {
        let place = |range| text.place(range);
        let events = if edge { &[] } else { self.events };
        let mut scope = Scope::new(&self.house.program, events);
        scope.used_fields = std::mem::take(&mut self.fields);
        scope.mentions = self.house.report.notes_names().then(Vec::new);
        let compiled = compile(&place, &mut scope);
        let Scope {
            used_fields,
            warnings,
            mentions,
            ..
        } = scope;
        self.fields = used_fields;
        let report = &mut self.house.report;
        report.extend_mentions(mentions.unwrap_or_default());
        let allowed = |found: &Diagnostic| {
            found.severity == Severity::Warning && self.meta.allow.contains(&found.code)
        };
        report.extend(warnings.into_iter().filter(|found| !allowed(found)));
        compiled
            .map_err(|errors| {
                let broken_name = report.mentions_broken(text.text);
                let broken_home = report.is_broken("home");
                let broken_event = !self.complete && !edge;
                let follows = |code: &str| match code {
                    "no-event" => broken_event,
                    "home-missing" => broken_home,
                    code => broken_name && code.starts_with("unknown-"),
                };
                report.extend(errors.into_iter().filter(|error| !follows(error.code)));
            })
            .ok()
    }
}
