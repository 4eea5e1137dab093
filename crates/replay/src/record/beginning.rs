//! Where a test may begin: a house in which nothing waits but what `given` can say.

use dispatcher::Dispatcher;
use mapping::{
    Program,
    program::{ChannelIx, RuleIx, TimerIx},
};
use types::{Instant, Now, UnixTime};

use super::{past::waits_unsayably, scope::Scope, steady::Steady};
use crate::{
    history::{History, Until},
    player::Fed,
    trouble::HistoryError,
};

/// What is under way in a house, or in a part of it, in words; a test can't begin with it.
pub(super) fn waiting(house: &Dispatcher, now: Now, scope: Option<&Scope>) -> Option<String> {
    let (program, engine) = (house.program(), house.engine());
    let is_needed = |of: &dyn Fn(&Scope) -> bool| scope.is_none_or(of);
    let timers = (0..program.timers.len() as u32).map(TimerIx);
    for timer in timers.filter(|timer| is_needed(&|scope| scope.has_timer(*timer))) {
        let running = engine.timer(timer);
        if running.is_some_and(|running| running.due <= now.at) {
            return Some(format!("the timer {} runs out", program[timer].name));
        }
    }
    let rules = (0..program.rules.len() as u32).map(RuleIx);
    for rule in rules.filter(|rule| is_needed(&|scope| scope.has_rule(*rule))) {
        let name = &program[rule].name;
        if engine.runs(rule).next().is_some() {
            return Some(format!("the rule {name} waits between its actions"));
        }
        if waits_unsayably(house, rule, now) {
            return Some(format!(
                "the condition of the rule {name} has begun to hold"
            ));
        }
        let mut triggers = 0..program[rule].triggers.len() as u32;
        if triggers.any(|place| engine.has_begun(rule, place, now.at)) {
            return Some(format!(
                "what the rule {name} waits for, one after the other or together, has begun to come"
            ));
        }
    }
    let channels = ChannelIx::all(program.channels.len());
    for channel in channels.filter(|channel| is_needed(&|scope| scope.has_channel(*channel))) {
        let until = engine.bounded_until(channel);
        if until.is_some_and(|until| until <= now.at) {
            return Some(format!(
                "{} was on for a time that is over",
                program.channel_path(channel)
            ));
        }
    }
    // A button is heard, and nothing of it is given.
    let buttons = ChannelIx::all(program.channels.len());
    for button in buttons.filter(|button| is_needed(&|scope| scope.has_heard(*button))) {
        if engine.button(button).is_some_and(|button| button.waits) {
            return Some(format!("{} was just pressed", program.channel_path(button)));
        }
    }
    None
}

/// The first second from which on nothing waits in a house, or in a part of it, as it goes on.
pub(super) fn quiet_after(
    travel: &mut Steady<'_>,
    scope: Option<&Scope>,
) -> Result<Option<UnixTime>, HistoryError> {
    let mut part = scope;
    while let Some(step) = travel.next()? {
        if step.fed == Fed::Reloaded {
            // The part is told by its places in the mapping before: behind an edit all of the house has to be quiet.
            part = None;
        }
        let now = step.record.now;
        if step.fed == Fed::Applied && waiting(travel.house(), now, part).is_none() {
            // What came within that second is part of what is given.
            return Ok(Some(UnixTime(second(now.wall).0 + 1_000_000)));
        }
    }
    Ok(None)
}

/// How far back a quiet moment is looked for.
const BACK_US: i64 = 24 * 3_600 * 1_000_000;

/// The last second before `since` at which nothing waited and a test could begin. `scope` is told by its places in `program`:
/// before an edit all of the house has to be quiet.
pub(super) fn quiet_before(
    history: &History,
    since: UnixTime,
    (program, scope): (&Program, Option<&Scope>),
) -> Result<Option<UnixTime>, HistoryError> {
    let from = UnixTime(since.0.saturating_sub(BACK_US));
    let mut travel = history.from_or_oldest(from, Until::Wall(since))?;
    let (mut last, mut next): (Option<UnixTime>, Option<UnixTime>) = (None, None);
    while let Some(step) = travel.next()? {
        let now = step.record.now;
        last = next.filter(|at| *at <= now.wall).or(last);
        let part = scope.filter(|_| step.program().hash == program.hash);
        let is_quiet = step.fed == Fed::Applied && waiting(step.house, now, part).is_none();
        next = is_quiet.then(|| UnixTime(second(now.wall).0 + 1_000_000));
    }
    Ok(next.filter(|at| *at < since).or(last))
}

pub(super) fn second(wall: UnixTime) -> UnixTime {
    UnixTime(wall.0 - wall.0.rem_euclid(1_000_000))
}

/// When a test of what came from `since` on starts, where the house was taken at `begin`: on a whole second if nothing had
/// come since.
pub(super) fn start_of(begin: Now, since: UnixTime) -> Now {
    let whole = second(since.max(begin.wall));
    let wall = whole.max(begin.wall);
    let at = Instant(begin.at.0.saturating_add_signed(wall.0 - begin.wall.0));
    Now { at, wall, ..begin }
}
