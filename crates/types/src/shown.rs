//! Text from outside as people may see it: on a terminal, in a log, in a message.

use core::fmt;

/// A text that can't act on what shows it: control characters are escaped, which could clear a terminal or begin
/// a line that nobody said, and so are characters that turn the direction of the text around them.
///
/// ```
/// assert_eq!(types::Shown("warm\u{1b}[2J\nhall.lamp on").to_string(), r"warm\u{1b}[2J\nhall.lamp on");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(acts) {
            let (plain, from) = rest.split_at(at);
            f.write_str(plain)?;
            let mut chars = from.chars();
            if let Some(acting) = chars.next() {
                write!(f, "{}", acting.escape_default())?;
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// Controls of C0 and C1, ends of lines and paragraphs, and what Unicode calls bidirectional controls (UAX #9).
fn acts(c: char) -> bool {
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
            ("a\u{1b}]0;PWN\u{7}", r"a\u{1b}]0;PWN\u{7}"),
            ("\u{9b}2J\u{7f}", r"\u{9b}2J\u{7f}"),
            ("\r\n\tb", r"\r\n\tb"),
            (
                "\u{202e}evil\u{2066}\u{2028}",
                r"\u{202e}evil\u{2066}\u{2028}",
            ),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
    }
}
