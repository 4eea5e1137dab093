//! A change that takes time. Called by machines that fade; knows no values, only how far it is.

use link::Millis;

/// How long a fade takes at most, milliseconds: what asks for more gets this.
pub const FADE_MS_MAX: u32 = 600_000;

/// Between two steps of a fade: 50 a second look smooth.
const STEP_MS: u64 = 20;

/// All of the way.
const WHOLE: u32 = 1 << 16;

/// On its way, from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ramp {
    begun: Millis,
    span_ms: u32,
    next: Millis,
}

/// How far a ramp is, in parts of 65,536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress(u32);

impl Ramp {
    /// `None`: it takes no time.
    pub(super) fn new(span_ms: u32, now: Millis) -> Option<Self> {
        let span_ms = span_ms.min(FADE_MS_MAX);
        (span_ms > 0).then(|| Self {
            begun: now,
            span_ms,
            next: now.after(STEP_MS.min(span_ms.into())),
        })
    }

    /// How far it is; `None`: there.
    pub(super) fn progress(&self, now: Millis) -> Option<Progress> {
        let gone = now.since(self.begun);
        let whole = u64::from(self.span_ms);
        (gone < whole).then(|| Progress((gone * u64::from(WHOLE) / whole) as u32))
    }

    /// The step at `now` is done.
    pub(super) fn stepped(&mut self, now: Millis) {
        let end = self.begun.after(self.span_ms.into());
        self.next = now.after(STEP_MS).min(end);
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Millis {
        self.next
    }
}

impl Progress {
    /// The value between two.
    pub(super) fn between(self, from: u16, to: u16) -> u16 {
        let (from, to) = (i64::from(from), i64::from(to));
        let moved = (to - from) * i64::from(self.0) / i64::from(WHOLE);
        // It lies between two of them.
        (from + moved) as u16
    }

    /// The value between two.
    pub(super) fn between_f32(self, from: f32, to: f32) -> f32 {
        from + (to - from) * (self.0 as f32 / WHOLE as f32)
    }
}
