//! Where in a TOML text somebody is typing: the tables and lists around, and what is begun.
//!
//! Looks at the text before the cursor only, from the section's header on: what follows is most often not
//! finished. Must not know what the tables mean.

use std::ops::Range;

use mapping::outline::{Inside, Outline, Pair, Step};

/// A place in a text.
#[derive(Debug)]
pub(crate) struct Around {
    /// The tables and lists around it, outermost first. Never empty.
    pub(crate) frames: Vec<Frame>,
    /// What is being typed there.
    pub(crate) typed: Typed,
}

/// A table or a list that is open at the place.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Where it stands in the document.
    pub(crate) path: Vec<Step>,
    is_list: bool,
    /// Names of the pair that is being read.
    keys: Vec<String>,
    /// Where the last of these begins.
    key_start: usize,
    in_value: bool,
    items: usize,
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A name in a header: the names before it, and the bytes of what is there of it.
    Header(Vec<String>, Range<usize>),
    /// A key: the dotted names before it, and the bytes of what is there of it.
    Key(Vec<String>, Range<usize>),
    /// A value without quotes.
    Value(Range<usize>),
    /// A text: the bytes between its quotes; up to the line's end where the closing one is missing.
    Text(Range<usize>),
    /// A comment.
    Nothing,
}

impl Around {
    /// The place at a byte of a text.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let outline = Outline::read(text);
        let mut start = 0;
        let mut path = Vec::new();
        if let Some(section) = outline.section_at(offset) {
            path.clone_from(&section.path);
            if let Some(header) = &section.header {
                let is_closed = text[header.span.clone()].ends_with(']');
                if offset < header.span.end || (offset == header.span.end && !is_closed) {
                    return Self::header(text, header.span.start, offset);
                }
                start = header.span.end;
            }
        }
        let mut reader = Reader {
            text,
            end: offset,
            at: start,
            frames: vec![Frame::new(path, false)],
        };
        let typed = reader.read();
        Self {
            frames: reader.frames,
            typed,
        }
    }

    fn header(text: &str, start: usize, offset: usize) -> Self {
        let inside = text[start..offset].trim_start_matches('[');
        let from = offset - inside.len();
        let mut names: Vec<String> = inside
            .split('.')
            .map(|name| name.trim().to_owned())
            .collect();
        let last = names.pop().unwrap_or_default();
        let begin = offset
            - inside
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .trim_start()
                .len();
        let begin = begin.max(from).min(offset - last.len().min(offset));
        Self {
            frames: vec![Frame::new(Vec::new(), false)],
            typed: Typed::Header(names, begin..offset),
        }
    }

    /// The innermost table or list.
    pub(crate) fn innermost(&self) -> &Frame {
        // Frames are never empty: the section itself is never closed.
        &self.frames[self.frames.len() - 1]
    }

    /// The path of the table that a key is typed in, or of the value that is typed.
    pub(crate) fn path(&self) -> Vec<Step> {
        let frame = self.innermost();
        let mut path = frame.path.clone();
        match &self.typed {
            Typed::Key(above, _) => path.extend(above.iter().map(|name| Step::from(name.as_str()))),
            Typed::Header(above, _) => {
                path = above.iter().map(|name| Step::from(name.as_str())).collect();
            }
            _ if frame.is_list => path.push(Step::Item(frame.items)),
            _ => path.extend(frame.keys.iter().map(|name| Step::from(name.as_str()))),
        }
        path
    }
}

impl Frame {
    fn new(path: Vec<Step>, is_list: bool) -> Self {
        Self {
            path,
            is_list,
            keys: Vec::new(),
            key_start: 0,
            in_value: false,
            items: 0,
        }
    }

    /// The path of a value that begins here.
    fn value_path(&self) -> Vec<Step> {
        let mut path = self.path.clone();
        if self.is_list {
            path.push(Step::Item(self.items));
        } else {
            path.extend(self.keys.iter().map(|name| Step::from(name.as_str())));
        }
        path
    }

    fn is_value(&self) -> bool {
        self.is_list || self.in_value
    }
}

struct Reader<'t> {
    text: &'t str,
    end: usize,
    at: usize,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    fn top(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// Reads up to the end; says what is begun there.
    fn read(&mut self) -> Typed {
        while self.at < self.end {
            let rest = &self.text[self.at..self.end];
            let Some(letter) = rest.chars().next() else {
                break;
            };
            match letter {
                '#' => match rest.find('\n') {
                    Some(newline) => self.at += newline,
                    None => return Typed::Nothing,
                },
                '\n' => {
                    if self.frames.len() == 1 {
                        self.next_pair();
                    }
                    self.at += 1;
                }
                '"' | '\'' => {
                    if let Some(inside) = self.quoted(letter) {
                        return Typed::Text(inside);
                    }
                }
                '[' | '{' if self.top().is_value() => {
                    let path = self.top().value_path();
                    self.frames.push(Frame::new(path, letter == '['));
                    self.at += 1;
                }
                '[' => {
                    // A header that is only begun.
                    let around = Around::header(self.text, self.at, self.end);
                    return around.typed;
                }
                ']' | '}' => {
                    if self.frames.len() > 1 {
                        self.frames.pop();
                    }
                    self.at += 1;
                }
                ',' => {
                    self.next_pair();
                    self.at += 1;
                }
                '=' => {
                    self.top().in_value = true;
                    self.at += 1;
                }
                '.' if !self.top().is_value() => {
                    self.at += 1;
                    let at = self.at;
                    let frame = self.top();
                    frame.keys.push(String::new());
                    frame.key_start = at;
                }
                letter if letter.is_whitespace() => self.at += letter.len_utf8(),
                _ => {
                    if let Some(typed) = self.bare() {
                        return typed;
                    }
                }
            }
        }
        self.nothing_yet()
    }

    /// A comma or the end of a line: the next pair or element begins.
    fn next_pair(&mut self) {
        let frame = self.top();
        frame.keys.clear();
        frame.in_value = false;
        frame.items += usize::from(frame.is_list);
    }

    /// A word without quotes; out comes what is typed where the text ends in it.
    fn bare(&mut self) -> Option<Typed> {
        let start = self.at;
        let is_key = !self.top().is_value();
        let ends = |c: char| c.is_whitespace() || ",]}=#\"'[{".contains(c) || (is_key && c == '.');
        let rest = &self.text[start..self.end];
        let length = rest.find(ends).unwrap_or(rest.len()).max(1);
        self.at = start + length;
        if self.at >= self.end {
            if !is_key {
                return Some(Typed::Value(start..self.end));
            }
            let keys = &self.top().keys;
            let above = keys[..keys.len().saturating_sub(1)].to_vec();
            return Some(Typed::Key(above, start..self.end));
        }
        let word = self.text[start..self.at].to_owned();
        if is_key {
            self.key(word);
        }
        None
    }

    fn key(&mut self, word: String) {
        let frame = self.top();
        match frame.keys.last_mut() {
            Some(last) if last.is_empty() => *last = word,
            // Two words without a point: the first one was no key.
            Some(last) => *last = word,
            None => frame.keys.push(word),
        }
    }

    /// A text in quotes; out come the bytes between them where the place is there.
    fn quoted(&mut self, quote: char) -> Option<Range<usize>> {
        let long: String = std::iter::repeat_n(quote, 3).collect();
        let is_long = self.text[self.at..].starts_with(&long);
        let opening = if is_long { 3 } else { 1 };
        let start = self.at + opening;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut escaped = false;
        let mut close = None;
        let mut line_end = rest.len();
        for (at, letter) in rest.char_indices() {
            if letter == '\n' && !is_long {
                line_end = at;
                break;
            }
            if escaped {
                escaped = false;
            } else if letter == '\\' && quote == '"' {
                escaped = true;
            } else if letter == quote && (!is_long || rest[at..].starts_with(&long)) {
                close = Some(at);
                break;
            }
        }
        let inside = start..start + close.unwrap_or(line_end);
        if self.end >= start && self.end <= inside.end {
            return Some(inside);
        }
        let is_value = self.top().is_value();
        if !is_value {
            let word = self.text[inside.clone()].to_owned();
            self.key(word);
        }
        self.at = match close {
            Some(close) => start + close + opening,
            None => inside.end,
        };
        None
    }

    /// The text ended between words.
    fn nothing_yet(&mut self) -> Typed {
        let end = self.end;
        let frame = self.top();
        if frame.is_value() {
            return Typed::Value(end..end);
        }
        match frame.keys.split_last() {
            // Behind a point.
            Some((last, above)) if last.is_empty() => Typed::Key(above.to_vec(), end..end),
            // Behind a whole key nothing but `=` comes.
            Some(_) => Typed::Nothing,
            None => Typed::Key(Vec::new(), end..end),
        }
    }
}

/// The keys that stand in the table at `path`, with their values as they are written.
pub(crate) fn fields(text: &str, outline: &Outline, path: &[Step]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in &outline.sections {
        if let Some(rest) = path.strip_prefix(section.path.as_slice()) {
            in_pairs(text, &section.pairs, rest, &mut found);
        }
    }
    found
}

fn in_pairs(text: &str, pairs: &[Pair], path: &[Step], found: &mut Vec<(String, String)>) {
    for pair in pairs {
        let names: Vec<Step> = pair
            .keys
            .iter()
            .map(|key| Step::Key(key.name.clone()))
            .collect();
        match names.strip_prefix(path) {
            Some([only]) => {
                let value = pair.value.as_ref().map(|value| &text[value.span.clone()]);
                found.push((only.to_string(), value.unwrap_or_default().to_owned()));
                continue;
            }
            Some([first, ..]) => {
                found.push((first.to_string(), String::new()));
                continue;
            }
            Some([]) | None => {}
        }
        let (Some(rest), Some(value)) = (path.strip_prefix(names.as_slice()), &pair.value) else {
            continue;
        };
        let mut value = value;
        let mut rest = rest;
        while let (Inside::List(values), Some((Step::Item(number), more))) =
            (&value.inside, rest.split_first())
        {
            let Some(item) = values.get(*number) else {
                return;
            };
            value = item;
            rest = more;
        }
        if let Inside::Table(pairs) = &value.inside {
            in_pairs(text, pairs, rest, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path and what is typed at the `|`.
    fn at(marked: &str) -> (String, String) {
        let offset = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        let around = Around::of(&text, offset);
        let path: Vec<String> = around.path().iter().map(Step::to_string).collect();
        let typed = match around.typed {
            Typed::Header(_, range) => format!("header {}", &text[range]),
            Typed::Key(_, range) => format!("key {}", &text[range]),
            Typed::Value(range) => format!("value {}", &text[range]),
            Typed::Text(range) => format!("text {}", &text[range]),
            Typed::Nothing => "nothing".to_owned(),
        };
        (path.join("/"), typed)
    }

    #[test]
    fn the_place_is_known_in_what_is_not_finished() {
        for (marked, path, typed) in [
            ("[rule.x]\nwh|", "rule/x", "key wh"),
            ("[rule.x]\n|\nwhen = 1", "rule/x", "key "),
            ("[rule.x]\nwhen = |", "rule/x/when", "value "),
            (
                "[rule.x]\nwhen = \"hall.|\"\ndo = 1",
                "rule/x/when",
                "text hall.",
            ),
            (
                "[rule.x]\nwhen = \"hall.|\ndo = 1",
                "rule/x/when",
                "text hall.",
            ),
            (
                "[rule.x]\nwhen = [\"a\", \"b|c\"]",
                "rule/x/when/1",
                "text bc",
            ),
            ("[rule.x]\ndo = { set = \"l\", bri|", "rule/x/do", "key bri"),
            (
                "[rule.x]\ndo = [\"a\", { set = \"l\", on = tr|",
                "rule/x/do/1/on",
                "value tr",
            ),
            (
                "[rule.x]\ndo = [\n  \"a\", # x\n  |\n]",
                "rule/x/do/1",
                "value ",
            ),
            ("[rule.x]\nwhen = 1 # com|ment", "rule/x/when", "nothing"),
            ("[rule.x]\nwhen |", "rule/x/when", "nothing"),
            ("[device.h]\nio.|", "device/h/io", "key "),
            ("[device.h]\nio.la|", "device/h/io", "key la"),
            (
                "[device.h]\nio.lamp = { kind = \"|\" }",
                "device/h/io/lamp/kind",
                "text ",
            ),
            ("[scene.m]\nhall.lamp = { |", "scene/m/hall/lamp", "key "),
            ("[rule.|", "rule", "header "),
            ("[ru|]", "", "header ru"),
            ("a = 1\n[|", "", "header "),
            ("|", "", "key "),
            ("x = '''a\nb|c'''", "x", "text a\nbc"),
            ("x = \"a\\\"|b\"", "x", "text a\\\"b"),
            (
                "[test.t]\nsteps = [\n  { event = \"x\" },\n  { at = \"1s\", wi|\n]",
                "test/t/steps/1",
                "key wi",
            ),
        ] {
            let found = at(marked);
            assert_eq!(found, (path.to_owned(), typed.to_owned()), "{marked}");
        }
    }

    #[test]
    fn fields_are_found_however_their_table_is_written() {
        let text = "[rule.x]\ndo = [\"a\", { set = \"l\", on.x = 1 }]\n[device.h]\nio.a.kind = \"k\"\nio.b = {}\n";
        let outline = Outline::read(text);
        let at = |path: &str| -> Vec<String> {
            let steps = path.split('/').map(|part| match part.parse() {
                Ok(number) => Step::Item(number),
                Err(_) => Step::from(part),
            });
            let steps: Vec<Step> = steps.collect();
            fields(text, &outline, &steps)
                .into_iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect()
        };
        assert_eq!(at("rule/x/do/1"), ["set=\"l\"", "on="]);
        assert_eq!(at("device/h/io"), ["a=", "b={}"]);
        assert_eq!(at("device/h/io/a"), ["kind=\"k\""]);
        assert_eq!(at("rule/x"), ["do=[\"a\", { set = \"l\", on.x = 1 }]"]);
    }

    #[test]
    fn any_place_of_any_text_is_some_place() {
        let text = "[rule.ä]\nwhen = [{ a = \"\"\"x\n\"\"\", 'b' = [1, {} ] }, \"\\u00e4\"\n\"q.r\" . s = 'y\n[[x\n]]}],=.#z";
        for offset in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let around = Around::of(text, offset);
            assert!(!around.frames.is_empty());
            let _ = around.path();
        }
    }
}
