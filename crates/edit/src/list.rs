//! A list that is written anew, and the comments in it: those of elements that stay do too, others go with their element.
//!
//! A comment belongs to the element on whose line it stands, or above which it does; what stands behind the opening bracket or
//! before the closing one belongs to the list.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use mapping::{outline::Value, toml_text::key};
use toml::de::DeValue;

use crate::{export, model::Model, place::line_end, toml_text::inline};

/// An element with what stands around it.
struct Piece<'t> {
    /// From the line of the element before: blanks, and comments above it.
    lead: &'t str,
    text: &'t str,
    /// Between it and its comma.
    before_comma: &'t str,
    /// From its comma to the end of the line.
    behind: &'t str,
}

/// A list of these elements in the place of the one at `span` of `text`; `None`: that one has no comments, or can't be read.
pub(crate) fn with_comments(
    text: &str,
    span: Range<usize>,
    old: &[Value],
    new: &[Model],
) -> Option<String> {
    if !text[span.clone()].contains('#') {
        return None;
    }
    let (opening, pieces, closing) = pieces(text, span, old)?;
    let mut places: BTreeMap<String, VecDeque<&Piece<'_>>> = BTreeMap::new();
    for piece in &pieces {
        let value = DeValue::parse(piece.text).ok()?;
        let same = places.entry(meaning(&export::model(&value)));
        same.or_default().push_back(piece);
    }
    let line = line_end(text);
    let indents = pieces.iter().map(|piece| piece.lead);
    let mut indent = indents.filter_map(|lead| Some(lead.rsplit_once('\n')?.1));
    let indent = format!("{line}{}", indent.next_back().unwrap_or("  "));
    let mut out = format!("[{opening}");
    for (number, element) in new.iter().enumerate() {
        let kept = places
            .get_mut(&meaning(element))
            .and_then(VecDeque::pop_front);
        let Some(piece) = kept else {
            out.push_str(&format!("{indent}{},", inline(element)));
            continue;
        };
        // The line above may end with a comment now.
        if !piece
            .lead
            .trim_start_matches([' ', '\t', '\r'])
            .starts_with('\n')
            && (number > 0 || ends_in_comment(&out))
        {
            out.push_str(&indent);
            out.push_str(piece.lead.trim_start());
        } else {
            out.push_str(piece.lead);
        }
        for part in [piece.text, piece.before_comma, ",", piece.behind] {
            out.push_str(part);
        }
    }
    if !closing
        .trim_start_matches([' ', '\t', '\r'])
        .starts_with('\n')
    {
        out.push_str(line);
    }
    out.push_str(closing);
    out.push(']');
    Some(out)
}

/// What stands behind the opening bracket, the elements, and what stands before the closing one.
fn pieces<'t>(
    text: &'t str,
    span: Range<usize>,
    old: &[Value],
) -> Option<(&'t str, Vec<Piece<'t>>, &'t str)> {
    let inner = span.start + 1..span.end.checked_sub(1)?;
    let first = old.first().map_or(inner.end, |value| value.span.start);
    let (opening, mut lead) = at_line_end(text.get(inner.start..first)?, 0);
    let mut pieces = Vec::with_capacity(old.len());
    for (number, value) in old.iter().enumerate() {
        let next = old.get(number + 1);
        let next = next.map_or(inner.end, |next| next.span.start);
        let gap = text.get(value.span.end..next)?;
        let comma = comma(gap);
        let (before_comma, from) = comma.map_or(("", 0), |at| (&gap[..at], at + 1));
        let (line, rest) = at_line_end(gap, from);
        pieces.push(Piece {
            lead,
            text: text.get(value.span.clone())?,
            before_comma,
            behind: &line[from..],
        });
        lead = rest;
    }
    // Behind the last element, or in a list that has none.
    Some((opening, pieces, lead))
}

/// Splits at the end of the line that holds the byte `from`: what stands on it, and the lines behind. A line that does not end
/// here holds nothing of its own.
fn at_line_end(text: &str, from: usize) -> (&str, &str) {
    match text[from..].find('\n') {
        Some(at) => {
            let line = text[..from + at].trim_end_matches('\r').len();
            text.split_at(line.max(from))
        }
        None => text.split_at(from),
    }
}

/// Where the comma stands that is in no comment.
fn comma(gap: &str) -> Option<usize> {
    let mut in_comment = false;
    gap.char_indices().find_map(|(at, letter)| {
        match letter {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            ',' if !in_comment => return Some(at),
            _ => {}
        }
        None
    })
}

fn ends_in_comment(text: &str) -> bool {
    text.rsplit('\n')
        .next()
        .is_some_and(|line| line.contains('#'))
}

/// One text for all that says the same, whatever the order of tables.
fn meaning(value: &Model) -> String {
    match value {
        Model::List(list) => list
            .iter()
            .map(meaning)
            .fold("[".to_owned(), |all, one| all + &one + ","),
        Model::Table(fields) => {
            let fields = fields.iter();
            let mut fields: Vec<String> = fields
                .map(|(name, value)| format!("{}={},", key(name), meaning(value)))
                .collect();
            fields.sort();
            format!("{{{}", fields.concat())
        }
        Model::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            inline(&Model::Int(*number as i64))
        }
        other => inline(other),
    }
}

#[cfg(test)]
mod tests {
    use mapping::outline::{Inside, Outline};

    use super::*;

    fn check(old: &str, new: &[i64], expected: Option<&str>) {
        let text = format!("a = {old}\n");
        let outline = Outline::read(&text);
        let value = outline.value(&["a".into()]).unwrap();
        let Inside::List(elements) = &value.inside else {
            panic!("{old} is a list");
        };
        let new: Vec<Model> = new.iter().map(|number| Model::Int(*number)).collect();
        let written = with_comments(&text, value.span.clone(), elements, &new);
        assert_eq!(written.as_deref(), expected, "{old}");
        if let Some(written) = written {
            let read = DeValue::parse(&written).unwrap();
            assert_eq!(export::model(&read), Model::List(new), "{written}");
        }
    }

    #[test]
    fn comments_of_elements_that_stay_stay_and_others_go_with_their_element() {
        check("[1, 2]", &[1], None);
        let lines = "[ # all\n  # the first\n  1, # one\n  2, # two\n  # above\n  3 # three, and last\n  # end\n]";
        for (new, expected) in [
            (
                &[1, 3][..],
                "[ # all\n  # the first\n  1, # one\n  # above\n  3, # three, and last\n  # end\n]",
            ),
            (
                &[9, 1, 2, 8, 3, 7],
                "[ # all\n  9,\n  # the first\n  1, # one\n  2, # two\n  8,\n  # above\n  3, # three, and last\n  7,\n  # end\n]",
            ),
            (
                &[3, 1, 1],
                "[ # all\n  # above\n  3, # three, and last\n  # the first\n  1, # one\n  1,\n  # end\n]",
            ),
            (&[], "[ # all\n  # end\n]"),
        ] {
            check(lines, new, Some(expected));
            let windows = |text: &str| text.replace('\n', "\r\n");
            check(&windows(lines), new, Some(&windows(expected)));
        }
    }

    #[test]
    fn a_list_on_few_lines_stays_one() {
        check(
            "[1, 2, # both\n  3]",
            &[1, 2, 4, 3],
            Some("[1,\n  2, # both\n  4,\n  3,\n]"),
        );
        check("[1 # one\n, 2]", &[2], Some("[ 2,\n]"));
        check("[1 # one\n, 2]", &[2, 1], Some("[ 2,\n  1 # one\n,\n]"));
        check(
            "[\n  # nothing yet\n]",
            &[1],
            Some("[\n  1,\n  # nothing yet\n]"),
        );
    }
}
