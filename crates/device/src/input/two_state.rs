//! What is one thing or the other, and says so when it changes: motion detectors, contacts, presence.

use link::Millis;
use wire::{ChannelKind, Fields, Options, Value};

use super::{Happened, Machine, Misfit, Sample, Sink, debounce::Debounce};

pub(super) struct TwoState {
    kind: ChannelKind,
    pin: Debounce,
}

impl TwoState {
    /// `kind` is motion, contact or presence.
    pub(super) fn new(kind: ChannelKind, options: &Options) -> Self {
        let pin = Debounce::new(options);
        Self { kind, pin }
    }

    fn change(&self, change: Option<bool>, sink: Sink<'_>) -> bool {
        let Some(level) = change else {
            return false;
        };
        sink(match (self.kind, level) {
            (ChannelKind::Contact, true) => Happened::Open,
            (ChannelKind::Contact, false) => Happened::Close,
            (ChannelKind::Presence, true) => Happened::Arrive,
            (ChannelKind::Presence, false) => Happened::Leave,
            (_, true) => Happened::Start,
            (_, false) => Happened::Stop,
        });
        true
    }
}

impl Machine for TwoState {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, sink: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Level(level) = sample else {
            return Err(Misfit::Sample);
        };
        let first = self.pin.is().is_none();
        let change = self.pin.level(level, now);
        // How it was at the start is no event, but a state.
        Ok(self.change(change, sink) || first)
    }

    fn tick(&mut self, now: Millis, sink: Sink<'_>) -> bool {
        let change = self.pin.tick(now);
        self.change(change, sink)
    }

    fn deadline(&self) -> Millis {
        self.pin.deadline()
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        let Some(level) = self.pin.is() else {
            return Fields::default();
        };
        let text = |yes, no| Value::Text(if level { yes } else { no });
        let field = match self.kind {
            ChannelKind::Contact => ("contact", text("open", "closed")),
            ChannelKind::Presence => ("presence", text("home", "away")),
            _ => ("active", Value::Bool(level)),
        };
        // A name that is one: it can't fail.
        Fields::new(&[field]).unwrap_or_default()
    }
}
