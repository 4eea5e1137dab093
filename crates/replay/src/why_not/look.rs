//! What came of the last look of a rule, in sentences.

use dispatcher::{
    Dispatcher,
    explain::{self, Explainer, Part, Truth},
};
use engine::{Disposition, Outcome, Sent, Term};
use types::{Now, Value};

use super::{Asked, attempt::parts, collect::Looked, sentences::day_clock};
use crate::words;

/// What came of the last look; `before` is the last time at which the rule fired.
pub(super) fn of_look(
    asked: &Asked<'_>,
    looked: &Looked,
    before: Option<Now>,
    house: &Dispatcher,
) -> Vec<String> {
    let (decision, when) = (&looked.decision, day_clock(asked, looked.decision.now.wall));
    let trace = &decision.rules[looked.trace];
    let explainer = Explainer::new(&looked.program);
    let step = decision.steps.get(usize::from(trace.step));
    let cause = step.map_or_else(String::new, |step| explainer.cause(&step.cause));
    let came = format!("{cause} came at {when}");
    let what = match trace.outcome {
        Outcome::Fired => {
            let begin = format!("it did fire, at {when}");
            return fired(asked, looked, house, begin);
        }
        Outcome::Resumed => {
            let fired_at = match before {
                Some(fired) => format!("at {}", day_clock(asked, fired.wall)),
                None => format!("before {}", day_clock(asked, asked.since)),
            };
            let begin = format!("it did fire, {fired_at}, and went on after its wait at {when}");
            return fired(asked, looked, house, begin);
        }
        Outcome::False => format!(", but {}", was_false(asked, looked)),
        Outcome::Unknown => format!(", but {}", was_unknown(asked, looked)),
        Outcome::Limited => format!(
            " and its condition was true, but {}",
            was_limited(asked, looked)
        ),
        Outcome::Fuse => ", but the rule was cut: it fired more often in a second than any rule may (engine.fuse in \
                          settings.toml)"
            .to_owned(),
        Outcome::Depth => {
            ", but the rule was cut: rules set each other off more than 16 deep".to_owned()
        }
        Outcome::SunStays => format!(", but {}", explain::outcome(trace.outcome)),
        Outcome::Busy => " and its condition was true, but a run of it was still waiting, and mode = \"single\" drops \
                          another one"
            .to_owned(),
        Outcome::Queued => " and its condition was true; it waits until the runs before it are over (mode = \"queue\")"
            .to_owned(),
        Outcome::Waiting => "; it waits for its `for`".to_owned(),
    };
    vec![came + &what]
}

/// The first part of its condition that was false, with what that read.
fn was_false(asked: &Asked<'_>, looked: &Looked) -> String {
    let part = first_part(looked, Truth::False);
    let text = part
        .as_ref()
        .map_or("its condition", |part| part.text.as_str());
    let reads = part
        .iter()
        .flat_map(|part| part.terms.iter().zip(&part.seen));
    let reads: Vec<String> = reads
        .map(|(term, (name, value))| read(asked, looked, *term, name, value.as_ref()))
        .collect();
    if reads.is_empty() {
        format!("{text} was false")
    } else {
        format!("{text} was false: {}", reads.join(", "))
    }
}

/// The first part of its condition that was unknown, and why it was.
fn was_unknown(asked: &Asked<'_>, looked: &Looked) -> String {
    let part = first_part(looked, Truth::Unknown);
    let text = part
        .as_ref()
        .map_or("its condition", |part| part.text.as_str());
    format!(
        "{text} was unknown: {}",
        unknown(asked, looked, part.as_ref())
    )
}

fn first_part(looked: &Looked, truth: Truth) -> Option<Part> {
    let mut all = parts(looked).into_iter();
    all.find(|part| part.truth == truth)
}

/// Its limit, by how much it was used up, and when it may fire again.
fn was_limited(asked: &Asked<'_>, looked: &Looked) -> String {
    let now = looked.decision.now;
    let limit = looked.program[looked.rule].limit.as_deref();
    let often = limit.map_or_else(String::new, |limit| {
        format!(" ({} per {})", limit.count, words::span(limit.per))
    });
    let first = looked.counted.first().zip(limit);
    let free = first.map(|(first, limit)| {
        let free = now.after(first.after(limit.per).since(now.at));
        format!(
            "; it may fire again from {} on",
            day_clock(asked, free.wall)
        )
    });
    let firings = match looked.counted.len() {
        1 => "1 firing".to_owned(),
        n => format!("{n} firings"),
    };
    format!(
        "its limit{often} was used up by {firings} before{}",
        free.unwrap_or_default()
    )
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
