//! How near each trigger of a rule came, in a sentence.

use std::{collections::BTreeSet, time::Duration};

use dispatcher::{Dispatcher, explain};
use mapping::program::{DeviceIx, EventIx, RuleIx, SequenceStep, Trigger};
use types::{Now, UnixTime};

use super::{
    Asked, Waiting,
    collect::{Came, Collector, What},
    sequence::listed,
};
use crate::words::{self, roughly};

/// All triggers of the rule; what one says starts without the trigger's name.
pub(super) fn all(asked: &Asked<'_>, house: &Dispatcher, collected: &Collector) -> Vec<Waiting> {
    let Some(rule) = collected.rule else {
        return Vec::new();
    };
    let teller = Teller {
        asked,
        house,
        collected,
        rule,
    };
    let program = house.program();
    let triggers = (0..).zip(&program[rule].triggers);
    triggers
        .map(|(place, trigger)| Waiting {
            what: words::trigger(program, trigger),
            said: teller.said(place, trigger),
        })
        .collect()
}

struct Teller<'a> {
    asked: &'a Asked<'a>,
    house: &'a Dispatcher,
    collected: &'a Collector,
    rule: RuleIx,
}

impl Teller<'_> {
    fn said(&self, place: u32, trigger: &Trigger) -> String {
        let program = self.house.program();
        match trigger {
            Trigger::Event { event, .. } => self.event(*event),
            Trigger::Gesture { channel, .. } if self.block(program[*channel].device).is_some() => {
                match program.event(*channel, "press") {
                    Some(press) => self.event(press),
                    None => self.block(program[*channel].device).unwrap_or_default(),
                }
            }
            Trigger::Gesture { kind, channel, .. } => {
                let path = program.channel_path(*channel);
                let word = explain::gesture(*kind);
                let came = What::Gesture(path.clone(), word.to_owned());
                let pressed = self.collected.came(&What::Event(format!("{path}.press")));
                match (self.collected.came(&came), pressed) {
                    (Some(came), _) => self.last(came),
                    (None, Some(pressed)) => format!(
                        "did not come: {path} was pressed last at {}, and no {word} came of it",
                        self.clock(pressed.last)
                    ),
                    (None, None) => match program.event(*channel, "press") {
                        Some(press) => format!(
                            "did not come: {} {}",
                            program.event_path(press),
                            self.event(press)
                        ),
                        None => "did not come".to_owned(),
                    },
                }
            }
            Trigger::Chord { event, .. } => {
                let path = program.event_path(*event);
                format!("was not complete: {path} {}", self.event(*event))
            }
            Trigger::Sequence { steps, within } => self.sequence(place, steps, *within),
            Trigger::Timer(timer) => {
                let name = program[*timer].name.to_string();
                match self.house.engine().timer(*timer) {
                    Some(running) => format!(
                        "runs: it runs out at {}, {} later",
                        self.clock(self.then(running.due)),
                        roughly(running.due.since(self.asked.now.at))
                    ),
                    None => self.idle_timer(&name),
                }
            }
            Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } => self.time(place),
            Trigger::Holds { hold, .. } => self.holds(place, *hold),
        }
    }

    /// How far a sequence got.
    fn sequence(&self, place: u32, steps: &[SequenceStep], within: Duration) -> String {
        let program = self.house.program();
        let mut sequences = self.collected.sequences.iter();
        let progress = sequences.find(|progress| progress.trigger == place);
        let Some(reached) = progress.and_then(|progress| progress.furthest.as_ref()) else {
            let named = steps.iter().flat_map(|step| &step.events);
            let events: BTreeSet<EventIx> = named.map(|named| named.event).collect();
            let said = events.into_iter().map(|event| {
                let path = program.event_path(event);
                format!("{path} {}", self.event(event))
            });
            let said: Vec<String> = said.collect();
            return format!("was not begun: {}", said.join("; "));
        };
        let clock = |now: Now| self.clock(now);
        let (got, all) = (reached.steps.len(), steps.len());
        let mut said = format!("got {got} of {all}: {}", listed(&reached.steps, clock));
        let first = reached.steps[0].now;
        let end = first.after(within);
        let next = steps.get(got).map(|step| words::step(program, step));
        let next = next.unwrap_or_default();
        said += &match &reached.ended_by {
            Some(late) if late.now.at > end.at => format!(
                "; then {} came at {}, too late: all of it must come within {}",
                late.name(),
                clock(late.now),
                words::span(within)
            ),
            Some(other) => format!(
                "; then {} came at {}, and {next} was next",
                other.name(),
                clock(other.now)
            ),
            None if self.asked.now.at > end.at => {
                format!("; then nothing matched within {}", words::span(within))
            }
            None => format!("; {next} is next, until {}", clock(end)),
        };
        said
    }

    /// How near an event came: blocked, refused, from a device that is away.
    fn event(&self, event: EventIx) -> String {
        let program = self.house.program();
        let path = program.event_path(event);
        let device = &program[program[event].device];
        let came = self.collected.came(&What::Event(path.clone()));
        let blocked = self.collected.came(&What::Blocked(path.clone()));
        let newer = |other: Option<Came>| {
            other.filter(|other| came.is_none_or(|came| other.last.at >= came.last.at))
        };
        if let Some(blocked) = newer(blocked) {
            return format!(
                "came at {} and was not heard: {} is blocked as producer",
                self.clock(blocked.last),
                device.name
            );
        }
        if let Some(block) = self.block(program[event].device) {
            let before = came.map_or_else(String::new, |came| format!("; it {}", self.last(came)));
            return format!("{block}{before}");
        }
        let copy = self.collected.came(&What::Copy(path));
        if let Some(copy) = newer(copy) {
            return format!(
                "came at {} as a copy of one that came before",
                self.clock(copy.last)
            );
        }
        let mut said = match came {
            Some(came) => self.last(came),
            None => format!("did not come since {}", self.since()),
        };
        if let Some((online, since)) = self.collected.presence.get(&*device.name)
            && !online
        {
            let since = since.map_or_else(
                || format!("before {}", self.since()),
                |since| self.clock(since),
            );
            said.push_str(&format!("; {} is offline since {since}", device.name));
        }
        said
    }

    /// Why nothing that `device` says is heard; `None`: it is no blocked producer.
    fn block(&self, device: DeviceIx) -> Option<String> {
        let name = &*self.house.program()[device].name;
        let (sides, since) = self.collected.blocks.get(name)?;
        let since = match since {
            Some(since) => self.clock(*since),
            None => format!("before {}", self.since()),
        };
        match (sides.producer, sides.consumer) {
            (false, _) => None,
            (true, false) => Some(format!(
                "is not heard: {name} is blocked as producer since {since}"
            )),
            (true, true) => Some(format!(
                "is not heard: {name} is blocked since {since}, and its login is refused"
            )),
        }
    }

    fn idle_timer(&self, name: &str) -> String {
        let program = self.house.program();
        let ran_out = self.collected.came(&What::Timer(name.to_owned()));
        let started = self.collected.came(&What::Started(name.to_owned()));
        match (ran_out, started) {
            (Some(ran_out), _) => format!(
                "does not run; it ran out last at {}",
                self.clock(ran_out.last)
            ),
            (None, Some(started)) => format!(
                "does not run; it was started last at {}, and stopped",
                self.clock(started.last)
            ),
            (None, None) => {
                let starters = program.rules.iter().filter(|rule| {
                    rule.actions.iter().any(|action| {
                        matches!(action, mapping::program::Action::Start { timer, .. }
                            if &*program[*timer].name == name)
                    })
                });
                let starters: Vec<String> = starters
                    .map(|rule| {
                        format!("{} ({}:{})", rule.name, rule.origin.file, rule.origin.line)
                    })
                    .collect();
                format!(
                    "does not run, and was not started since {}; what starts it: {}",
                    self.since(),
                    starters.join(", ")
                )
            }
        }
    }

    fn time(&self, place: u32) -> String {
        let (synced, since) = self.collected.synced;
        if !synced {
            let since =
                since.map_or_else(String::new, |since| format!(" since {}", self.clock(since)));
            return format!("waits: the clock is not synchronised{since}, and times wait for that");
        }
        let last = match self.collected.came(&What::Time) {
            Some(came) => format!("came last at {}; ", self.clock(came.last)),
            None => "has not come; ".to_owned(),
        };
        match self.house.engine().next_time_of_day(self.rule, place) {
            Some(next) => format!("{last}it comes next at {}", self.day_clock(next)),
            None => format!("{last}it does not come again"),
        }
    }

    fn holds(&self, place: u32, span: std::time::Duration) -> String {
        let Some(hold) = self.house.engine().hold(self.rule, place) else {
            return "is not looked at".to_owned();
        };
        if let Some((since, due)) = hold.waits {
            let since = self.clock(self.then(since));
            return match due {
                Some(due) if hold.truth == Some(true) => format!(
                    "is true since {since} and must stay so for {}: it fires at {}, in {}",
                    words::span(span),
                    self.clock(self.then(due)),
                    roughly(due.since(self.asked.now.at))
                ),
                _ => format!(
                    "was true for long enough since {since}, but is unknown now; it fires once it is known to be true"
                ),
            };
        }
        let fired = self.collected.came(&What::Held(place));
        let fired = fired.map(|fired| fired.last);
        let by_edit = self.collected.held_by_edit.get(&place).copied();
        let turned_false = self.collected.came(&What::Turned(place, false));
        match hold.truth {
            None => "is unknown".to_owned(),
            Some(true) => match (by_edit, fired) {
                (Some(edit), fired) if fired.is_none_or(|fired| fired.at <= edit.at) => format!(
                    "is true, and was when an edit of the mapping brought it at {}: a rule fires when it becomes true, not while it is",
                    self.clock(edit)
                ),
                (_, Some(fired)) => format!(
                    "is true, and has been since it fired at {}: a rule fires when it becomes true, not while it is",
                    self.clock(fired)
                ),
                (_, None) => format!(
                    "is true, and has been since before {}: a rule fires when it becomes true, not while it is",
                    self.since()
                ),
            },
            Some(false) => match turned_false {
                Some(came) => format!("is false since {}", self.clock(came.last)),
                None => format!("is false, and has been since before {}", self.since()),
            },
        }
    }

    fn last(&self, came: Came) -> String {
        let times = match came.count {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        format!(
            "came last at {}, {times} since {}",
            self.clock(came.last),
            self.since()
        )
    }

    fn since(&self) -> String {
        self.day_clock(self.asked.since)
    }

    fn then(&self, at: types::Instant) -> Now {
        let now = self.asked.now;
        if at >= now.at {
            return now.after(at.since(now.at));
        }
        let ago = now.at.since(at).as_micros() as u64;
        let wall = UnixTime(now.wall.0.saturating_sub_unsigned(ago));
        Now { at, wall, ..now }
    }

    fn clock(&self, now: Now) -> String {
        self.day_clock(now.wall)
    }

    /// With the day, where that is another one than the day that was asked about.
    fn day_clock(&self, wall: UnixTime) -> String {
        super::sentences::day_clock(self.asked, wall)
    }
}

/// Of a moment: the time, with its date where it is not of the same day as `of`.
pub(super) fn with_day(zone: &jiff::tz::TimeZone, wall: UnixTime, of: UnixTime) -> String {
    words::from_here(zone, of, wall)
}
