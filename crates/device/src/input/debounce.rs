//! Contacts bounce for some milliseconds. A change counts at once; what follows within the time is ignored, and how the
//! level is then is looked at again. Called by whatever has a pin.

use link::Millis;
use wire::Options;

/// Where the channel does not say: most contacts are still after 5 ms, worn ones after 20.
const DEBOUNCE_MS: u16 = 20;

pub(super) struct Debounce {
    ms: u16,
    /// What counts; `None`: no level came yet.
    is: Option<bool>,
    raw: bool,
    /// Until then changes are ignored.
    quiet: Option<Millis>,
}

impl Debounce {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            ms: options.debounce_ms.unwrap_or(DEBOUNCE_MS),
            is: None,
            raw: false,
            quiet: None,
        }
    }

    /// What counts.
    pub(super) fn is(&self) -> Option<bool> {
        self.is
    }

    /// Takes a level; gives the new one where it changed. The first is no change.
    pub(super) fn level(&mut self, raw: bool, now: Millis) -> Option<bool> {
        self.raw = raw;
        if self.is.is_none() {
            self.is = Some(raw);
            return None;
        }
        self.tick(now)
    }

    /// Time has passed; gives the new level where it changed meanwhile.
    pub(super) fn tick(&mut self, now: Millis) -> Option<bool> {
        if self.quiet.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet = None;
        if self.is? == self.raw {
            return None;
        }
        self.is = Some(self.raw);
        self.quiet = Some(now.after(self.ms.into()));
        self.is
    }

    /// When [`Debounce::tick`] is due.
    pub(super) fn deadline(&self) -> Millis {
        self.quiet.unwrap_or(Millis::NEVER)
    }
}
