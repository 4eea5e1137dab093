//! Everything that falls due, in one order: by deadline, then by creation.
//!
//! Called by the engine. Deadlines on the elapsed-time line and on the wall stand in two tables, so that a
//! wall clock that jumps moves nothing by itself. Must not know what a deadline means.

use std::collections::{BTreeMap, btree_map::Entry};

use mapping::program::{ChannelIx, RuleIx, TimerIx};
use types::{Instant, Now, UnixTime};

use crate::plan::{AtIx, HoldIx};

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A timer runs out.
    Timer(TimerIx),
    /// A `holds` was true long enough.
    Hold(HoldIx),
    /// A button's gesture is decided: no further press came, or it is still held.
    Gesture(ChannelIx),
    /// A target's bound ends.
    Bound(ChannelIx),
    /// A rule goes on behind its wait.
    Run(RuleIx),
    /// A time of day that was missed is made up for.
    Late(AtIx),
    /// A time of day comes.
    At(AtIx),
    /// A `holds` can change its truth by time alone.
    Look(HoldIx),
}

/// A place in the order of deadlines on the elapsed-time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) at: Instant,
    rank: Rank,
}

/// Among equal deadlines: what was created goes in the order of its creation; then, since they
/// stand in the program and are not created, times of day and looks in the order of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Created(u64),
    At(AtIx),
    Look(HoldIx),
}

/// The two tables.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    elapsed: BTreeMap<Key, Due>,
    wall: BTreeMap<(UnixTime, Rank), Due>,
    order: u64,
}

impl Agenda {
    /// Adds what is created now.
    pub(crate) fn create(&mut self, at: Instant, due: Due) -> Key {
        self.order += 1;
        self.restore(at, self.order, due)
    }

    /// Adds what was created earlier, as the `order`th. Where something has that place, which only a damaged state says,
    /// it stands behind all others: none may take another one's deadline away.
    pub(crate) fn restore(&mut self, at: Instant, order: u64, due: Due) -> Key {
        let key = Key {
            at,
            rank: Rank::Created(order),
        };
        match self.elapsed.entry(key) {
            Entry::Vacant(free) => {
                free.insert(due);
                key
            }
            Entry::Occupied(_) => self.create(at, due),
        }
    }

    /// Takes `key` out; one that is not there is no error.
    pub(crate) fn cancel(&mut self, key: Key) {
        self.elapsed.remove(&key);
    }

    /// Looks at `hold` again at these moments, and at no other.
    pub(crate) fn look(&mut self, hold: HoldIx, old: Looks, new: Looks) {
        if old == new {
            return;
        }
        let rank = Rank::Look(hold);
        if let Some(at) = old.at {
            self.elapsed.remove(&Key { at, rank });
        }
        if let Some(wall) = old.wall {
            self.wall.remove(&(wall, rank));
        }
        if let Some(at) = new.at {
            self.elapsed.insert(Key { at, rank }, Due::Look(hold));
        }
        if let Some(wall) = new.wall {
            self.wall.insert((wall, rank), Due::Look(hold));
        }
    }

    /// Moves a time of day from one moment to another.
    pub(crate) fn time_of_day(&mut self, at: AtIx, old: Option<UnixTime>, new: Option<UnixTime>) {
        if let Some(wall) = old {
            self.wall.remove(&(wall, Rank::At(at)));
        }
        if let Some(wall) = new {
            self.wall.insert((wall, Rank::At(at)), Due::At(at));
        }
    }

    /// All that falls due on the elapsed-time line, in its order.
    pub(crate) fn coming(&self) -> impl Iterator<Item = (Instant, Due)> {
        self.elapsed.iter().map(|(key, due)| (key.at, *due))
    }

    /// The earliest deadline, the wall's read by `now`; one that is overdue may lie before `now`.
    pub(crate) fn next(&self, now: Now) -> Option<Instant> {
        self.first(now).map(|(key, _)| key.at)
    }

    /// Takes out the earliest deadline that is not after `now`.
    pub(crate) fn pop(&mut self, now: Now) -> Option<(Instant, Due)> {
        let (key, due) = self.first(now).filter(|(key, _)| key.at <= now.at)?;
        if self.elapsed.remove(&key).is_none() {
            self.wall.pop_first();
        }
        Some((key.at, due))
    }

    fn first(&self, now: Now) -> Option<(Key, Due)> {
        let elapsed = self
            .elapsed
            .first_key_value()
            .map(|(key, due)| (*key, *due));
        let wall = self.wall.first_key_value().filter(|_| now.synced);
        let wall = wall.map(|((wall, rank), due)| {
            let at = on_elapsed_line(*wall, now);
            (Key { at, rank: *rank }, *due)
        });
        match (elapsed, wall) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    /// How many deadlines were created so far.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// Goes on counting from `order`.
    pub(crate) fn count_from(&mut self, order: u64) {
        self.order = order;
    }
}

impl Key {
    /// The number under which it was created; 0 for what was not.
    pub(crate) fn order(self) -> u64 {
        if let Rank::Created(order) = self.rank {
            order
        } else {
            0
        }
    }
}

/// When a `holds` must be looked at again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    /// On the elapsed-time line: ages and `stale_after`.
    pub(crate) at: Option<Instant>,
    /// On the wall: `now.*` and `sun.*`.
    pub(crate) wall: Option<UnixTime>,
}

/// Where `wall` lies on the elapsed-time line, if both go on as they do at `now`.
fn on_elapsed_line(wall: UnixTime, now: Now) -> Instant {
    if wall >= now.wall {
        now.at.after(wall.since(now.wall))
    } else {
        Instant(now.at.0.saturating_sub(now.wall.0.abs_diff(wall.0)))
    }
}
