//! A matrix of keys: the firmware switches the rows on, one after the other, and says which columns conduct.
//!
//! Without a diode at each key three keys of a rectangle look as if the fourth were pressed too. Where two rows share
//! two columns, nobody can tell: what was pressed before stays, and nothing new is reported there until it is clear.

use link::Millis;
use wire::{Fields, Options};

use super::{Happened, Machine, Misfit, Sample, Sink};

/// Rows of a matrix at most.
pub const ROWS_MAX: usize = wire::PINS_MAX;
/// Keys at most; MIDI's numbers end there.
const KEYS_MAX: usize = 128;
/// Where the channel does not say.
const DEBOUNCE_MS: u16 = 5;

pub(super) struct Keyboard {
    columns: usize,
    keys: usize,
    first_key: u8,
    debounce_ms: u16,
    pressed: [u16; ROWS_MAX],
    /// Milliseconds for which each key's changes are still ignored.
    quiet: [u16; KEYS_MAX],
    scanned: Option<Millis>,
    /// Keys that can't be told, as they were at the last scan.
    unclear: [u16; ROWS_MAX],
    ghosts: u32,
}

impl Keyboard {
    pub(super) fn new(options: &Options) -> Self {
        let (rows, columns) = (options.rows.len(), options.columns.len());
        let first_key = options.first_key.unwrap_or(0);
        let said = options.keys.map_or(KEYS_MAX, usize::from);
        let numbers = KEYS_MAX.saturating_sub(first_key.into());
        Self {
            columns,
            keys: said.min(rows * columns).min(numbers),
            first_key,
            debounce_ms: options.debounce_ms.unwrap_or(DEBOUNCE_MS),
            pressed: [0; ROWS_MAX],
            quiet: [0; KEYS_MAX],
            scanned: None,
            unclear: [0; ROWS_MAX],
            ghosts: 0,
        }
    }

    fn scan(&mut self, rows: &[u16; ROWS_MAX], now: Millis, sink: Sink<'_>) {
        let unclear = unclear(rows);
        let Some(before) = self.scanned.replace(now) else {
            // What is held at the start was not pressed now.
            self.pressed = *rows;
            return;
        };
        let gone = u16::try_from(now.since(before)).unwrap_or(u16::MAX);
        for key in 0..self.keys {
            let (row, bit) = (key / self.columns, 1_u16 << (key % self.columns));
            let quiet = &mut self.quiet[key];
            *quiet = quiet.saturating_sub(gone);
            let (is, was) = (rows[row] & bit != 0, self.pressed[row] & bit != 0);
            if is == was || *quiet > 0 {
                continue;
            }
            if is && unclear[row] & bit != 0 {
                let new = self.unclear[row] & bit == 0;
                self.ghosts = self.ghosts.saturating_add(new.into());
                continue;
            }
            *quiet = self.debounce_ms;
            self.pressed[row] ^= bit;
            let (key, velocity) = (self.first_key + key as u8, None);
            sink(if is {
                Happened::KeyPress { key, velocity }
            } else {
                Happened::KeyRelease { key }
            });
        }
        self.unclear = unclear;
    }
}

/// The keys at the corners of rectangles.
fn unclear(rows: &[u16; ROWS_MAX]) -> [u16; ROWS_MAX] {
    let mut unclear = [0; ROWS_MAX];
    for (place, row) in rows.iter().enumerate() {
        for (other, other_row) in rows.iter().enumerate().skip(place + 1) {
            let both = row & other_row;
            if both.count_ones() > 1 {
                unclear[place] |= both;
                unclear[other] |= both;
            }
        }
    }
    unclear
}

impl Machine for Keyboard {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, sink: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Keys(rows) = sample else {
            return Err(Misfit::Sample);
        };
        let mut all = [0; ROWS_MAX];
        let of_it = all.get_mut(..rows.len()).ok_or(Misfit::Sample)?;
        of_it.copy_from_slice(rows);
        self.scan(&all, now, sink);
        Ok(false)
    }

    fn tick(&mut self, _: Millis, _: Sink<'_>) -> bool {
        false
    }

    fn deadline(&self) -> Millis {
        // It is looked at with each scan.
        Millis::NEVER
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        Fields::default()
    }

    fn ghosts(&self) -> u32 {
        self.ghosts
    }
}
