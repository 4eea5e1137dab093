//! What outlives a power cut: how each output was, and of which role. The runtime says when it is to be written, and
//! not more often than a flash takes for years; who calls it writes. Must not know what the bytes lie in.

use link::Millis;

use crate::output::{KEPT_LEN, Kept};

/// After the last change: a hand at a knob makes many.
const STILL_MS: u64 = 5_000;
/// Between two writes: a sector that takes 100,000 lasts for ten weeks of changes without a pause, and most homes have
/// pauses; whoever stores in turns over several sectors has as many times more.
const PAUSE_MS: u64 = 60_000;
/// The role's hash and the number of channels.
const HEAD: usize = 5;

/// Bytes of the record of a module with `channels` channels.
#[must_use]
pub const fn record_len(channels: usize) -> usize {
    HEAD + channels * KEPT_LEN
}

/// How each channel was.
pub(super) struct Record<const N: usize> {
    hash: u32,
    kept: [[u8; KEPT_LEN]; N],
    at: Option<Millis>,
    stored: Option<Millis>,
}

impl<const N: usize> Record<N> {
    /// Reads what was written before; bytes that make no sense are as good as none.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut record = Self {
            hash: 0,
            kept: [[0; KEPT_LEN]; N],
            at: None,
            stored: None,
        };
        if let Some(([a, b, c, d, count], rest)) = bytes.split_first_chunk::<HEAD>()
            && rest.len() >= usize::from(*count) * KEPT_LEN
        {
            record.hash = u32::from_le_bytes([*a, *b, *c, *d]);
            let all = rest.as_chunks::<KEPT_LEN>().0.iter().take((*count).into());
            for (kept, bytes) in record.kept.iter_mut().zip(all) {
                *kept = *bytes;
            }
        }
        record
    }

    /// How a channel of this role was.
    pub(super) fn kept(&self, hash: u32, channel: usize) -> Option<Kept> {
        let kept = self.kept.get(channel).filter(|_| self.hash == hash)?;
        Kept::decode(kept)
    }

    /// Another role: what was kept belongs to the one before.
    pub(super) fn begin(&mut self, hash: u32) {
        if self.hash != hash {
            self.hash = hash;
            self.kept = [[0; KEPT_LEN]; N];
        }
    }

    /// A channel is so now.
    pub(super) fn note(&mut self, channel: usize, kept: Kept, now: Millis) {
        let bytes = kept.encode();
        let Some(place) = self.kept.get_mut(channel) else {
            return;
        };
        if *place == bytes {
            return;
        }
        *place = bytes;
        let earliest = self.stored.map_or(now, |stored| stored.after(PAUSE_MS));
        self.at = Some(now.after(STILL_MS).max(earliest));
    }

    /// When it is to be written.
    pub(super) fn due(&self) -> Millis {
        self.at.unwrap_or(Millis::NEVER)
    }

    /// The record, where it is to be written now and `out` has room.
    pub(super) fn poll(&mut self, now: Millis, out: &mut [u8]) -> Option<usize> {
        if self.due() > now {
            return None;
        }
        let len = record_len(N);
        let (head, rest) = out.get_mut(..len)?.split_first_chunk_mut::<HEAD>()?;
        let [a, b, c, d] = self.hash.to_le_bytes();
        *head = [a, b, c, d, N as u8];
        for (out, kept) in rest.as_chunks_mut::<KEPT_LEN>().0.iter_mut().zip(self.kept) {
            *out = kept;
        }
        (self.at, self.stored) = (None, Some(now));
        Some(len)
    }
}
