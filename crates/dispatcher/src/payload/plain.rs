//! The JSON that modules of ours send, read in one pass: a flat object of short words, whole numbers,
//! `true` and `false`.
//!
//! Called by [`super::flat`] on the hot path, where the JSON library took a tenth of an event. Whatever looks
//! different (escapes, fractions, nesting, mistakes) is left to the library: nothing is refused here.

use std::borrow::Cow;

use super::flat::{PAIRS_MAX, Pair, Scalar};

/// Digits of a number that surely fits; longer ones are left to the library.
const DIGITS_MAX: usize = 15;

/// The pairs of `payload`; `None`: the JSON library has to look at it.
pub(super) fn pairs(payload: &[u8]) -> Option<Vec<Pair<'_>>> {
    let mut rest = Rest {
        text: std::str::from_utf8(payload).ok()?,
        at: 0,
    };
    let mut pairs = Vec::with_capacity(8);
    rest.skip(b'{')?;
    loop {
        rest.skip(b'"')?;
        let key = rest.word()?;
        rest.skip(b':')?;
        let value = rest.value()?;
        if pairs.len() == PAIRS_MAX {
            return None;
        }
        pairs.push((Cow::Borrowed(key), value));
        match rest.next()? {
            b',' => {}
            b'}' => return rest.is_over().then_some(pairs),
            _ => return None,
        }
    }
}

/// What each byte may be part of: a table, because five comparisons a byte were most of the reading.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        if byte != b'"' as usize && byte != b'\\' as usize {
            classes[byte] = WORD;
        }
        byte += 1;
    }
    let mut digit = b'0' as usize;
    while digit <= b'9' as usize {
        classes[digit] |= DIGIT;
        digit += 1;
    }
    let blanks = [b' ', b'\t', b'\n', b'\r'];
    let mut blank = 0;
    while blank < blanks.len() {
        classes[blanks[blank] as usize] |= BLANK;
        blank += 1;
    }
    classes
};
const WORD: u8 = 1;
const DIGIT: u8 = 2;
const BLANK: u8 = 4;

/// A text, and how far it is read.
#[derive(Clone, Copy)]
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// The byte that is read next.
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Where the bytes of `class` from here on end.
    fn end_of(&self, class: u8) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| CLASSES[usize::from(*byte)] & class == 0);
        self.at + len.unwrap_or(rest.len())
    }

    /// The next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        let mut byte = self.peek()?;
        if CLASSES[usize::from(byte)] & BLANK != 0 {
            self.at = self.end_of(BLANK);
            byte = self.peek()?;
        }
        self.at += 1;
        Some(byte)
    }

    /// Whether only blanks follow.
    fn is_over(&self) -> bool {
        self.end_of(BLANK) == self.text.len()
    }

    fn skip(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    /// A word up to its second quote.
    fn word(&mut self) -> Option<&'a str> {
        let end = self.end_of(WORD);
        let word = self.text.get(self.at..end)?;
        self.at = end;
        (self.peek()? == b'"').then(|| self.at += 1)?;
        Some(word)
    }

    fn value(&mut self) -> Option<Scalar<'a>> {
        match self.next()? {
            b'"' => self.word().map(|word| Scalar::Text(Cow::Borrowed(word))),
            b't' => self.tail("rue").map(|()| Scalar::Bool(true)),
            b'f' => self.tail("alse").map(|()| Scalar::Bool(false)),
            b'0' => self.number_ends().then_some(Scalar::Whole(0)),
            first @ b'1'..=b'9' => {
                let end = self.end_of(DIGIT);
                let digits = self.text.as_bytes().get(self.at..end)?;
                self.at = end;
                let add = |sum: u64, digit: &u8| sum * 10 + u64::from(digit - b'0');
                let fits = digits.len() < DIGITS_MAX && self.number_ends();
                fits.then(|| Scalar::Whole(digits.iter().fold(u64::from(first - b'0'), add)))
            }
            _ => None,
        }
    }

    fn tail(&mut self, expected: &str) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        self.at += rest.starts_with(expected).then_some(expected.len())?;
        Some(())
    }

    /// Whether no digit, fraction or exponent follows.
    fn number_ends(&self) -> bool {
        !matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'e' | b'E'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::payload::flat::by_library;

    #[test]
    fn what_modules_send_needs_no_library() {
        let event = br#" {"event":"press", "key":60,"down":true,"seq":0 }"#;
        let pairs = pairs(event).expect("it is plain");
        assert_eq!(pairs.len(), 4);
        assert_eq!(pairs[1], (Cow::Borrowed("key"), Scalar::Whole(60)));
        assert_eq!(pairs[2], (Cow::Borrowed("down"), Scalar::Bool(true)));
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_library() {
        for other in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"a":1.5}"#,
            r#"{"a":-1}"#,
            r#"{"a":01}"#,
            r#"{"a":1e3}"#,
            r#"{"a":null}"#,
            r#"{"a":"\n"}"#,
            r#"{"a":"ü"}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":truex}"#,
            r#"{"a":1234567890123456}"#,
            "{\"a\":\u{c}1}",
            r#"{"a":tru}"#,
            r#"{"a":{}}"#,
        ] {
            assert_eq!(pairs(other.as_bytes()), None, "{other}");
        }
    }

    /// Text that is nearly what modules send.
    fn nearly() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{"),
            Just("}"),
            Just("\""),
            Just(":"),
            Just(","),
            Just(" "),
            Just("\t"),
            Just("\u{b}"),
            Just("\u{c}"),
            Just("a"),
            Just("\"a\""),
            Just("\"event\":"),
            Just("1"),
            Just("0"),
            Just("007"),
            Just("-"),
            Just("."),
            Just("true"),
            Just("false"),
            Just("null"),
            Just("\\"),
            Just("ü"),
            Just("\"a\":1"),
            Just("\"b\":\"on\""),
            Just("99999999999999999999"),
        ];
        (proptest::collection::vec(piece, 0..12), any::<bool>()).prop_map(|(pieces, braces)| {
            let inner = pieces.concat();
            if braces {
                format!("{{{inner}}}")
            } else {
                inner
            }
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_reads(text in nearly()) {
            if let Some(read) = pairs(text.as_bytes()) {
                let library = by_library(text.as_bytes());
                prop_assert_eq!(Some(read), library.ok(), "{}", text);
            }
        }

        #[test]
        fn any_plain_object_is_read(
            keys in proptest::collection::vec("[a-z_]{1,9}", 1..6),
            numbers in proptest::collection::vec(0_u64..1_000_000_000_000_000, 6),
        ) {
            let body: Vec<String> = keys.iter().zip(&numbers).map(|(key, n)| format!("\"{key}\":{n}")).collect();
            let text = format!("{{{}}}", body.join(","));
            let read = pairs(text.as_bytes());
            prop_assert!(read.is_some());
            prop_assert_eq!(read, by_library(text.as_bytes()).ok());
        }
    }
}
