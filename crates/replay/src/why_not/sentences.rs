//! The answer: what explains best that the rule did nothing comes first.

use dispatcher::{
    Dispatcher,
    explain::{self, Explainer, Part, Truth},
};
use engine::{Disposition, Outcome, Sent, Term};
use mapping::program::{Condition, Expr, RuleIx, Trigger};
use types::{Now, UnixTime, Value};

use super::{
    Asked, WhyNot,
    attempt::{attempt, parts},
    collect::{self, Collector, Looked, What},
    triggers,
};
use crate::words::{self, roughly};

pub(super) fn answer(asked: &Asked<'_>, house: &Dispatcher, collected: &Collector) -> WhyNot {
    let program = house.program();
    let place = collected.rule.map(|rule| program[rule].origin.clone());
    let place = place.unwrap_or_default();
    let near = collected.looked.as_ref().filter(|looked| {
        let wall = looked.decision.now.wall;
        asked.near_from.is_none_or(|from| wall >= from)
    });
    let waits = triggers::all(asked, house, collected);
    let mut sentences = standing(asked, house, collected);
    if sentences.is_empty() {
        match near.filter(|_| !is_blocked_since(collected, near)) {
            Some(looked) => sentences.extend(of_look(asked, looked, collected.fired, house)),
            None => sentences.extend(waits.iter().map(ToString::to_string)),
        }
        if let Some((now, late)) = collected.set_over {
            sentences.insert(
                0,
                format!(
                    "its time was skipped: at {} the clock was set to {} past it; `missed_times` says what happens then",
                    day_clock(asked, now.wall),
                    roughly(late)
                ),
            );
        }
        if let Some((now, late)) = collected.missed {
            sentences.insert(
                0,
                format!(
                    "its time came while the dispatcher was down, {} before it was up again at {}; `missed_times` and \
                     `after_downtime` say what happens then",
                    roughly(late),
                    day_clock(asked, now.wall)
                ),
            );
        }
    }
    let looked = collected
        .looked
        .as_ref()
        .map(|looked| looked.decision.now.at);
    let dropped = collected.dropped.as_ref();
    if let Some(dropped) = dropped.filter(|dropped| looked.is_none_or(|at| at <= dropped.now.at)) {
        sentences.insert(0, dropped.text(asked.history));
    }
    if let Some((now, text)) = &collected.refused {
        sentences.push(format!(
            "a message was not taken at {}: {text}",
            day_clock(asked, now.wall)
        ));
    }
    let condition = match near {
        Some(_) => Vec::new(),
        None => condition_then(asked, house, collected),
    };
    WhyNot {
        rule: asked.name.to_owned(),
        file: place.file.to_string(),
        line: place.line,
        at: asked.at,
        sentences,
        attempt: collected.looked.as_ref().map(attempt),
        triggers: waits,
        condition,
        fired: collected.fired,
        since: asked.since,
    }
}

/// Whether a block is newer than the last look: what came since was not heard, or could not come.
fn is_blocked_since(collected: &Collector, near: Option<&Looked>) -> bool {
    let unheard = collected.came.iter().filter_map(|(what, came)| match what {
        What::Blocked(_) => Some(came.last.at),
        _ => None,
    });
    let producers = collected
        .rule
        .map(|rule| collect::producers(&collected.program, rule));
    let producers = producers.into_iter().flatten();
    let blocked = producers.filter_map(|device| {
        let (sides, since) = collected.blocks.get(&*collected.program[device].name)?;
        sides.producer.then_some((*since)?.at)
    });
    let newest = unheard.chain(blocked).max();
    newest.is_some_and(|newest| near.is_none_or(|looked| looked.decision.now.at < newest))
}

/// What keeps the rule from ever looking.
fn standing(asked: &Asked<'_>, house: &Dispatcher, collected: &Collector) -> Vec<String> {
    let since = collected.mapped.map(|now| day_clock(asked, now.wall));
    let Some(rule) = collected.rule else {
        return vec![match since {
            Some(since) => {
                format!("the mapping in force then did not have it: it was taken out at {since}")
            }
            None => "the mapping in force then did not have it".to_owned(),
        }];
    };
    let row = &house.program()[rule];
    if row.enabled {
        return Vec::new();
    }
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    vec![format!(
        "it is switched off{since}: enabled = false at {}:{}",
        row.origin.file, row.origin.line
    )]
}

/// What came of the last look; `before` is the last time at which the rule fired.
fn of_look(
    asked: &Asked<'_>,
    looked: &Looked,
    before: Option<Now>,
    house: &Dispatcher,
) -> Vec<String> {
    let (program, decision) = (&looked.program, &looked.decision);
    let trace = &decision.rules[looked.trace];
    let row = &program[looked.rule];
    let explainer = Explainer::new(program);
    let step = decision.steps.get(usize::from(trace.step));
    let cause = step.map_or_else(String::new, |step| explainer.cause(&step.cause));
    let when = day_clock(asked, decision.now.wall);
    let came = format!("{cause} came at {when}");
    match trace.outcome {
        Outcome::Fired => {
            let begin = format!("it did fire, at {when}");
            fired(asked, looked, house, begin)
        }
        Outcome::Resumed => {
            let begin = match before {
                Some(fired) => format!(
                    "it did fire, at {}, and went on after its wait at {when}",
                    day_clock(asked, fired.wall)
                ),
                None => format!(
                    "it did fire, before {}, and went on after its wait at {when}",
                    day_clock(asked, asked.since)
                ),
            };
            fired(asked, looked, house, begin)
        }
        Outcome::False => {
            let part = parts(looked)
                .into_iter()
                .find(|part| part.truth == Truth::False);
            let text = part
                .as_ref()
                .map_or("its condition", |part| part.text.as_str());
            let mut said = format!("{came}, but {text} was false");
            let reads = part
                .iter()
                .flat_map(|part| part.terms.iter().zip(&part.seen));
            let reads: Vec<String> = reads
                .map(|(term, (name, value))| read(asked, looked, *term, name, value.as_ref()))
                .collect();
            if !reads.is_empty() {
                said.push_str(&format!(": {}", reads.join(", ")));
            }
            vec![said]
        }
        Outcome::Unknown => {
            let mut all = parts(looked).into_iter();
            let part = all.find(|part| part.truth == Truth::Unknown);
            let text = part
                .as_ref()
                .map_or("its condition", |part| part.text.as_str());
            vec![format!(
                "{came}, but {text} was unknown: {}",
                unknown(asked, looked, part.as_ref())
            )]
        }
        Outcome::Limited => {
            let limit = row.limit.as_deref();
            let often = limit.map_or_else(String::new, |limit| {
                format!(" ({} per {})", limit.count, words::span(limit.per))
            });
            let first = looked.counted.first().zip(limit);
            let free = first.map(|(first, limit)| {
                let free = decision
                    .now
                    .after(first.after(limit.per).since(decision.now.at));
                format!(
                    "; it may fire again from {} on",
                    day_clock(asked, free.wall)
                )
            });
            let firings = match looked.counted.len() {
                1 => "1 firing".to_owned(),
                n => format!("{n} firings"),
            };
            vec![format!(
                "{came} and its condition was true, but its limit{often} was used up by {firings} before{}",
                free.unwrap_or_default()
            )]
        }
        Outcome::Fuse => vec![format!(
            "{came}, but the rule was cut: it fired more often in a second than any rule may (engine.fuse in settings.toml)"
        )],
        Outcome::Depth => vec![format!(
            "{came}, but the rule was cut: rules set each other off more than 16 deep"
        )],
        Outcome::SunStays => vec![format!("{came}, but {}", explain::outcome(trace.outcome))],
        Outcome::Busy => vec![format!(
            "{came} and its condition was true, but a run of it was still waiting, and mode = \"single\" drops another one"
        )],
        Outcome::Queued => vec![format!(
            "{came} and its condition was true; it waits until the runs before it are over (mode = \"queue\")"
        )],
        Outcome::Waiting => vec![format!("{came}; it waits for its `for`")],
    }
}

/// It did fire: what became of what it wished.
fn fired(asked: &Asked<'_>, looked: &Looked, house: &Dispatcher, begin: String) -> Vec<String> {
    let (program, decision) = (&looked.program, &looked.decision);
    let mine: Vec<&Sent> = decision
        .sent
        .iter()
        .filter(|sent| sent.by == Some(looked.rule))
        .collect();
    let mut said = vec![begin];
    for sent in &mine {
        let text = sent.text.clone();
        let device = sent
            .channel
            .map(|channel| program[program[channel].device].name.to_string());
        let device = device.unwrap_or_default();
        said.push(match sent.disposition {
            Disposition::Sent => format!("{text} was sent"),
            Disposition::AlreadySo => {
                format!("{text} was already so: what is already so is not sent again")
            }
            Disposition::Waiting => format!("{text} waits: {device} was offline"),
            Disposition::Dropped => {
                format!("{text} was dropped: {device} was offline, and such commands don't wait")
            }
            Disposition::Blocked => format!("{text} was not sent: {device} is blocked as consumer"),
            Disposition::Held => {
                let until = sent
                    .channel
                    .and_then(|channel| held_until(asked, program, channel, house));
                let until = until.map_or_else(String::new, |until| format!(" until {until}"));
                format!("{text} was not written: the output is held{until}")
            }
            Disposition::Unknown => format!("{text} was left out: a value it needs was unknown"),
            _ => format!("{text}: {}", explain::disposition(sent.disposition)),
        });
    }
    let mut written = program[looked.rule]
        .actions
        .iter()
        .filter_map(|action| match action {
            mapping::program::Action::Set { channel, .. }
            | mapping::program::Action::Command { channel, .. } => Some(*channel),
            _ => None,
        });
    let overwritten = written.find_map(|channel| {
        let last = decision
            .sent
            .iter()
            .find(|sent| sent.channel == Some(channel))?;
        let by = last.by.filter(|by| *by != looked.rule)?;
        Some((channel, by))
    });
    if let Some((channel, by)) = overwritten {
        let row = &program[by];
        said.push(format!(
            "{} was written by {} ({}:{}) after it, on the same event: the last one wins",
            program.channel_path(channel),
            row.name,
            row.origin.file,
            row.origin.line
        ));
    }
    said
}

fn held_until(
    asked: &Asked<'_>,
    then: &mapping::Program,
    channel: mapping::program::ChannelIx,
    house: &Dispatcher,
) -> Option<String> {
    let path = then.channel_path(channel);
    let channel = house.program().channel_by_path(&path)?;
    let until = house.engine().kept_until(channel)?;
    let until = asked.now.after(until.since(asked.now.at));
    Some(day_clock(asked, until.wall))
}

/// `state.hall.lux was 120, since 06:40:12.000`.
fn read(
    asked: &Asked<'_>,
    looked: &Looked,
    term: Term,
    name: &str,
    value: Option<&Value>,
) -> String {
    let value = match value {
        Some(text @ Value::Text(_)) => format!("'{text}'"),
        Some(value) => value.to_string(),
        None => "unknown".to_owned(),
    };
    let fact = looked.facts.iter().find(|fact| fact.term == term);
    match fact.and_then(|fact| fact.since) {
        Some(since) => format!("{name} was {value}, since {}", day_clock(asked, since.wall)),
        None if fact.is_some() => format!(
            "{name} was {value}, since before {}",
            day_clock(asked, asked.since)
        ),
        None => format!("{name} was {value}"),
    }
}

/// Why something was unknown.
fn unknown(asked: &Asked<'_>, looked: &Looked, part: Option<&Part>) -> String {
    let program = &looked.program;
    let terms = part.map_or(&[][..], |part| part.terms.as_slice());
    let mine = looked
        .reports
        .iter()
        .filter(|(term, _)| terms.is_empty() || terms.contains(term));
    let mut said: Vec<String> = mine
        .map(|(term, report)| {
            let slot = match term {
                Term::State(slot) | Term::Age(slot) => *slot,
                _ => return String::new(),
            };
            let path = program.slot_path(slot);
            match report {
                None => format!("{path} has never been reported"),
                Some((value, at)) => {
                    let stale = program[program[slot].channel].stale_after;
                    let stale = stale.map_or_else(String::new, words::span);
                    format!(
                        "{path} was reported last at {}, as {value}, and counts for {stale} (stale_after)",
                        day_clock(asked, at.wall)
                    )
                }
            }
        })
        .filter(|text| !text.is_empty())
        .collect();
    said.dedup();
    let of_clock = terms
        .iter()
        .any(|term| matches!(term, Term::Sun(_) | Term::Now(_)));
    if of_clock && !looked.decision.now.synced {
        said.push("the clock is not synchronised".to_owned());
    }
    if said.is_empty() {
        said.push("a value that it computes is none, as after a division by zero".to_owned());
    }
    said.join(", ")
}

/// The conditions at the moment that was asked about, where they depend on no event: what `holds` waits for, and `if`.
fn condition_then(asked: &Asked<'_>, house: &Dispatcher, collected: &Collector) -> Vec<Part> {
    let program = house.program();
    let Some(rule) = collected.rule else {
        return Vec::new();
    };
    let row = &program[rule];
    let holds = row.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Holds { condition, .. } => Some(&**condition),
        _ => None,
    });
    let conditions = holds.chain(&row.condition);
    let now = conditions.filter(|condition| !reads_event(condition));
    now.flat_map(|condition| parts_then(asked, house, rule, condition))
        .collect()
}

fn reads_event(condition: &Condition) -> bool {
    let mut reads = false;
    condition
        .expr
        .walk(&mut |expr| reads |= matches!(expr, Expr::EventField(_)));
    reads
}

fn parts_then(
    asked: &Asked<'_>,
    house: &Dispatcher,
    rule: RuleIx,
    condition: &Condition,
) -> Vec<Part> {
    // Each part on its own: none is left out because another one decides.
    let whole = std::slice::from_ref(&condition.expr);
    let all = match &condition.expr {
        Expr::And(parts) => parts,
        _ => whole,
    };
    let mut seen = Vec::new();
    for part in all {
        let _ = house.engine().evaluate(asked.now, part, &mut seen);
    }
    Explainer::new(house.program()).parts(rule, condition, None, &seen)
}

/// The time of day, with its date where that is another day than the one asked about.
pub(super) fn day_clock(asked: &Asked<'_>, wall: UnixTime) -> String {
    triggers::with_day(asked.history.zone(), wall, asked.at)
}
