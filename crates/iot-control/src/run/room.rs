//! How much of the journal one device may fill: whoever sends without end, by mistake or not, must not push
//! everybody's past out of it.
//!
//! Called by the application for each input of a device; what is beyond the share is taken, and the device is not
//! read until it is back within. Must not know what inputs say.

use std::time::Duration;

use mapping::program::DeviceIx;
use types::{Instant, Now};

/// A device may fill this part of the journal in a day, without end. A piano that is played for eight hours a day
/// fills half of it.
const PART_A_DAY: u64 = 16;

/// Days whose share it may fill at once: together a quarter of the journal.
const AT_ONCE: Duration = Duration::from_secs(4 * DAY_S);

const DAY_S: u64 = 24 * 3_600;

/// How often people hear of the same device.
const TELL_EVERY: Duration = Duration::from_secs(3_600);

/// The shares of all devices.
#[derive(Debug)]
pub(super) struct Room {
    bytes_a_day: u64,
    devices: Vec<Used>,
}

/// What one device used.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    /// When it will have used nothing.
    until: Instant,
    told: Option<Instant>,
}

/// A device that used more than its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beyond {
    /// When it is back within.
    pub(super) until: Instant,
    /// Whether people are to hear of it now.
    pub(super) is_news: bool,
}

impl Room {
    /// Shares of a journal of at most so many bytes.
    pub(super) fn of(journal_bytes_max: u64) -> Self {
        Self {
            bytes_a_day: (journal_bytes_max / PART_A_DAY).max(1),
            devices: Vec::new(),
        }
    }

    /// Bytes that a device may fill in a day, without end.
    pub(super) fn bytes_a_day(&self) -> u64 {
        self.bytes_a_day
    }

    /// Places in tables are others from now on: everybody begins anew.
    pub(super) fn forget(&mut self) {
        self.devices.clear();
    }

    /// A device used so many bytes.
    pub(super) fn take(&mut self, now: Now, device: DeviceIx, bytes: u64) -> Option<Beyond> {
        if self.devices.len() <= device.index() {
            self.devices.resize(device.index() + 1, Used::default());
        }
        let used = &mut self.devices[device.index()];
        let cost_us = bytes.saturating_mul(DAY_S * 1_000_000) / self.bytes_a_day;
        used.until = used.until.max(now.at).after(Duration::from_micros(cost_us));
        let until = Instant(used.until.0.saturating_sub(AT_ONCE.as_micros() as u64));
        if until <= now.at {
            return None;
        }
        let is_news = used
            .told
            .is_none_or(|told| now.at.since(told) >= TELL_EVERY);
        if is_news {
            used.told = Some(now.at);
        }
        Some(Beyond { until, is_news })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: u64 = 512 << 20;
    /// An event in the journal.
    const EVENT: u64 = 60;

    fn at(us: u64) -> Now {
        Now {
            at: Instant(us),
            ..Now::default()
        }
    }

    fn devices() -> [DeviceIx; 2] {
        let mut all = DeviceIx::all(2);
        [all.next(), all.next()].map(|device| device.expect("two devices"))
    }

    #[test]
    fn a_device_that_floods_takes_a_quarter_of_the_journal_and_a_sixteenth_a_day() {
        let mut room = Room::of(JOURNAL);
        let [flooding, other] = devices();
        let (mut now, mut bytes, mut news) = (0, 0, 0);
        while now < 14 * DAY_S * 1_000_000 {
            bytes += 64_000;
            match room.take(at(now), flooding, 64_000) {
                Some(beyond) => {
                    news += u64::from(beyond.is_news);
                    now = beyond.until.0;
                }
                None => now += 1_000,
            }
            assert_eq!(room.take(at(now), other, 0), None);
        }
        let share = JOURNAL / 4 + 14 * (JOURNAL / 16);
        assert!((share..share + 200_000).contains(&bytes), "{bytes}");
        assert!((300..=14 * 24).contains(&news), "once an hour: {news}");
    }

    #[test]
    fn a_piano_an_encoder_and_a_chatty_sensor_never_meet_it() {
        // Events a second, and hours of them a day.
        for (rate, hours) in [(200, 0.4), (10, 8.0), (100, 0.8), (3, 24.0)] {
            let mut room = Room::of(JOURNAL);
            let [device, _] = devices();
            let seconds = (hours * 3_600.0) as u64;
            for day in 0..60 {
                for second in 0..seconds {
                    let now = at((day * DAY_S + second) * 1_000_000);
                    assert_eq!(
                        room.take(now, device, rate * EVENT),
                        None,
                        "{rate} a second"
                    );
                }
            }
        }
    }
}
