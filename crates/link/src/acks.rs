//! Acknowledgements within a session, and when to say something again. Called by both ends' state machines. Must
//! not know what was said.

use crate::time::Millis;

/// How often something is said before it waits until the peer is heard.
pub(crate) const TRIES_MAX: u8 = 8;

/// Numbers of the peer's messages that were taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken(Option<(u16, u16)>);

impl Taken {
    pub(crate) fn newest(self) -> Option<(u16, u16)> {
        self.0
    }

    pub(crate) fn take(&mut self, seq: u16) {
        self.0 = Some(match self.0 {
            None => (seq, 0),
            Some((newest, bits)) => {
                let ahead = seq.wrapping_sub(newest);
                let behind = newest.wrapping_sub(seq);
                match ahead {
                    0 => (newest, bits),
                    1..=16 => {
                        let bits = u32::from(bits) << ahead | 1 << (ahead - 1);
                        (seq, bits as u16)
                    }
                    17..0x8000 => (seq, 0),
                    _ if behind <= 16 => (newest, bits | 1 << (behind - 1)),
                    _ => (newest, bits),
                }
            }
        });
    }
}

/// Whether an acknowledgement names this number.
fn names(ack: (u16, u16), seq: u16) -> bool {
    match ack.0.wrapping_sub(seq) {
        0 => true,
        behind @ 1..=16 => ack.1 & 1 << (behind - 1) != 0,
        _ => false,
    }
}

/// When something is said again, and under which numbers it was said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    sent: [u16; TRIES_MAX as usize],
    count: u8,
    /// When it is due.
    pub(crate) at: Millis,
}

impl Tries {
    pub(crate) const fn new(at: Millis) -> Self {
        Self {
            sent: [0; TRIES_MAX as usize],
            count: 0,
            at,
        }
    }

    /// It went out as `seq`; next at 60, 120, 240, 480 ms .. 2 s. Gives whether this was the last time.
    pub(crate) fn said(&mut self, seq: u16, now: Millis) -> bool {
        if let Some(place) = self.sent.get_mut(usize::from(self.count)) {
            *place = seq;
            self.count += 1;
        }
        let pause = (60_u64 << (self.count - 1).min(6)).min(2_000);
        let last = self.count >= TRIES_MAX;
        self.at = if last {
            Millis::NEVER
        } else {
            now.after(pause)
        };
        last
    }

    /// The peer is there: what was said in vain is said again.
    pub(crate) fn revive(&mut self, now: Millis) {
        if self.count >= TRIES_MAX {
            *self = Self::new(now);
        }
    }

    pub(crate) fn taken(&self, ack: (u16, u16)) -> bool {
        self.sent[..usize::from(self.count)]
            .iter()
            .any(|seq| names(ack, *seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixteen_before_the_newest_are_told() {
        let mut taken = Taken::default();
        for seq in [65_530, 65_535, 3, 1, 65_534] {
            taken.take(seq);
        }
        let ack = taken.newest().expect("some came");
        let told: std::vec::Vec<u16> = (0..=u16::MAX).filter(|seq| names(ack, *seq)).collect();
        assert_eq!(told, [1, 3, 65_530, 65_534, 65_535]);
        taken.take(200);
        assert_eq!(taken.newest(), Some((200, 0)));
        taken.take(199);
        assert_eq!(taken.newest(), Some((200, 1)));
        taken.take(100);
        assert_eq!(taken.newest(), Some((200, 1)));
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_end_after_eight_tries() {
        let (mut tries, mut now, mut pauses) = (Tries::new(Millis(0)), Millis(0), std::vec![]);
        for seq in 0..8 {
            let last = tries.said(seq, now);
            assert_eq!(last, seq == 7);
            pauses.push(tries.at.since(now));
            now = tries.at;
        }
        assert_eq!(pauses[..7], [60, 120, 240, 480, 960, 1_920, 2_000]);
        assert!(tries.taken((5, 0)) && tries.taken((9, 0b10)) && !tries.taken((9, 0)));
    }
}
