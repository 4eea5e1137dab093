//! Gestures on a button, and chords, made from presses and releases.
//!
//! Called by the engine with each press and release, and when a wait is over. Says what was decided; which
//! rules that fires is the engine's business. Pauses are told by the producer's clock where it sent one.

use std::time::Duration;

use mapping::program::GestureKind;
use types::{Instant, Value};

use crate::{
    agenda::Key,
    plan::{ChordPlan, Place},
};

/// How much longer than its `within` a chord or sequence may take to arrive: producers drop what is older than 10 s.
pub(crate) const ARRIVAL_SPREAD_MAX: Duration = Duration::from_secs(10);

/// The gestures that rules have on one channel.
#[derive(Debug, Default)]
pub(crate) struct GesturePlan {
    rules: Vec<GestureRule>,
    /// The largest number of presses that means something.
    presses_max: u8,
    /// The largest pause before the second and before the third press.
    pauses_max: [Duration; 2],
    /// How long a press must be held, ascending.
    longs: Vec<Duration>,
}

#[derive(Debug)]
struct GestureRule {
    place: Place,
    kind: GestureKind,
    hold: Duration,
    within: Duration,
}

/// A decided gesture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gesture {
    pub(crate) kind: GestureKind,
    /// `long`: which of the channel's holds passed. Else the longest pause within it.
    span: Duration,
}

/// When something was pressed: on arrival, and by the producer's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) produced_ms: Option<u64>,
}

/// Whether one of these came within that time, and what it belongs to may go on.
pub(crate) fn is_young(moments: &[Option<Moment>], within: Duration, now: Instant) -> bool {
    let mut came = moments.iter().flatten();
    came.any(|moment| now.since(moment.at) <= within)
}

/// A gesture in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Button {
    /// Presses so far; 0: nothing in flight.
    pub(crate) presses: u8,
    pub(crate) down: bool,
    /// How many of the channel's holds this press outlasted; then it is no click any more.
    pub(crate) longs: u8,
    /// The last press or release.
    pub(crate) last: Moment,
    pub(crate) pause_longest: Duration,
    /// When it is decided at the latest.
    pub(crate) wait: Option<Key>,
}

/// What a press or release came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// In the order in which they were decided.
    pub(crate) decided: Vec<Gesture>,
    /// When the button must be looked at if nothing else comes.
    pub(crate) wait_until: Option<Instant>,
}

impl GesturePlan {
    pub(crate) fn add(
        &mut self,
        place: Place,
        kind: GestureKind,
        hold: Duration,
        within: Duration,
    ) {
        self.rules.push(GestureRule {
            place,
            kind,
            hold,
            within,
        });
        match kind {
            GestureKind::Long => self.longs.push(hold),
            kind => self.presses_max = self.presses_max.max(presses_of(kind)),
        }
        let pauses = usize::from(presses_of(kind).saturating_sub(1));
        for pause in &mut self.pauses_max[..pauses] {
            *pause = within.max(*pause);
        }
    }

    pub(crate) fn finish(&mut self) {
        self.longs.sort_unstable();
        self.longs.dedup();
        self.longs.truncate(usize::from(u8::MAX));
    }

    /// The rules that `gesture` fires, each once, in file order.
    pub(crate) fn rules(&self, gesture: Gesture, out: &mut Vec<Place>) {
        let start = out.len();
        for rule in self.rules.iter().filter(|rule| rule.kind == gesture.kind) {
            let fits = match gesture.kind {
                GestureKind::Long => rule.hold == gesture.span,
                _ => gesture.span <= rule.within || gesture.span.is_zero(),
            };
            let last = out[start..].last();
            if fits && last.is_none_or(|last| last.rule != rule.place.rule) {
                out.push(rule.place);
            }
        }
    }

    fn clicks(&self, button: &Button) -> Option<Gesture> {
        let kind = match button.presses {
            1 => GestureKind::Click,
            2 => GestureKind::Double,
            3 => GestureKind::Triple,
            _ => return None,
        };
        let mapped = self.rules.iter().any(|rule| rule.kind == kind);
        mapped.then_some(Gesture {
            kind,
            span: button.pause_longest,
        })
    }

    /// The holds that this press did not outlast yet; another program may have had more of them.
    fn longs_left(&self, button: &Button) -> &[Duration] {
        let outlasted = usize::from(button.longs);
        self.longs.get(outlasted..).unwrap_or_default()
    }

    /// The longest pause in which another press goes on with the gesture.
    fn pause_max(&self, button: &Button) -> Option<Duration> {
        if button.presses == 0 || button.longs > 0 || button.presses >= self.presses_max {
            return None;
        }
        Some(self.pauses_max[usize::from(button.presses) - 1])
    }
}

impl Button {
    /// Takes a press.
    pub(crate) fn press(&mut self, plan: &GesturePlan, moment: Moment) -> Verdict {
        let mut verdict = Verdict::default();
        // A release got lost, or the button never sends one: then its presses alone make the gesture.
        let release_lost = self.down;
        let pause = moment.since(self.last);
        if plan.pause_max(self).is_some_and(|max| pause <= max) {
            self.pause_longest = self.pause_longest.max(pause);
        } else {
            if !release_lost {
                verdict.decided.extend(plan.clicks(self));
            }
            *self = Self::default();
        }
        self.presses += 1;
        self.down = true;
        self.last = moment;
        if release_lost && self.presses > 1 && self.presses == plan.presses_max {
            verdict.decided.extend(plan.clicks(self));
            *self = Self::default();
        } else if self.presses == 1 {
            verdict.wait_until = plan.longs.first().map(|hold| moment.at.after(*hold));
        }
        verdict
    }

    /// Takes a release.
    pub(crate) fn release(&mut self, plan: &GesturePlan, moment: Moment) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.down {
            verdict.wait_until = self.wait.map(|key| key.at);
            return verdict;
        }
        if self.presses == 1 {
            // The producer may know that it was held long enough before the wait here is over.
            let held = moment.since(self.last);
            for hold in plan.longs_left(self) {
                if held >= *hold {
                    verdict.decided.push(Gesture::long(*hold));
                    self.longs += 1;
                }
            }
        }
        self.down = false;
        self.last = moment;
        if self.longs > 0 || plan.presses_max == 0 {
            *self = Self::default();
        } else if let Some(pause) = plan.pause_max(self) {
            verdict.wait_until = Some(moment.at.after(pause));
        } else {
            verdict.decided.extend(plan.clicks(self));
            *self = Self::default();
        }
        verdict
    }

    /// The wait is over.
    pub(crate) fn waited(&mut self, plan: &GesturePlan) -> Verdict {
        let mut verdict = Verdict::default();
        if self.down {
            let longs = plan.longs_left(self);
            verdict
                .decided
                .extend(longs.first().map(|hold| Gesture::long(*hold)));
            verdict.wait_until = longs.get(1).map(|hold| self.last.at.after(*hold));
            self.longs = self.longs.saturating_add(1);
        } else {
            verdict.decided.extend(plan.clicks(self));
            *self = Self::default();
        }
        verdict
    }
}

impl Gesture {
    fn long(hold: Duration) -> Self {
        Self {
            kind: GestureKind::Long,
            span: hold,
        }
    }
}

impl Moment {
    /// The time since `earlier`, by the producer's clock where both have it and it did not go back.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        match (self.produced_ms, earlier.produced_ms) {
            (Some(now), Some(then)) if now >= then => Duration::from_millis(now - then),
            _ => self.at.since(earlier.at),
        }
    }
}

/// A chord in flight: when each of its values came last.
pub(crate) type Chord = Vec<Option<Moment>>;

/// Takes an event of the chord; true: it is complete, and starts again from nothing.
pub(crate) fn strike(
    chord: &mut Chord,
    plan: &ChordPlan,
    fields: &[Value],
    moment: Moment,
) -> bool {
    let Some(value) = fields.get(usize::from(plan.field)) else {
        return false;
    };
    let Some(place) = plan.values.iter().position(|wanted| wanted == value) else {
        return false;
    };
    chord[place] = Some(moment);
    let struck: Vec<Moment> = chord.iter().copied().flatten().collect();
    let complete = struck.len() == chord.len() && together(&struck, plan.within);
    if complete {
        chord.fill(None);
    }
    complete
}

/// Whether the first and the last lie at most `within` apart, by the producer's clock where each has it.
fn together(struck: &[Moment], within: Duration) -> bool {
    let arrived = struck.iter().map(|moment| moment.at);
    let arrived = arrived.clone().max().zip(arrived.min());
    let arrived = arrived.map_or(Duration::ZERO, |(last, first)| last.since(first));
    let produced: Option<Vec<u64>> = struck.iter().map(|moment| moment.produced_ms).collect();
    match produced {
        Some(ms) => {
            let apart = ms
                .iter()
                .max()
                .zip(ms.iter().min())
                .map_or(0, |(a, b)| a - b);
            Duration::from_millis(apart) <= within && arrived <= within + ARRIVAL_SPREAD_MAX
        }
        None => arrived <= within,
    }
}

fn presses_of(kind: GestureKind) -> u8 {
    match kind {
        GestureKind::Click => 1,
        GestureKind::Double => 2,
        GestureKind::Triple => 3,
        GestureKind::Long => 0,
    }
}
