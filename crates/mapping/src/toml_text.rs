//! Keys and texts as TOML writes them, for whoever writes files of a house. Must not know what they say.

use std::fmt::Write;

/// A key, quoted where it must be.
#[must_use]
pub fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-');
    if bare { name.to_owned() } else { text(name) }
}

/// A text in double quotes; never over several lines.
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What turns the direction of writing shows other texts than there are.
            letter if types::is_acting(letter) => {
                // Writing to a string can't fail.
                let _ = write!(out, "\\u{:04X}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stands_on_one_line_and_reads_the_same() {
        for words in [
            "",
            "hall-off",
            "a b",
            "ä\"\\\n\r\t'",
            "\u{7f}\u{0}\u{2028}\u{202e}x",
        ] {
            let line = format!("{} = {}", key(words), text(words));
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(!line.contains(types::is_acting), "{line:?}");
            let table = toml::de::DeTable::parse(&line).expect(words);
            let value = table.get_ref().get(words).expect(words);
            assert_eq!(value.get_ref().as_str(), Some(words));
        }
    }
}
