//! `report_every`: a state is reported at least so often. Called by inputs and outputs.

use link::Millis;

/// The shortest time that is kept: a role that asks for less would fill the link.
const MS_MIN: u32 = 100;

/// When the next report is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Every {
    ms: Option<u32>,
    due: Millis,
}

impl Every {
    pub(crate) fn new(ms: Option<u32>, now: Millis) -> Self {
        let ms = ms.map(|ms| ms.max(MS_MIN));
        let due = ms.map_or(Millis::NEVER, |ms| now.after(ms.into()));
        Self { ms, due }
    }

    /// Whether a report is due; the next one is counted from here.
    pub(crate) fn tick(&mut self, now: Millis) -> bool {
        let due = self.due <= now;
        if let (true, Some(ms)) = (due, self.ms) {
            self.due = now.after(ms.into());
        }
        due
    }

    pub(crate) fn due(&self) -> Millis {
        self.due
    }
}
