//! `[kind.K]`: an own peripheral. What comes out has the form of a built-in kind, and is used as one.
//!
//! Read before the devices. A kind with a mistake is left out; channels of it are not complained about again.

mod commands;

use std::{collections::BTreeMap, sync::Arc};

use types::{Type, Value};

use super::{House, field_type};
use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::KIND,
    index::Symbol,
    kinds::{ArgSpec, CarriedSpec, EventSpec, FieldSpec, Kind, Shape},
    names::{self, Letters},
    read::{Key, Node, Table, did_you_mean, list},
    report::Report,
    source::Span,
};

/// Most fields, events, commands, or fields of one event.
const PARTS_MAX: usize = 64;

/// Words that stand beside a field where it is written.
const FIELD_RESERVED: &[&str] = &["command", "fade", "fade_ms", "for", "for_ms", "hold", "set"];
/// Words that stand beside a field of an event where it is chosen or sent.
const EVENT_FIELD_RESERVED: &[&str] = &[
    "boot", "chord", "command", "emit", "if", "seq", "sequence", "set", "t_ms", "within",
];

/// Reads all kinds.
pub(super) fn read_all(house: &mut House<'_>, kinds: &[(Key<'_>, Node<'_>)]) {
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for (key, node) in kinds {
        names::check(&mut house.report, key, "kind", Letters::Expression);
        house
            .report
            .declare(|| (key.span.clone(), Symbol::Kind(key.name.into())));
        if let Some(first) = places.insert(key.name, key.span.clone()) {
            let message = format!("the kind `{}` is declared twice", key.name);
            house.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message)
                    .label("again")
                    .also(first, "first here"),
            );
            continue;
        }
        if Kind::is_built_in(key.name) {
            let message = format!("`{}` is a built-in kind already", key.name);
            house.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message).help(format!(
                    "choose another name, for example `my_{}`",
                    key.name
                )),
            );
            continue;
        }
        let before = house.report.len();
        let kind = node
            .table(&mut house.report, "a kind")
            .map(|table| Reader::new(&mut house.report, key).kind(&table));
        match kind {
            Some(kind) if house.report.len() == before => house.program.kinds.add(kind),
            _ => house.report.declare_broken(format!("kind.{}", key.name)),
        }
    }
}

struct Reader<'r> {
    report: &'r mut Report,
    kind: Kind,
}

impl<'r> Reader<'r> {
    fn new(report: &'r mut Report, key: &Key<'_>) -> Self {
        Self {
            report,
            kind: Kind {
                name: key.name.into(),
                about: "".into(),
                consumer: false,
                fields: Vec::new(),
                events: Vec::new(),
                commands: Vec::new(),
                options: Vec::new(),
                wiring: &[],
            },
        }
    }

    fn kind(mut self, table: &Table<'_>) -> Kind {
        let before = self.report.len();
        let what = format!("kind `{}`", self.kind.name);
        table.reject_unknown(self.report, KIND.what, KIND.names);
        if let Some(note) = table.field("note")
            && let Some(text) = note.text(self.report, "`note`")
        {
            self.kind.about = text.text.into();
        }
        self.fields(table, "target");
        self.fields(table, "state");
        for (key, node) in self.entries(table, "events") {
            self.event(&key, node);
        }
        for (key, node) in self.entries(table, "carries") {
            self.carries(&key, node);
        }
        for (key, node) in self.entries(table, "commands") {
            let command = self.command(&key, node);
            self.kind.commands.extend(command);
        }
        self.kind.consumer = self.kind.fields.iter().any(|field| field.settable);
        let kind = &self.kind;
        let empty = kind.fields.is_empty() && kind.events.is_empty() && kind.commands.is_empty();
        if empty && self.report.len() == before {
            let message = format!("{what} reports nothing and takes nothing");
            self.report.push(
                Diagnostic::error("empty-kind", table.span.clone(), message)
                    .help("add for example events.ring = {} or state.level = \"number\""),
            );
        }
        self.kind
    }

    /// The entries of the table under `key`; too many are reported.
    fn entries<'a>(&mut self, table: &Table<'a>, key: &str) -> Vec<(Key<'a>, Node<'a>)> {
        let Some(node) = table.field(key) else {
            return Vec::new();
        };
        let entries = node
            .table(self.report, &format!("`{key}`"))
            .map(|table| table.entries())
            .unwrap_or_default();
        self.few(&entries, &format!("`{key}`"), &node.span());
        entries
    }

    fn few<T>(&mut self, parts: &[T], what: &str, span: &Span) {
        if parts.len() > PARTS_MAX {
            let message = format!("{what} has {} parts, at most {PARTS_MAX} fit", parts.len());
            self.report.push(
                Diagnostic::error("kind-too-large", span.clone(), message)
                    .help("make two kinds of it, and two channels of the device"),
            );
        }
    }

    /// `target.F` and `state.F`.
    fn fields(&mut self, table: &Table<'_>, key: &str) {
        for (name, node) in self.entries(table, key) {
            names::check(self.report, &name, "field", Letters::Expression);
            self.free(&name, FIELD_RESERVED, "an action has a key of that name");
            if self
                .kind
                .fields
                .iter()
                .any(|field| *field.name == *name.name)
            {
                let message = format!("`{}` is a target and a state", name.name);
                self.report.push(
                    Diagnostic::error("duplicate-name", name.span.clone(), message)
                        .help("what takes a target is reported as well: leave `state` away"),
                );
            }
            let what = format!("`{}`", name.name);
            if let Some((ty, _)) = field_type::read(self.report, node, &what, false) {
                self.kind.fields.push(FieldSpec {
                    name: name.name.into(),
                    shape: Shape::Fixed(ty),
                    settable: key == "target",
                });
            }
        }
    }

    fn free(&mut self, key: &Key<'_>, reserved: &[&str], why: &str) {
        if reserved.contains(&key.name) {
            let message = format!("`{}` can't be the name of a field: {why}", key.name);
            let error = Diagnostic::error("reserved-name", key.span.clone(), message);
            self.report
                .push(error.help(format!("reserved are {}", list(reserved))));
        }
    }

    /// `events.E = { field = type }`. A field that is called as a part of the state is that part.
    fn event(&mut self, key: &Key<'_>, node: Node<'_>) {
        names::check(self.report, key, "event", Letters::Expression);
        let fields = self.arguments(node, &format!("event `{}`", key.name), |key, reader| {
            let why = "an event, a trigger or an action has a key of that name";
            reader.free(key, EVENT_FIELD_RESERVED, why);
        });
        let mut carries = Vec::new();
        for (field, span) in &fields {
            let Some(ty) = self.type_of(&field.name) else {
                continue;
            };
            if field.shape.to_type((None, None)) == ty {
                carries.push(CarriedSpec {
                    field: field.name.clone(),
                    value: None,
                });
            } else {
                let message = format!(
                    "`{0}` of the event `{1}` has another type than `{0}` of the state",
                    field.name, key.name
                );
                self.report.push(
                    Diagnostic::error("type-mismatch", span.clone(), message).help(
                        "what has one name within a kind is one thing: give both the same type, or another name",
                    ),
                );
            }
        }
        self.kind.events.push(EventSpec {
            name: key.name.into(),
            fields: fields.into_iter().map(|(field, _)| field).collect(),
            carries,
        });
    }

    fn arguments(
        &mut self,
        node: Node<'_>,
        what: &str,
        check: impl Fn(&Key<'_>, &mut Self),
    ) -> Vec<(ArgSpec, Span)> {
        let Some(table) = node.table(self.report, what) else {
            return Vec::new();
        };
        let entries = table.entries();
        self.few(&entries, what, &node.span());
        let mut fields = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            names::check(self.report, &key, "field", Letters::Expression);
            check(&key, self);
            let ty = field_type::read(self.report, node, &format!("`{}`", key.name), true);
            fields.extend(ty.map(|(ty, default)| {
                let spec = ArgSpec {
                    name: key.name.into(),
                    shape: Shape::Fixed(ty),
                    default,
                };
                (spec, key.span.clone())
            }));
        }
        fields
    }

    fn type_of(&self, name: &str) -> Option<Type> {
        let mut fields = self.kind.fields.iter();
        let field = fields.find(|field| *field.name == *name)?;
        Some(field.shape.to_type((None, None)))
    }

    /// `carries.E = { field = value }`: the event's name says a state.
    fn carries(&mut self, key: &Key<'_>, node: Node<'_>) {
        let place = self
            .kind
            .events
            .iter()
            .position(|event| *event.name == *key.name);
        let Some(place) = place else {
            let names = self.kind.events.iter().map(|event| &*event.name);
            let message = format!("the kind has no event `{}`", key.name);
            let error = Diagnostic::error("unknown-event", key.span.clone(), message);
            let error = did_you_mean(error, key.name, names);
            self.report.push(error);
            return;
        };
        for (field, value, span) in self.values(node, &format!("`carries.{}`", key.name)) {
            let event = &self.kind.events[place];
            if event.carries.iter().any(|carried| carried.field == field) {
                let message = format!("the event has a field `{field}`, which carries it already");
                self.report.push(
                    Diagnostic::error("duplicate-name", span, message)
                        .help("take one of them away"),
                );
                continue;
            }
            let carried = CarriedSpec {
                field,
                value: Some(value),
            };
            self.kind.events[place].carries.push(carried);
        }
    }

    /// `{ field = value }` with fields of this kind.
    fn values(&mut self, node: Node<'_>, what: &str) -> Vec<(Arc<str>, Value, Span)> {
        let table = node.table(self.report, what);
        let mut all = Vec::new();
        for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
            let Some(ty) = self.field_type(key.name, &key.span) else {
                continue;
            };
            let value = constant::read(self.report, node, &ty, &format!("`{}`", key.name));
            all.extend(value.map(|value| (Arc::from(key.name), value, key.span.clone())));
        }
        all
    }

    /// The type of a field that must be there.
    fn field_type(&mut self, name: &str, span: &Span) -> Option<Type> {
        let found = self.type_of(name);
        if found.is_none() {
            let message = format!("the kind has no field `{name}`");
            let error = Diagnostic::error("unknown-field", span.clone(), message);
            let names: Vec<&str> = self.kind.fields.iter().map(|field| &*field.name).collect();
            let near = did_you_mean(error.clone(), name, names.iter().copied());
            self.report.push(if near.help.is_empty() {
                error.help(crate::read::its_fields(&names))
            } else {
                near
            });
        }
        found
    }
}
