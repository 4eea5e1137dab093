//! MQTT in WebSocket frames (RFC 6455; MQTT 5, section 6), the server's side: bytes of the socket in, bytes of MQTT out,
//! and back.
//!
//! Called by [`super::wrap`]. Payloads pass through as they come, whatever frames they are cut into: what is held is
//! the request, the head of a frame, and the payload of a control frame. Knows no sockets and nothing of MQTT.

use std::io::Cursor;

use tungstenite::{
    handshake::{
        machine::TryParse,
        server::{Request, create_response, write_response},
    },
    protocol::frame::{
        FrameHeader,
        coding::{Control, Data, OpCode},
    },
};

use super::{Origins, wrap::Broken};

/// Longest request; browsers send about one KiB, and cookies.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Longest head of a frame (RFC 6455, section 5.2).
const HEAD_BYTES_MAX: usize = 14;

/// Longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// Answers that may wait for a client that doesn't read: pings beyond are not answered, as RFC 6455, section 5.5.3 allows.
const ANSWERS_BYTES_MAX: usize = 4 * 1024;

/// The subprotocol (MQTT 5, section 6).
const MQTT: &str = "mqtt";

/// Why we close (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Normal = 1000,
    Protocol = 1002,
    NotBinary = 1003,
    TooBig = 1009,
}

/// One connection.
#[derive(Debug)]
pub(super) struct WebSocket {
    stage: Stage,
    /// Longest frame that is taken.
    frame_bytes_max: u64,
    /// Pages that may come in.
    origins: Origins,
}

#[derive(Debug)]
enum Stage {
    /// The request, as far as it came.
    Request(Vec<u8>),
    Open(Frames),
    Closed,
}

/// Where in the stream of frames we are.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    /// The frame whose payload comes.
    frame: Option<Frame>,
    /// A message has begun and not ended.
    in_message: bool,
    control: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    mask: [u8; 4],
    /// Bytes of the payload so far, and still to come.
    done: u64,
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
    Close,
}

impl WebSocket {
    pub(super) fn new(frame_bytes_max: u32, origins: Origins) -> Self {
        Self {
            stage: Stage::Request(Vec::new()),
            frame_bytes_max: frame_bytes_max.into(),
            origins,
        }
    }

    /// Whether the client asked for MQTT and was answered.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Bytes of the socket: those of MQTT go to `plain`, what is to be answered to `answers`.
    ///
    /// # Errors
    /// The connection is over: write `answers`, and close.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        plain: &mut Vec<u8>,
        answers: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let taken = match &mut self.stage {
            Stage::Request(request) => match upgrade(request, bytes, &self.origins, answers) {
                Ok(None) => return Ok(()),
                Ok(Some(rest)) => {
                    let mut frames = Frames::default();
                    let taken = frames.take(rest, self.frame_bytes_max, plain, answers);
                    self.stage = Stage::Open(frames);
                    taken
                }
                Err(why) => Err(why),
            },
            Stage::Open(frames) => frames.take(bytes, self.frame_bytes_max, plain, answers),
            Stage::Closed => return Err(Broken::Ended),
        };
        if taken.is_err() {
            self.stage = Stage::Closed;
        }
        taken
    }

    /// `bytes` of MQTT as a frame.
    pub(super) fn seal(&self, bytes: &[u8], sealed: &mut Vec<u8>) {
        frame(OpCode::Data(Data::Binary), bytes, sealed);
    }

    /// Our last word, where it was not said.
    pub(super) fn goodbye(&mut self, sealed: &mut Vec<u8>) {
        if self.is_open() {
            close(Code::Normal, sealed);
        }
        self.stage = Stage::Closed;
    }
}

/// Takes the request; gives what stands behind it once it is whole and answered.
fn upgrade<'b>(
    request: &mut Vec<u8>,
    bytes: &'b [u8],
    origins: &Origins,
    answers: &mut Vec<u8>,
) -> Result<Option<&'b [u8]>, Broken> {
    const END: &[u8] = b"\r\n\r\n";
    let before = request.len();
    let room = REQUEST_BYTES_MAX.saturating_sub(before);
    request.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    // The end may have begun in what came before.
    let new = before.saturating_sub(END.len() - 1);
    let end = request
        .get(new..)
        .and_then(|new| new.windows(END.len()).position(|window| window == END));
    let Some(end) = end.map(|at| new + at + END.len()) else {
        if request.len() >= REQUEST_BYTES_MAX {
            return Err(refuse(
                "431 Request Header Fields Too Large",
                "the request is longer than 8 KiB",
                answers,
            ));
        }
        return Ok(None);
    };
    let no_websocket = "this port is for MQTT over WebSocket only";
    let parsed = Request::try_parse(request.get(..end).unwrap_or_default());
    let Ok(Some((_, asked))) = parsed else {
        return Err(refuse("400 Bad Request", no_websocket, answers));
    };
    let Ok(mut response) = create_response(&asked) else {
        return Err(refuse("400 Bad Request", no_websocket, answers));
    };
    if !may_come_in(&asked, origins) {
        let why = "no page of this origin may come in here; those of other hosts are listed in mqtt.websocket_origins";
        return Err(refuse("403 Forbidden", why, answers));
    }
    let named = asked.headers().get_all("Sec-WebSocket-Protocol").iter();
    let mut named = named
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if !named.any(|name| name.trim() == MQTT) {
        let why = "the subprotocol has to be 'mqtt' (Sec-WebSocket-Protocol)";
        return Err(refuse("400 Bad Request", why, answers));
    }
    let name = tungstenite::http::HeaderValue::from_static(MQTT);
    response
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", name);
    if write_response(&mut *answers, &response).is_err() {
        return Err(Broken::Misuse("its request can't be answered".into()));
    }
    *request = Vec::new();
    Ok(bytes.get(end - before..))
}

/// Whether a browser asks for a page that may: what asks without an origin is no browser.
fn may_come_in(asked: &Request, origins: &Origins) -> bool {
    let only = |name: &str| {
        let mut values = asked.headers().get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none());
        value.and_then(|value| value.to_str().ok())
    };
    match only("Origin") {
        Some(origin) => origins.admit(origin, only("Host")),
        None => !asked.headers().contains_key("Origin"),
    }
}

fn refuse(status: &str, why: &'static str, answers: &mut Vec<u8>) -> Broken {
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{why}\n"
    );
    answers.extend_from_slice(answer.as_bytes());
    Broken::Misuse(format!("no WebSocket of MQTT: {why}").into())
}

impl Frames {
    fn take(
        &mut self,
        mut bytes: &[u8],
        frame_bytes_max: u64,
        plain: &mut Vec<u8>,
        answers: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        loop {
            if self.frame.is_none() {
                match self.head(&mut bytes, frame_bytes_max) {
                    Ok(Some(frame)) => self.frame = Some(frame),
                    Ok(None) => return Ok(()),
                    Err((code, why)) => {
                        close(code, answers);
                        return Err(Broken::Misuse(why.into()));
                    }
                }
            }
            self.payload(&mut bytes, plain);
            match &self.frame {
                Some(frame) if frame.left == 0 => {}
                _ => return Ok(()),
            }
            self.ended(answers)?;
        }
    }

    /// The head of the next frame, as soon as it is whole.
    fn head(
        &mut self,
        bytes: &mut &[u8],
        frame_bytes_max: u64,
    ) -> Result<Option<Frame>, (Code, &'static str)> {
        let before = self.head_len;
        let more = bytes.len().min(HEAD_BYTES_MAX - before);
        for (to, from) in self.head.iter_mut().skip(before).zip(bytes.iter()) {
            *to = *from;
        }
        let known = self.head.get(..before + more).unwrap_or_default();
        let mut cursor = Cursor::new(known);
        let Ok(parsed) = FrameHeader::parse(&mut cursor) else {
            return Err((Code::Protocol, "a frame of a kind that there is not"));
        };
        let Some((header, length)) = parsed else {
            self.head_len = before + more;
            *bytes = &[];
            return Ok(None);
        };
        let used = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        *bytes = bytes.get(used.saturating_sub(before)..).unwrap_or_default();
        self.head_len = 0;
        self.begin(&header, length, frame_bytes_max).map(Some)
    }

    /// Whether a frame may begin here.
    fn begin(
        &mut self,
        header: &FrameHeader,
        length: u64,
        frame_bytes_max: u64,
    ) -> Result<Frame, (Code, &'static str)> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err((
                Code::Protocol,
                "a frame with an extension that was not agreed on",
            ));
        }
        let Some(mask) = header.mask else {
            return Err((Code::Protocol, "a frame that is not masked"));
        };
        let kind = match header.opcode {
            OpCode::Data(Data::Binary) if !self.in_message => Kind::Data,
            OpCode::Data(Data::Continue) if self.in_message => Kind::Data,
            OpCode::Data(Data::Text) => {
                return Err((Code::NotBinary, "a text frame: MQTT goes in binary ones"));
            }
            OpCode::Control(Control::Ping) => Kind::Ping,
            OpCode::Control(Control::Pong) => Kind::Pong,
            OpCode::Control(Control::Close) => Kind::Close,
            _ => return Err((Code::Protocol, "a frame out of its order")),
        };
        if kind == Kind::Data {
            if length > frame_bytes_max {
                return Err((Code::TooBig, "a frame longer than the largest packet"));
            }
            self.in_message = !header.is_final;
        } else if !header.is_final || length > CONTROL_BYTES_MAX as u64 {
            return Err((Code::Protocol, "a control frame that is too long or cut up"));
        }
        Ok(Frame {
            kind,
            mask,
            done: 0,
            left: length,
        })
    }

    /// As much of the payload as is there.
    fn payload(&mut self, bytes: &mut &[u8], plain: &mut Vec<u8>) {
        let Some(frame) = &mut self.frame else {
            return;
        };
        let len = usize::try_from(frame.left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (now, later) = bytes.split_at(len);
        *bytes = later;
        let to = match frame.kind {
            Kind::Data => plain,
            Kind::Ping | Kind::Pong | Kind::Close => &mut self.control,
        };
        let start = (frame.done % 4) as usize;
        let mask = frame.mask.iter().cycle().skip(start);
        to.extend(now.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        frame.done += len as u64;
        frame.left -= len as u64;
    }

    /// A frame is whole.
    fn ended(&mut self, answers: &mut Vec<u8>) -> Result<(), Broken> {
        let kind = self.frame.take().map(|frame| frame.kind);
        let said = std::mem::take(&mut self.control);
        match kind {
            Some(Kind::Ping) if answers.len() < ANSWERS_BYTES_MAX => {
                frame(OpCode::Control(Control::Pong), &said, answers);
            }
            Some(Kind::Close) => {
                // The same code back, as RFC 6455, section 5.5.1 wants it.
                let code = said.get(..2).unwrap_or_default();
                frame(OpCode::Control(Control::Close), code, answers);
                return Err(Broken::Ended);
            }
            _ => {}
        }
        Ok(())
    }
}

fn close(code: Code, sealed: &mut Vec<u8>) {
    let code = (code as u16).to_be_bytes();
    frame(OpCode::Control(Control::Close), &code, sealed);
}

fn frame(opcode: OpCode, payload: &[u8], sealed: &mut Vec<u8>) {
    let header = FrameHeader {
        opcode,
        mask: None,
        ..FrameHeader::default()
    };
    // A vector takes everything.
    let _ = header.format(payload.len() as u64, sealed);
    sealed.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: house\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: chat, mqtt\r\n\r\n";

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..=125 => bytes.push(0x80 | len as u8),
            len => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        bytes
    }

    /// What comes of frames behind a good request, handed over in pieces of `piece` bytes.
    fn take(frames: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>, Result<(), Broken>) {
        let mut socket = WebSocket::new(1_000, Origins::default());
        let (mut plain, mut answers) = (Vec::new(), Vec::new());
        for part in REQUEST.chunks(piece) {
            socket.take(part, &mut plain, &mut answers).unwrap();
        }
        assert!(socket.is_open());
        answers.clear();
        for part in frames.chunks(piece) {
            if let Err(why) = socket.take(part, &mut plain, &mut answers) {
                return (plain, answers, Err(why));
            }
        }
        (plain, answers, Ok(()))
    }

    #[test]
    fn a_request_is_answered_as_the_rfc_shows() {
        let mut socket = WebSocket::new(1_000, Origins::default());
        let (mut plain, mut answers) = (Vec::new(), Vec::new());
        let all = [REQUEST, &masked(0x82, b"both at once")].concat();
        socket.take(&all, &mut plain, &mut answers).unwrap();
        let answer = String::from_utf8(answers).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
        assert!(answer.contains("sec-websocket-protocol: mqtt\r\n"));
        assert_eq!(plain, b"both at once");
    }

    #[test]
    fn frames_cut_anywhere_come_out_whole() {
        let long = vec![7; 900];
        let frames = [
            masked(0x02, b"one "),
            masked(0x89, b"ping"),
            masked(0x80, b"two "),
            masked(0x82, b""),
            masked(0x8a, b""),
            masked(0x82, &long),
        ]
        .concat();
        for piece in [1, 2, 3, 7, 100, 5_000] {
            let (plain, answers, taken) = take(&frames, piece);
            taken.unwrap();
            assert_eq!(plain, [b"one two ".as_slice(), &long].concat(), "{piece}");
            assert_eq!(answers, b"\x8a\x04ping", "{piece}");
        }
    }

    #[test]
    // A frame that is not binary: MQTT-6.0.0-1 of both versions.
    fn what_is_no_frame_of_mqtt_is_closed_with_its_code() {
        let unmasked = b"\x82\x01x".to_vec();
        let mut long = masked(0x82, &[0; 1_001]);
        long.truncate(20);
        for (frames, code) in [
            (masked(0x81, b"text"), 1003_u16),
            (unmasked, 1002),
            (long, 1009),
            (masked(0x80, b"continues nothing"), 1002),
            ([masked(0x02, b""), masked(0x82, b"")].concat(), 1002),
            (masked(0x89, &[0; 126]), 1002),
            (masked(0x09, b""), 1002),
            (masked(0xc2, b""), 1002),
            (masked(0x83, b""), 1002),
            (
                b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
                1009,
            ),
        ] {
            for piece in [1, 100] {
                let (_, answers, taken) = take(&frames, piece);
                assert!(matches!(taken, Err(Broken::Misuse(_))), "{code} {frames:?}");
                let expected = [&[0x88, 2], code.to_be_bytes().as_slice()].concat();
                assert_eq!(answers, expected, "{frames:?}");
            }
        }
    }

    #[test]
    fn a_goodbye_is_answered_with_its_code_once() {
        let (plain, answers, taken) = take(
            &[masked(0x82, b"x"), masked(0x88, b"\x03\xe8bye")].concat(),
            3,
        );
        assert!(matches!(taken, Err(Broken::Ended)));
        assert_eq!(
            (plain.as_slice(), answers.as_slice()),
            (b"x".as_slice(), b"\x88\x02\x03\xe8".as_slice())
        );
    }

    #[test]
    fn pings_that_nobody_reads_the_answers_to_take_no_memory() {
        let frames = masked(0x89, &[0; 125]).repeat(1_000);
        let (_, answers, taken) = take(&frames, 100_000);
        taken.unwrap();
        assert!(answers.len() < ANSWERS_BYTES_MAX + 200);
    }

    #[test]
    fn a_request_without_end_or_for_something_else_is_refused() {
        let text = String::from_utf8(REQUEST.to_vec()).unwrap();
        for (request, status) in [
            (text.replace("chat, mqtt", "chat"), "400"),
            (
                text.replace("Sec-WebSocket-Protocol: chat, mqtt\r\n", ""),
                "400",
            ),
            (text.replace("GET", "POST"), "400"),
            (text.replace("Version: 13", "Version: 8"), "400"),
            (text.replace("Upgrade: websocket\r\n", ""), "400"),
            ("\u{10}\u{1}\r\n\r\n".to_owned(), "400"),
            ("x".repeat(9_000), "431"),
        ] {
            let mut socket = WebSocket::new(1_000, Origins::default());
            let (mut plain, mut answers) = (Vec::new(), Vec::new());
            let taken = socket.take(request.as_bytes(), &mut plain, &mut answers);
            assert!(matches!(taken, Err(Broken::Misuse(_))), "{request}");
            let answer = String::from_utf8(answers).unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_refused_and_what_is_no_browser_comes_in() {
        let text = String::from_utf8(REQUEST.to_vec()).unwrap();
        let (head, rest) = text.split_once("Host: ").unwrap();
        let (_, rest) = rest.split_once("\r\n").unwrap();
        let rest: String = rest
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("Origin"))
            .collect();
        let listed: [crate::tcp::Origin; 1] = ["https://panel.example.org".parse().unwrap()];
        let origins: Origins = listed.into_iter().collect();
        for (headers, status) in [
            ("Host: 10.0.0.1:8083\r\n", "101"),
            ("Host: 10.0.0.1:8083\r\nOrigin: http://10.0.0.1\r\n", "101"),
            (
                "Host: 10.0.0.1:8083\r\nOrigin: https://panel.example.org\r\n",
                "101",
            ),
            (
                "Host: 10.0.0.1:8083\r\nOrigin: https://evil.example\r\n",
                "403",
            ),
            ("Host: 10.0.0.1:8083\r\nOrigin: null\r\n", "403"),
            ("Host: 10.0.0.1:8083\r\nOrigin: \r\n", "403"),
            ("Origin: http://10.0.0.1\r\n", "403"),
            (
                "Host: 10.0.0.1\r\nOrigin: http://10.0.0.1\r\nOrigin: https://evil.example\r\n",
                "403",
            ),
            (
                "Host: 10.0.0.1\r\nHost: evil.example\r\nOrigin: http://10.0.0.1\r\n",
                "403",
            ),
        ] {
            let mut socket = WebSocket::new(1_000, origins.clone());
            let (mut plain, mut answers) = (Vec::new(), Vec::new());
            let request = format!("{head}{headers}{rest}");
            let taken = socket.take(request.as_bytes(), &mut plain, &mut answers);
            let answer = String::from_utf8(answers).unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{headers}: {answer}"
            );
            assert_eq!(taken.is_ok(), status == "101", "{headers}");
        }
    }
}
