//! The answer: what explains best that the rule did nothing comes first.

use dispatcher::{
    Dispatcher,
    explain::{Explainer, Part},
};
use engine::Outcome;
use mapping::program::{Condition, Expr, RuleIx, Trigger};
use types::{Now, UnixTime};

use super::{
    Asked, WhyNot,
    attempt::attempt,
    collect::{self, Collector, Looked, Unheard, What},
    look::of_look,
    triggers,
};
use crate::words::roughly;

pub(super) fn answer(asked: &Asked<'_>, house: &Dispatcher, collected: &Collector) -> WhyNot {
    let program = house.program();
    let place = collected.rule.map(|rule| program[rule].origin.clone());
    let place = place.unwrap_or_default();
    let near = collected
        .looked
        .as_ref()
        .filter(|looked| is_near(asked, looked.decision.now));
    let mut sentences = standing(asked, house, collected);
    // What can't look waits for nothing.
    let can_look = sentences.is_empty();
    let waits = match can_look {
        true => triggers::all(asked, house, collected),
        false => Vec::new(),
    };
    if can_look {
        match near.filter(|_| !is_blocked_since(collected, near)) {
            Some(looked) => sentences.extend(of_look(asked, looked, collected.fired, house)),
            None => sentences.extend(waits.iter().map(ToString::to_string)),
        }
        for (at, passed) in passed_by(asked, collected) {
            let place = match is_newest(collected, at) && is_near(asked, at) {
                true => 0,
                false => sentences.len(),
            };
            sentences.insert(place, passed);
        }
    }
    if let Some((what, at, why)) = &collected.unheard
        && can_look
        && is_newest(collected, *at)
        && is_near(asked, *at)
    {
        sentences.insert(0, unheard(asked, what, *at, *why));
    }
    if let Some(busy) = &collected.busy
        && near.is_some_and(|looked| is_resumed(looked) && !is_earlier(looked, busy))
        && collected
            .fired
            .is_some_and(|fired| fired.at <= busy.decision.now.at)
    {
        let dropped = of_look(asked, busy, None, house);
        sentences.splice(0..0, dropped);
    }
    if let Some(dropped) = &collected.dropped
        && is_newest(collected, dropped.now)
    {
        sentences.insert(0, dropped.text(asked.history));
    }
    if let Some(refused) = collected.refused.newest() {
        let text = format!(
            "a message was not taken at {}: {}",
            day_clock(asked, refused.now.wall),
            refused.text
        );
        let place = match near.is_none() && refused.is_waited_for {
            true => 0,
            false => sentences.len(),
        };
        sentences.insert(place, text);
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

/// That something came while the rule could not look.
fn unheard(asked: &Asked<'_>, what: &What, at: Now, why: Unheard) -> String {
    let what = match what {
        What::Gesture(channel, word) => format!("{channel}.{word}"),
        What::Timer(name) => format!("timer {name}"),
        What::Event(path) | What::Blocked(path) | What::Copy(path) => path.clone(),
        _ => "what it waits for".to_owned(),
    };
    let why = match why {
        Unheard::Disabled => "while the rule was switched off",
        Unheard::NotThere => "while the mapping in force did not have the rule",
    };
    format!("{what} came at {} {why}", day_clock(asked, at.wall))
}

/// Whether a run went on behind its wait.
fn is_resumed(looked: &Looked) -> bool {
    looked.decision.rules[looked.trace].outcome == Outcome::Resumed
}

fn is_earlier(looked: &Looked, other: &Looked) -> bool {
    looked.decision.now.at < other.decision.now.at
}

/// Times of the rule that came and passed without it, of which nothing came since; with when they did.
fn passed_by(asked: &Asked<'_>, collected: &Collector) -> Vec<(Now, String)> {
    let has_not_fired_since = |at: Now| collected.fired.is_none_or(|fired| fired.at < at.at);
    let set_over = collected.set_over.map(|(at, late)| {
        let text = format!(
            "its time was skipped: at {} the clock was set to {} past it; `missed_times` says what happens then",
            day_clock(asked, at.wall),
            roughly(late)
        );
        (at, text)
    });
    let missed = collected.missed.map(|(at, late)| {
        let text = format!(
            "its time came while the dispatcher was down, {} before it was up again at {}; `missed_times` and \
             `after_downtime` say what happens then",
            roughly(late),
            day_clock(asked, at.wall)
        );
        (at, text)
    });
    let mut all: Vec<_> = set_over.into_iter().chain(missed).collect();
    all.retain(|(at, _)| has_not_fired_since(*at));
    all.sort_by_key(|(at, _)| at.at);
    all
}

/// Whether the rule has not looked since.
fn is_newest(collected: &Collector, at: Now) -> bool {
    let looked = collected.looked.as_ref();
    looked.is_none_or(|looked| looked.decision.now.at <= at.at)
}

/// Whether `at` is what people mean who ask about a moment.
fn is_near(asked: &Asked<'_>, at: Now) -> bool {
    asked.near_from.is_none_or(|from| at.wall >= from)
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
