//! What lies between a socket and MQTT: TLS, WebSocket frames, or both. Bytes in, bytes out; a plain connection has none.
//!
//! Called by [`super::connection`]. What it holds is bounded: a record of TLS, the head of a frame, and one piece of
//! output that the socket did not take yet. Knows no sockets, and no clock.

use std::{
    borrow::Cow,
    io::{BufRead, Write},
};

use rustls::ServerConnection;

use super::{handshake, websocket::WebSocket};

/// MQTT bytes that are wrapped at a time: what a record of TLS holds.
const PIECE_BYTES: usize = 16 * 1024;

/// Room that stays when a piece has left.
const KEPT_BYTES: usize = 4 * 1024;

/// Why a wrapped connection is over.
#[derive(Debug)]
pub(super) enum Broken {
    /// The peer said goodbye.
    Ended,
    /// The peer sent what makes no sense.
    Misuse(Cow<'static, str>),
}

/// What a connection is wrapped in.
pub(super) struct Wrap {
    tls: Tls,
    web: Option<WebSocket>,
    /// Wrapped bytes, and how many of them the socket took.
    wire: Vec<u8>,
    sent: usize,
    /// How many bytes of the core's output are in `wire`.
    owed: usize,
}

enum Tls {
    Without,
    /// [`super::handshake`] is at it.
    Shaking,
    Agreed(Box<ServerConnection>),
}

impl Wrap {
    pub(super) fn new(is_tls: bool, web: Option<WebSocket>) -> Self {
        Self {
            tls: if is_tls { Tls::Shaking } else { Tls::Without },
            web,
            wire: Vec::new(),
            sent: 0,
            owed: 0,
        }
    }

    /// The TLS handshake is done.
    pub(super) fn agreed(&mut self, tls: ServerConnection) {
        self.tls = Tls::Agreed(Box::new(tls));
    }

    /// Whether bytes of MQTT can go out.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.tls, Tls::Shaking) && self.is_upgraded() != Some(false)
    }

    /// Whether the WebSocket is open, where there is one.
    pub(super) fn is_upgraded(&self) -> Option<bool> {
        self.web.as_ref().map(WebSocket::is_open)
    }

    /// Bytes of the socket; those of MQTT are appended to `plain`, and answers to what is to be written.
    pub(super) fn take(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Broken> {
        let mut answers = Vec::new();
        let taken = match &mut self.tls {
            Tls::Shaking => Ok(()),
            Tls::Without => pass(&mut self.web, bytes, plain, &mut answers),
            Tls::Agreed(tls) => loop {
                match decrypt(tls, &mut bytes, &mut self.web, plain, &mut answers) {
                    Ok(()) if bytes.is_empty() => break Ok(()),
                    Ok(()) => {}
                    Err(why) => break Err(why),
                }
            },
        };
        self.append(&answers);
        taken
    }

    /// What is to be written.
    pub(super) fn wire(&self) -> &[u8] {
        self.wire.get(self.sent..).unwrap_or_default()
    }

    /// The socket took so many bytes.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.wire.len() {
            self.sent = 0;
            self.wire.clear();
            self.wire.shrink_to(KEPT_BYTES);
        }
    }

    /// How many bytes of the core's output have left; each is told once.
    pub(super) fn paid(&mut self) -> usize {
        if self.wire.is_empty() {
            std::mem::take(&mut self.owed)
        } else {
            0
        }
    }

    /// Wraps the next piece of the core's output.
    pub(super) fn seal(&mut self, output: &[u8]) {
        let piece = output.get(..PIECE_BYTES).unwrap_or(output);
        self.owed += piece.len();
        match &self.web {
            Some(web) => {
                let mut sealed = Vec::with_capacity(piece.len() + 4);
                web.seal(piece, &mut sealed);
                self.append(&sealed);
            }
            None => self.append(piece),
        }
    }

    /// Our last words, behind what is there.
    pub(super) fn goodbye(&mut self) {
        let mut last = Vec::new();
        if let Some(web) = &mut self.web {
            web.goodbye(&mut last);
        }
        self.append(&last);
        if let Tls::Agreed(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.append(&[]);
    }

    /// Encrypts where there is TLS, and lets out what it wants to say by itself.
    fn append(&mut self, mut bytes: &[u8]) {
        let Tls::Agreed(tls) = &mut self.tls else {
            self.wire.extend_from_slice(bytes);
            return;
        };
        loop {
            // A vector takes everything, so that there is always room for more.
            let written = tls.writer().write(bytes).unwrap_or_default();
            bytes = bytes.get(written..).unwrap_or_default();
            while tls.wants_write() && tls.write_tls(&mut self.wire).is_ok_and(|len| len > 0) {}
            if bytes.is_empty() || written == 0 {
                return;
            }
        }
    }
}

/// Bytes that are no TLS, or no more.
fn pass(
    web: &mut Option<WebSocket>,
    bytes: &[u8],
    plain: &mut Vec<u8>,
    answers: &mut Vec<u8>,
) -> Result<(), Broken> {
    match web {
        Some(web) => web.take(bytes, plain, answers),
        None => {
            plain.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// As many bytes as the library takes at a time.
fn decrypt(
    tls: &mut ServerConnection,
    bytes: &mut &[u8],
    web: &mut Option<WebSocket>,
    plain: &mut Vec<u8>,
    answers: &mut Vec<u8>,
) -> Result<(), Broken> {
    let misuse = |why: String| Broken::Misuse(why.into());
    if !bytes.is_empty() {
        let read = tls.read_tls(bytes);
        read.map_err(|error| misuse(format!("TLS: {error}")))?;
    }
    let state = tls.process_new_packets();
    let state = state.map_err(|error| misuse(handshake::in_words(&error)))?;
    loop {
        let mut reader = tls.reader();
        let Ok(data) = reader.fill_buf() else {
            break;
        };
        if data.is_empty() {
            break;
        }
        let len = data.len();
        pass(web, data, plain, answers)?;
        reader.consume(len);
    }
    if state.peer_has_closed() {
        return Err(Broken::Ended);
    }
    Ok(())
}
