//! A cover: two pins that move it, and the time that it takes from end to end. Where it is follows from how long it
//! moved; an end is where it is known for sure, so a way there takes a little longer than it should.

use link::Millis;
use wire::{Fields, Options, Value};

use super::{
    Drive, Kept, Machine, Refused,
    order::{Command, Has, Target},
};

/// From end to end, where the channel does not say.
const TRAVEL_MS: u32 = 30_000;
/// Between two directions: a motor that is turned round at once breaks.
const PAUSE_MS: u64 = 500;
/// All of the way, in thousandths of a percent.
const OPEN: u32 = 100_000;
const PERCENT: u32 = OPEN / 100;

/// What a cover does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moving {
    /// Nothing.
    Stopped,
    /// It moves up.
    Opening,
    /// It moves down.
    Closing,
}

pub(super) struct Cover {
    travel_ms: u32,
    /// Where it was when it last stopped; `None`: nobody knows.
    position: Option<u32>,
    /// Where it shall be.
    goal: Option<u32>,
    phase: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    Still,
    /// It has just stopped; where there is a goal, it goes on to that.
    Pausing {
        until: Millis,
    },
    Under {
        opening: bool,
        since: Millis,
        until: Millis,
    },
}

impl Cover {
    pub(super) fn new(options: &Options, kept: Option<Kept>) -> Self {
        let position = match kept {
            Some(Kept::Cover(position)) => position.map(|percent| u32::from(percent) * PERCENT),
            _ => None,
        };
        Self {
            travel_ms: options.travel_ms.unwrap_or(TRAVEL_MS).max(1),
            position,
            goal: None,
            phase: Phase::Still,
        }
    }

    /// Where it is now.
    fn place(&self, now: Millis) -> Option<u32> {
        let Phase::Under { opening, since, .. } = self.phase else {
            return self.position;
        };
        let moved = now.since(since).saturating_mul(OPEN.into()) / u64::from(self.travel_ms);
        let moved = moved.min(OPEN.into()) as u32;
        self.position.map(|from| {
            if opening {
                (from + moved).min(OPEN)
            } else {
                from.saturating_sub(moved)
            }
        })
    }

    /// Its pins go off.
    fn halt(&mut self, now: Millis) {
        self.position = self.place(now);
        if matches!(self.phase, Phase::Under { .. }) {
            let until = now.after(PAUSE_MS);
            self.phase = Phase::Pausing { until };
        }
    }

    /// Sets out for the goal from where it stands.
    fn set_out(&mut self, now: Millis) {
        self.phase = Phase::Still;
        let Some(goal) = self.goal else {
            return;
        };
        let is_end = goal == 0 || goal == OPEN;
        let Some(from) = self.position else {
            // To the nearer end first: there it is known.
            let opening = goal > OPEN / 2;
            let until = now.after(self.span(OPEN) + self.surplus());
            return self.phase = Phase::Under {
                opening,
                since: now,
                until,
            };
        };
        if from == goal {
            self.goal = None;
            return;
        }
        let surplus = if is_end { self.surplus() } else { 0 };
        self.phase = Phase::Under {
            opening: goal > from,
            since: now,
            until: now.after(self.span(from.abs_diff(goal)) + surplus),
        };
    }

    /// How long such a way takes, milliseconds.
    fn span(&self, way: u32) -> u64 {
        u64::from(way) * u64::from(self.travel_ms) / u64::from(OPEN)
    }

    /// A tenth more than a whole way: what was lost of the position on the way is found again.
    fn surplus(&self) -> u64 {
        u64::from(self.travel_ms) / 10
    }

    fn go(&mut self, goal: u32, now: Millis) {
        self.goal = Some(goal);
        let Phase::Under { opening, .. } = self.phase else {
            if matches!(self.phase, Phase::Still) {
                self.set_out(now);
            }
            return;
        };
        let place = self.place(now);
        let ahead = place.map(|from| (goal > from) == opening && goal != from);
        if ahead == Some(true) {
            // The same way: only its end is another.
            self.position = place;
            self.set_out(now);
        } else if place.is_some() {
            self.halt(now);
        }
        // Where it is not known, the end that it goes to comes first.
    }

    /// A way is over: it is where it went.
    fn arrive(&mut self, opening: bool, now: Millis) {
        let known = self.position.is_some();
        let end = if opening { OPEN } else { 0 };
        self.position = match self.goal {
            Some(goal) if known => Some(goal),
            _ => Some(end),
        };
        self.goal = self.goal.filter(|goal| self.position != Some(*goal));
        let until = now.after(PAUSE_MS);
        self.phase = Phase::Pausing { until };
    }

    fn moving(&self) -> Moving {
        match self.phase {
            Phase::Under { opening: true, .. } => Moving::Opening,
            Phase::Under { opening: false, .. } => Moving::Closing,
            Phase::Still | Phase::Pausing { .. } => Moving::Stopped,
        }
    }
}

impl Machine for Cover {
    fn target(&mut self, target: &Target, now: Millis) -> Result<bool, Refused> {
        target.only(&[Has::Position])?;
        if let Some(percent) = target.position {
            self.go(u32::from(percent) * PERCENT, now);
        }
        Ok(true)
    }

    fn command(&mut self, command: Command, now: Millis) -> Result<bool, Refused> {
        if command != Command::Stop {
            return Err(Refused::Command);
        }
        self.halt(now);
        self.goal = None;
        Ok(true)
    }

    fn fall_back(&mut self, on: bool, now: Millis) -> bool {
        self.go(if on { OPEN } else { 0 }, now);
        true
    }

    fn tick(&mut self, now: Millis) -> bool {
        match self.phase {
            Phase::Under { opening, until, .. } if until <= now => self.arrive(opening, now),
            Phase::Pausing { until } if until <= now => {
                let goes_on = self.goal.is_some();
                self.set_out(now);
                return goes_on;
            }
            _ => return false,
        }
        true
    }

    fn deadline(&self) -> Millis {
        match self.phase {
            Phase::Still => Millis::NEVER,
            Phase::Pausing { until } | Phase::Under { until, .. } => until,
        }
    }

    fn drive(&self) -> Drive {
        Drive::Cover(self.moving())
    }

    fn state(&self) -> Fields<'static> {
        let moving = match (self.moving(), self.phase, self.goal, self.position) {
            (Moving::Opening, ..) => "opening",
            (Moving::Closing, ..) => "closing",
            // It turns round: who reads `stopped` would think that this is all.
            (_, Phase::Pausing { .. }, Some(goal), Some(from)) if goal > from => "opening",
            (_, Phase::Pausing { .. }, Some(_), _) => "closing",
            (Moving::Stopped, ..) => "stopped",
        };
        let moving = ("moving", Value::Text(moving));
        let percent = |place: u32| f64::from((place + PERCENT / 2) / PERCENT);
        // Names that are names, each once: it can't fail.
        let fields = match self.position {
            Some(place) => Fields::new(&[("position", Value::Number(percent(place))), moving]),
            None => Fields::new(&[moving]),
        };
        fields.unwrap_or_default()
    }

    fn kept(&self) -> Kept {
        // A cut on the way leaves it somewhere.
        let still = matches!(self.phase, Phase::Still | Phase::Pausing { .. });
        let place = self.position.filter(|_| still);
        Kept::Cover(place.map(|place| ((place + PERCENT / 2) / PERCENT) as u8))
    }

    fn has_on(&self) -> bool {
        false
    }
}
