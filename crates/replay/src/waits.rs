//! What a rule waits for: a `for` that runs, its next action behind a `wait`; and what of that an edit dropped.

use dispatcher::{Dispatcher, explain};
use engine::Decision;
use mapping::program::{Action, RuleIx, Trigger};
use types::{Instant, Now, UnixTime};

use crate::{
    history::History,
    words::{self, span},
};

/// Something that a rule waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Since when.
    pub(crate) since: Instant,
    /// Until when; `None`: until something unknown is known.
    pub(crate) due: Option<Instant>,
    /// What for, in words.
    pub(crate) what: String,
    /// The place of the `holds` that has begun to be true; `None`: it fired and waits between its actions.
    pub(crate) holds: Option<u32>,
}

/// What was dropped when another mapping came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) wait: Wait,
    pub(crate) now: Now,
    /// The file that was edited.
    file: String,
}

/// All that `rule` waits for. Runs that have not begun are none of it.
pub(crate) fn of(house: &Dispatcher, rule: RuleIx) -> Vec<Wait> {
    let (program, engine) = (house.program(), house.engine());
    let row = &program[rule];
    let triggers = (0..).zip(&row.triggers);
    let holds = triggers.filter_map(|(place, trigger)| {
        let Trigger::Holds { .. } = trigger else {
            return None;
        };
        let (since, due) = engine.hold(rule, place)?.waits?;
        Some(Wait {
            since,
            due,
            what: words::trigger(program, trigger),
            holds: Some(place),
        })
    });
    let runs = engine.runs(rule).filter_map(|run| {
        let before = run.next.checked_sub(1)?;
        let Some(Action::Wait(so_long)) = row.actions.get(before) else {
            return None;
        };
        let us = u64::try_from(so_long.as_micros()).unwrap_or(u64::MAX);
        Some(Wait {
            since: Instant(run.until?.0.saturating_sub(us)),
            due: run.until,
            what: format!("its next action, {} later", span(*so_long)),
            holds: None,
        })
    });
    holds.chain(runs).collect()
}

/// What of `before` did not survive that another mapping came into force, in which `rule` is in `house`. What fell due
/// at that very moment did.
pub(crate) fn dropped(
    (before, file): (Vec<Wait>, &str),
    (house, rule): (&Dispatcher, Option<RuleIx>),
    decisions: &[Decision],
    now: Now,
) -> Vec<Dropped> {
    let mut traces = decisions.iter().flat_map(|decision| &decision.rules);
    if traces.any(|trace| Some(trace.rule) == rule && explain::ran(trace)) {
        return Vec::new();
    }
    let mut left = rule.map_or_else(Vec::new, |rule| of(house, rule));
    let mut gone = before;
    // Each that waits now is one of those before. Where several began at once, the words tell them apart; where an edit gave
    // things other names, their order.
    for is_worded_alike in [true, false] {
        gone.retain(|wait| {
            let goes_on = |it: &Wait| {
                (it.since, it.holds.is_some()) == (wait.since, wait.holds.is_some())
                    && (!is_worded_alike || it.what == wait.what)
            };
            let found = left.iter().position(goes_on);
            found.map(|place| left.remove(place)).is_none()
        });
    }
    let gone = gone.into_iter();
    gone.map(|wait| Dropped {
        wait,
        now,
        file: file.to_owned(),
    })
    .collect()
}

impl Dropped {
    /// `it waited since 20:14:00.000 for its next action, 2m later; dropped at 20:15:10.000 by an edit of rules.toml`.
    pub(crate) fn text(&self, history: &History) -> String {
        let ago = self.now.at.since(self.wait.since).as_micros() as u64;
        let since = UnixTime(self.now.wall.0.saturating_sub_unsigned(ago));
        format!(
            "it waited since {} for {}; dropped at {} by an edit of {}",
            history.clock(since),
            self.wait.what,
            history.clock(self.now.wall),
            self.file
        )
    }
}
