//! Where the keys and values of a TOML text stand, each time they are written.
//!
//! The reader's own tables know a key's first place only: `hall.lamp = 1` and `hall.tv = 2` hold one table
//! `hall` that is written twice. Whatever changes a text, or points into it, needs all places. Survives
//! syntax errors: what can be made out is there. Used by the index of names, by edits and by editors. Must
//! not know what the tables mean.

use std::{collections::BTreeMap, fmt, ops::Range, sync::Arc};

use toml_parser::{
    ParseError, Source,
    parser::{Event, EventKind, RecursionGuard, parse_document},
};

use crate::read::sections;

/// Deeper nesting is left out; the reader refuses it too.
const DEPTH_MAX: u32 = 80;

/// One step of a path: into a table or into a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The value of this key.
    Key(Arc<str>),
    /// The element with this number, from 0.
    Item(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Item(number) => write!(f, "{number}"),
        }
    }
}

/// A whole text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What stands before the first header, then one for each header.
    pub sections: Vec<Section>,
}

/// A header with the lines below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The header; the first section has none.
    pub header: Option<Header>,
    /// Where the header leads: its names, with a number behind each list of tables on the way.
    pub path: Vec<Step>,
    /// The lines.
    pub pairs: Vec<Pair>,
    /// From the header to the next one.
    pub span: Range<usize>,
}

/// `[a.b]` or `[[a.b]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its names.
    pub keys: Vec<Key>,
    /// Whether it begins an element of a list.
    pub is_item: bool,
    /// With its brackets.
    pub span: Range<usize>,
}

/// `a.b = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its names; never empty.
    pub keys: Vec<Key>,
    /// The value; `None` where it is missing.
    pub value: Option<Value>,
}

/// A name and where it is written, with its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Decoded.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Range<usize>,
}

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// With its quotes or brackets.
    pub span: Range<usize>,
    /// What is in it.
    pub inside: Inside,
}

/// What is in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// A text, a number, a truth value, a date.
    Scalar,
    /// Elements.
    List(Vec<Value>),
    /// Pairs.
    Table(Vec<Pair>),
}

impl Outline {
    /// Reads a text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut whole = Builder::default();
        if whole.read(text, 0..text.len()).is_ok() {
            return whole.finish(text.len());
        }
        // As the reader does: what is not closed ends at the next header.
        let mut cut = Builder::default();
        for section in sections(text) {
            // Its mistakes are reported by the reader.
            let _ = cut.read(text, section);
        }
        cut.finish(text.len())
    }

    /// Calls `each` for every key, each time it is written, with the path that leads to its value.
    pub fn each_key(&self, each: &mut dyn FnMut(&[Step], &Key)) {
        for section in &self.sections {
            let mut path = Vec::new();
            if let Some(header) = &section.header {
                // The section's path holds the header's names, and numbers between them.
                let mut keys = header.keys.iter();
                for step in &section.path {
                    path.push(step.clone());
                    if let (Step::Key(_), Some(key)) = (step, keys.as_slice().first()) {
                        keys.next();
                        each(&path, key);
                    }
                }
            }
            path.clone_from(&section.path);
            walk_pairs(&section.pairs, &mut path, each);
        }
    }

    /// The value at `path`, where it is written as one: not as a header or as several dotted keys.
    #[must_use]
    pub fn value(&self, path: &[Step]) -> Option<&Value> {
        self.sections.iter().find_map(|section| {
            let rest = path.strip_prefix(section.path.as_slice())?;
            value_in(&section.pairs, rest)
        })
    }

    /// The section in which `offset` stands.
    #[must_use]
    pub fn section_at(&self, offset: usize) -> Option<&Section> {
        let after = self
            .sections
            .partition_point(|section| section.span.start <= offset);
        self.sections.get(after.checked_sub(1)?)
    }
}

impl Pair {
    /// From its first name to the end of its value.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        let start = self.keys.first().map_or(0, |key| key.span.start);
        let last = self.keys.last().map_or(start, |key| key.span.end);
        start..self.value.as_ref().map_or(last, |value| value.span.end)
    }
}

fn walk_pairs(pairs: &[Pair], path: &mut Vec<Step>, each: &mut dyn FnMut(&[Step], &Key)) {
    for pair in pairs {
        let depth = path.len();
        for key in &pair.keys {
            path.push(Step::Key(key.name.clone()));
            each(path, key);
        }
        if let Some(value) = &pair.value {
            walk_value(value, path, each);
        }
        path.truncate(depth);
    }
}

fn walk_value(value: &Value, path: &mut Vec<Step>, each: &mut dyn FnMut(&[Step], &Key)) {
    match &value.inside {
        Inside::Scalar => {}
        Inside::List(values) => {
            for (number, value) in values.iter().enumerate() {
                path.push(Step::Item(number));
                walk_value(value, path, each);
                path.pop();
            }
        }
        Inside::Table(pairs) => walk_pairs(pairs, path, each),
    }
}

fn value_in<'a>(pairs: &'a [Pair], path: &[Step]) -> Option<&'a Value> {
    pairs.iter().find_map(|pair| {
        let mut rest = path;
        for key in &pair.keys {
            let (first, more) = rest.split_first()?;
            if *first != Step::Key(key.name.clone()) {
                return None;
            }
            rest = more;
        }
        let mut value = pair.value.as_ref()?;
        loop {
            match (rest.split_first(), &value.inside) {
                (None, _) => return Some(value),
                (Some((Step::Item(number), more)), Inside::List(values)) => {
                    value = values.get(*number)?;
                    rest = more;
                }
                (Some(_), Inside::Table(pairs)) => return value_in(pairs, rest),
                _ => return None,
            }
        }
    })
}

/// A list or a table that is not closed yet.
enum Open {
    List(usize, Vec<Value>),
    Table(usize, Vec<Pair>, Vec<Key>),
}

/// Collects the parser's events.
struct Builder {
    sections: Vec<Section>,
    /// The header that is being read: where it begins, and whether it is an item.
    header: Option<(usize, bool)>,
    /// Names of the pair or header that is being read.
    keys: Vec<Key>,
    open: Vec<Open>,
    /// How many elements each list of tables has so far.
    items: BTreeMap<Vec<Step>, usize>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            sections: vec![Section::default()],
            header: None,
            keys: Vec::new(),
            open: Vec::new(),
            items: BTreeMap::new(),
        }
    }
}

impl Builder {
    /// Reads a part of the text; an error says that something in it is wrong.
    fn read(&mut self, text: &str, part: Range<usize>) -> Result<(), ParseError> {
        let source = Source::new(text.get(part.clone()).unwrap_or_default());
        let tokens = source.lex().into_vec();
        let mut wrong = None;
        {
            let mut take = |event: Event| self.take(source, part.start, event);
            let mut guard = RecursionGuard::new(&mut take, DEPTH_MAX);
            parse_document(&tokens, &mut guard, &mut wrong);
        }
        self.end_line(part.end);
        wrong.map_or(Ok(()), Err)
    }

    fn take(&mut self, source: Source<'_>, base: usize, event: Event) {
        let span = base + event.span().start()..base + event.span().end();
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.end_line(span.start);
                self.header = Some((span.start, event.kind() == EventKind::ArrayTableOpen));
            }
            EventKind::StdTableClose | EventKind::ArrayTableClose => self.end_header(span.end),
            EventKind::SimpleKey => {
                let mut name = String::new();
                if let Some(raw) = source.get(event) {
                    raw.decode_key(&mut name, &mut ());
                }
                let name = name.into();
                let key = Key { name, span };
                match self.open.last_mut() {
                    Some(Open::Table(_, _, keys)) => keys.push(key),
                    Some(Open::List(..)) => {}
                    None => self.keys.push(key),
                }
            }
            EventKind::ArrayOpen => self.open.push(Open::List(span.start, Vec::new())),
            EventKind::InlineTableOpen => {
                let table = Open::Table(span.start, Vec::new(), Vec::new());
                self.open.push(table);
            }
            EventKind::ArrayClose | EventKind::InlineTableClose => self.close(span.end),
            EventKind::Scalar => self.put(Value {
                span,
                inside: Inside::Scalar,
            }),
            EventKind::ValueSep => self.end_pair(),
            EventKind::Newline => {
                if self.open.is_empty() {
                    self.end_line(span.start);
                }
            }
            EventKind::KeySep
            | EventKind::KeyValSep
            | EventKind::Whitespace
            | EventKind::Comment
            | EventKind::Error => {}
        }
    }

    /// A pair of an inline table ends, with or without a value.
    fn end_pair(&mut self) {
        if let Some(Open::Table(_, pairs, keys)) = self.open.last_mut()
            && !keys.is_empty()
        {
            let keys = std::mem::take(keys);
            pairs.push(Pair { keys, value: None });
        }
    }

    fn put(&mut self, value: Value) {
        let (pairs, keys) = match self.open.last_mut() {
            Some(Open::List(_, values)) => {
                values.push(value);
                return;
            }
            Some(Open::Table(_, pairs, keys)) => (pairs, keys),
            None => {
                let Some(section) = self.sections.last_mut() else {
                    return;
                };
                (&mut section.pairs, &mut self.keys)
            }
        };
        if !keys.is_empty() {
            let keys = std::mem::take(keys);
            let value = Some(value);
            pairs.push(Pair { keys, value });
        }
    }

    fn close(&mut self, end: usize) {
        self.end_pair();
        let (start, inside) = match self.open.pop() {
            Some(Open::List(start, values)) => (start, Inside::List(values)),
            Some(Open::Table(start, pairs, _)) => (start, Inside::Table(pairs)),
            None => return,
        };
        let span = start..end.max(start);
        self.put(Value { span, inside });
    }

    /// Whatever is still open at the end of a line stays without an end.
    fn end_line(&mut self, at: usize) {
        while !self.open.is_empty() {
            self.close(at);
        }
        if self.header.is_some() {
            self.end_header(at);
        } else if !self.keys.is_empty()
            && let Some(section) = self.sections.last_mut()
        {
            let keys = std::mem::take(&mut self.keys);
            section.pairs.push(Pair { keys, value: None });
        }
    }

    fn end_header(&mut self, end: usize) {
        let Some((start, is_item)) = self.header.take() else {
            return;
        };
        let keys = std::mem::take(&mut self.keys);
        if let Some(last) = self.sections.last_mut() {
            last.span.end = start;
        }
        let path = self.path(&keys, is_item);
        let header = Header {
            keys,
            is_item,
            span: start..end,
        };
        self.sections.push(Section {
            header: Some(header),
            path,
            pairs: Vec::new(),
            span: start..end,
        });
    }

    /// The path of a header: below a list of tables its newest element is meant.
    fn path(&mut self, keys: &[Key], is_item: bool) -> Vec<Step> {
        let mut path: Vec<Step> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            path.push(Step::Key(key.name.clone()));
            if is_item && at + 1 == keys.len() {
                let items = self.items.entry(path.clone()).or_default();
                path.push(Step::Item(*items));
                *items += 1;
            } else if let Some(items) = self.items.get(&path) {
                path.push(Step::Item(items - 1));
            }
        }
        path
    }

    fn finish(mut self, end: usize) -> Outline {
        self.end_line(end);
        if let Some(last) = self.sections.last_mut() {
            last.span.end = end;
        }
        Outline {
            sections: self.sections,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        Outline::read(text).each_key(&mut |path, key| {
            let path: Vec<String> = path.iter().map(Step::to_string).collect();
            all.push(format!("{}@{}", path.join("/"), &text[key.span.clone()]));
        });
        all
    }

    #[test]
    fn a_key_is_there_each_time_it_is_written() {
        let text =
            "[scene.movie]\nliving.lamp = { brightness = 1 }\n\"living\" . tv = [{ on = 2 }, {}]\n";
        assert_eq!(
            keys(text),
            [
                "scene@scene",
                "scene/movie@movie",
                "scene/movie/living@living",
                "scene/movie/living/lamp@lamp",
                "scene/movie/living/lamp/brightness@brightness",
                "scene/movie/living@\"living\"",
                "scene/movie/living/tv@tv",
                "scene/movie/living/tv/0/on@on",
            ]
        );
    }

    #[test]
    fn elements_of_a_list_of_tables_are_told_apart() {
        let text = "[[block]]\nid = 1\n[[block]]\nid = 2\n[block.x]\ny = 1\n";
        assert_eq!(
            keys(text),
            [
                "block@block",
                "block/0/id@id",
                "block@block",
                "block/1/id@id",
                "block@block",
                "block/1/x@x",
                "block/1/x/y@y",
            ]
        );
        let outline = Outline::read(text);
        let path = ["block".into(), Step::Item(1), "id".into()];
        let value = outline.value(&path).unwrap();
        assert_eq!(&text[value.span.clone()], "2");
    }

    #[test]
    fn what_can_be_made_out_of_a_broken_text_is_there() {
        let text = "a = \n[rule.x\nwhen = \"e\"\ndo = { set = \"l\", bri\nif\n[rule.y]\nz = 1\n";
        let found = keys(text);
        for key in ["a@a", "rule/x/when@when", "rule/y/z@z"] {
            assert!(found.iter().any(|other| other == key), "{key}: {found:?}");
        }
        let outline = Outline::read(text);
        let last = outline.sections.last().unwrap();
        assert_eq!(&text[last.span.clone()], "[rule.y]\nz = 1\n");
        assert_eq!(outline.section_at(text.len()), Some(last));
    }

    #[test]
    fn deep_and_strange_texts_end() {
        for text in [
            "[".repeat(10_000),
            "a = ".to_owned() + &"[".repeat(10_000),
            "{".repeat(99),
        ] {
            assert!(Outline::read(&text).sections.len() <= 10_000);
        }
    }
}
