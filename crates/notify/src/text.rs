//! Texts as they may leave: rules fill them with what devices say, and devices say anything.

/// Longest text, in bytes: ntfy makes an attachment of more than 4,096.
pub const BYTES_MAX: usize = 3_900;

/// Longest subject of a mail, in characters.
const SUBJECT_CHARS_MAX: usize = 100;

/// Shown where a text was cut.
const CUT: &str = " ..";

/// The text with line ends and tabs, without other control characters and without what changes the direction
/// of what follows it, cut to [`BYTES_MAX`].
#[must_use]
pub fn body(text: &str) -> String {
    let mut body = String::with_capacity(text.len().min(BYTES_MAX));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\r' if chars.peek() == Some(&'\n') => continue,
            '\r' => '\n',
            '\n' | '\t' => c,
            c if c.is_control() || is_direction(c) => '\u{FFFD}',
            c => c,
        };
        if body.len() + c.len_utf8() > BYTES_MAX - CUT.len() {
            body.push_str(CUT);
            break;
        }
        body.push(c);
    }
    body
}

/// One line of a text, for a subject: nothing in it can end the line.
#[must_use]
pub fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control() || is_line_end(c));
    let mut line = String::new();
    let words = words.filter(|word| !word.is_empty());
    for c in words.flat_map(|word| word.chars().chain([' '])) {
        let c = if is_direction(c) { '\u{FFFD}' } else { c };
        line.push(c);
    }
    let line = line.trim_end();
    match line.char_indices().nth(SUBJECT_CHARS_MAX) {
        Some((at, _)) => format!("{}{CUT}", line[..at].trim_end()),
        None => line.to_owned(),
    }
}

/// What another side said, as it may stand in a log.
pub(crate) fn quoted(text: &str) -> String {
    line(text)
}

/// Line and paragraph separators, which some programs take for line ends.
fn is_line_end(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// Characters that turn the direction of writing, so that a text may read as another one.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_lines_and_nothing_else_that_steers() {
        for (text, expected) in [
            ("hall went offline.", "hall went offline."),
            ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
            (
                "a\0b\u{1b}[31m\u{7f}\u{85}",
                "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}\u{FFFD}",
            ),
            ("\u{202e}evil", "\u{FFFD}evil"),
            ("Grüße 🌡", "Grüße 🌡"),
        ] {
            assert_eq!(body(text), expected);
        }
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        for text in ["x".repeat(10_000), "ü".repeat(10_000), "🌡".repeat(10_000)] {
            let body = body(&text);
            assert!(body.len() <= BYTES_MAX && body.len() > BYTES_MAX - 8);
            assert!(body.ends_with(CUT));
        }
        let fits = "x".repeat(BYTES_MAX - CUT.len());
        assert_eq!(body(&fits), fits);
    }

    #[test]
    fn a_line_is_one_line() {
        for (text, expected) in [
            ("hall went offline.", "hall went offline."),
            (
                "a\r\nBcc: everybody@example.org\r\n\r\nb",
                "a Bcc: everybody@example.org b",
            ),
            ("a\u{2028}b\u{85}c\0d\u{b}e", "a b c d e"),
            ("  \n ", ""),
        ] {
            assert_eq!(line(text), expected);
        }
        let long = line(&"ü ".repeat(10_000));
        assert!(long.chars().count() <= SUBJECT_CHARS_MAX + CUT.len());
    }
}
