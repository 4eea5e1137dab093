//! Texts with holes: `"text ${expr} text"`.
//!
//! Finds the holes; what stands in them is not looked at, except for quotes, so that a text inside a
//! hole may hold a brace.

use std::ops::Range;

/// A part of a text with holes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// As it stands, `$${` already turned into `${`.
    Text(String),
    /// Where the expression between `${` and `}` stands.
    Hole(Range<usize>),
}

/// The parts of `text`; an error is the place of a hole without end.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, Range<usize>> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find("${") {
        let open = at + offset;
        if text[at..open].ends_with('$') {
            plain.push_str(&text[at..open]);
            plain.push('{');
            at = open + 2;
            continue;
        }
        plain.push_str(&text[at..open]);
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        let inside = open + 2;
        let length = closing(&text[inside..]).ok_or(open..text.len())?;
        parts.push(Part::Hole(inside..inside + length));
        at = inside + length + 1;
    }
    plain.push_str(&text[at..]);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// What a computed value can begin with.
const ROOTS: [&str; 6] = ["state.", "target.", "event.", "var.", "now.", "sun."];

/// Where `text` writes a hole as other systems do, `{{ .. }}` or `{state.x}`, and so means none.
pub(super) fn lookalike(text: &str, parts: &[Part]) -> Option<Range<usize>> {
    let is_hole = |at: usize| {
        let inside = |part: &Part| matches!(part, Part::Hole(hole) if hole.contains(&at));
        text[..at].ends_with('$') || parts.iter().any(inside)
    };
    let mut braces = text.match_indices('{').map(|(at, _)| at);
    let open = braces.find(|at| {
        let inner = text[*at..].trim_start_matches('{');
        let is_double = text.len() - at - inner.len() > 1;
        let is_root = ROOTS
            .iter()
            .any(|root| inner.trim_start().starts_with(root));
        (is_double || is_root) && !is_hole(*at)
    })?;
    let behind = text[open..].find('}').map(|close| open + close + 1);
    let end = behind.map_or(text.len(), |end| {
        end + usize::from(text[end..].starts_with('}'))
    });
    Some(open..end)
}

/// The offset of the brace that closes a hole. A text without end inside the hole hides no brace.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (offset, letter) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '}' => return Some(offset),
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            None => {}
        }
    }
    text.find('}')
}

#[cfg(test)]
mod tests {
    use super::{Part, lookalike, parts};

    #[test]
    fn holes_are_found_and_doubled_dollars_are_not_holes() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(
            parts("a ${b} c${'}'}"),
            Ok(vec![
                text("a "),
                Part::Hole(4..5),
                text(" c"),
                Part::Hole(10..13)
            ])
        );
        assert_eq!(parts("5 $ $${x}"), Ok(vec![text("5 $ ${x}")]));
        assert_eq!(parts("${x"), Err(0..3));
        assert_eq!(parts("${'x} y"), Ok(vec![Part::Hole(2..4), text(" y")]));
        assert_eq!(parts(""), Ok(Vec::new()));
    }

    #[test]
    fn holes_of_other_systems_are_found() {
        let found = |text: &str| {
            let at = lookalike(text, &parts(text).expect("its holes close"));
            at.map(|at| text[at].to_owned())
        };
        for (text, expected) in [
            ("lux is {{ state.hall.lux }}!", Some("{{ state.hall.lux }}")),
            ("{{ states('x') }}", Some("{{ states('x') }}")),
            ("lux is {state.hall.lux}", Some("{state.hall.lux}")),
            ("{ event.key", Some("{ event.key")),
            ("${state.hall.lux} {x} {}", None),
            ("$${state.x} ${'{{'}", None),
        ] {
            assert_eq!(found(text).as_deref(), expected, "{text}");
        }
    }
}
