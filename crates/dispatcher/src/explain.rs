//! Decision records as people and programs read them: the live stream, `why`, and what a failing house
//! test shows.
//!
//! ```text
//! 10:32:07.123 piano.keys.press key=60 velocity=87
//!   rule middle-c rules.toml:3 -> hall.lamp on=true (sent)
//! ```

use std::fmt::Write as _;

use engine::{Cause, Decision, Did, Disposition, Outcome, Output, RuleTrace, Seen, Sent, Term};
use jiff::{Timestamp, tz::TimeZone};
use mapping::{
    Program,
    program::{self, EventIx, GestureKind, RuleIx, SlotIx, Trigger},
};
use types::{Now, Shown, UnixTime, Value};

use crate::{effects::Effects, span::Span};

mod condition;
mod json;
mod stream;

pub use condition::{Part, Truth};
pub use stream::{Arrival, Filter, Told, told};

/// How decisions name what a device reported without being asked, and what therefore is the wish: its switch on the wall.
pub const LOCAL: &str = engine::Who::LOCAL;

/// How decisions name a client that needed no user, where those are let in.
pub(crate) const SUPERUSER: &str = "superuser";

/// How decisions name whoever asked at an external broker.
pub(crate) const EXTERNAL_BROKER: &str = "external-broker";

/// Names that stand in decisions and refusals for whoever has no login: nobody may log in under one of them, or would be
/// taken for it. Every [`crate::Publisher`] without a name of its own gets one of these.
pub const WITHOUT_LOGIN: [&str; 3] = [LOCAL, SUPERUSER, EXTERNAL_BROKER];

/// Time of day, as the stream and the log show it: `10:32:07.123`.
pub const TIME_OF_DAY: &str = "%H:%M:%S%.3f";

/// Who asked for something, for people.
#[must_use]
pub fn asker(name: &str) -> &str {
    match name {
        SUPERUSER => "a client without a login",
        EXTERNAL_BROKER => "a client of the external broker",
        name => name,
    }
}

/// Reads decisions under the program that made them.
#[derive(Clone, Debug)]
pub struct Explainer<'p> {
    program: &'p Program,
    zone: TimeZone,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Rules that fired, or would have but for a limit.
    Fired,
    /// Every rule that looked, with the values it saw.
    All,
}

/// Writes the texts of targets into the decisions, which leave them empty on the hot path. To be called before
/// a decision is shown or kept.
pub fn fill_texts(program: &Program, effects: &mut Effects) {
    for output in &effects.engine.outputs {
        // A momentary command's arguments are only in its output.
        let complete = !matches!(output, Output::Momentary { .. });
        let (text, decision, line) = match output {
            Output::Target {
                channel,
                target,
                bound,
                decision,
                line,
                ..
            } => {
                let mut fields = fields_text(program, target);
                if let Some(bound) = bound {
                    let _ = write!(fields, " for {}", Span(*bound));
                }
                (
                    format!("{}{fields}", program.channel_path(*channel)),
                    *decision,
                    *line,
                )
            }
            Output::Momentary {
                channel,
                command,
                args,
                decision,
                line,
            } => {
                let text = momentary_text(program, *channel, *command, args);
                (text, *decision, *line)
            }
            Output::Event {
                event,
                fields,
                decision,
                line,
            } => (emit_text(program, *event, fields), *decision, *line),
            Output::Notify {
                to,
                text,
                decision,
                line,
            } => (format!("notify {to} \"{}\"", Shown(text)), *decision, *line),
        };
        let decision = effects.engine.decisions.get_mut(decision);
        if let Some(sent) = decision.and_then(|decision| decision.sent.get_mut(line))
            && (sent.text.is_empty() || !complete)
        {
            sent.text = text;
        }
    }
}

impl<'p> Explainer<'p> {
    /// Times are shown in the home's zone; UTC where it has none.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        Self {
            program,
            zone: program.home.zone(),
        }
    }

    /// The zone in which times are shown.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Local time of day, `10:32:07.123`.
    #[must_use]
    pub fn time(&self, wall: UnixTime) -> String {
        match Timestamp::from_microsecond(wall.0) {
            Ok(at) => at
                .to_zoned(self.zone.clone())
                .strftime(TIME_OF_DAY)
                .to_string(),
            Err(_) => "--:--:--.---".to_owned(),
        }
    }

    /// The decision as lines: what happened, then what rules made of it.
    #[must_use]
    pub fn lines(&self, decision: &Decision, detail: Detail) -> Vec<String> {
        let mut lines = Vec::new();
        // That a device came and the event that says so are one thing: `hall.online, last seen 07:02`.
        let head = usize::from(self.is_said_by_next(decision));
        for (place, step) in decision.steps.iter().enumerate().skip(head) {
            let cause = self.cause(&step.cause);
            if place == head || step.depth == 0 {
                lines.push(format!("{} {cause}", self.time(decision.now.wall)));
            } else {
                lines.push(format!("  then {cause}"));
            }
            for trace in &decision.rules {
                if usize::from(trace.step) == place {
                    lines.extend(self.rule(decision, trace, &step.cause, detail));
                }
            }
        }
        // What a rule set going earlier and what nobody's rule did stand under no rule that ran.
        let ran_now = |rule: RuleIx| {
            let mut ran = decision.rules.iter().filter(|trace| ran(trace));
            ran.any(|trace| trace.rule == rule)
        };
        for sent in &decision.sent {
            match sent.by {
                None => lines.push(format!("  -> {}", self.sent(sent))),
                Some(rule) if !ran_now(rule) => {
                    let place = self.rule_place(rule);
                    lines.push(format!("  rule {place} -> {}", self.sent(sent)));
                }
                Some(_) => {}
            }
        }
        let by_people = decision.deeds.iter().filter(|deed| deed.rule.is_none());
        lines.extend(by_people.map(|deed| format!("  {}", self.did(decision.now, &deed.what))));
        lines
    }

    /// Whether the first step, a device that came or went, is told by its event, the step behind it.
    fn is_said_by_next(&self, decision: &Decision) -> bool {
        let [first, next, ..] = decision.steps.as_slice() else {
            return false;
        };
        if decision.rules.iter().any(|trace| trace.step == 0) {
            return false;
        }
        let event = match first.cause {
            Cause::Online(device) => self.program[device].online,
            Cause::Offline(device) => self.program[device].offline,
            _ => return false,
        };
        matches!(&next.cause, Cause::Event(said, values)
            if *said == event && self.last_seen(event, values).is_some())
    }

    /// The decision as one JSON object, on one line.
    #[must_use]
    pub fn json(&self, decision: &Decision) -> String {
        json::decision(self, None, decision)
    }

    /// What happened, `piano.keys.press key=60`.
    #[must_use]
    pub fn cause(&self, cause: &Cause) -> String {
        let program = self.program;
        match cause {
            Cause::Event(event, values) => {
                let mut text = program.event_path(*event);
                if let Some(seen) = self.last_seen(*event, values) {
                    return format!("{text}, {seen}");
                }
                for (field, value) in program[*event].fields.iter().zip(values) {
                    let _ = write!(text, " {}={value}", field.name);
                }
                text
            }
            Cause::Report(channel, fields) => format!(
                "{} reports{}",
                program.channel_path(*channel),
                fields_text(program, fields)
            ),
            Cause::Online(device) => format!("{}.online", program[*device].name),
            Cause::Offline(device) => format!("{}.offline", program[*device].name),
            Cause::Set(channel, who) if &**who == LOCAL => {
                format!(
                    "{}: what its device reports is the wish now",
                    program.channel_path(*channel)
                )
            }
            Cause::Set(channel, who) => {
                let who = asker(who);
                format!("{} set by {who}", program.channel_path(*channel))
            }
            Cause::Var(var, value) => format!("var.{} = {value}", program[*var].name),
            Cause::Gesture(kind, channel) => {
                format!("{}.{}", program.channel_path(*channel), gesture(*kind))
            }
            Cause::Chord(event) => format!("chord on {}", program.event_path(*event)),
            Cause::Sequence(rule) => format!("the sequence of {} is complete", program[*rule].name),
            Cause::Timer(timer) => format!("timer {} ran out", program[*timer].name),
            Cause::Holds(rule, place) => {
                let text = format!("the condition of {} holds", program[*rule].name);
                match self.one_of_several(*rule, *place) {
                    Some(which) => format!("{text}: {which}"),
                    None => text,
                }
            }
            Cause::At(rule) => format!("the time of {} came", program[*rule].name),
            Cause::Bound(channel) => {
                format!("the time of {} is over", program.channel_path(*channel))
            }
            Cause::Waited(rule) => format!("the wait of {} is over", program[*rule].name),
            Cause::Turn(rule) => format!("it is {}'s turn", program[*rule].name),
            Cause::Tick => "time passed".to_owned(),
        }
    }

    /// The `holds` with this place among the triggers of a rule that has more than one.
    fn one_of_several(&self, rule: RuleIx, place: u32) -> Option<&str> {
        let triggers = &self.program[rule].triggers;
        let holds = triggers
            .iter()
            .filter(|it| matches!(it, Trigger::Holds { .. }));
        match triggers.get(place as usize)? {
            Trigger::Holds { condition, .. } if holds.count() > 1 => Some(&condition.text),
            _ => None,
        }
    }

    /// What `online` or `offline` of a device says besides its name; `None`: it is another event.
    fn last_seen(&self, event: EventIx, values: &[Value]) -> Option<String> {
        let row = &self.program[event];
        let device = &self.program[row.device];
        let came = event == device.online;
        if !came && event != device.offline {
            return None;
        }
        let place = row.fields.iter().position(|f| &*f.name == "last_seen")?;
        Some(match values.get(place)?.as_text()? {
            "never" if came => "for the first time".to_owned(),
            "never" => "never seen".to_owned(),
            seen => format!("last seen {seen}"),
        })
    }

    fn rule(
        &self,
        decision: &Decision,
        trace: &RuleTrace,
        cause: &Cause,
        detail: Detail,
    ) -> Vec<String> {
        if detail == Detail::Fired && !is_shown(trace.outcome) {
            return Vec::new();
        }
        let head = format!("  rule {}", self.rule_place(trace.rule));
        let seen = match detail {
            Detail::Fired => String::new(),
            Detail::All => self.seen_in(decision, trace, cause),
        };
        if !ran(trace) {
            return vec![format!("{head}: {}{seen}", outcome(trace.outcome))];
        }
        let mut lines = Vec::new();
        // What is sent stands once, however often its rule ran in this cascade.
        let mut runs = decision.rules.iter().filter(|other| ran(other));
        let first = runs.find(|other| other.rule == trace.rule);
        if first.is_some_and(|first| std::ptr::eq(first, trace)) {
            let mine = decision.sent.iter().filter(|s| s.by == Some(trace.rule));
            lines.extend(mine.map(|sent| format!("{head} -> {}{seen}", self.sent(sent))));
        }
        let deeds = decision.deeds.iter();
        let mine = deeds.filter(|deed| deed.rule == Some(trace.rule) && deed.step == trace.step);
        let did = mine.map(|deed| self.did(decision.now, &deed.what));
        lines.extend(did.map(|did| format!("{head} {did}{seen}")));
        if lines.is_empty() {
            lines.push(format!("{head} {}{seen}", outcome(trace.outcome)));
        }
        lines
    }

    /// What was done at `now` for which nothing is sent: `waits 2m`.
    #[must_use]
    pub fn did(&self, now: Now, what: &Did) -> String {
        match what {
            Did::Starts(timer, span) => format!(
                "starts the timer {} for {}, until {}",
                self.program[*timer].name,
                Span(*span),
                self.end(now.wall, now.after(*span).wall)
            ),
            Did::Stops(timer) => format!("stops the timer {}", self.program[*timer].name),
            Did::Waits(span) => format!("waits {}", Span(*span)),
            Did::GaveUp => "gave up a run that waited: it fired again".to_owned(),
            Did::Keeps(channel, span) if span.is_zero() => {
                format!(
                    "lets rules write {} again",
                    self.program.channel_path(*channel)
                )
            }
            Did::Clamped {
                what,
                computed,
                taken,
            } => {
                let (computed, taken) = (Value::Number(*computed), Value::Number(*taken));
                format!("computed {what} = {computed}, out of its range: took {taken}")
            }
            Did::Keeps(channel, span) => format!(
                "keeps rules from {} for {}",
                self.program.channel_path(*channel),
                Span(*span)
            ),
        }
    }

    /// A moment after `from`: the time of day, with its date where that is another day.
    fn end(&self, from: UnixTime, end: UnixTime) -> String {
        let at_home = |wall: UnixTime| {
            let at = Timestamp::from_microsecond(wall.0).ok()?;
            Some(at.to_zoned(self.zone.clone()))
        };
        match (at_home(from), at_home(end)) {
            (Some(from), Some(end)) if from.date() != end.date() => {
                end.strftime("%Y-%m-%d %H:%M").to_string()
            }
            _ => self.time(end),
        }
    }

    /// `middle-c rules.toml:3`.
    #[must_use]
    pub fn rule_place(&self, rule: RuleIx) -> String {
        let row = &self.program[rule];
        format!("{} {}:{}", row.name, row.origin.file, row.origin.line)
    }

    fn sent(&self, sent: &Sent) -> String {
        let text = match (sent.channel, sent.text.is_empty()) {
            (Some(channel), true) => self.program.channel_path(channel),
            _ => sent.text.clone(),
        };
        let became = match (sent.disposition, text.split(' ').nth(1)) {
            (Disposition::NoCarrier, Some(to)) => {
                format!("nobody is told: no [notify.{to}] in settings.toml")
            }
            (other, _) => disposition(other).to_owned(),
        };
        format!("{text} ({became})")
    }

    /// `  [state.hall.lux = 12, sun.is_down = true]`; empty where the rule saw nothing.
    fn seen_in(&self, decision: &Decision, trace: &RuleTrace, cause: &Cause) -> String {
        let (from, to) = (trace.seen.0 as usize, trace.seen.1 as usize);
        let seen = decision.seen.get(from..to).unwrap_or_default();
        self.seen(seen, trace.rule, cause)
    }

    /// As [`Self::seen_in`], for values that `rule` sees when `cause` happens. What it looked at twice is told once.
    pub(crate) fn seen(&self, seen: &[Seen], rule: RuleIx, cause: &Cause) -> String {
        let mut terms: Vec<String> = Vec::with_capacity(seen.len());
        for seen in seen {
            let term = self.term(seen.term, rule, cause);
            let said = match &seen.value {
                Some(text @ Value::Text(_)) => format!("{term} = '{text}'"),
                Some(value) => format!("{term} = {value}"),
                None => format!("{term} is unknown"),
            };
            if !terms.contains(&said) {
                terms.push(said);
            }
        }
        if terms.is_empty() {
            String::new()
        } else {
            format!("  [{}]", terms.join(", "))
        }
    }

    fn term(&self, term: Term, rule: RuleIx, cause: &Cause) -> String {
        let program = self.program;
        match term {
            Term::EventField(place) => match self.event_field(rule, cause, place) {
                Some(name) => format!("event.{name}"),
                None => "event".to_owned(),
            },
            Term::State(slot) => format!("state.{}", program.slot_path(slot)),
            Term::Target(slot) => format!("target.{}", program.slot_path(slot)),
            Term::Var(var) => format!("var.{}", program[var].name),
            Term::Online(device) => format!("{}.online", program[device].name),
            Term::Age(slot) => format!("age(state.{})", program.slot_path(slot)),
            Term::Sun(term) => sun(term).to_owned(),
            Term::Now(term) => now(term).to_owned(),
        }
    }

    /// The name of a rule's event field, by way of the trigger that this cause pulled.
    fn event_field(&self, rule: RuleIx, cause: &Cause, place: u8) -> Option<&str> {
        let happened = match cause {
            Cause::Event(event, _) | Cause::Chord(event) => *event,
            Cause::Online(device) => self.program[*device].online,
            Cause::Offline(device) => self.program[*device].offline,
            // The event is long over; all events of the rule have the field.
            Cause::Waited(_) | Cause::Turn(_) => {
                let mut triggers = self.program[rule].triggers.iter();
                triggers.find_map(|trigger| match trigger {
                    Trigger::Event { event, .. } => Some(*event),
                    _ => None,
                })?
            }
            _ => return None,
        };
        self.program[rule]
            .triggers
            .iter()
            .find_map(|trigger| match trigger {
                Trigger::Event { event, fields } if *event == happened => {
                    let place = fields.get(usize::from(place))?;
                    let field = self.program[*event].fields.get(usize::from(*place))?;
                    Some(&*field.name)
                }
                _ => None,
            })
    }
}

/// Whether a rule did something, or would have but for a limit.
fn is_shown(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::False | Outcome::Unknown | Outcome::Waiting
    )
}

fn sun(term: program::Sun) -> &'static str {
    match term {
        program::Sun::IsUp => "sun.is_up",
        program::Sun::IsDown => "sun.is_down",
        program::Sun::Elevation => "sun.elevation",
    }
}

fn now(term: program::Now) -> &'static str {
    match term {
        program::Now::Hour => "now.hour",
        program::Now::Minute => "now.minute",
        program::Now::Weekday => "now.weekday",
        program::Now::Date => "now.date",
    }
}

/// What came of a rule, in a word or two.
#[must_use]
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fired => "fired",
        Outcome::False => "false",
        Outcome::Unknown => "unknown",
        Outcome::Limited => "limit reached",
        Outcome::Fuse => "cut: too many firings a second",
        Outcome::Depth => "cut: too deep",
        Outcome::SunStays => "the sun stays up or down for more than a day",
        Outcome::Waiting => "waits",
        Outcome::Resumed => "goes on",
        Outcome::Queued => "queued behind a run that waits",
        Outcome::Busy => "dropped: a run of it waits still",
    }
}

/// Whether its actions ran.
#[must_use]
pub fn ran(trace: &RuleTrace) -> bool {
    matches!(trace.outcome, Outcome::Fired | Outcome::Resumed)
}

/// What became of a wish, in a word or two.
#[must_use]
pub fn disposition(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Pending => "pending",
        Disposition::Sent => "sent",
        Disposition::Queued => "queued",
        Disposition::Shown => "shown here only: no [notify.NAME] in settings.toml",
        Disposition::NoCarrier => "nobody is told: no such [notify.NAME] in settings.toml",
        Disposition::AlreadySo => "already so",
        Disposition::Waiting => "waits for it",
        Disposition::Dropped => "dropped",
        Disposition::Blocked => "blocked",
        Disposition::Held => "held",
        Disposition::Unknown => "unknown",
    }
}

/// Whether a wish was a text for people, of which it is known who carries it, if anybody does.
#[must_use]
pub fn is_for_people(disposition: Disposition) -> bool {
    matches!(
        disposition,
        Disposition::Queued | Disposition::Shown | Disposition::NoCarrier
    )
}

/// The word for a gesture, as in `desk.button.double`.
#[must_use]
pub fn gesture(kind: GestureKind) -> &'static str {
    match kind {
        GestureKind::Click => "click",
        GestureKind::Double => "double",
        GestureKind::Triple => "triple",
        GestureKind::Long => "long",
    }
}

/// ` on=true brightness=40`.
pub(crate) fn fields_text(program: &Program, fields: &[(SlotIx, Value)]) -> String {
    let mut text = String::new();
    for (slot, value) in fields {
        let _ = write!(text, " {}={value}", program[*slot].name);
    }
    text
}

/// `emit evening.mode.press`.
pub(crate) fn emit_text(program: &Program, event: program::EventIx, fields: &[Value]) -> String {
    let mut text = format!("emit {}", program.event_path(event));
    for (field, value) in program[event].fields.iter().zip(fields) {
        let _ = write!(text, " {}={value}", field.name);
    }
    text
}

/// `hall.bell.beep ms=200`.
pub(crate) fn momentary_text(
    program: &Program,
    channel: program::ChannelIx,
    command: u8,
    args: &[Value],
) -> String {
    let mut text = program.channel_path(channel);
    if let Some(row) = program[channel].commands.get(usize::from(command)) {
        let _ = write!(text, ".{}", row.name);
        for (field, arg) in row.args.iter().zip(args) {
            let _ = write!(text, " {}={arg}", field.name);
        }
    }
    text
}
