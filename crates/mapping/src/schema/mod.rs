//! The mapping as a JSON Schema with the house's own names in it, for editors.
//!
//! Built from the tables of the grammar and of the kinds, which the readers use too: serde's structs with
//! `schemars` would be a second description of the language, and could not know the house. What [`crate::load()`]
//! accepts, the schema accepts; it refuses unknown keys, names and words, and values of a wrong type or range.
//! What needs more than one place (a timer that nobody starts, an expression's types) is left to the loader.
//!
//! Draft 7: the newest one that the usual editors read. Must not know TOML.

mod values;

use serde_json::{Map, Value as Json, json};

use crate::{
    grammar::{self, Form, Forms, Keys, Names, Need, Others, Takes},
    kinds,
    program::Program,
    vocabulary,
};

/// The schema of this house's files. Takes also what was understood of a house with mistakes.
#[must_use]
pub fn schema(program: &Program) -> Json {
    let mut writer = Writer {
        program,
        definitions: Map::new(),
    };
    let mut top = writer.keys(&grammar::MAPPING);
    for more in [&grammar::TESTS, &grammar::BLOCKLIST] {
        let more = writer.keys(more);
        if let (Some(Json::Object(all)), Json::Object(more)) =
            (top.get_mut("properties"), &more["properties"])
        {
            all.extend(more.clone());
        }
    }
    top["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    top["title"] = json!("A house");
    top["description"] = json!("Files of a mapping, its tests, and its blocklist");
    top["definitions"] = Json::Object(writer.definitions);
    top
}

/// Nothing fits.
fn nothing() -> Json {
    json!({ "not": {} })
}

/// One of these texts.
fn one_of<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Json {
    let words: Vec<Json> = words.into_iter().map(|word| json!(word.as_ref())).collect();
    if words.is_empty() {
        nothing()
    } else {
        json!({ "type": "string", "enum": words })
    }
}

/// One of these schemas.
fn any_of(mut schemas: Vec<Json>) -> Json {
    match schemas.len() {
        0 => nothing(),
        1 => schemas.remove(0),
        _ => json!({ "anyOf": schemas }),
    }
}

fn pattern(pattern: &str, example: &str) -> Json {
    json!({ "type": "string", "pattern": pattern, "examples": [example] })
}

/// Durations as [`crate::load()`] reads them, without the ends of the pattern.
const DURATION: &str = r"((\d+\.?\d*|\.\d+)(ms|s|m|h|d))+";
const DAY: &str = "(mon|tue|wed|thu|fri|sat|sun)";

struct Writer<'p> {
    program: &'p Program,
    definitions: Map<String, Json>,
}

impl Writer<'_> {
    /// A reference to the definition `name`, which `write` writes the first time.
    fn defined(&mut self, name: &str, write: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.definitions.contains_key(name) {
            // Whatever refers to itself finds that it is there.
            self.definitions.insert(name.to_owned(), json!(true));
            let schema = write(self);
            self.definitions.insert(name.to_owned(), schema);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    /// A table.
    fn keys(&mut self, keys: &'static Keys) -> Json {
        match keys.others {
            Others::Nothing => self.table(keys, &[]),
            Others::OptionsOf(_) => self.channel(keys),
            Others::FieldsOf(key) => self.with_fields(keys, key),
            Others::EventFieldsOf(key) => self.with_event_fields(keys, key),
            Others::ArgumentsOf(key) => self.with_arguments(keys, key),
        }
    }

    /// A table with these keys, some of them replaced, and with no others.
    fn table(&mut self, keys: &'static Keys, replaced: &[(&str, Json)]) -> Json {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for spec in keys.specs {
            let other = replaced.iter().find(|(name, _)| *name == spec.name);
            let mut schema = match other {
                Some((_, schema)) => schema.clone(),
                None => self.takes(&spec.takes),
            };
            describe(&mut schema, spec.about);
            properties.insert(spec.name.to_owned(), schema);
            if spec.need == Need::Must {
                required.push(spec.name);
            }
        }
        let mut table = object(properties);
        if !required.is_empty() {
            table["required"] = json!(required);
        }
        table
    }

    fn takes(&mut self, takes: &'static Takes) -> Json {
        match takes {
            Takes::Plain(takes) => plain(takes),
            Takes::Between(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
            Takes::Format => json!({ "const": 1 }),
            Takes::File => json!({ "type": "string", "minLength": 1 }),
            Takes::TimeZone => json!({ "type": "string", "examples": ["Europe/Berlin"] }),
            Takes::TimeOfDay => pattern(r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "07:00"),
            Takes::Days => {
                let one = format!(r"\s*{DAY}(-{DAY})?\s*");
                let days = pattern(&format!("^{one}(,{one})*$"), "mon-fri");
                json!({ "anyOf": [days, { "type": "array", "minItems": 1, "items": days }] })
            }
            Takes::Limit => pattern(
                &format!(r"^\s*\+?\d+\s* per \s*{DURATION}\s*$"),
                "1 per 30s",
            ),
            Takes::Moment => pattern(
                r"^\s*\d+-\d+-\d+\s+\d+:\d+(:\d+(\.\d+)?)?\s*$",
                "2026-03-28 21:00",
            ),
            Takes::Date => json!({ "type": "string" }),
            Takes::Topic => {
                let mut topic = pattern("^[^+#]+$", "home/lamp/set");
                topic["not"] = json!({ "pattern": r"^(\$|iot/|ic1/)" });
                topic
            }
            Takes::Board => {
                let known = one_of(kinds::BOARDS.iter().map(|board| board.name));
                json!({ "anyOf": [known, { "type": "string" }] })
            }
            Takes::Kind => self.kind(),
            Takes::Condition => {
                json!({ "type": "string", "minLength": 1, "maxLength": 1_000, "examples": ["sun.is_down"] })
            }
            Takes::Message => json!({ "type": "string" }),
            Takes::Name(names) => self.name(*names),
            Takes::Start => json!({ "type": ["boolean", "number", "string"] }),
            Takes::ValueOf(_) => json!({ "type": ["boolean", "number", "string"] }),
            Takes::Constants => {
                let value = json!({ "type": ["boolean", "number", "string"] });
                json!({ "type": "object", "additionalProperties": value })
            }
            Takes::Word => pattern("^[a-z][a-z0-9_-]{0,31}$", "all"),
            Takes::Values(values) => self.values(*values),
            Takes::FieldsOf(_) => self.any_event_fields(),
            Takes::VarValues => self.var_values(),
            Takes::Firings => self.firings(),
            Takes::By(names, inner) => json!({
                "type": "object",
                "propertyNames": one_of(vocabulary::all(self.program, *names)),
                "additionalProperties": self.takes(inner),
            }),
            Takes::ByPlace(inner) => json!({
                "type": "object",
                "patternProperties": { "^[1-9]\\d*$": self.takes(inner) },
                "additionalProperties": false,
            }),
            Takes::Renames => {
                let name = self.name(Names::Renamed);
                // A name that has another one itself stands here too.
                let chained = json!({ "type": "string", "pattern": r"^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*$" });
                json!({ "type": "object", "additionalProperties": any_of(vec![name, chained]) })
            }
            Takes::Declares(names, inner) => self.declares(*names, inner),
            Takes::Table(keys) => {
                let name = keys.what.replace('`', "").replace(' ', "-");
                self.defined(&name, |writer| {
                    let mut table = writer.keys(keys);
                    if keys.what == grammar::DEVICE.what {
                        table["anyOf"] =
                            json!([{ "required": ["id"] }, { "required": ["virtual"] }]);
                    }
                    table
                })
            }
            Takes::Forms(forms) => {
                let name = forms.what.replace(' ', "-");
                self.defined(&name, |writer| writer.forms(forms))
            }
            Takes::List(inner) => json!({ "type": "array", "items": self.takes(inner) }),
            Takes::OneOrMore(inner) => {
                let one = self.takes(inner);
                json!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
            }
            Takes::Either(all) => any_of(all.iter().map(|takes| self.takes(takes)).collect()),
        }
    }

    fn forms(&mut self, forms: &'static Forms) -> Json {
        let mut all = vec![self.takes(&forms.text)];
        all.extend(forms.all.iter().map(|form| self.form(form)));
        any_of(all)
    }

    fn form(&mut self, form: &'static Form) -> Json {
        let value_of = form.keys.specs.iter().find_map(|spec| match spec.takes {
            Takes::ValueOf(key) => Some((spec.name, key)),
            _ => None,
        });
        match value_of {
            Some((name, key)) => self.with_value_of(&form.keys, name, key),
            None => self.keys(&form.keys),
        }
    }

    /// A table of tables whose names are declared here.
    fn declares(&mut self, names: Names, inner: &'static Takes) -> Json {
        let letters = match names {
            Names::Rule | Names::Scene => "[a-z0-9_-]{0,31}",
            Names::Test => "[a-z0-9_-]{0,99}",
            _ => "[a-z0-9_]{0,31}",
        };
        let schema = self.takes(inner);
        // Editors read patterns with engines that can't look ahead.
        let mut table = json!({
            "type": "object",
            "patternProperties": { format!("^[a-z]{letters}$"): schema },
            "additionalProperties": false,
        });
        if names != Names::Test {
            table["propertyNames"] = json!({ "not": { "enum": crate::names::RESERVED } });
        }
        table
    }

    /// Something of the house, by its name.
    fn name(&mut self, names: Names) -> Json {
        match names {
            Names::NewTimer => pattern("^[a-z][a-z0-9_-]{0,31}$", "hall-off"),
            _ => {
                let definition = format!("{names:?}").to_lowercase();
                let known = vocabulary::all(self.program, names);
                self.defined(&definition, |_| one_of(known))
            }
        }
    }

    fn kind(&mut self) -> Json {
        let program = self.program;
        self.defined("kind", |_| {
            let kinds = program.kinds.all();
            let each =
                kinds.map(|kind| json!({ "const": &*kind.name, "description": &*kind.about }));
            any_of(each.collect())
        })
    }
}

/// A table with these properties and no others.
fn object(properties: Map<String, Json>) -> Json {
    let mut table = json!({ "type": "object", "additionalProperties": false });
    table["properties"] = Json::Object(properties);
    table
}

/// Says what a key is for. Validators pass over what stands beside a reference, people don't.
fn describe(schema: &mut Json, about: &str) {
    schema["description"] = json!(about);
}

/// A value that knows nothing of the house.
fn plain(takes: &kinds::Takes) -> Json {
    let pin = || json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 255 }, { "type": "string" }] });
    match takes {
        kinds::Takes::Pin => pin(),
        kinds::Takes::Pins => json!({ "type": "array", "items": pin() }),
        kinds::Takes::Bool => json!({ "type": "boolean" }),
        kinds::Takes::Int(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        kinds::Takes::Number => json!({ "type": "number" }),
        kinds::Takes::Word(words) => one_of(*words),
        kinds::Takes::Duration => pattern(&format!("^{DURATION}$"), "5m"),
        kinds::Takes::I2c => json!({ "type": "integer", "minimum": 0x08, "maximum": 0x77 }),
        kinds::Takes::Text => json!({ "type": "string" }),
        kinds::Takes::EventWords | kinds::Takes::FieldPlaces => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
    }
}
