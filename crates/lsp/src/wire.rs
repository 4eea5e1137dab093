//! Messages on the wire: a header with the length, then JSON.
//!
//! `lsp_server` has a reader too; it makes room for whatever length a header claims, and ends at the first
//! body that it can't read. An editor's plugin is no friend to be trusted that far.

use std::io::{self, BufRead, Read, Write};

use lsp_server::Message;

/// Longest body: a file of a house has at most 4 MB, a control character takes six bytes in JSON, and a request names more than the file.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest header.
const HEADER_BYTES_MAX: u64 = 8 * 1024;

/// What was read.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message.
    Message(Message),
    /// A body that is no message; says why.
    Strange(String),
}

/// Reads one message; `None`: the other side hung up.
///
/// # Errors
/// The header makes no sense, so that nobody knows where the next message begins.
pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let Some(length) = header(from)? else {
        return Ok(None);
    };
    let mut body = Vec::new();
    let read = from.take(length).read_to_end(&mut body)?;
    if (read as u64) < length {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice(&body) {
        Ok(message) => Incoming::Message(message),
        Err(error) => Incoming::Strange(error.to_string()),
    }))
}

/// Reads a header; out comes the body's length.
fn header(from: &mut impl BufRead) -> io::Result<Option<u64>> {
    let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let mut length = None;
    let mut left = HEADER_BYTES_MAX;
    loop {
        let mut line = Vec::new();
        let read = from.take(left).read_until(b'\n', &mut line)? as u64;
        if read == 0 && left > 0 {
            return Ok(None);
        }
        left = left.saturating_sub(read);
        if left == 0 {
            return wrong("the header has no end".to_owned());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return wrong(format!("`{line}` is no line of a header"));
        };
        if name.trim().eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    match length {
        Some(length) if length <= BODY_BYTES_MAX => Ok(Some(length)),
        Some(length) => wrong(format!("a message of {length} bytes is too long")),
        None => wrong("the header has no Content-Length".to_owned()),
    }
}

/// Writes one message.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn write(to: &mut impl Write, body: &serde_json::Value) -> io::Result<()> {
    let body = body.to_string();
    write!(to, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (usize, usize, Option<String>) {
        let mut from = bytes;
        let (mut messages, mut strange) = (0, 0);
        loop {
            match read(&mut from) {
                Ok(Some(Incoming::Message(_))) => messages += 1,
                Ok(Some(Incoming::Strange(_))) => strange += 1,
                Ok(None) => return (messages, strange, None),
                Err(error) => return (messages, strange, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn messages_are_read_and_a_strange_body_costs_itself_alone() {
        let mut bytes = Vec::new();
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "ä" });
        write(&mut bytes, &body).unwrap();
        bytes.extend(b"content-length:3\nContent-Type: x\n\n{1}");
        write(&mut bytes, &body).unwrap();
        assert_eq!(all(&bytes), (2, 1, None));
        assert_eq!(all(&bytes[..bytes.len() - 1]), (1, 1, None));
    }

    #[test]
    fn a_header_that_lies_ends_the_connection_and_takes_no_memory() {
        for (bytes, word) in [
            (
                &b"Content-Length: 18446744073709551615\r\n\r\n"[..],
                "too long",
            ),
            (
                b"Content-Length: 99999999999999999999\r\n\r\n",
                "no Content-Length",
            ),
            (b"Content-Length: -1\r\n\r\n", "no Content-Length"),
            (b"\r\n", "no Content-Length"),
            (b"GET / HTTP/1.1\r\n", "no line of a header"),
            (&[b'x'; 10_000], "no end"),
        ] {
            let (_, _, error) = all(bytes);
            assert!(
                error.as_ref().is_some_and(|error| error.contains(word)),
                "{error:?}"
            );
        }
    }
}
