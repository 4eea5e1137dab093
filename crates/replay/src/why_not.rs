//! `why-not`: why a rule did not do what somebody expected of it, by a certain time: the nearest miss.
//!
//! The last day before that time is replayed with the rule watched: it then looks at each of its events, also
//! where the index would rule it out. What came nearest is told with the values it saw and since when they were so.

use std::{fmt, sync::Arc};

use types::{Now, UnixTime};

use dispatcher::explain::Part;

use crate::{
    fate,
    history::{History, Until},
    lineage::Lineage,
    target::Target,
    trouble::HistoryError,
    when::When,
    why::Hop,
};

mod attempt;
mod collect;
mod facts;
mod json;
mod look;
mod pulls;
mod refusals;
mod rename;
mod sentences;
mod sequence;
mod text;
mod triggers;

use collect::Collector;
pub(crate) use facts::conditions;

/// How far back it is looked.
const BACK: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);

/// What people mean when they say a minute: what came so shortly before counts as then.
const NEAR: std::time::Duration = std::time::Duration::from_secs(60);

/// Why a rule did nothing, or not what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyNot {
    /// The rule's name.
    pub rule: String,
    /// The file in which it stands.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// The moment that was asked about.
    pub at: UnixTime,
    /// The answer: sentences, the one that matters first.
    pub sentences: Vec<String>,
    /// The nearest miss, where the rule looked.
    pub attempt: Option<Attempt>,
    /// What it waits for, one line each; for people, those that `sentences` have not said.
    pub triggers: Vec<Waiting>,
    /// Its conditions at that moment, `holds` and `if`, where it did not look near it and they depend on no event.
    pub condition: Vec<Part>,
    /// When it fired last, in the time that was looked at.
    pub fired: Option<Now>,
    /// Since when it was looked.
    pub since: UnixTime,
}

/// One time at which the rule looked.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// When.
    pub now: Now,
    /// What came of it, in a word or two.
    pub outcome: String,
    /// What made it look, its condition part by part, and what it sent.
    pub hops: Vec<Hop>,
    /// Since when what its condition read was so: the term, its value, since when.
    pub since: Vec<(String, String, UnixTime)>,
}

/// A trigger, and how near it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The trigger, in the words of the mapping.
    pub what: String,
    /// How near it came.
    pub said: String,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.said)
    }
}

/// Answers `why-not RULE --at when`; `now` is when it is asked.
///
/// # Errors
/// There is no such rule, or the past can't be read.
pub fn why_not(
    history: &History,
    rule: &str,
    when: Option<When>,
    now: UnixTime,
) -> Result<WhyNot, HistoryError> {
    let (until, at) = match when {
        Some(when) => (Until::Wall(when.until), when.from),
        None => (Until::End, now),
    };
    // Who looks back a day may begin where history does; who asks about a moment before it gets no answer.
    history.windows(until, None)?;
    let mut rule = rule_of(history, rule, until)?;
    let until = rule.until(until);
    let at = match rule.gone() {
        // Of what is gone its last moments are asked about.
        Some(gone) if when.is_none() => gone.now.wall,
        _ => at,
    };
    let from = UnixTime(at.0.saturating_sub_unsigned(BACK.as_micros() as u64));
    let mut travel = history.from_or_oldest(from, until)?;
    let mut watched = rule.rule_name(travel.last(), travel.house().program());
    travel.watch(Some(watched.as_str().into()));
    let mut collector = Collector::new(&watched, travel.house(), travel.now());
    while let Some(mut step) = travel.next()? {
        collector.look(&mut step);
        if collector.name != watched {
            watched.clone_from(&collector.name);
            travel.watch(Some(watched.as_str().into()));
        }
    }
    let asked = Asked {
        history,
        name: &watched,
        at,
        near_from: when.map(|_| UnixTime(at.0.saturating_sub_unsigned(NEAR.as_micros() as u64))),
        since: history.oldest().map_or(from, |oldest| oldest.max(from)),
        now: moment(travel.now(), at),
    };
    Ok(sentences::answer(&asked, travel.house(), &collector))
}

/// What is asked.
struct Asked<'a> {
    history: &'a History,
    name: &'a str,
    at: UnixTime,
    /// From when on something counts as then; `None`: always.
    near_from: Option<UnixTime>,
    since: UnixTime,
    /// The moment on both time lines.
    now: Now,
}

/// `at` on the time line of the last input.
fn moment(last: Now, at: UnixTime) -> Now {
    if at >= last.wall {
        last.after(at.since(last.wall))
    } else {
        last
    }
}

/// The rule that `text` means, in the mapping in force now or then.
fn rule_of<'h>(
    history: &'h History,
    text: &str,
    until: Until,
) -> Result<Lineage<'h>, HistoryError> {
    let bare = text.trim();
    let bare = bare.strip_prefix("rule.").unwrap_or(bare);
    let full = format!("rule.{bare}");
    let found = Lineage::find(history, &full, || {
        let then = history.travel_to(until)?;
        Ok((then.last(), Arc::clone(then.house().program())))
    });
    found.map_err(|error| match error {
        HistoryError::Unknown(_) => fate::renamed(history, &full, "rule.")
            .unwrap_or_else(|| HistoryError::Unknown(no_rule(history, text, bare))),
        other => other,
    })
}

/// Why nothing that `text` names can have failed to fire.
fn no_rule(history: &History, text: &str, bare: &str) -> String {
    if Target::find(history.program(), text).is_some() {
        let why = history.command(&format!("why {bare}"));
        return format!("\"{bare}\" is no rule; {why} tells what changed it");
    }
    let names = history.program().names.rules.keys();
    let near = mapping::suggest::closest(bare, names.map(|name| &**name));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("the house has no rule \"{}\"{near}", bare.escape_debug())
}
