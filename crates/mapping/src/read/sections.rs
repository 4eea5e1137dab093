//! Documents that survive syntax errors: a mistake costs the table in which it stands, no more.
//!
//! A whole file is read at once where it has no mistake. Otherwise it is cut at its table headers; the
//! sections that can't be read are reported and blanked out (so that places stay right), the rest is
//! read again, and from a broken section under a sound header whatever can be understood is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use toml::{Spanned, de::DeTable};

use super::{
    headers::headers,
    mistakes,
    node::{Table, Within},
    slip, unquoted,
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileIx, Span},
};

/// What the parser says of a key that stands twice; such a file still can be read as a whole.
const DUPLICATE: &str = "duplicate key";

/// Mistakes in one file that are told: the parser keeps each of them for longer than anybody reads.
const MISTAKES_MAX: usize = 200;

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    file: FileIx,
    text: &'a str,
    parts: Vec<(usize, Spanned<DeTable<'a>>)>,
    /// Tables that hold a syntax error.
    broken: Vec<Broken<'a>>,
    /// Values that lack their quotes, in tables that are sound otherwise.
    unquoted: Vec<Span>,
}

/// A table that holds a syntax error.
#[derive(Debug)]
pub(crate) struct Broken<'a> {
    /// Its bytes, header included.
    pub(crate) bytes: Range<usize>,
    /// Names of its header: `device`, `hall`.
    pub(crate) header: Vec<&'a str>,
    /// As it stands in the file.
    pub(crate) text: &'a str,
}

/// The text before the first table: the only place for `format` and `include`.
pub(crate) fn head(text: &str) -> &str {
    let end = headers(text).into_iter().next();
    &text[..end.unwrap_or(text.len())]
}

impl<'a> Document<'a> {
    /// Reads `text`; what can't be read is reported to `errors`. `blanked` holds a copy of the text with
    /// its broken sections blanked out, where there are any.
    pub(crate) fn read(
        file: FileIx,
        text: &'a str,
        blanked: &'a mut String,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut document = Self {
            file,
            text,
            parts: Vec::new(),
            broken: Vec::new(),
            unquoted: Vec::new(),
        };
        let readable = document.readable(errors);
        let (table, problems) = DeTable::parse_recoverable(readable);
        if problems.is_empty() {
            document.parts.push((0, table));
            return document;
        }
        drop(table);
        *blanked = readable.to_owned();
        for section in sections(readable) {
            document.section(section, blanked, errors);
        }
        let blanked: &'a str = blanked;
        let (table, rest) = DeTable::parse_recoverable(blanked);
        document.report_rest(&table, &rest, errors);
        document.parts.insert(0, (0, table));
        document
    }

    /// The document's top tables: one, and one more for each broken section.
    pub(crate) fn tops(&'a self) -> impl Iterator<Item = Table<'a>> {
        self.parts.iter().map(|(base, table)| {
            let within = Within {
                file: self.file,
                text: self.text,
                base: *base,
            };
            Table::top(within, table)
        })
    }

    /// Tables that hold a syntax error.
    pub(crate) fn broken(&self) -> &[Broken<'a>] {
        &self.broken
    }

    /// Values that lack their quotes, and are read as if they had them.
    pub(crate) fn unquoted(&self) -> &[Span] {
        &self.unquoted
    }

    /// The text up to where it has too many mistakes; the rest is reported, and counts as broken.
    fn readable(&mut self, errors: &mut Vec<Diagnostic>) -> &'a str {
        let Some(at) = mistakes::many(self.text, MISTAKES_MAX) else {
            return self.text;
        };
        let at = self.text.floor_char_boundary(at);
        let (readable, rest) = self.text.split_at(at);
        let span = Span {
            file: self.file,
            bytes: at..at,
        };
        let message = format!("this file has more than {MISTAKES_MAX} mistakes");
        errors.push(
            Diagnostic::error("too-many-mistakes", span, message)
                .label("from here on it is not read")
                .help("mend what stands above first; is this a mapping at all?"),
        );
        self.broken.push(Broken {
            bytes: at..self.text.len(),
            header: Vec::new(),
            text: rest,
        });
        readable
    }

    /// Reads one section alone; where it can't be read: reports why and blanks it out.
    fn section(&mut self, bytes: Range<usize>, blanked: &mut String, errors: &mut Vec<Diagnostic>) {
        let text = &self.text[bytes.clone()];
        let (mut table, problems) = DeTable::parse_recoverable(text);
        if problems
            .iter()
            .all(|problem| problem.message() == DUPLICATE)
        {
            return;
        }
        let blank: String = text
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect();
        blanked.replace_range(bytes.clone(), &blank);
        let words = unquoted::mend(table.get_mut(), text, &problems);
        let is_word = |problem: &toml::de::Error| {
            let start = problem.span().unwrap_or_default().start;
            words.iter().any(|word| word.contains(&start))
        };
        if problems.iter().all(is_word) {
            for word in words {
                let span = Span {
                    file: self.file,
                    bytes: bytes.start + word.start..bytes.start + word.end,
                };
                errors.push(unquoted::complaint(self.text, span.clone()));
                self.unquoted.push(span);
            }
            self.parts.push((bytes.start, table));
            return;
        }
        let header_end = if text.starts_with('[') {
            text.find('\n').unwrap_or(text.len())
        } else {
            0
        };
        let (header, body) = text.split_at(header_end);
        let header_problems = DeTable::parse_recoverable(header).1;
        self.report(bytes.start, &header_problems, errors);
        let body_problems = DeTable::parse_recoverable(body).1;
        self.report(bytes.start + header_end, &body_problems, errors);
        if header_problems.is_empty() {
            self.parts.push((bytes.start, table));
        }
        let names = header.split('#').next().unwrap_or_default();
        let names = names.trim_matches(|c: char| "[] \t\r".contains(c));
        let trim = |name: &'a str| name.trim_matches(|c: char| " \t\"'".contains(c));
        self.broken.push(Broken {
            bytes,
            header: names.split('.').map(trim).collect(),
            text,
        });
    }

    /// Reports the parser's errors that don't merely follow from the one before: one for each line, and
    /// after one inside a list nothing more about lists.
    fn report(&self, base: usize, problems: &[toml::de::Error], errors: &mut Vec<Diagnostic>) {
        // The line of the last one that was told.
        let mut line: Option<Range<usize>> = None;
        let mut in_list = false;
        // What it swallowed lacks its brackets too.
        let is_endless = |problem: &&toml::de::Error| endless(problem.message()).is_some();
        let problems = match problems.iter().find(is_endless) {
            Some(endless) => std::slice::from_ref(endless),
            None => problems,
        };
        for problem in problems.iter().take(MISTAKES_MAX) {
            let span = self.span(base, problem);
            let start = span.bytes.start;
            let same_line = line.as_ref().is_some_and(|line| line.contains(&start));
            let about_list = problem.message().contains("array") || in_list;
            if same_line || (in_list && about_list) {
                continue;
            }
            let from = self.text[..start]
                .rfind('\n')
                .map_or(0, |newline| newline + 1);
            let to = self.text[start..].find('\n');
            line = Some(from..to.map_or(self.text.len(), |newline| start + newline) + 1);
            in_list = about_list;
            let error = syntax(self.text, span, problem.message());
            // A whole file of it is one mistake.
            let is_told = error.message == YAML && errors.iter().any(|told| told.message == YAML);
            if !is_told {
                errors.push(error);
            }
        }
    }

    /// What is left once broken sections are blanked out: keys and tables that stand twice.
    fn report_rest(
        &self,
        table: &Spanned<DeTable<'_>>,
        rest: &[toml::de::Error],
        errors: &mut Vec<Diagnostic>,
    ) {
        if rest.is_empty() {
            return;
        }
        let starts = headers(self.text);
        let mut first_headers = BTreeMap::new();
        for start in &starts {
            let name = start + self.text[*start..].find(']').unwrap_or_default();
            first_headers
                .entry(self.path(Some(*start), name))
                .or_insert(*start..name + 1);
        }
        let mut twice_tables = BTreeSet::new();
        for problem in rest.iter().take(MISTAKES_MAX) {
            let span = self.span(0, problem);
            if problem.message() != DUPLICATE {
                errors.push(syntax(self.text, span, problem.message()));
                continue;
            }
            let section = starts.partition_point(|start| *start <= span.bytes.start);
            let header = section.checked_sub(1).map(|section| starts[section]);
            if header.is_some_and(|header| twice_tables.contains(&header)) {
                continue;
            }
            let path = self.path(header, span.bytes.start);
            let word = path.last().copied().unwrap_or_default();
            let in_header =
                header.is_some_and(|header| !self.text[header..span.bytes.start].contains('\n'));
            twice_tables.extend(header.filter(|_| in_header));
            let what = if in_header { "table" } else { "key" };
            let message = format!("the {what} `{}` stands here twice", path.join("."));
            let mut error =
                Diagnostic::error("duplicate-name", span, message).label(format!("`{word}` again"));
            let first = if in_header {
                first_headers.get(&path).cloned()
            } else {
                find(table, &path)
            };
            if let Some(first) = first {
                let span = Span {
                    file: self.file,
                    bytes: first,
                };
                error = error.also(span, "first here");
            }
            error = error.help(if in_header {
                "give one of them another name, or put both into one table"
            } else {
                "keep one of the lines"
            });
            errors.push(error);
        }
    }

    /// The names that lead to the key at `at`: those of the section's header, then the line's own.
    fn path(&self, header: Option<usize>, at: usize) -> Vec<&'a str> {
        let text: &'a str = self.text;
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let names = |from: usize, to: usize| {
            let part = text.get(from..to).unwrap_or_default();
            part.trim_matches(|c: char| "[] \t\r".contains(c))
                .split('.')
        };
        let word = at
            + text[at..]
                .find(|c: char| " .=]\n\t".contains(c))
                .unwrap_or(0);
        let trim = |name: &'a str| name.trim_matches(|c: char| " \t\"'".contains(c));
        match header {
            Some(header) if header >= line_start => names(header, word).map(trim).collect(),
            Some(header) => {
                let end = text[header..].find(']').map_or(at, |end| header + end);
                let above = names(header, end);
                above.chain(names(line_start, word)).map(trim).collect()
            }
            None => names(line_start, word).map(trim).collect(),
        }
    }

    fn span(&self, base: usize, problem: &toml::de::Error) -> Span {
        let bytes = problem.span().unwrap_or(0..0);
        let end = self.text.len();
        let mut start = (base + bytes.start).min(end);
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        Span {
            file: self.file,
            bytes: start..(base + bytes.end).clamp(start, end),
        }
    }
}

/// What the parser says of a word without quotes; what begins as a number of TOML or a truth value was meant as one, it thinks.
const UNQUOTED: [&str; 4] = [
    "string values must be quoted",
    "invalid float, expected `nan`",
    "invalid float, expected `inf`",
    "invalid boolean, expected",
];

/// What is said of `key: value`.
const YAML: &str = "this is YAML, and houses are written in TOML";

/// A syntax error in words that help somebody who doesn't know the parser.
fn syntax(text: &str, span: Span, message: &str) -> Diagnostic {
    if let Some(mark) = byte_order_mark(text, span.bytes.start) {
        let span = Span {
            bytes: mark,
            ..span
        };
        return Diagnostic::error("syntax", span, "here stands U+FEFF, a byte order mark, which can't be seen")
            .help("delete it, or type the line anew; it comes from joining files, and belongs nowhere but before the first letter");
    }
    if message.contains("max recursion depth") {
        let message = format!("this nests deeper than {} levels", mistakes::DEPTH_MAX);
        return Diagnostic::error("syntax", span, message).help("a house needs three or four");
    }
    if let Some((quotes, message)) = endless(message)
        && let Some(start) = text[..span.bytes.start].rfind(quotes)
    {
        // Where it ends nobody knows.
        let span = Span {
            bytes: start..start + quotes.len(),
            ..span
        };
        return Diagnostic::error("syntax", span, message);
    }
    if let Some((from, message, help)) = slip::look(text, span.bytes.start) {
        let span = Span {
            bytes: from,
            ..span
        };
        return Diagnostic::error("syntax", span, message).help(help);
    }
    if let Some((blank, help)) = blank_in_header(text, span.bytes.start) {
        let span = Span {
            bytes: blank,
            ..span
        };
        return Diagnostic::error("syntax", span, "a name can't have a space").help(help);
    }
    let behind_text = text[..span.bytes.start].ends_with('"');
    let (message, help) = match message {
        message if behind_text && message.starts_with("unexpected key or value") => (
            "the text ends before this",
            "inside a text in \"..\" use single quotes: if = \"event.name == 'sixty'\"",
        ),
        "invalid basic string, expected `\"`" => ("this text has no closing `\"`", ""),
        "invalid literal string, expected `'`" => ("this text has no closing `'`", ""),
        "unclosed table, expected `]`" => ("this table's header has no closing `]`", ""),
        "unclosed array, expected `]`" => ("this list has no closing `]`", ""),
        "unclosed inline table, expected `}`" => ("this table has no closing `}`", ""),
        message if UNQUOTED.iter().any(|said| message.starts_with(said)) => {
            return unquoted::complaint(text, span);
        }
        _ if is_yaml(text, span.bytes.start) => (
            YAML,
            "write `key = value`; a line such as [device.hall] begins a table, and texts stand in quotes",
        ),
        message if message.starts_with("invalid unquoted key") => (
            "a name can't have this letter",
            letters(text, span.bytes.start),
        ),
        message => (message, ""),
    };
    let error = Diagnostic::error("syntax", span, message);
    if help.is_empty() {
        error
    } else {
        error.help(help)
    }
}

/// The quotes of a text of several lines of which the parser says that it has no end, and what is said of it.
fn endless(message: &str) -> Option<(&'static str, &'static str)> {
    let kinds = [
        (
            "basic string, expected `\"`",
            "\"\"\"",
            "this text has no closing `\"\"\"`",
        ),
        (
            "literal string, expected `'`",
            "'''",
            "this text has no closing `'''`",
        ),
    ];
    let of = message.strip_prefix("invalid multi-line ")?;
    let kind = kinds.into_iter().find(|(end, ..)| of == *end)?;
    Some((kind.1, kind.2))
}

/// Which letters a name may have where `at` stands: those of rules, scenes, timers and tests may have hyphens.
fn letters(text: &str, at: usize) -> &'static str {
    let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let header = text[begin..].trim_start().trim_start_matches('[');
    let hyphens = ["rule.", "scene.", "timer."];
    if hyphens.iter().any(|of| header.starts_with(of)) {
        "names are made of a-z, 0-9, _ and -, as in `kueche`"
    } else {
        "names are made of a-z, 0-9 and _, as in `kueche`"
    }
}

/// Tables that hold one for each name: `[rule.night]`.
const NAMED: [&str; 5] = ["device", "kind", "rule", "scene", "test"];

/// The blanks between two words of the header that `at` stands in, as in `[rule.b c]`, and what to write.
fn blank_in_header(text: &str, at: usize) -> Option<(Range<usize>, String)> {
    let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[begin..].lines().next()?;
    let open = line.len() - line.trim_start().trim_start_matches('[').len();
    let header = &line[open..open + line[open..].find(']')?];
    if !line.trim_start().starts_with('[') || header.contains(['"', '\'', '=', '#']) {
        return None;
    }
    let is_blank = |c: char| c.is_ascii_whitespace();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let from = header.char_indices().find_map(|(at, letter)| {
        let behind = header[at..].trim_start();
        let parts = header[..at].ends_with(is_word) && behind.starts_with(is_word);
        (is_blank(letter) && parts).then_some(at)
    })?;
    let behind = header[from..].trim_start();
    let blank = begin + open + from;
    let mark = if NAMED.contains(&header[..from].trim()) {
        "."
    } else if letters(text, at).contains("and -") {
        "-"
    } else {
        "_"
    };
    let brackets = line[..open].trim_start();
    let close = "]".repeat(brackets.len());
    let help = format!(
        "write {brackets}{}{mark}{}{close}",
        &header[..from],
        behind.trim_end()
    );
    Some((blank..blank + header.len() - from - behind.len(), help))
}

/// The place of a byte order mark at `at` or right before it.
fn byte_order_mark(text: &str, at: usize) -> Option<Range<usize>> {
    const MARK: char = '\u{feff}';
    let is_before = text[..at].ends_with(MARK);
    let start = if is_before { at - MARK.len_utf8() } else { at };
    let end = start + MARK.len_utf8();
    // At the beginning of a file it is none of TOML's business.
    (start > 0 && (is_before || text[at..].starts_with(MARK))).then_some(start..end)
}

/// Whether the line around `at` reads `key: value` or `- item`.
fn is_yaml(text: &str, at: usize) -> bool {
    let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[begin..].lines().next().unwrap_or_default().trim();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let behind = line.trim_start_matches(is_word);
    let is_entry = behind.len() < line.len() && (behind == ":" || behind.starts_with(": "));
    is_entry || line.starts_with("- ")
}

/// The place of the key at the end of `path`.
fn find(table: &Spanned<DeTable<'_>>, path: &[&str]) -> Option<Range<usize>> {
    let (last, above) = path.split_last()?;
    let mut map = table.get_ref();
    for name in above {
        map = match map.get(*name)?.get_ref() {
            toml::de::DeValue::Table(inner) => inner,
            toml::de::DeValue::Array(list) => list.iter().last()?.get_ref().as_table()?,
            _ => return None,
        };
    }
    map.get_key_value(*last).map(|(key, _)| key.span())
}

/// The text from its beginning, or from a header, to the next header.
pub(crate) fn sections(text: &str) -> Vec<Range<usize>> {
    let mut starts = headers(text);
    starts.insert(0, 0);
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .filter(|section| !section.is_empty())
        .collect()
}
