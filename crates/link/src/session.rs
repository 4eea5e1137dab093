//! Keys of one session and what was sealed and opened with them. Called by the state machines of both ends. Must not
//! know what messages mean. Keys are wiped when it is dropped.

use core::fmt;

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use wire::{Data, Plain, PlainError, Secret, TAG_LEN};

use crate::replay::Window;

/// Frames that a session seals at most; it was to be replaced at 2^32.
pub const FRAMES_HARD_MAX: u64 = 1 << 40;

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The session is used up: a new handshake is due.
    UsedUp,
    /// The message does not fit.
    Plain(PlainError),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsedUp => f.write_str("the session is used up"),
            Self::Plain(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SealError {}

/// Why a frame was not opened. None of it is ever told to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Its counter came already, or is too old to tell.
    Replayed,
    /// The tag is wrong.
    Refused,
    /// It is genuine and no message: the sender's firmware is at fault.
    Plain(PlainError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replayed => f.write_str("a frame that came already, or is too old to tell"),
            Self::Refused => f.write_str("a frame that does not authenticate"),
            Self::Plain(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

/// One end of a session.
pub struct Session {
    send: Secret,
    receive: Secret,
    peer_index: u32,
    sealed: u64,
    window: Window,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer_index", &self.peer_index)
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(send: Secret, receive: Secret, peer_index: u32) -> Self {
        Self {
            send,
            receive,
            peer_index,
            sealed: 0,
            window: Window::new(),
        }
    }

    /// The keys, changed so that a search for them does not find what searches.
    #[cfg(test)]
    pub(crate) fn keys_flipped(&self) -> [[u8; 32]; 2] {
        [&self.send, &self.receive].map(|key| key.expose().map(|byte| !byte))
    }

    /// Frames that were sealed.
    #[must_use]
    pub const fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Seals a message into a DATA frame at the start of `out` and gives its length. Each counter is used once, also
    /// where sealing fails.
    ///
    /// # Errors
    /// The session is used up, or the message does not fit.
    pub fn seal(&mut self, plain: &Plain<'_>, out: &mut [u8]) -> Result<usize, SealError> {
        self.seal_with(out, |room| plain.encode(room))
    }

    fn seal_with(
        &mut self,
        out: &mut [u8],
        fill: impl FnOnce(&mut [u8]) -> Result<usize, PlainError>,
    ) -> Result<usize, SealError> {
        const ROOM: SealError = SealError::Plain(PlainError::Room);
        let counter = self.sealed;
        if counter >= FRAMES_HARD_MAX {
            return Err(SealError::UsedUp);
        }
        self.sealed += 1;
        let (header, rest) = out
            .split_first_chunk_mut::<{ Data::HEADER_LEN }>()
            .ok_or(ROOM)?;
        *header = Data::header(self.peer_index, counter);
        let len = fill(rest).map_err(SealError::Plain)?;
        let (text, rest) = rest.split_at_mut_checked(len).ok_or(ROOM)?;
        let place = rest.first_chunk_mut::<TAG_LEN>().ok_or(ROOM)?;
        let cipher = ChaCha20Poly1305::new(self.send.expose().into());
        let tag = cipher.encrypt_in_place_detached(&nonce(counter).into(), header, text);
        *place = tag.map_err(|_| ROOM)?.into();
        Ok(Data::HEADER_LEN + len + TAG_LEN)
    }

    /// Opens a frame of the peer into the start of `out`. Its counter counts only once it authenticated.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<'a>(&mut self, data: &Data<'_>, out: &'a mut [u8]) -> Result<Plain<'a>, OpenError> {
        let len = self.open_bytes(data, out)?;
        Plain::decode(&out[..len]).map_err(OpenError::Plain)
    }

    fn open_bytes(&mut self, data: &Data<'_>, out: &mut [u8]) -> Result<usize, OpenError> {
        if !self.window.may_come(data.counter) {
            return Err(OpenError::Replayed);
        }
        let (sealed, tag) = data
            .sealed
            .split_last_chunk::<TAG_LEN>()
            .ok_or(OpenError::Refused)?;
        let text = out
            .get_mut(..sealed.len())
            .ok_or(OpenError::Plain(PlainError::Room))?;
        text.copy_from_slice(sealed);
        let header = Data::header(data.receiver_index, data.counter);
        let cipher = ChaCha20Poly1305::new(self.receive.expose().into());
        cipher
            .decrypt_in_place_detached(&nonce(data.counter).into(), &header, text, tag.into())
            .map_err(|_| OpenError::Refused)?;
        self.window.came(data.counter);
        Ok(sealed.len())
    }
}

/// Noise's: four zeros and the counter.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_other_bytes_is_the_vectors() {
        let (device, mut dispatcher) = crate::noise::tests::vector_sessions();
        let mut device = device;
        let mut out = [0; 64];
        let fill = |room: &mut [u8]| {
            room[..5].copy_from_slice(b"event");
            Ok(5)
        };
        let len = device.seal_with(&mut out, fill).expect("there is room");
        let vector = "130088776655000000000000aab7f421fbdb6ad15aba8f389a288b270ffefcf39b";
        assert_eq!(crate::noise::tests::hex(&out[..len]), vector);
        let Ok(wire::Frame::Data(data)) = wire::Frame::decode(&out[..len]) else {
            panic!("a DATA frame");
        };
        let mut text = [0; 64];
        assert_eq!(dispatcher.open_bytes(&data, &mut text), Ok(5));
        assert_eq!(&text[..5], b"event");
    }

    #[test]
    fn a_session_that_is_used_up_seals_nothing() {
        let (mut device, _) = crate::noise::tests::vector_sessions();
        device.sealed = FRAMES_HARD_MAX;
        let plain = Plain {
            kind: wire::Kind::Ack,
            ack_me: false,
            seq: 0,
            ack: None,
            body: &[],
        };
        assert_eq!(device.seal(&plain, &mut [0; 64]), Err(SealError::UsedUp));
    }
}
