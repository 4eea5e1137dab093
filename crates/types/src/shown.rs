//! Text from outside as people may see it: on a terminal, in a log, in a message.

use core::fmt;

/// A text that can't act on what shows it: control characters are escaped, which could clear a terminal or begin
/// a line that nobody said, and so are characters that turn the direction of the text around them. They are escaped as JSON, TOML and
/// the mapping's expressions have it: a text in any of these stays what it is.
///
/// ```
/// assert_eq!(types::Shown("warm\u{1b}[2J\nhall.lamp on").to_string(), r"warm\u001b[2J\nhall.lamp on");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, |_| false, f)
    }
}

/// Several lines of which none can act on what shows them: as [`Shown`], but the ends of lines stay.
///
/// ```
/// assert_eq!(types::ShownLines("warm\u{9b}2J\nhall.lamp on\n").to_string(), "warm\\u009b2J\nhall.lamp on\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ShownLines<'a>(pub &'a str);

impl fmt::Display for ShownLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, |c| c == '\n', f)
    }
}

fn escape(text: &str, stays: fn(char) -> bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c| is_acting(c) && !stays(c)) {
        let (plain, from) = rest.split_at(at);
        f.write_str(plain)?;
        let mut chars = from.chars();
        match chars.next() {
            Some('\n') => f.write_str("\\n")?,
            Some('\r') => f.write_str("\\r")?,
            Some('\t') => f.write_str("\\t")?,
            Some(acting) => write!(f, "\\u{:04x}", u32::from(acting))?,
            None => {}
        }
        rest = chars.as_str();
    }
    f.write_str(rest)
}

/// Whether a character does something to what shows it instead of being shown: controls of C0 and C1, ends of lines and paragraphs,
/// and what Unicode calls bidirectional controls (UAX #9). Each has at most four hexadecimal digits.
#[must_use]
pub fn is_acting(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_all_else_stays() {
        for (text, shown) in [
            ("", ""),
            ("Gästebad 21 °C 🛁", "Gästebad 21 °C 🛁"),
            ("a\u{1b}]0;PWN\u{7}", r"a\u001b]0;PWN\u0007"),
            ("\u{9b}2J\u{7f}", r"\u009b2J\u007f"),
            ("\r\n\tb", r"\r\n\tb"),
            ("\u{202e}evil\u{2066}\u{2028}", r"\u202eevil\u2066\u2028"),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
    }

    #[test]
    fn ends_of_lines_stay_where_lines_are_shown() {
        let text = "a\u{202e}b\r\n\tc\u{85}\n";
        assert_eq!(ShownLines(text).to_string(), "a\\u202eb\\r\n\\tc\\u0085\n");
    }
}
