//! Copies of an event are known by (device, boot, seq), across sessions and restarts.
//!
//! A window as in anti-replay (RFC 4303, section 3.4.3): the newest number and a bit for each of the 255
//! below it. What is older than the window counts as a copy: a producer keeps at most a few dozen
//! unacknowledged events, so an original can't be that late.
//!
//! A producer that names no boot says nothing when it starts its count again, at a reboot or after 2^32 - 1.
//! There what is older than the window is such a start: rather a copy that is as old takes effect a second time
//! than a device that is never heard again.

use crate::input::Stamp;

/// Boots that are remembered for each device: the running one and the one before, whose last events
/// a broker may deliver late.
const BOOTS: usize = 2;

/// The boot of a producer that names none.
const UNNAMED: u64 = 0;

/// What was seen of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(crate) struct Windows {
    /// Newest boot first.
    #[n(0)]
    boots: Vec<Window>,
}

#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
struct Window {
    #[n(0)]
    boot: u64,
    #[n(1)]
    newest: u32,
    /// Bit `i` of word `w`: number `newest - (64 * w + i)` was seen.
    #[n(2)]
    seen: [u64; 4],
}

impl Windows {
    /// Whether `stamp` is new; from now on it is not.
    pub(crate) fn admit(&mut self, stamp: Stamp) -> bool {
        if let Some(window) = self.boots.iter_mut().find(|w| w.boot == stamp.boot) {
            if stamp.boot == UNNAMED && window.is_past(stamp.seq) {
                *window = Window::from(stamp);
                return true;
            }
            return window.admit(stamp.seq);
        }
        self.boots.truncate(BOOTS - 1);
        self.boots.insert(0, Window::from(stamp));
        true
    }
}

impl From<Stamp> for Window {
    /// The window of a count that begins with this one.
    fn from(stamp: Stamp) -> Self {
        Self {
            boot: stamp.boot,
            newest: stamp.seq,
            seen: [1, 0, 0, 0],
        }
    }
}

impl Window {
    /// Whether the window is beyond this number.
    fn is_past(&self, seq: u32) -> bool {
        let age = self.newest.saturating_sub(seq);
        age / 64 >= self.seen.len() as u32
    }

    fn admit(&mut self, seq: u32) -> bool {
        if seq > self.newest {
            self.shift(seq - self.newest);
            self.newest = seq;
        }
        let age = self.newest - seq;
        let Some(word) = self.seen.get_mut((age / 64) as usize) else {
            return false;
        };
        let bit = 1 << (age % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Makes room for `by` newer numbers.
    fn shift(&mut self, by: u32) {
        let (words, bits) = ((by / 64) as usize, by % 64);
        let old = self.seen;
        for (place, word) in self.seen.iter_mut().enumerate() {
            let source = place.checked_sub(words);
            let high = source.map_or(0, |ix| old[ix]) << bits;
            let low = match source.and_then(|ix| ix.checked_sub(1)) {
                Some(ix) if bits > 0 => old[ix] >> (64 - bits),
                _ => 0,
            };
            *word = high | low;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_admits_what_a_set_of_numbers_admits(
            steps in prop::collection::vec((0_u32..4, 0_u32..300), 1..400)
        ) {
            let (mut windows, mut model, mut newest) = (Windows::default(), BTreeSet::new(), 1_000);
            let first = windows.admit(Stamp { boot: 7, seq: newest });
            prop_assert!(first && model.insert(newest));
            for (forward, back) in steps {
                let seq = newest + forward - back.min(newest);
                newest = newest.max(seq);
                let new = windows.admit(Stamp { boot: 7, seq });
                let within = newest - seq < 256;
                prop_assert_eq!(new, within && model.insert(seq));
            }
        }
    }

    #[test]
    fn a_new_boot_counts_from_the_start_and_the_old_one_is_still_known() {
        let mut windows = Windows::default();
        let mut admit = |boot, seq| windows.admit(Stamp { boot, seq });
        assert!(admit(1, 5) && admit(2, 5));
        assert!(!admit(1, 5) && !admit(2, 5));
        assert!(admit(2, u32::MAX), "a jump far ahead is new");
        assert!(!admit(2, 6), "and leaves everything before it behind");
    }

    #[test]
    fn a_count_without_a_boot_may_start_again() {
        let mut windows = Windows::default();
        let mut admit = |seq| windows.admit(Stamp { boot: 0, seq });
        for (seq, expected) in [
            (u32::MAX - 1, true),
            (u32::MAX, true),
            (u32::MAX, false),
            (0, true),
            (1, true),
            (0, false),
            (1_000, true),
            (999, true),
            // Within the window it is late, and a copy the second time.
            (745, true),
            (745, false),
            // Beyond it the device has started again.
            (744, true),
            (744, false),
            (745, true),
        ] {
            assert_eq!(admit(seq), expected, "{seq}");
        }
    }
}
