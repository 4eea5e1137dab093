//! Places in a text as the protocol counts them: lines, and UTF-16 units within a line.

use std::ops::Range;

use lsp_types::{Position, Range as LspRange};

/// Byte offset of a position. One beyond its line's end means that end, one beyond the text the text's end.
pub(crate) fn offset(text: &str, position: Position) -> usize {
    let mut at = 0;
    for _ in 0..position.line {
        match after_line(text, at) {
            Some(next) => at = next,
            None => return text.len(),
        }
    }
    let mut units = 0;
    for letter in text[at..].chars() {
        if matches!(letter, '\n' | '\r') || units >= position.character {
            break;
        }
        units += letter.len_utf16() as u32;
        // A position within a pair of surrogates means the letter's beginning.
        if units > position.character {
            break;
        }
        at += letter.len_utf8();
    }
    at
}

/// Where the line after the one at `at` begins.
fn after_line(text: &str, at: usize) -> Option<usize> {
    let end = at + text[at..].find(['\n', '\r'])?;
    let length = if text[end..].starts_with("\r\n") {
        2
    } else {
        1
    };
    Some(end + length)
}

/// Positions in one text; asked for by the hundred.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let mut starts = vec![0];
        while let Some(next) = after_line(text, starts.last().copied().unwrap_or_default()) {
            starts.push(next);
        }
        Self { text, starts }
    }

    /// The position of a byte; of the letter that holds it.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let start = self.starts[line];
        let units: usize = self.text[start..offset].chars().map(char::len_utf16).sum();
        Position::new(line as u32, units as u32)
    }

    pub(crate) fn range(&self, bytes: &Range<usize>) -> LspRange {
        let start = self.position(bytes.start);
        LspRange::new(start, self.position(bytes.end.max(bytes.start)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_count_utf_16_units() {
        // 𝄞 takes two units and four bytes, ä one and two, the combining accent one and two.
        let text = "a𝄞b\r\nä = \"e\u{301}\"\rc\n\n";
        for (line, character, byte) in [
            (0, 0, 0),
            (0, 1, 1),
            (0, 2, 1),
            (0, 3, 5),
            (0, 4, 6),
            (0, 9, 6),
            (1, 1, 10),
            (1, 7, 17),
            (2, 0, 19),
            (2, 1, 20),
            (3, 0, 21),
            (4, 0, 22),
            (9, 9, 22),
        ] {
            let found = offset(text, Position::new(line, character));
            assert_eq!(found, byte, "{line}:{character}");
        }
        let lines = Lines::of(text);
        assert_eq!(lines.position(5), Position::new(0, 3));
        assert_eq!(lines.position(3), Position::new(0, 1));
        assert_eq!(lines.position(17), Position::new(1, 7));
        assert_eq!(lines.position(99), Position::new(4, 0));
    }

    proptest! {
        #[test]
        fn a_position_leads_back_to_its_byte(text in "[a-cä𝄞\u{301}\r\n]{0,40}", at in 0_usize..80) {
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            // Between a line end's two bytes there is no position.
            prop_assume!(!(text[..at].ends_with('\r') && text[at..].starts_with('\n')));
            let position = Lines::of(&text).position(at);
            prop_assert_eq!(offset(&text, position), at);
        }

        #[test]
        fn any_position_is_some_byte(text in "\\PC{0,20}", line in any::<u32>(), character in any::<u32>()) {
            let at = offset(&text, Position::new(line % 5, character));
            prop_assert!(text.is_char_boundary(at));
        }
    }
}
