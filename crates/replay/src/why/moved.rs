//! Timers, and the `for` of rules, whose end an edit of the mapping moved while they ran.

use std::sync::Arc;

use dispatcher::Dispatcher;
use engine::RunningTimer;
use mapping::{
    Program,
    program::{RuleIx, TimerIx},
};
use types::{InputNo, Instant, Now};

use super::{
    Found, Hop, What,
    earlier::{Wanted, earlier},
    teller::BACK_MAX,
};
use crate::{
    history::{History, Until},
    hold::Hold,
    lineage::Lineage,
    player::Fed,
    target::Target,
    trouble::HistoryError,
    words::span,
};

/// Where what was found is that an edit moved a timer that runs: who had started it, and what the edit did to it.
pub(super) fn by_now(
    history: &History,
    found: &Found,
) -> Result<Option<(Vec<Hop>, String)>, HistoryError> {
    let Some(Target::Timer(timer)) = found.target else {
        return Ok(None);
    };
    let mut travel = history.from_input(found.no, Until::End)?;
    let before = Arc::clone(travel.house().program());
    let starters = starters(travel.house());
    let Some(step) = travel.next()?.filter(|step| step.fed == Fed::Reloaded) else {
        return Ok(None);
    };
    let Some(running) = step.house.engine().timer(timer) else {
        return Ok(None);
    };
    let edit = text(history, step.house, timer, &running, found.now);
    let mut lineage = Lineage::of(history, found.no, step.program(), Target::Timer(timer));
    let was = timer_in(&mut lineage, InputNo(found.no.0.saturating_sub(1)), &before);
    let starter = was.and_then(|was| starters[was.index()]);
    let wanted = Wanted::Ran(starter);
    let start = (found.no, &before);
    let mut hops = earlier(history, start, running.started, wanted, BACK_MAX)?;
    hops.extend(between(history, start, was, running.started)?);
    Ok(Some((hops, edit)))
}

/// By timer, the rule that started it. An edit may give that another name.
fn starters(house: &Dispatcher) -> Vec<Option<RuleIx>> {
    let program = house.program();
    let starter = |timer| {
        let running = house.engine().timer(timer)?;
        program.names.rules.get(&running.by).copied()
    };
    TimerIx::all(program.timers.len()).map(starter).collect()
}

/// The edits since `since` and before input `no` that moved a timer of `program`.
pub(super) fn between(
    history: &History,
    (no, program): (InputNo, &Arc<Program>),
    timer: Option<TimerIx>,
    since: Instant,
) -> Result<Vec<Hop>, HistoryError> {
    let mut hops = Vec::new();
    let Some(timer) = timer.filter(|_| history.mappings().len() > 1) else {
        return Ok(hops);
    };
    let before = InputNo(no.0.saturating_sub(1));
    let mut travel = history.after_snapshot_at(since, Until::No(before))?;
    let mut lineage = Lineage::of(history, before, program, Target::Timer(timer));
    let mut then = timer_in(&mut lineage, travel.last(), travel.house().program());
    let running = |house: &Dispatcher, then: Option<TimerIx>| {
        let running = house.engine().timer(then?)?;
        (running.started == since).then_some(running)
    };
    let mut due = running(travel.house(), then).map(|running| running.due);
    while let Some(step) = travel.next()? {
        let now = step.record.now;
        if step.fed == Fed::Reloaded {
            then = timer_in(&mut lineage, step.record.no, step.program());
        }
        let is = running(step.house, then);
        let moved = is
            .as_ref()
            .filter(|is| due.is_some_and(|due| due != is.due));
        if let (Some(then), Some(is), Fed::Reloaded) = (then, moved, &step.fed) {
            let what = What::Cause(text(history, step.house, then, is, now));
            hops.push(Hop { now, what });
        }
        due = is.map(|is| is.due);
    }
    Ok(hops)
}

/// The edits since `since` and before input `no` that gave the `for` of a `holds` of `program` another length.
pub(super) fn holds_between(
    history: &History,
    (no, program): (InputNo, &Arc<Program>),
    hold: Hold,
    since: Instant,
) -> Result<Vec<Hop>, HistoryError> {
    let mut hops = Vec::new();
    if history.mappings().len() < 2 {
        return Ok(hops);
    }
    let before = InputNo(no.0.saturating_sub(1));
    let mut travel = history.after_snapshot_at(since, Until::No(before))?;
    let mut lineage = Lineage::of(history, before, program, Target::Rule(hold.rule));
    let mut length = |no: InputNo, there: &Arc<Program>| {
        let then = rule_in(&mut lineage, no, there)?;
        let then_hold = hold.in_other(program, (there, then))?;
        then_hold.of(there).map(|(_, so_long)| (then, so_long))
    };
    let mut was = length(travel.last(), travel.house().program());
    while let Some(step) = travel.next()? {
        if step.fed != Fed::Reloaded {
            continue;
        }
        let now = step.record.now;
        let is = length(step.record.no, step.program());
        if let (Some((_, was)), Some((rule, is))) = (was, is)
            && was != is
            && now.at > since
        {
            let name = &step.program()[rule].name;
            let due = since.after(is);
            let until = match due > now.at {
                true => format!(
                    "until {}",
                    history.moment(now.after(due.since(now.at)).wall)
                ),
                false => "which is over".to_owned(),
            };
            let (was, is) = (span(was), span(is));
            let what = What::Cause(format!(
                "another mapping came into force: the `for` of rule {name} is {is} from its start now instead of {was}, {until}"
            ));
            hops.push(Hop { now, what });
        }
        was = is;
    }
    Ok(hops)
}

fn rule_in(lineage: &mut Lineage<'_>, no: InputNo, program: &Arc<Program>) -> Option<RuleIx> {
    match lineage.then(no, program)? {
        Target::Rule(rule) => Some(rule),
        _ => None,
    }
}

fn timer_in(lineage: &mut Lineage<'_>, no: InputNo, program: &Arc<Program>) -> Option<TimerIx> {
    match lineage.then(no, program)? {
        Target::Timer(timer) => Some(timer),
        _ => None,
    }
}

fn text(
    history: &History,
    house: &Dispatcher,
    timer: TimerIx,
    running: &RunningTimer,
    now: Now,
) -> String {
    let due = now.after(running.due.since(now.at)).wall;
    let due = match running.due > now.at {
        true => format!("until {}", history.moment(due)),
        false => "which is over".to_owned(),
    };
    format!(
        "another mapping came into force: the timer {} runs for {} from its start now, {due}",
        house.program()[timer].name,
        span(running.span)
    )
}
