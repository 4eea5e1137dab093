//! Values without the quotes that they need: `for = 15m`, `enabled = yes`, `when = hall.motion.start`.
//!
//! TOML can't read them, and a parser makes them a number or a truth value at random; but what was meant is plain. They are read
//! as texts, so that what else is wrong with their table is told in the same go. Must not know what the tables mean.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use super::slip;
use crate::{diagnostic::Diagnostic, source::Span, units};

/// Keys that take the words `on` and `off`; elsewhere these are meant as truth values.
const TAKE_WORDS: [&str; 2] = ["at_boot", "when_lost"];

/// Longest value that help repeats.
const SHOWN_BYTES_MAX: usize = 100;

/// Reads each value of `table` in which one of the parser's `problems` lies as a text, where it is a word that lacks its
/// quotes. Out come the places of these in `text`.
pub(super) fn mend<'a>(
    table: &mut DeTable<'a>,
    text: &'a str,
    problems: &[Error],
) -> Vec<Range<usize>> {
    let starts = problems
        .iter()
        .filter_map(|problem| Some(problem.span()?.start));
    let mut mender = Mender {
        text,
        starts: starts.collect(),
        mended: Vec::new(),
    };
    mender.table(table);
    mender.mended
}

struct Mender<'a> {
    text: &'a str,
    /// Where the parser's problems begin.
    starts: Vec<usize>,
    mended: Vec<Range<usize>>,
}

impl<'a> Mender<'a> {
    fn table(&mut self, table: &mut DeTable<'a>) {
        for (_, value) in table.iter_mut() {
            self.value(value);
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'a>>) {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(list) => list.iter_mut().for_each(|value| self.value(value)),
            scalar => {
                let written = self.text.get(span.clone()).unwrap_or_default();
                let is_wrong = self.starts.iter().any(|start| span.contains(start));
                if is_wrong && is_word(written) && slip::look(self.text, span.start).is_none() {
                    *scalar = DeValue::String(written.into());
                    self.mended.push(span);
                }
            }
        }
    }
}

/// Whether a value that TOML can't read is a word rather than a number with a slip in it.
fn is_word(written: &str) -> bool {
    let is_quoted = written.contains(['"', '\'']);
    let is_comment = written.contains("//") || written.contains(';');
    let radix = written
        .strip_prefix('0')
        .and_then(|rest| rest.chars().next());
    let has_radix = radix.is_some_and(|letter| "xXoObBdD".contains(letter));
    let is_number = |letter: char| letter.is_ascii_digit() || "+-_.eE".contains(letter);
    !written.is_empty()
        && !is_quoted
        && !is_comment
        && !has_radix
        && !written.chars().all(is_number)
}

/// What is said of such a value at `bytes` of `text`: what to write instead.
pub(super) fn complaint(text: &str, span: Span) -> Diagnostic {
    let written = text.get(span.bytes.clone()).unwrap_or_default();
    let truth = match written {
        "on" | "off" if TAKE_WORDS.contains(&key_before(text, span.bytes.start)) => None,
        "on" | "yes" | "Yes" | "YES" | "True" | "TRUE" => Some("true"),
        "off" | "no" | "No" | "NO" | "False" | "FALSE" => Some("false"),
        _ => None,
    };
    let (message, help) = match truth {
        Some(truth) => (
            format!("`{written}` is no truth value"),
            format!("write {truth}"),
        ),
        None if units::parse(written).is_some() => (
            "a time stands in quotes".to_owned(),
            format!("write \"{written}\""),
        ),
        None if written.len() > SHOWN_BYTES_MAX || written.contains('\\') => (
            "this is neither a number, a truth value nor a text".to_owned(),
            "texts stand in quotes".to_owned(),
        ),
        None => (
            "this is neither a number, a truth value nor a text".to_owned(),
            format!("texts stand in quotes: write \"{written}\""),
        ),
    };
    Diagnostic::error("syntax", span, message).help(help)
}

/// The key whose value begins at `start`.
fn key_before(text: &str, start: usize) -> &str {
    let before = text[..start].trim_end();
    let Some(key) = before.strip_suffix('=') else {
        return "";
    };
    let key = key.trim_end();
    let mut letters = key.char_indices();
    let before = letters.rfind(|(_, letter)| !(letter.is_alphanumeric() || *letter == '_'));
    &key[before.map_or(0, |(at, letter)| at + letter.len_utf8())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_texts_and_slips_in_numbers_are_not() {
        for (written, expected) in [
            ("yes", true),
            ("15m", true),
            ("1.5s", true),
            ("-30m", true),
            ("7:00", true),
            ("1 per 30s", true),
            ("never", true),
            ("50%", true),
            ("hall.motion.start", true),
            ("007", false),
            ("1_", false),
            ("0XFF", false),
            ("1.5e", false),
            ("5 // five", false),
        ] {
            let text = format!("a = [1, {{ b = {written} }}]\n");
            let (mut table, problems) = DeTable::parse_recoverable(&text);
            assert!(!problems.is_empty(), "{written} is none");
            let mended = mend(table.get_mut(), &text, &problems);
            let words: Vec<&str> = mended.iter().map(|at| &text[at.clone()]).collect();
            assert_eq!(words == [written], expected, "{written}");
        }
    }

    #[test]
    fn the_key_of_a_value_is_the_word_before_its_sign() {
        for (text, expected) in [
            ("at_boot = ", "at_boot"),
            ("x = { kind = 1, when_lost=", "when_lost"),
            ("io.lamp.at_boot = ", "at_boot"),
            ("x = [", ""),
            ("x = [ # –=\n ", ""),
            ("x = [ # größe=\n ", "größe"),
        ] {
            assert_eq!(key_before(text, text.len()), expected, "{text}");
        }
    }
}
