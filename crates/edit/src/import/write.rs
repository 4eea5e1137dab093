//! Model -> files, with the place of each value.

use std::{collections::BTreeMap, ops::Range};

use mapping::toml_text::key;

use crate::{
    house::TESTS,
    model::Model,
    pointer::{Pointer, Step},
    toml_text::Writer,
};

/// What is installed.
const DEVICES: &str = "devices.toml";
/// What happens.
const RULES: &str = "rules.toml";
/// What holds the house together.
const MAIN: &str = "mapping.toml";

/// The files, and where each value went.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) files: BTreeMap<String, String>,
    pub(super) places: Places,
}

/// Where values are written.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Vec<(Range<usize>, Pointer)>>);

impl Places {
    /// What is written there: the smallest value that holds the place.
    pub(super) fn at(&self, file: &str, bytes: &Range<usize>) -> Pointer {
        let all = self.0.get(file).map(Vec::as_slice).unwrap_or_default();
        let around = all.iter().filter(|(place, _)| {
            place.start <= bytes.start && bytes.start < place.end.max(place.start + 1)
        });
        let smallest = around.min_by_key(|(place, _)| place.end - place.start);
        smallest
            .map(|(_, pointer)| pointer.clone())
            .unwrap_or_default()
    }
}

/// Writes the files of a house.
pub(super) fn files(model: &Model) -> Written {
    let Model::Table(tops) = model else {
        return Written::default();
    };
    let mut main = File::default();
    let mut devices = File::default();
    let mut rules = File::default();
    let mut tests = File::default();
    let format = model.field("format").cloned();
    main.pair(&["format"], &format.unwrap_or(Model::Int(1)));
    for (name, value) in tops {
        let file = match name.as_str() {
            "format" | "allow" => continue,
            "home" | "kind" | "device" | "group" | "var" | "scene" | "renamed" => &mut devices,
            "rule" => &mut rules,
            "test" => &mut tests,
            // The loader says what is wrong with it.
            _ => {
                main.pair(&[name], value);
                continue;
            }
        };
        match value {
            Model::Table(fields) => file.top(name, fields),
            other => file.pair(&[name], other),
        }
    }
    // It silences what is said of its own file; what it is about may stand in any.
    if let Some(allow) = model.field("allow") {
        let others = [&mut devices, &mut rules].into_iter();
        let written = others.filter(|file| !file.is_empty()).chain([&mut main]);
        written.for_each(|file| file.pair(&["allow"], allow));
    }
    let mut written = Written::default();
    let mut included = Vec::new();
    for (name, file) in [(DEVICES, devices), (RULES, rules), (TESTS, tests)] {
        if file.is_empty() {
            continue;
        }
        if name != TESTS {
            included.push(Model::from(name));
        }
        file.into(name, &mut written);
    }
    if model.field("include").is_none() && !included.is_empty() {
        main.lines.push_str("include = ");
        let mut list = Writer::default();
        list.value(&Model::List(included), None);
        main.lines.push_str(&list.text);
        main.lines.push('\n');
    }
    main.into(MAIN, &mut written);
    written
}

/// A file while it is being written.
#[derive(Debug, Default)]
struct File {
    /// Lines before the first header.
    lines: String,
    line_places: Vec<(Range<usize>, Pointer)>,
    sections: String,
    section_places: Vec<(Range<usize>, Pointer)>,
}

impl File {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.sections.is_empty()
    }

    /// `a.b = value` before the first header.
    fn pair(&mut self, names: &[&str], value: &Model) {
        pair(&mut self.lines, &mut self.line_places, &[], names, value);
    }

    /// A top table.
    fn top(&mut self, name: &str, fields: &[(String, Model)]) {
        let with_headers = matches!(name, "kind" | "device" | "scene" | "rule" | "test");
        if !with_headers {
            self.section(&[name], fields);
            return;
        }
        for (field, value) in fields {
            match value {
                Model::Table(inner) => self.section(&[name, field], inner),
                other => self.pair(&[name, field], other),
            }
        }
    }

    fn section(&mut self, path: &[&str], fields: &[(String, Model)]) {
        if !self.sections.is_empty() {
            self.sections.push('\n');
        }
        let start = self.sections.len();
        let names: Vec<String> = path.iter().map(|name| key(name)).collect();
        self.sections.push_str(&format!("[{}]\n", names.join(".")));
        let pointer = Pointer(path.iter().map(|name| Step::from(*name)).collect());
        self.section_places
            .push((start..self.sections.len(), pointer));
        for (name, value) in fields {
            let nested = match value {
                Model::Table(inner) if !inner.is_empty() => inner
                    .iter()
                    .all(|(_, value)| matches!(value, Model::Table(_)))
                    .then_some(inner),
                _ => None,
            };
            let (text, places) = (&mut self.sections, &mut self.section_places);
            match nested {
                Some(inner) => {
                    for (second, value) in inner {
                        pair(text, places, path, &[name, second], value);
                    }
                }
                None => pair(text, places, path, &[name], value),
            }
        }
    }

    fn into(self, name: &str, written: &mut Written) {
        let mut text = self.lines;
        let mut places = self.line_places;
        if !text.is_empty() && !self.sections.is_empty() {
            text.push('\n');
        }
        let base = text.len();
        text.push_str(&self.sections);
        let moved = self.section_places.into_iter();
        places
            .extend(moved.map(|(place, pointer)| (place.start + base..place.end + base, pointer)));
        written.files.insert(name.to_owned(), text);
        written.places.0.insert(name.to_owned(), places);
    }
}

/// Writes `a.b = value` on lines of its own.
fn pair(
    text: &mut String,
    places: &mut Vec<(Range<usize>, Pointer)>,
    above: &[&str],
    names: &[&str],
    value: &Model,
) {
    let mut path: Vec<Step> = above.iter().map(|name| Step::from(*name)).collect();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        let start = text.len();
        text.push_str(&key(name));
        path.push(Step::from(*name));
        places.push((start..text.len(), Pointer(path.clone())));
    }
    text.push_str(" = ");
    let base = text.len();
    let mut writer = Writer::default();
    writer.broken_value(value, &mut |below, place| {
        let path = path.iter().chain(below).cloned().collect();
        places.push((place.start + base..place.end + base, Pointer(path)));
    });
    text.push_str(&writer.text);
    text.push('\n');
}
