//! A MIDI instrument: the bytes of its serial line (MIDI 1.0, 31,250 baud). Whatever comes, nothing panics; what is no
//! message is skipped.
//!
//! A status byte may be left out where it is that of the message before (running status). Bytes from 0xF8 on may
//! stand anywhere, within messages too. A note that is struck with no velocity is one that is let go.

use link::Millis;
use wire::{Fields, Options};

use super::{Happened, Machine, Misfit, Sample, Sink};

const NOTE_OFF: u8 = 0x80;
const NOTE_ON: u8 = 0x90;
const CONTROL: u8 = 0xB0;
const PROGRAM: u8 = 0xC0;
const PRESSURE: u8 = 0xD0;
const SYSTEM: u8 = 0xF0;
const REAL_TIME: u8 = 0xF8;
/// The controller that is the sustain pedal; down from the middle of its way on.
const SUSTAIN: u8 = 64;
const DOWN_FROM: u8 = 64;

pub(super) struct Midi {
    /// The first and the last key that there are.
    keys: (u8, u8),
    /// Without its channel; 0: data that follows belongs to nothing that we know.
    status: u8,
    first: Option<u8>,
    pedal: Option<bool>,
}

impl Midi {
    pub(super) fn new(options: &Options) -> Self {
        let first = options.first_key.unwrap_or(0);
        let count = options.keys.unwrap_or(128).max(1);
        Self {
            keys: (first, first.saturating_add(count - 1).min(127)),
            status: 0,
            first: None,
            pedal: None,
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Happened> {
        if byte >= REAL_TIME {
            return None;
        }
        if byte >= NOTE_OFF {
            // System messages end what runs; their data is skipped.
            self.status = if byte >= SYSTEM { 0 } else { byte & 0xF0 };
            self.first = None;
            return None;
        }
        if matches!(self.status, 0 | PROGRAM | PRESSURE) {
            return None;
        }
        let Some(first) = self.first.take() else {
            self.first = Some(byte);
            return None;
        };
        self.message(first, byte)
    }

    fn message(&mut self, first: u8, second: u8) -> Option<Happened> {
        let there = (self.keys.0..=self.keys.1).contains(&first);
        match (self.status, second) {
            (NOTE_OFF, _) | (NOTE_ON, 0) if there => Some(Happened::KeyRelease { key: first }),
            (NOTE_ON, _) if there => Some(Happened::KeyPress {
                key: first,
                velocity: Some(second),
            }),
            (CONTROL, _) if first == SUSTAIN => {
                let down = second >= DOWN_FROM;
                // A pedal that tells how far it is says the same many times.
                let changed = self.pedal.replace(down) != Some(down);
                changed.then_some(Happened::Pedal { down })
            }
            (CONTROL, _) => Some(Happened::Control {
                number: first,
                value: second,
            }),
            _ => None,
        }
    }
}

impl Machine for Midi {
    fn sample(&mut self, sample: Sample<'_>, _: Millis, sink: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Byte(byte) = sample else {
            return Err(Misfit::Sample);
        };
        if let Some(happened) = self.byte(byte) {
            sink(happened);
        }
        Ok(false)
    }

    fn tick(&mut self, _: Millis, _: Sink<'_>) -> bool {
        false
    }

    fn deadline(&self) -> Millis {
        Millis::NEVER
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        Fields::default()
    }
}
