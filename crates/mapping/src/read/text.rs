//! Texts of a TOML file: the decoded text, and for each range of it the place in the file.

use std::ops::Range;

use crate::source::{FileIx, Span};

/// A text and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// Decoded.
    pub(crate) text: &'a str,
    /// As it stands in the file, with its quotes.
    raw: &'a str,
    file: FileIx,
    /// Offset of `raw` in the file.
    start: usize,
}

impl<'a> Text<'a> {
    /// A text that stands as `raw` at `start` of `file`.
    pub(crate) fn new(text: &'a str, raw: &'a str, file: FileIx, start: usize) -> Self {
        Self {
            text,
            raw,
            file,
            start,
        }
    }

    /// The whole text with its quotes.
    pub(crate) fn span(&self) -> Span {
        Span {
            file: self.file,
            bytes: self.start..self.start + self.raw.len(),
        }
    }

    /// Where a byte range of the decoded text stands in the file.
    pub(crate) fn place(&self, range: Range<usize>) -> Span {
        let (from, to) = (
            self.offset(range.start, true),
            self.offset(range.end, false),
        );
        Span {
            file: self.file,
            bytes: self.start + from..self.start + to.max(from),
        }
    }

    /// Offset in `raw` of an offset in the decoded text: of the letter there, or the end of the one before.
    fn offset(&self, decoded: usize, of_letter: bool) -> usize {
        let (opening, escapes) = opening(self.raw);
        let closing = if opening >= 3 { 3 } else { opening };
        let body_end = self.raw.len().saturating_sub(closing).max(opening);
        let body = self.raw.get(opening..body_end).unwrap_or_default();
        if body.len() == self.text.len() || !escapes {
            return opening + decoded.min(body.len());
        }
        opening + walk(body, decoded, of_letter)
    }
}

/// Length of the opening quotes (with the newline that TOML drops), and whether escapes count.
fn opening(raw: &str) -> (usize, bool) {
    for (quotes, escapes) in [("\"\"\"", true), ("'''", false)] {
        if let Some(rest) = raw.strip_prefix(quotes) {
            let newline = match rest.as_bytes() {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => 0,
            };
            return (3 + newline, escapes);
        }
    }
    match raw.as_bytes().first() {
        Some(b'"') => (1, true),
        Some(b'\'') => (1, false),
        _ => (0, false),
    }
}

/// Walks the escapes of `body` until `decoded` bytes of text have gone by; with `of_letter` also past line
/// ends that stand for nothing.
fn walk(body: &str, decoded: usize, of_letter: bool) -> usize {
    let (mut raw_at, mut text_at) = (0, 0);
    let joins_lines = |rest: &str| {
        let rest = rest.strip_prefix('\\');
        of_letter && rest.is_some_and(|rest| rest.starts_with(char::is_whitespace))
    };
    while raw_at < body.len() && (text_at < decoded || joins_lines(&body[raw_at..])) {
        let rest = &body[raw_at..];
        let mut letters = rest.chars();
        match (letters.next(), letters.next()) {
            (Some('\\'), Some(next)) => {
                let (digits, bytes) = match next {
                    'x' => code_point(rest, 2),
                    'u' => code_point(rest, 4),
                    'U' => code_point(rest, 8),
                    c if c.is_whitespace() => {
                        let blank = rest[1..].len() - rest[1..].trim_start().len();
                        (blank.saturating_sub(next.len_utf8()), 0)
                    }
                    _ => (0, 1),
                };
                raw_at += 1 + next.len_utf8() + digits;
                text_at += bytes;
            }
            (Some(letter), _) => {
                raw_at += letter.len_utf8();
                text_at += letter.len_utf8();
            }
            (None, _) => break,
        }
    }
    raw_at.min(body.len())
}

/// How many digits an escape like `\u00e4` has, and how many bytes its letter takes.
fn code_point(escape: &str, digits: usize) -> (usize, usize) {
    let Some(hex) = escape.get(2..2 + digits) else {
        // A mistake, which the parser tells; what follows is no part of it.
        return (0, 1);
    };
    let code = u32::from_str_radix(hex, 16).ok();
    let letter = code.and_then(char::from_u32);
    (digits, letter.map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_inside_a_text_is_found_behind_quotes_and_escapes() {
        for (raw, text, word) in [
            ("\"state.hall\"", "state.hall", "hall"),
            ("'state.hall'", "state.hall", "hall"),
            ("\"\"\"\nstate.hall\"\"\"", "state.hall", "hall"),
            ("'''state.hall'''", "state.hall", "hall"),
            (r#""a\u00e4\" hall\t""#, "aä\" hall\t", "hall"),
            ("\"\"\"x \\\n   hall \\\"\"\"\"", "x hall \"", "hall"),
        ] {
            let file = format!("k = {raw}");
            let at = text.find(word).unwrap();
            let span = Text::new(text, raw, FileIx(0), 4).place(at..at + word.len());
            assert_eq!(&file[span.bytes], word, "{raw}");
        }
    }
    #[test]
    fn an_escape_that_is_cut_short_by_a_wide_letter_is_no_place_inside_of_it() {
        for raw in ["\"\\xé hall\"", "\"\\x\\é hall\"", "\"\\u0é hall\""] {
            let file = format!("k = {raw}");
            for at in 0..raw.len() {
                let span = Text::new(raw, raw, FileIx(0), 4).place(at..at);
                assert!(file.get(span.bytes).is_some(), "{raw} {at}");
            }
        }
    }
}
