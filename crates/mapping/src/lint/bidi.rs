//! Letters that turn the direction of the text around them: a file that holds them may not say what it seems to say
//! (CVE-2021-42574, "Trojan Source").
//!
//! Called over whole files, comments included; must not know what they mean.

use crate::{
    diagnostic::Diagnostic,
    source::{FileIx, Span},
};

/// Its name.
pub(crate) const LINT: &str = "bidi-control";

/// Lines of one file that are told.
const LINES_MAX: usize = 20;

/// Looks at one file; the first such letter of each line is told.
pub(crate) fn look(file: FileIx, text: &str, found: &mut Vec<Diagnostic>) {
    // Nearly all files: these letters begin with the same byte, and few others do.
    if !text.as_bytes().contains(&0xe2) {
        return;
    }
    let mut start = 0;
    let mut left = LINES_MAX;
    for line in text.split_inclusive('\n') {
        let turns = line.char_indices().find(|(_, letter)| turns(*letter));
        if let (Some((at, letter)), true) = (turns, left > 0) {
            left -= 1;
            let from = start + at;
            let span = Span {
                file,
                bytes: from..from + letter.len_utf8(),
            };
            let message = format!(
                "here stands U+{:04X}, which can't be seen and turns the direction of the text behind it",
                u32::from(letter)
            );
            found.push(
                Diagnostic::warning(LINT, span, message)
                    .label("the line may not say what it seems to say")
                    .help("delete it, or write it as \\u.... in a text where it is meant"),
            );
        }
        start += line.len();
    }
}

/// Embeddings, overrides and isolates of UAX #9.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
