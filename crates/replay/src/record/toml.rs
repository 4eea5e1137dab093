//! The text of a recorded test: TOML 1.0, one line for each step.

use std::{fmt::Write as _, time::Duration};

use mapping::{
    Program,
    program::{ChannelIx, CommandEffect, SlotIx},
    toml_text::text,
};
use types::Value;

use super::{
    moments::{Moment, place, written},
    names::Names,
    sent::Sent,
};
use crate::words;

/// A test that is being written.
pub(super) struct Test {
    head: String,
    steps: Vec<Line>,
    /// When something fell due or just did not, whether or not a step looks at it, in microseconds since the start.
    due: Vec<i64>,
}

/// A step.
#[derive(Default)]
pub(super) struct Line {
    moment: Moment,
    /// What happens; empty: only time passes.
    said: String,
    expect: Option<Vec<Sent>>,
    /// When that was, for people.
    remark: Option<String>,
}

impl Test {
    pub(super) fn new(name: &str, start: &str) -> Self {
        Self {
            head: format!("[test.{name}]\nstart = {}\n", text(start)),
            steps: Vec::new(),
            due: Vec::new(),
        }
    }

    /// It is about these rules alone.
    pub(super) fn is_about(&mut self, rules: &[String]) {
        let rules: Vec<String> = rules.iter().map(|name| text(name)).collect();
        let _ = writeln!(self.head, "only = [{}]", rules.join(", "));
    }

    pub(super) fn give_state(
        &mut self,
        (program, names): (&Program, &Names),
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
    ) {
        if !fields.is_empty() {
            let state = state((program, names), channel, fields);
            let _ = writeln!(self.head, "given.state.{state}");
        }
    }

    pub(super) fn give_var(&mut self, name: &str, is: &Value) {
        let _ = writeln!(self.head, "given.var.{name} = {}", value(is));
    }

    pub(super) fn give_ages(
        &mut self,
        (program, names): (&Program, &Names),
        channel: ChannelIx,
        ages: &[(SlotIx, Duration)],
    ) {
        let Some(((_, first), others)) = ages.split_first() else {
            return;
        };
        let path = names.channel(channel);
        if others.iter().all(|(_, age)| age == first) {
            let _ = writeln!(self.head, "given.age.{path} = {}", span(*first));
            return;
        }
        for (slot, age) in ages {
            let field = &program[*slot].name;
            let _ = writeln!(self.head, "given.age.{path}.{field} = {}", span(*age));
        }
    }

    /// A condition of `rule` was true; `so_long`: and the rule has not fired yet.
    pub(super) fn give_hold(
        &mut self,
        rule: &str,
        number: Option<usize>,
        so_long: Option<Duration>,
    ) {
        let number = number.map_or_else(String::new, |number| format!(".{number}"));
        let is = so_long.map_or_else(|| text("fired"), span);
        let _ = writeln!(self.head, "given.holds.{rule}{number} = {is}");
    }

    pub(super) fn give_fired(&mut self, rule: &str, ago: &[Duration]) {
        let ago: Vec<String> = ago.iter().copied().map(span).collect();
        let _ = match ago.as_slice() {
            [only] => writeln!(self.head, "given.fired.{rule} = {only}"),
            all => writeln!(self.head, "given.fired.{rule} = [{}]", all.join(", ")),
        };
    }

    /// What ends by itself, after so long.
    pub(super) fn give_span(&mut self, key: &str, name: &str, left: Duration) {
        let _ = writeln!(self.head, "given.{key}.{name} = {}", span(left));
    }

    pub(super) fn give_devices(&mut self, key: &str, devices: &[String]) {
        if !devices.is_empty() {
            let names: Vec<String> = devices.iter().map(|name| text(name)).collect();
            let _ = writeln!(self.head, "given.{key} = [{}]", names.join(", "));
        }
    }

    /// Adds a step. Of those that only let pass what nobody asks about the last one is enough.
    pub(super) fn push(&mut self, line: Line) {
        if line.is_idle() {
            self.end();
        }
        self.steps.push(line);
    }

    /// Something fell due, or would have but for what came just before, in microseconds since the start.
    pub(super) fn fell_due(&mut self, us: i64) {
        self.due.push(us);
    }

    /// Takes off what only lets time pass: nothing comes of it that anybody expects.
    pub(super) fn end(&mut self) {
        while self.steps.last().is_some_and(Line::is_idle) {
            self.steps.pop();
        }
    }

    /// What came of the last step besides, a little later.
    pub(super) fn expect_more(&mut self, sent: Vec<Sent>) {
        if let Some(last) = self.steps.last_mut() {
            last.expect.get_or_insert_default().extend(sent);
        }
    }

    /// Steps, and commands that they expect.
    pub(super) fn counts(&self) -> (usize, usize) {
        let commands = self.steps.iter().filter_map(|step| step.expect.as_ref());
        (self.steps.len(), commands.map(Vec::len).sum())
    }

    pub(super) fn text(&self) -> String {
        let mut out = self.head.clone();
        out.push_str("steps = [\n");
        let moments: Vec<Moment> = self.steps.iter().map(|step| step.moment).collect();
        for (step, at) in self.steps.iter().zip(place(&moments, &self.due)) {
            let _ = writeln!(out, "  {}", step.text(at));
        }
        out.push_str("]\n");
        out
    }
}

impl Line {
    pub(super) fn event<'v>(
        path: &str,
        fields: impl Iterator<Item = (&'v str, &'v Value)>,
    ) -> Self {
        let fields: Vec<String> = fields
            .map(|(name, field)| format!("{name} = {}", value(field)))
            .collect();
        let with = match fields.as_slice() {
            [] => String::new(),
            fields => format!(", with = {{ {} }}", fields.join(", ")),
        };
        Self::saying(format!("event = {}{with}", text(path)))
    }

    pub(super) fn report(
        (program, names): (&Program, &Names),
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
    ) -> Self {
        let state = state((program, names), channel, fields);
        Self::saying(format!("report = {{ {state} }}"))
    }

    pub(super) fn set(
        (program, names): (&Program, &Names),
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
        hold: Option<Duration>,
        bound: Option<Duration>,
    ) -> Self {
        let mut said = format!("set = {}", text(&names.channel(channel)));
        for (slot, field) in fields {
            let _ = write!(said, ", {} = {}", program[*slot].name, value(field));
        }
        for (key, span) in [("hold", hold), ("for", bound)] {
            if let Some(span) = span {
                let _ = write!(said, ", {key} = {}", text(&words::span(span)));
            }
        }
        Self::saying(said)
    }

    fn saying(said: String) -> Self {
        Self {
            said,
            ..Self::default()
        }
    }

    pub(super) fn at(self, moment: Moment) -> Self {
        Self { moment, ..self }
    }

    /// Whether nothing comes in it, and nothing is expected.
    fn is_idle(&self) -> bool {
        self.said.is_empty() && self.expect.is_none()
    }

    pub(super) fn expecting(self, expect: Option<Vec<Sent>>) -> Self {
        Self { expect, ..self }
    }

    pub(super) fn remarked(self, remark: String) -> Self {
        Self {
            remark: Some(remark),
            ..self
        }
    }

    fn text(&self, at: Duration) -> String {
        let mut keys = vec![format!("at = {}", text(&written(at)))];
        if !self.said.is_empty() {
            keys.push(self.said.clone());
        }
        if let Some(sent) = &self.expect {
            let all: Vec<&str> = sent.iter().map(|sent| &*sent.what).collect();
            keys.push(format!("expect = [{}]", all.join(", ")));
            let by = sent.first().and_then(|first| first.by.as_ref());
            if let Some(by) = by
                && sent.iter().all(|sent| sent.by.as_ref() == Some(by))
            {
                keys.push(format!("by = {}", text(by)));
            }
        }
        let by = self
            .by_several()
            .map(|rules| format!("by {}", rules.join(", ")));
        let remarks: Vec<String> = self.remark.iter().cloned().chain(by).collect();
        match remarks.as_slice() {
            [] => format!("{{ {} }},", keys.join(", ")),
            remarks => format!("{{ {} }},  # {}", keys.join(", "), remarks.join(" ")),
        }
    }

    /// The rules that sent its commands, where they are not one: `by` names one that sent all of them.
    fn by_several(&self) -> Option<Vec<String>> {
        let sent = self.expect.as_deref().unwrap_or_default();
        let mut rules: Vec<String> = Vec::new();
        for by in sent.iter().filter_map(|sent| sent.by.as_ref()) {
            if !rules.contains(by) {
                rules.push(by.clone());
            }
        }
        let is_said = rules.len() == 1 && sent.iter().all(|sent| sent.by.is_some());
        (!rules.is_empty() && !is_said).then_some(rules)
    }
}

/// A target as a test expects it: the command that says all of it, or its fields.
pub(super) fn target(
    (program, names): (&Program, &Names),
    channel: ChannelIx,
    fields: &[(SlotIx, Value)],
) -> String {
    let path = names.channel(channel);
    if let [(slot, Value::Bool(on))] = fields
        && &*program[*slot].name == "on"
    {
        let word = if *on { "on" } else { "off" };
        let mut commands = program[channel].commands.iter();
        // Of a kind of the house's own it may say more than that.
        let is_all =
            |effect: &CommandEffect| matches!(effect, CommandEffect::Set(said) if said == fields);
        if commands.any(|command| &*command.name == word && is_all(&command.effect)) {
            return text(&format!("{path}.{word}"));
        }
    }
    let mut out = format!("{{ set = {}", text(&path));
    for (slot, field) in fields {
        let _ = write!(out, ", {} = {}", program[*slot].name, value(field));
    }
    out.push_str(" }");
    out
}

/// A momentary command as a test expects it, with the arguments that are none of the defaults.
pub(super) fn momentary(
    (program, names): (&Program, &Names),
    channel: ChannelIx,
    command: u8,
    args: &[Value],
) -> String {
    let row = &program[channel].commands[usize::from(command)];
    let name = text(&format!("{}.{}", names.channel(channel), row.name));
    let said =
        (row.args.iter().zip(args)).filter(|(arg, value)| arg.default.as_ref() != Some(*value));
    let said: String = said
        .map(|(arg, said)| format!(", {} = {}", arg.name, value(said)))
        .collect();
    if said.is_empty() {
        name
    } else {
        format!("{{ command = {name}{said} }}")
    }
}

/// `hall.lux = 12`, `hall.lamp = { on = true, brightness = 40 }`.
fn state(
    (program, names): (&Program, &Names),
    channel: ChannelIx,
    fields: &[(SlotIx, Value)],
) -> String {
    let path = names.channel(channel);
    match fields {
        [(_, only)] if program[channel].slots.len() == 1 => format!("{path} = {}", value(only)),
        fields => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(slot, field)| format!("{} = {}", program[*slot].name, value(field)))
                .collect();
            format!("{path} = {{ {} }}", fields.join(", "))
        }
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            format!("{}", *value as i64)
        }
        Value::Number(value) => format!("{value:?}"),
        Value::Text(value) => text(value),
    }
}

/// A span to the microsecond, in quotes.
fn span(span: Duration) -> String {
    text(&written(span))
}
