//! What hands write by habit or word processors put there, and TOML does not know: `//` comments, `;` at the end of
//! a line, typographic quotes, a comma in a number.
//!
//! Called with the place of a syntax error. Must not know what the tables mean.

use std::ops::Range;

/// Quotes that open a text elsewhere.
const OPENING: [char; 6] = ['“', '”', '„', '‘', '’', '‚'];

/// Where the number begins of which `column` is the comma, as in `latitude = 52,5`, and as it is written here.
fn comma_in_number(line: &str, column: usize) -> Option<(usize, String)> {
    let (before, behind) = (line.get(..column)?, line.get(column..)?.strip_prefix(',')?);
    let whole = before.rsplit_once('=')?.1.trim_start();
    let fraction = behind.split('#').next()?.trim();
    let is_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let is_number = is_digits(whole.trim_start_matches('-')) && is_digits(fraction);
    is_number.then(|| (column - whole.len(), format!("{whole}.{fraction}")))
}

/// What stands around `at`: its place, what is wrong with it, and what to write.
pub(super) fn look(text: &str, at: usize) -> Option<(Range<usize>, &'static str, String)> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let place = |from: usize, length: usize| start + from..start + from + length;
    let column = at - start;
    let indent = line.len() - line.trim_start().len();
    for mark in ["//", "/*"] {
        let is_comment = line[indent..].starts_with(mark);
        let from = if is_comment { indent } else { column };
        if is_comment
            || line
                .get(column..)
                .is_some_and(|rest| rest.starts_with(mark))
        {
            let words = line[from..].trim_matches(|c: char| c.is_whitespace() || "/*".contains(c));
            let place = place(from, mark.len());
            return Some((
                place,
                "a comment begins with `#`",
                format!("write # {words}"),
            ));
        }
    }
    let rest = line.get(column..)?;
    // `5 // five`: the mistake begins with the value.
    let bare = &rest[..rest.find(['"', '\'', '#']).unwrap_or(rest.len())];
    if let Some(behind) = bare.find(" //") {
        let from = column + behind + 1;
        let words = line[from..].trim_matches(|c: char| c.is_whitespace() || "/*".contains(c));
        let message = "a comment begins with `#`";
        return Some((place(from, 2), message, format!("write # {words}")));
    }
    if let Some((from, number)) = comma_in_number(line, column) {
        let message = "a number has a point, not a comma";
        return Some((
            place(from, number.len()),
            message,
            format!("write {number}"),
        ));
    }
    if rest.starts_with(';') {
        let message = "no `;` ends a line here";
        return Some((place(column, 1), message, "leave it away".to_owned()));
    }
    let written = rest.strip_prefix(OPENING)?;
    let word = &written[..written.find(OPENING).unwrap_or(written.len())];
    let length = rest.len() - written.len() + word.len();
    let closing = written[word.len()..]
        .chars()
        .next()
        .map_or(0, char::len_utf8);
    let message = "texts stand in straight quotes, not in typographic ones";
    Some((
        place(column, length + closing),
        message,
        format!("write \"{word}\""),
    ))
}
