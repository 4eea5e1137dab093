//! Where a test may begin: a house in which nothing waits but what `given` can say.

use dispatcher::Dispatcher;
use engine::UnderWay;
use mapping::Program;
use types::{Instant, Now, UnixTime};

use super::{past::waits_unsayably, scope::Scope, steady::Steady};
use crate::{
    history::{History, Until},
    player::Fed,
    trouble::HistoryError,
};

/// What is under way in a house, or in a part of it, in words; a test can't begin with it.
pub(super) fn waiting(house: &Dispatcher, now: Now, scope: Option<&Scope>) -> Option<String> {
    // Only what is under way is looked at: this is asked after each record of a day.
    let mut under_way = house.engine().under_way(now.at);
    under_way.find_map(|what| unsayable(house, now, scope, what))
}

/// Something that is under way in words, where it is of the part and no test can be given it.
fn unsayable(
    house: &Dispatcher,
    now: Now,
    scope: Option<&Scope>,
    what: UnderWay,
) -> Option<String> {
    let program = house.program();
    let is_needed = |of: &dyn Fn(&Scope) -> bool| scope.is_none_or(of);
    let has_rule = |rule| is_needed(&|scope| scope.has_rule(rule));
    match what {
        UnderWay::Timer(timer, due) => {
            let is_over = due <= now.at && is_needed(&|scope| scope.has_timer(timer));
            is_over.then(|| format!("the timer {} runs out", program[timer].name))
        }
        UnderWay::Bound(channel, until) => {
            let is_over = until <= now.at && is_needed(&|scope| scope.has_channel(channel));
            let path = || program.channel_path(channel);
            is_over.then(|| format!("{} was on for a time that is over", path()))
        }
        // It is heard, and nothing of it is given.
        UnderWay::Button(channel) => is_needed(&|scope| scope.has_heard(channel))
            .then(|| format!("{} was just pressed", program.channel_path(channel))),
        UnderWay::Condition(rule) => {
            (has_rule(rule) && waits_unsayably(house, rule, now)).then(|| {
                let name = &program[rule].name;
                format!("the condition of the rule {name} has begun to hold")
            })
        }
        UnderWay::Run(rule) => has_rule(rule)
            .then(|| format!("the rule {} waits between its actions", program[rule].name)),
        UnderWay::Begun(rule) => has_rule(rule).then(|| {
            let name = &program[rule].name;
            format!(
                "what the rule {name} waits for, one after the other or together, has begun to come"
            )
        }),
    }
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
