//! Values and tables of a TOML document, each with its place, and readers that say what they expect.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Text;
use crate::{
    diagnostic::Diagnostic,
    report::Report,
    source::{FileIx, Span},
    suggest::closest,
};

/// Where a part of a file begins, and the file's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within<'a> {
    pub(super) file: FileIx,
    pub(super) text: &'a str,
    pub(super) base: usize,
}

impl Within<'_> {
    fn span(&self, bytes: &std::ops::Range<usize>) -> Span {
        Span {
            file: self.file,
            bytes: self.base + bytes.start..self.base + bytes.end,
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    within: Within<'a>,
    value: &'a Spanned<DeValue<'a>>,
}

/// A key and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key<'a> {
    /// Decoded.
    pub(crate) name: &'a str,
    /// Where it stands.
    pub(crate) span: Span,
}

/// A table and its place.
#[derive(Clone, Debug)]
pub(crate) struct Table<'a> {
    within: Within<'a>,
    map: &'a DeTable<'a>,
    /// The header, or the whole inline table.
    pub(crate) span: Span,
    /// A key that was misspelt, which is reported, and the one that it is read as.
    meant: Option<(&'a str, &'static str)>,
    /// A key that is reported, and read as nothing.
    hidden: Option<&'a str>,
}

impl<'a> Node<'a> {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.within.span(&self.value.span())
    }

    /// The plain TOML value.
    pub(crate) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// The text, where this is one.
    pub(crate) fn as_text(&self) -> Option<Text<'a>> {
        let DeValue::String(text) = self.value() else {
            return None;
        };
        let span = self.span();
        let raw = self.within.text.get(span.bytes.clone());
        Some(Text::new(
            text,
            raw.unwrap_or_default(),
            span.file,
            span.bytes.start,
        ))
    }

    /// The number, whole or not, where this is one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let number = match self.value() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        number.map(types::without_sign_of_zero)
    }

    /// The truth value, where this is one.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        self.value().as_bool()
    }

    /// The table, where this is one.
    pub(crate) fn as_table(&self) -> Option<Table<'a>> {
        let DeValue::Table(map) = self.value() else {
            return None;
        };
        Some(Table {
            within: self.within,
            map,
            span: self.span(),
            meant: None,
            hidden: None,
        })
    }

    /// The elements, where this is a list.
    pub(crate) fn as_list(&self) -> Option<Vec<Node<'a>>> {
        let DeValue::Array(list) = self.value() else {
            return None;
        };
        let within = self.within;
        Some(list.iter().map(|value| Node { within, value }).collect())
    }

    /// The elements of a list, or this value alone.
    pub(crate) fn one_or_more(&self) -> Vec<Node<'a>> {
        self.as_list().unwrap_or_else(|| vec![*self])
    }

    /// Hands everything in it to `take`, piece by piece: equal values give equal pieces, however they are written.
    pub(crate) fn feed(&self, take: &mut impl FnMut(&[u8])) {
        match self.value() {
            DeValue::String(text) => take(text.as_bytes()),
            DeValue::Integer(number) => {
                take(&number.radix().to_le_bytes());
                take(number.as_str().as_bytes());
            }
            DeValue::Float(number) => take(number.as_str().as_bytes()),
            DeValue::Boolean(truth) => take(&[u8::from(*truth)]),
            DeValue::Datetime(moment) => take(moment.to_string().as_bytes()),
            DeValue::Array(list) => {
                take(b"[");
                for node in self.as_list().into_iter().flatten() {
                    node.feed(take);
                }
                take(&(list.len() as u64).to_le_bytes());
            }
            DeValue::Table(map) => {
                take(b"{");
                for (key, node) in self.as_table().iter().flat_map(Table::entries) {
                    take(key.name.as_bytes());
                    node.feed(take);
                }
                take(&(map.len() as u64).to_le_bytes());
            }
        }
    }

    /// The text; anything else is reported.
    pub(crate) fn text(&self, report: &mut Report, what: &str) -> Option<Text<'a>> {
        self.expect(report, what, "a text", Self::as_text)
    }

    /// The number; anything else is reported.
    pub(crate) fn number(&self, report: &mut Report, what: &str) -> Option<f64> {
        let number = self.expect(report, what, "a number", Self::as_number)?;
        if number.is_finite() {
            return Some(number);
        }
        let message = format!("{what} must be a finite number");
        report.push(Diagnostic::error("out-of-range", self.span(), message));
        None
    }

    /// The truth value; anything else is reported.
    pub(crate) fn boolean(&self, report: &mut Report, what: &str) -> Option<bool> {
        self.expect(report, what, "true or false", Self::as_bool)
    }

    /// The table; anything else is reported.
    pub(crate) fn table(&self, report: &mut Report, what: &str) -> Option<Table<'a>> {
        self.expect(report, what, "a table", Self::as_table)
    }

    /// The list; anything else is reported.
    pub(crate) fn list(&self, report: &mut Report, what: &str) -> Option<Vec<Node<'a>>> {
        self.expect(report, what, "a list", Self::as_list)
    }

    /// A whole number from `min` to `max`; anything else is reported.
    pub(crate) fn whole(&self, report: &mut Report, what: &str, min: i64, max: i64) -> Option<i64> {
        let number = self.expect(report, what, "a whole number", Self::as_number)?;
        if number.fract() == 0.0 && (min as f64..=max as f64).contains(&number) {
            return Some(number as i64);
        }
        let message = format!("{what} must be a whole number from {min} to {max}");
        report.push(
            Diagnostic::error("out-of-range", self.span(), message).label(format!("is {number}")),
        );
        None
    }

    /// One of `words`; anything else is reported, with the nearest of them.
    pub(crate) fn word(
        &self,
        report: &mut Report,
        what: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let text = self.text(report, what)?;
        let found = words.iter().copied().find(|word| *word == text.text);
        if found.is_none() {
            let message = format!("{what} can't be `{}`", text.text);
            let error = Diagnostic::error("unknown-word", text.span(), message)
                .label(format!("expected {}", one_of(words)));
            report.push(did_you_mean(error, text.text, words.iter().copied()));
        }
        found
    }

    fn expect<T>(
        &self,
        report: &mut Report,
        what: &str,
        expected: &str,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<T> {
        let found = read(self);
        if found.is_none() {
            self.complain(report, what, expected);
        }
        found
    }

    /// The table; anything else is reported, with what to write instead of it.
    pub(crate) fn table_or(
        &self,
        report: &mut Report,
        what: &str,
        instead: impl FnOnce(&Self) -> Option<String>,
    ) -> Option<Table<'a>> {
        let found = self.as_table();
        if found.is_none() {
            self.complain_or(report, what, "a table", instead(self));
        }
        found
    }

    /// Reports that `what` should be `expected`.
    pub(crate) fn complain(&self, report: &mut Report, what: &str, expected: &str) {
        self.complain_or(report, what, expected, None);
    }

    /// Reports that `what` should be `expected`, with what to write `instead`.
    pub(crate) fn complain_or(
        &self,
        report: &mut Report,
        what: &str,
        expected: &str,
        instead: Option<String>,
    ) {
        let message = format!("{what} must be {expected}");
        let mut error = Diagnostic::error("wrong-type", self.span(), message)
            .label(format!("this is {}", self.type_word()));
        if let Some(instead) = instead {
            report.push(error.help(format!("write {instead}")));
            return;
        }
        if expected == "a text" && !matches!(self.value(), DeValue::Array(_) | DeValue::Table(_)) {
            error = error.help(format!(
                "texts stand in quotes: write \"{}\"",
                self.written()
            ));
        }
        if let ("true or false", Some(truth)) = (expected, self.meant_truth()) {
            error = error.help(format!("write {truth}"));
        }
        if let ("a list", Some(text)) = (expected, self.as_text()) {
            error = error.help(format!("write [\"{}\"]", text.text));
        }
        report.push(error);
    }

    /// The truth value that somebody means by a text.
    pub(crate) fn meant_truth(&self) -> Option<bool> {
        let text = self.as_text()?.text.to_lowercase();
        match &*text {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// As it stands in the file.
    pub(crate) fn written(&self) -> &'a str {
        let bytes = self.span().bytes;
        self.within.text.get(bytes).unwrap_or_default()
    }

    fn type_word(&self) -> &'static str {
        match self.value() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or a time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }
}

impl<'a> Table<'a> {
    /// The document's top table, or a part of it that begins at `base`.
    pub(super) fn top(within: Within<'a>, map: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            within,
            span: within.span(&map.span()),
            map: map.get_ref(),
            meant: None,
            hidden: None,
        }
    }

    /// The same with a misspelt key read as the one that was meant: what else is wrong is told in the same go. The
    /// caller reports the key itself.
    pub(crate) fn reading(self, written: &'a str, meant: &'static str) -> Self {
        Self {
            meant: Some((written, meant)),
            ..self
        }
    }

    /// The same without a key, which the caller reports.
    pub(crate) fn without(self, key: &'a str) -> Self {
        Self {
            hidden: Some(key),
            ..self
        }
    }

    /// The value of `key`.
    pub(crate) fn field(&self, key: &str) -> Option<Node<'a>> {
        let within = self.within;
        let value = self.map.get(self.as_written(key));
        let value = value.filter(|_| self.hidden != Some(key));
        value.map(|value| Node { within, value })
    }

    /// How `key` is spelt in the file.
    fn as_written<'k>(&self, key: &'k str) -> &'k str
    where
        'a: 'k,
    {
        match self.meant {
            Some((written, meant)) if meant == key => written,
            _ => key,
        }
    }

    /// What a key of the file is read as.
    fn as_meant(&self, key: &'a str) -> &'a str {
        match self.meant {
            Some((written, meant)) if written == key => meant,
            _ => key,
        }
    }

    /// All keys with their values, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(Key<'a>, Node<'a>)> {
        let within = self.within;
        let mut all: Vec<_> = self
            .map
            .iter()
            .filter(|(key, _)| self.hidden != Some(&**key.get_ref()))
            .map(|(key, value)| {
                let name = self.as_meant(key.get_ref());
                let span = within.span(&key.span());
                (Key { name, span }, Node { within, value })
            })
            .collect();
        all.sort_by_key(|(key, _)| key.span.bytes.start);
        all
    }

    /// The place of `key`; the table's where it is absent.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        let found = self.map.get_key_value(self.as_written(key));
        found.map_or_else(
            || self.span.clone(),
            |(key, _)| self.within.span(&key.span()),
        )
    }

    /// Reports each key that is not in `known`, with the nearest of `known`.
    pub(crate) fn reject_unknown(&self, report: &mut Report, what: &str, known: &[&str]) {
        if self.has_only(known) {
            return;
        }
        for (key, _) in self.entries() {
            if !known.contains(&key.name) {
                report.push(unknown_key(&key, what, known));
            }
        }
    }

    /// Whether all its keys are in `known`: most tables are sound, and nothing more has to be looked at.
    pub(crate) fn has_only(&self, known: &[&str]) -> bool {
        let mut keys = self.map.iter();
        self.hidden.is_none() && keys.all(|(key, _)| known.contains(&self.as_meant(key.get_ref())))
    }

    /// Whether a key that is not in `known` most likely was meant to be `key`.
    pub(crate) fn misspells(&self, key: &str, known: &[&str]) -> bool {
        self.misspelt(key, known).is_some()
    }

    /// The key that is not in `known` and most likely was meant to be `key`, which is not there.
    pub(crate) fn misspelt(&self, key: &str, known: &[&str]) -> Option<(Key<'a>, Node<'a>)> {
        if self.field(key).is_some() || self.has_only(known) {
            return None;
        }
        let is_meant = |(name, _): &(Key<'a>, Node<'a>)| {
            !known.contains(&name.name)
                && closest(name.name, known.iter().copied()).is_some_and(|near| near == key)
        };
        self.entries().into_iter().find(is_meant)
    }

    /// The table with a misspelt `key` read as what was meant; that is reported.
    pub(crate) fn forgiving(
        self,
        report: &mut Report,
        what: &str,
        key: &'static str,
        known: &[&str],
    ) -> Self {
        let Some((written, _)) = self.misspelt(key, known) else {
            return self;
        };
        report.push(unknown_key(&written, what, known));
        self.reading(written.name, key)
    }

    /// The value of a key, also where that is misspelt, which is reported as unknown already.
    pub(crate) fn field_or_misspelt(&self, key: &str, known: &[&str]) -> Option<Node<'a>> {
        let misspelt = || Some(self.misspelt(key, known)?.1);
        self.field(key).or_else(misspelt)
    }

    /// The value of a key that must be there. A misspelt one is reported as unknown already, and read all the same: what
    /// else is wrong is told in the same go.
    pub(crate) fn required(
        &self,
        report: &mut Report,
        what: &str,
        key: &str,
        known: &[&str],
    ) -> Option<Node<'a>> {
        self.required_or(report, what, key, known, "")
    }

    /// The same, with what helps where it is missing.
    pub(crate) fn required_or(
        &self,
        report: &mut Report,
        what: &str,
        key: &str,
        known: &[&str],
        help: &str,
    ) -> Option<Node<'a>> {
        let found = self.field_or_misspelt(key, known);
        if found.is_none() {
            let message = format!("{what} needs `{key}`");
            let error = Diagnostic::error("missing-key", self.span.clone(), message);
            report.push(if help.is_empty() {
                error
            } else {
                error.help(help)
            });
        }
        found
    }
}

/// "`whne` is no key of a rule".
pub(crate) fn unknown_key(key: &Key<'_>, what: &str, known: &[&str]) -> Diagnostic {
    let message = format!("`{}` is no key of {what}", key.name);
    let error = Diagnostic::error("unknown-key", key.span.clone(), message);
    match closest(key.name, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("its keys are {}", list(known))),
    }
}

/// Adds "did you mean", where a candidate is near.
pub(crate) fn did_you_mean<'c>(
    error: Diagnostic,
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Diagnostic {
    match closest(word, candidates) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// `a`, `b` and `c`.
pub(crate) fn list(words: &[&str]) -> String {
    joined(words, "and")
}

/// What fields something has, for a help line; that it has none is a sentence of its own.
pub(crate) fn its_fields(words: &[&str]) -> String {
    if words.is_empty() {
        "it has no fields".to_owned()
    } else {
        format!("its fields are {}", list(words))
    }
}

/// `a`, `b` or `c`.
pub(crate) fn one_of(words: &[&str]) -> String {
    joined(words, "or")
}

fn joined(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [start @ .., end] => format!("{} {last} {end}", start.join(", ")),
    }
}
