//! Times on the wall, clocks that jump, and what fell due while nobody was there.
//!
//! Called by [`crate::Engine`] before each input and at a start. A time comes once, whatever the clock does:
//! where it is set back over one that has come, that one does not come again. What came while the clock could not
//! be trusted, or while nobody was there, is judged once both ends are known.

use std::time::Duration;

use mapping::program::AfterDowntime;
use types::{Now, UnixTime};

use crate::{
    agenda::{Due, Key},
    cascade::{Core, Ctx},
    gesture::Button,
    plan::{AtIx, When},
    resume::Note,
};

/// Clocks are slewed by at most 500 parts in a million; what moves twice as fast, and by more than a second, was set.
const SLEW_PARTS: u64 = 1_000;
const STEP_US: u64 = 1_000_000;
/// A time that the clock skipped by so little is still worth having.
const GRACE: Duration = Duration::from_secs(60);
/// A time that came and lies further ahead than this came by a clock that was wrong.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The sun does the same thing again after a day and some minutes, unless it stays up or down.
const SUN_STAYS: Duration = Duration::from_secs(36 * 3_600);

/// One `at`, `cron` or `sun`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AtState {
    /// When it comes; while the clock is not synced it waits there.
    pub(crate) next: Option<UnixTime>,
    /// When it came last.
    pub(crate) spent: Option<UnixTime>,
    /// It was missed and is made up for.
    pub(crate) late: Option<Key>,
}

impl Core {
    /// Compares the two time lines with the last input's: whoever set the clock meant it.
    pub(crate) fn tell_time(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        let last = self.last;
        let set = now.synced && last.synced && was_set(last, now);
        if now.synced && (set || !last.synced) {
            for ix in all(ctx) {
                let missed = self.came_before(ix, now);
                if missed.is_some_and(|came| came.after(GRACE) < now.wall) {
                    self.make_up(ctx, now, ix, GRACE, notes);
                } else if missed.is_none() {
                    self.arm(ctx, now.wall, ix);
                }
            }
        }
        if set || now.synced != last.synced {
            self.look_at_wall_readers(ctx, now);
        }
        if now.synced {
            self.known = Some(now.wall);
        }
    }

    /// When `ix` should have come, where that is not ahead any more. A clock that goes on from an earlier time
    /// than it was known to show has nothing behind it.
    fn came_before(&self, ix: AtIx, now: Now) -> Option<UnixTime> {
        self.known.filter(|known| *known <= now.wall)?;
        let next = self.ats[ix.0 as usize].next;
        next.filter(|next| *next <= now.wall)
    }

    /// Waits for the next time that `ix` comes after `wall`.
    pub(crate) fn arm(&mut self, ctx: Ctx<'_>, wall: UnixTime, ix: AtIx) {
        let plan = &ctx.plan.ats[ix.0 as usize];
        let at = &mut self.ats[ix.0 as usize];
        let old = at.next.take();
        at.spent = at.spent.filter(|spent| *spent <= wall.after(AHEAD_MAX));
        let after = at.spent.map_or(wall, |spent| spent.max(wall));
        at.next = self.clock.next(&plan.when, after);
        self.agenda.time_of_day(ix, old, at.next);
    }

    /// Waits anew for everything: the sun was pinned or let go.
    pub(crate) fn arm_all(&mut self, ctx: Ctx<'_>) {
        if let Some(known) = self.known {
            for ix in all(ctx) {
                self.arm(ctx, known, ix);
            }
        }
    }

    /// The time `ix` came.
    pub(crate) fn spend(&mut self, ctx: Ctx<'_>, now: Now, ix: AtIx) {
        let at = &mut self.ats[ix.0 as usize];
        at.spent = at.next;
        self.arm(ctx, now.wall, ix);
    }

    /// Whether `ix` waits for the sun, which stays up or down for days.
    pub(crate) fn sun_stays(&self, ctx: Ctx<'_>, now: Now, ix: AtIx) -> bool {
        let waits_for_sun = matches!(ctx.plan.ats[ix.0 as usize].when, When::Sun(..));
        let next = self.ats[ix.0 as usize].next;
        waits_for_sun && next.is_none_or(|next| next.since(now.wall) > SUN_STAYS)
    }

    /// Some times of `ix` were missed: the last one is made up for, or none, which is noted.
    fn make_up(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        ix: AtIx,
        grace: Duration,
        notes: &mut Vec<Note>,
    ) {
        let plan = &ctx.plan.ats[ix.0 as usize];
        if let Some(first) = self.ats[ix.0 as usize].next {
            let came = self.clock.last(&plan.when, first, now.wall);
            let late = now.wall.since(came);
            let rule = &ctx.program[plan.place.rule];
            let at = &mut self.ats[ix.0 as usize];
            at.spent = Some(came);
            if runs_late(rule.missed_times(), late) || late <= grace {
                if let Some(key) = at.late.take() {
                    self.agenda.cancel(key);
                }
                at.late = Some(self.agenda.create(now.at, Due::Late(ix)));
            } else {
                notes.push(Note::Missed {
                    rule: rule.name.clone(),
                    late,
                });
            }
        }
        self.arm(ctx, now.wall, ix);
    }

    /// The dispatcher was down from the last input until `now`: what fell due fires with the next input, in
    /// order, as far as each rule's `after_downtime` lets it. What a clock that is not synced can't tell waits
    /// until it is.
    pub(crate) fn resume(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        self.resume_timers(ctx, now, notes);
        self.resume_holds(ctx, now, notes);
        self.resume_runs(ctx, now, notes);
        self.drop_overdue_gestures(ctx, now, notes);
        if now.synced {
            for ix in all(ctx) {
                if self.came_before(ix, now).is_some() {
                    self.make_up(ctx, now, ix, Duration::ZERO, notes);
                } else {
                    self.arm(ctx, now.wall, ix);
                }
            }
            self.known = Some(now.wall);
        }
        self.look_at_wall_readers(ctx, now);
        self.last = now;
    }

    fn resume_timers(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        for (timer, waiting) in self.timers.iter_mut().zip(&ctx.plan.timers) {
            let Some(running) = timer.as_mut().filter(|running| running.key.at <= now.at) else {
                continue;
            };
            let late = now.at.since(running.key.at);
            running.late = Some(late);
            for place in waiting {
                let rule = &ctx.program[place.rule];
                if !runs_late(rule.after_downtime(), late) {
                    notes.push(Note::Missed {
                        rule: rule.name.clone(),
                        late,
                    });
                }
            }
        }
    }

    fn resume_holds(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        for (hold, plan) in self.holds.iter_mut().zip(&ctx.plan.holds) {
            let key = hold.pending.and_then(|pending| pending.key);
            let Some(key) = key.filter(|key| key.at <= now.at) else {
                continue;
            };
            let late = now.at.since(key.at);
            let rule = &ctx.program[plan.place.rule];
            if !runs_late(rule.after_downtime(), late) {
                self.agenda.cancel(key);
                hold.pending = None;
                notes.push(Note::Missed {
                    rule: rule.name.clone(),
                    late,
                });
            }
        }
    }

    /// A run that may not go on that late is dropped, and with it what waits behind it.
    fn resume_runs(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        let agenda = &mut self.agenda;
        self.runs.retain(|rule, runs| {
            let row = &ctx.program[*rule];
            runs.retain(|run| {
                let Some(key) = run.key.filter(|key| key.at <= now.at) else {
                    return true;
                };
                let late = now.at.since(key.at);
                let goes_on = runs_late(row.after_downtime(), late);
                if !goes_on {
                    agenda.cancel(key);
                    notes.push(Note::Missed {
                        rule: row.name.clone(),
                        late,
                    });
                }
                goes_on
            });
            runs.iter().any(|run| run.key.is_some())
        });
    }

    /// A hand that pressed a button before the dispatcher went down waits for nothing any more.
    fn drop_overdue_gestures(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        let agenda = &mut self.agenda;
        self.buttons.retain(|channel, button| {
            let Some(key) = button.wait.filter(|key| key.at <= now.at) else {
                return true;
            };
            agenda.cancel(key);
            notes.push(Note::GestureDropped {
                channel: ctx.program.channel_path(*channel).into(),
            });
            false
        });
    }

    /// Puts a gesture in flight back, and waits for it.
    pub(crate) fn keep_button(
        &mut self,
        channel: mapping::program::ChannelIx,
        mut button: Button,
        wait_until: Option<types::Instant>,
    ) {
        button.wait = wait_until.map(|at| self.agenda.create(at, Due::Gesture(channel)));
        if button.presses > 0 {
            self.buttons.insert(channel, button);
        }
    }
}

/// Whether what fell due `late` ago still runs.
pub(crate) fn runs_late(policy: AfterDowntime, late: Duration) -> bool {
    match policy {
        AfterDowntime::Resume => true,
        AfterDowntime::RunLate(max) => late <= max,
        AfterDowntime::Drop => late.is_zero(),
    }
}

fn all(ctx: Ctx<'_>) -> impl Iterator<Item = AtIx> + use<> {
    (0..ctx.plan.ats.len() as u32).map(AtIx)
}

/// Whether somebody set a clock that is known back since the last input. One that is set forward is noticed by what it makes
/// due; one that is set back makes nothing due, however long what waits by the old time would have to wait.
pub(crate) fn was_put_back(last: Now, now: Now) -> bool {
    let is_known = last.synced && now.synced;
    is_known && was_set(last, now) && now.wall < expected(last, now)
}

fn was_set(last: Now, now: Now) -> bool {
    let elapsed = now.at.0.saturating_sub(last.at.0);
    now.wall.0.abs_diff(expected(last, now).0) > STEP_US.max(elapsed / SLEW_PARTS)
}

/// What a clock that nobody set since `last` shows.
fn expected(last: Now, now: Now) -> UnixTime {
    last.wall.after(now.at.since(last.at))
}
