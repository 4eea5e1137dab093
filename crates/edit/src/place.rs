//! One file's text changed at one path: replace a value, take something out, put something in.
//!
//! Each function takes a text with what it is made of, and says which pieces of it become what. What else stands in the
//! text is kept byte for byte. Called by the house's edits, page by page. Must not know what the tables mean.

use std::ops::Range;

use mapping::{
    outline::{Inside, Outline, Pair, Section, Step, Value},
    toml_text::key,
};

use crate::{
    list,
    model::Model,
    page::Planned,
    splice::Splices,
    toml_text::{Writer, inline},
};

/// How lines end in a text.
pub(crate) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Where a line begins.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line after begins.
fn next_line(text: &str, at: usize) -> usize {
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}

/// The end of what a section says: its last pair's line, or its header's.
fn content_end(text: &str, section: &Section) -> usize {
    let pair = section.pairs.last().map(|pair| pair.span().end);
    let header = section.header.as_ref().map(|header| header.span.end);
    match pair.or(header) {
        Some(end) => next_line(text, end),
        None => section.span.start,
    }
}

/// The path of a pair that stands in a section.
fn full_path(above: &[Step], pair: &Pair) -> Vec<Step> {
    let names = pair.keys.iter().map(|key| Step::Key(key.name.clone()));
    above.iter().cloned().chain(names).collect()
}

/// Whether something is written at `path` or below it.
pub(crate) fn holds(outline: &Outline, path: &[Step]) -> bool {
    let mut found = false;
    outline.each_key(&mut |here, _| found |= here.starts_with(path));
    found || outline.value(path).is_some()
}

/// Another value at `path`; `None`: it is not written as one value there.
pub(crate) fn replaced(
    text: &str,
    outline: &Outline,
    path: &[Step],
    new: &Model,
) -> Option<Planned> {
    let value = outline.value(path)?;
    let own_line = outline.sections.iter().any(|section| {
        let pairs = section.pairs.iter();
        let mut values = pairs.filter_map(|pair| pair.value.as_ref());
        values.any(|other| other.span == value.span)
    });
    let with_comments = match (&value.inside, new) {
        (Inside::List(old), Model::List(new)) => {
            list::with_comments(text, value.span.clone(), old, new)
        }
        _ => None,
    };
    let new = with_comments.unwrap_or_else(|| written(new, own_line, text));
    let mut splices = Splices::default();
    splices.replace(value.span.clone(), new);
    Some(splices.into())
}

/// A value as it is written; where it has a line of its own it may take several.
fn written(value: &Model, own_line: bool, text: &str) -> String {
    if !own_line {
        return inline(value);
    }
    let mut writer = Writer::default();
    writer.broken_value(value, &mut |_, _| {});
    writer.text.replace('\n', line_end(text))
}

/// What is at `path` goes.
pub(crate) fn removed(text: &str, outline: &Outline, path: &[Step]) -> Planned {
    let mut splices = Splices::default();
    let mut gone_to = 0;
    for section in &outline.sections {
        if section.header.is_some() && section.path.starts_with(path) {
            let lines = section_lines(text, section);
            // The blank line above may have gone with the section there.
            let lines = lines.start.max(gone_to)..lines.end;
            gone_to = lines.end;
            splices.replace(lines, "");
            continue;
        }
        for pair in &section.pairs {
            let full = full_path(&section.path, pair);
            if full.starts_with(path) {
                let span = pair.span();
                splices.replace(line_start(text, span.start)..next_line(text, span.end), "");
            } else if let (Some(rest), Some(value)) =
                (path.strip_prefix(full.as_slice()), &pair.value)
            {
                remove_inside(text, value, rest, &mut splices);
            }
        }
    }
    splices.into()
}

/// A section's lines, with the comment right above its header, and one of the blank lines around it.
fn section_lines(text: &str, section: &Section) -> Range<usize> {
    let mut start = line_start(text, section.span.start);
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text[above..start].trim_start().starts_with('#') {
            break;
        }
        start = above;
    }
    let mut end = content_end(text, section);
    let blank_above = start == 0 || text[line_start(text, start - 1)..start].trim().is_empty();
    while blank_above && end < text.len() {
        let next = next_line(text, end);
        if !text[end..next].trim().is_empty() {
            break;
        }
        end = next;
    }
    if blank_above && start > 0 && end == text.len() {
        start = line_start(text, start - 1);
    }
    start..end
}

fn remove_inside(text: &str, value: &Value, path: &[Step], splices: &mut Splices) {
    match &value.inside {
        Inside::Scalar => {}
        Inside::List(values) => {
            let Some((Step::Item(number), rest)) = path.split_first() else {
                return;
            };
            let Some(item) = values.get(*number) else {
                return;
            };
            if rest.is_empty() {
                let all: Vec<Range<usize>> =
                    values.iter().map(|value| value.span.clone()).collect();
                splices.replace(without_comma(text, &all, *number..number + 1), "");
            } else {
                remove_inside(text, item, rest, splices);
            }
        }
        Inside::Table(pairs) => {
            let all: Vec<Range<usize>> = pairs.iter().map(Pair::span).collect();
            let gone = |pair: &Pair| full_path(&[], pair).starts_with(path);
            if pairs.iter().all(gone) && !text[value.span.clone()].contains('#') {
                splices.replace(value.span.clone(), "{}");
                return;
            }
            // Dotted keys of one table may stand apart; each run of them goes with its commas.
            let mut at = 0;
            while at < pairs.len() {
                let run = pairs[at..].iter().take_while(|pair| gone(pair)).count();
                if run > 0 {
                    splices.replace(without_comma(text, &all, at..at + run), "");
                }
                at += run.max(1);
            }
            for pair in pairs {
                let full = full_path(&[], pair);
                if let (Some(rest), Some(value)) = (path.strip_prefix(full.as_slice()), &pair.value)
                    && !rest.is_empty()
                {
                    remove_inside(text, value, rest, splices);
                }
            }
        }
    }
}

/// Some elements of a list or table with the comma that goes with them; whole lines where nothing else
/// stands on them.
fn without_comma(text: &str, all: &[Range<usize>], gone: Range<usize>) -> Range<usize> {
    let (first, last) = (all[gone.start].start, all[gone.end - 1].end);
    let blank = |range: Range<usize>| text[range].chars().all(|c| c == ' ' || c == '\t');
    let after = text[last..].len() - text[last..].trim_start_matches([' ', '\t']).len() + last;
    let comma = text[after..].starts_with(',');
    let end = if comma { after + 1 } else { last };
    let start = line_start(text, first);
    let line_rest = &text[end..next_line(text, end)];
    let alone_behind = line_rest.trim().is_empty() || line_rest.trim_start().starts_with('#');
    if start > 0 && blank(start..first) && alone_behind && line_rest.ends_with('\n') {
        return start..next_line(text, end);
    }
    if comma {
        let spaces = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
        return first..end + spaces;
    }
    match gone.start.checked_sub(1) {
        Some(before) => all[before].end..last,
        None => first..last,
    }
}

/// A new value under `name` of the table at `parent`; `None`: the table is not here.
pub(crate) fn added(
    text: &str,
    outline: &Outline,
    parent: &[Step],
    name: &str,
    value: &Model,
) -> Option<Planned> {
    let line = |above: &[Step]| {
        let names = above.iter().map(|step| key(&step.to_string()));
        let names: Vec<String> = names.chain([key(name)]).collect();
        format!("{} = {}", names.join("."), written(value, true, text))
    };
    let mut sections = outline.sections.iter();
    if let Some(section) =
        sections.find(|section| section.header.is_some() && section.path == parent)
    {
        let end = content_end(text, section);
        return Some(insert_line(text, end, &line(&[])).into());
    }
    if let Some(table) = outline.value(parent) {
        let Inside::Table(pairs) = &table.inside else {
            return None;
        };
        let pair = format!("{} = {}", key(name), inline(value));
        let mut splices = Splices::default();
        match pairs.last() {
            Some(last) => {
                let end = last.span().end;
                splices.replace(end..end, format!(", {pair}"));
            }
            None => splices.replace(table.span.clone(), format!("{{ {pair} }}")),
        }
        return Some(splices.into());
    }
    // `io.lamp = ..` makes a table `io`: its next line goes below.
    for section in &outline.sections {
        let Some(above) = parent.strip_prefix(section.path.as_slice()) else {
            continue;
        };
        let mut pairs = section.pairs.iter().rev();
        let last = pairs.find(|pair| full_path(&section.path, pair).starts_with(parent));
        if let Some(last) = last {
            let end = next_line(text, last.span().end);
            return Some(insert_line(text, end, &line(above)).into());
        }
    }
    // `[device.hall.io.lamp]` makes a table too: it gets a header of its own.
    let mut deeper = outline.sections.iter().rev();
    let last = deeper.find(|section| section.path.starts_with(parent))?;
    let end = content_end(text, last);
    Some(Planned {
        splices: insert_section(text, end, parent, &[line(&[])]),
        is_new_table: true,
    })
}

/// A new section of this path, behind the last one that begins with `behind`, or at the end.
pub(crate) fn with_section(
    text: &str,
    outline: &Outline,
    behind: &[Step],
    path: &[Step],
    value: &Model,
) -> Splices {
    let mut sections = outline.sections.iter().rev();
    let last =
        sections.find(|section| section.header.is_some() && section.path.starts_with(behind));
    let end = last.map_or(text.len(), |section| content_end(text, section));
    insert_section(text, end, path, &section_body(value, text))
}

/// The lines below a header. Tables of tables stand as dotted keys: `io.lamp = { .. }`.
fn section_body(value: &Model, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let Model::Table(fields) = value else {
        return lines;
    };
    for (name, value) in fields {
        match value {
            Model::Table(inner)
                if !inner.is_empty()
                    && inner
                        .iter()
                        .all(|(_, value)| matches!(value, Model::Table(_))) =>
            {
                for (second, value) in inner {
                    lines.push(format!("{}.{} = {}", key(name), key(second), inline(value)));
                }
            }
            value => lines.push(format!("{} = {}", key(name), written(value, true, text))),
        }
    }
    lines
}

fn insert_line(text: &str, at: usize, line: &str) -> Splices {
    let end = line_end(text);
    let mut splices = Splices::default();
    splices.replace(at..at, format!("{}{line}{end}", missing_end(text, at)));
    splices
}

fn insert_section(text: &str, at: usize, path: &[Step], lines: &[String]) -> Splices {
    let end = line_end(text);
    let names: Vec<String> = path.iter().map(|step| key(&step.to_string())).collect();
    let mut section = missing_end(text, at).to_owned();
    if !text[..at].trim().is_empty() {
        section.push_str(end);
    }
    section.push_str(&format!("[{}]{end}", names.join(".")));
    for line in lines {
        section.push_str(line);
        section.push_str(end);
    }
    let mut splices = Splices::default();
    splices.replace(at..at, section);
    splices
}

/// A last line without an end gets one before something follows.
fn missing_end(text: &str, at: usize) -> &'static str {
    if at == 0 || text[..at].ends_with('\n') {
        ""
    } else {
        line_end(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::Pointer;

    fn path(text: &str) -> Vec<Step> {
        Pointer::read(text).unwrap().0
    }

    fn with_section(text: &str, behind: &str, at: &str, value: &Model) -> String {
        let outline = Outline::read(text);
        let new = super::with_section(text, &outline, &path(behind), &path(at), value);
        new.apply(text).unwrap()
    }

    #[test]
    fn what_is_removed_takes_its_comma_and_its_line_along() {
        for (text, at, expected) in [
            ("a = { b = 1, c = 2 }\n", "/a/b", "a = { c = 2 }\n"),
            ("a = { b = 1, c = 2 }\n", "/a/c", "a = { b = 1 }\n"),
            ("a = { b = 1 }\n", "/a/b", "a = {}\n"),
            (
                "a = { b.x = 1, c = 2, b.y = 3 }\n",
                "/a/b",
                "a = { c = 2 }\n",
            ),
            ("a = [1, 2, 3]\n", "/a/1", "a = [1, 3]\n"),
            (
                "a = [\n  1, # one\n  2, # two\n  3\n]\n",
                "/a/1",
                "a = [\n  1, # one\n  3\n]\n",
            ),
            ("a = [\n  1,\n  2\n]\n", "/a/1", "a = [\n  1,\n]\n"),
            ("# x\na = 1 # y\n# z\nb = 2\n", "/a", "# x\n# z\nb = 2\n"),
            (
                "[r.a]\nx = 1\n\n# of b\n[r.b]\ny = \"\"\"\n\n\"\"\"\n\n[r.c]\n",
                "/r/b",
                "[r.a]\nx = 1\n\n[r.c]\n",
            ),
            ("[r.a]\nx = 1\n# last\n", "/r/a", "# last\n"),
            (
                "[[r.do]]\nx = 1\n[[r.do]]\nx = 2\n",
                "/r/do/0",
                "[[r.do]]\nx = 2\n",
            ),
            ("a.b = 1\r\na.c = 2\r\n", "/a/b", "a.c = 2\r\n"),
        ] {
            let new = removed(text, &Outline::read(text), &path(at));
            assert_eq!(new.splices.apply(text).unwrap(), expected, "{text} {at}");
        }
    }

    #[test]
    fn what_is_added_stands_where_its_table_is() {
        for (text, parent, expected) in [
            (
                "[t]\na = 1 # a\n\n[u]\n",
                "/t",
                "[t]\na = 1 # a\nnew = 7\n\n[u]\n",
            ),
            ("[t]", "/t", "[t]\nnew = 7\n"),
            ("[t]\r\na = 1\r\n", "/t", "[t]\r\na = 1\r\nnew = 7\r\n"),
            (
                "[d.h]\nio.a = {}\nid = 1\n",
                "/d/h/io",
                "[d.h]\nio.a = {}\nio.new = 7\nid = 1\n",
            ),
            (
                "[d.h.io.a]\nx = 1\n",
                "/d/h/io",
                "[d.h.io.a]\nx = 1\n\n[d.h.io]\nnew = 7\n",
            ),
            (
                "[v]\nn = { a = 1 }\n",
                "/v/n",
                "[v]\nn = { a = 1, new = 7 }\n",
            ),
            ("[v]\nn = {}\n", "/v/n", "[v]\nn = { new = 7 }\n"),
        ] {
            let outline = Outline::read(text);
            let new = added(text, &outline, &path(parent), "new", &Model::Int(7)).unwrap();
            assert_eq!(new.splices.apply(text).unwrap(), expected, "{text}");
        }
        let outline = Outline::read("[t]\n");
        assert!(added("[t]\n", &outline, &path("/u"), "new", &Model::Int(7)).is_none());
    }

    #[test]
    fn a_new_section_stands_behind_its_like() {
        let text = "[rule.a]\nx = 1\n\n# about b\n[rule.b]\nx = 2\n# end\n";
        let value = Model::Table(vec![("when".to_owned(), "e".into())]);
        let behind_a = with_section(text, "/rule/a", "/rule/n", &value);
        assert_eq!(
            behind_a,
            "[rule.a]\nx = 1\n\n[rule.n]\nwhen = \"e\"\n\n# about b\n[rule.b]\nx = 2\n# end\n"
        );
        let last = with_section(text, "/rule", "/rule/n", &value);
        assert!(
            last.ends_with("x = 2\n\n[rule.n]\nwhen = \"e\"\n# end\n"),
            "{last}"
        );
        assert_eq!(
            with_section("", "/rule", "/rule/n", &value),
            "[rule.n]\nwhen = \"e\"\n"
        );
    }
}
