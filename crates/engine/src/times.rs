//! Times of day, clocks that jump, and what fell due while nobody was there.
//!
//! Called by [`crate::Engine`] before each input and at a start. A time of day comes once on each local day,
//! whatever the clock does: where it is set back over one that has come, that one does not come again.

use std::time::Duration;

use mapping::program::AfterDowntime;
use types::{Now, UnixTime};

use crate::{
    agenda::{Due, Key},
    cascade::{Core, Ctx},
    clock::Day,
    gesture::Button,
    plan::AtIx,
    resume::Note,
};

/// Clocks are slewed by at most 500 parts in a million; what moves twice as fast, and by more than a second, was set.
const SLEW_PARTS: u64 = 1_000;
const STEP_US: u64 = 1_000_000;
/// A time of day that the clock skipped by so little is still worth having.
const GRACE: Duration = Duration::from_secs(60);

/// One `at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AtState {
    /// When it comes, and on which local day that is.
    pub(crate) next: Option<(UnixTime, Day)>,
    /// The local day on which it came last.
    pub(crate) spent: Option<Day>,
    /// It was missed and is made up for.
    pub(crate) late: Option<Key>,
}

impl Core {
    /// Compares the two time lines with the last input's: whoever set the clock meant it.
    pub(crate) fn tell_time(&mut self, ctx: Ctx<'_>, now: Now) {
        let last = self.last;
        if now.synced != last.synced {
            for ix in (0..ctx.plan.ats.len() as u32).map(AtIx) {
                self.arm(ctx, now, ix);
            }
            self.look_at_wall_readers(ctx, now);
        } else if now.synced && was_set(last, now) {
            for ix in (0..ctx.plan.ats.len() as u32).map(AtIx) {
                let at = &self.ats[ix.0 as usize];
                if now.wall < last.wall {
                    self.arm(ctx, now, ix);
                } else if at
                    .next
                    .is_some_and(|(next, _)| next.after(GRACE) < now.wall)
                {
                    self.make_up(ctx, now, ix, GRACE);
                }
            }
            self.look_at_wall_readers(ctx, now);
        }
    }

    /// Waits for the next time that `ix` comes after `now`.
    pub(crate) fn arm(&mut self, ctx: Ctx<'_>, now: Now, ix: AtIx) {
        let plan = ctx.plan.ats[ix.0 as usize];
        let at = &mut self.ats[ix.0 as usize];
        let old = at.next.take();
        if now.synced {
            let today = self.clock.day(now.wall);
            // A day that lies ahead was spent by a clock that was wrong.
            at.spent = at.spent.filter(|spent| Some(*spent) <= today);
            at.next = self
                .clock
                .next_time_of_day(now.wall, plan.second, plan.days, at.spent);
        }
        let wall = |next: Option<(UnixTime, Day)>| next.map(|(wall, _)| wall);
        self.agenda.time_of_day(ix, wall(old), wall(at.next));
    }

    /// The time of day `ix` came.
    pub(crate) fn spend(&mut self, ctx: Ctx<'_>, now: Now, ix: AtIx) {
        let at = &mut self.ats[ix.0 as usize];
        at.spent = at.next.map(|(_, day)| day);
        self.arm(ctx, now, ix);
    }

    /// Some times of day of `ix` were missed: the last one is made up for, or none; says which.
    fn make_up(&mut self, ctx: Ctx<'_>, now: Now, ix: AtIx, grace: Duration) -> Option<Duration> {
        let plan = ctx.plan.ats[ix.0 as usize];
        let missed = self
            .clock
            .last_time_of_day(now.wall, plan.second, plan.days)
            .filter(|(_, day)| {
                self.ats[ix.0 as usize]
                    .spent
                    .is_none_or(|spent| spent < *day)
            });
        let mut dropped = None;
        if let Some((came, day)) = missed {
            let late = now.wall.since(came);
            let policy = ctx.program[plan.place.rule].after_downtime;
            let at = &mut self.ats[ix.0 as usize];
            at.spent = Some(day);
            if runs_late(policy, late) || late <= grace {
                if let Some(key) = at.late.take() {
                    self.agenda.cancel(key);
                }
                at.late = Some(self.agenda.create(now.at, Due::Late(ix)));
            } else {
                dropped = Some(late);
            }
        }
        self.arm(ctx, now, ix);
        dropped
    }

    /// The dispatcher was down from the last input until `now`: what fell due fires with the next input, in
    /// order, as far as each rule's `after_downtime` lets it.
    pub(crate) fn resume(&mut self, ctx: Ctx<'_>, now: Now, notes: &mut Vec<Note>) {
        let last = self.last;
        self.resume_timers(ctx, now, notes);
        self.resume_holds(ctx, now, notes);
        self.drop_overdue_gestures(ctx, now, notes);
        for ix in (0..ctx.plan.ats.len() as u32).map(AtIx) {
            let came = self.ats[ix.0 as usize]
                .next
                .is_some_and(|(next, _)| next <= now.wall);
            if last.synced && now.synced && came && now.wall > last.wall {
                if let Some(late) = self.make_up(ctx, now, ix, Duration::ZERO) {
                    let rule = &ctx.program[ctx.plan.ats[ix.0 as usize].place.rule].name;
                    notes.push(Note::Missed {
                        rule: rule.clone(),
                        late,
                    });
                }
            } else {
                self.arm(ctx, now, ix);
            }
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
                if !runs_late(rule.after_downtime, late) {
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
            if !runs_late(rule.after_downtime, late) {
                self.agenda.cancel(key);
                hold.pending = None;
                notes.push(Note::Missed {
                    rule: rule.name.clone(),
                    late,
                });
            }
        }
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

fn was_set(last: Now, now: Now) -> bool {
    let elapsed = now.at.0.saturating_sub(last.at.0);
    let expected = last.wall.0.saturating_add_unsigned(elapsed);
    now.wall.0.abs_diff(expected) > STEP_US.max(elapsed / SLEW_PARTS)
}
